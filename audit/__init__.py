"""Audit text-to-image models: who appears, what is copied, and what a mitigation changes."""
