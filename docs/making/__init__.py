"""Generators of the reference: one module per kind of page."""
