"""A language model as a rewriter: questions, models that answer, and stored answers.

Models are accessed here, over the network or on disk, so `mitigations/` needs neither.
"""
