"""Measurements on images: encoders, attributes, copies, and human labels."""
