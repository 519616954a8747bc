"""The page that people read: it shows findings and computes none."""
