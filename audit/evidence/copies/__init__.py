"""Training sets, their index, and matches."""
