"""Images made elsewhere, their prompts, and tables of labels."""
