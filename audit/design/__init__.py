"""Audit design: suites, mitigations, a language model as a rewriter, images made elsewhere."""
