"""Findings for elsewhere: tables, a section of a model card, evidence along two frameworks."""
