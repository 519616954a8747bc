"""Encoders of images and texts to vectors."""
