"""The HTML report: it shows findings and computes none."""
