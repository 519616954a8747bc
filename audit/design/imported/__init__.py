"""Images made elsewhere: where they lie, and the prompts that are kept with them."""
