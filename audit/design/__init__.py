"""What is asked: suites, mitigations, a language model as a rewriter, images made elsewhere."""
