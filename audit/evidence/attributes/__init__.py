"""What is read from pictures."""
