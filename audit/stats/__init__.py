"""Estimates with their uncertainty: numpy, scipy and statsmodels only, no torch and no files."""
