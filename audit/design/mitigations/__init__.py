"""Prompt rewriters: pure functions of a text, what it is about, and a draw."""
