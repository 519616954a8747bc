"""Tests of the labelling room."""
