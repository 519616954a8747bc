"""Prompt rewriters: pure functions of a text, its prompt, and drawn values."""
