"""Tests of the shipped suites and tables."""
