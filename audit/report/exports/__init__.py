"""Exports of findings: tables, a section of a model card, evidence for two frameworks."""
