"""Pictures and texts to vectors."""
