"""Readers of attributes from images."""
