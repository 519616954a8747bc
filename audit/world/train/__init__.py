"""Recipes that make the embedded models: each is a command, a seed and the data of this package."""
