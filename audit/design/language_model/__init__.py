"""A language model as a rewriter: what it is asked, who answers, and what was answered.

Models are reached here, on the network or on disk, so `mitigations/` stays free of both.
"""
