"""The page's words in one place, so that another language is another file."""

from __future__ import annotations

import math

from audit.findings.wording import change, cosine_change, interval, percent, points

VERDICTS = {
    "above": "above the reference",
    "below": "below the reference",
    "compatible": "compatible with the reference",
    "undecided": "undecided: not enough is known",
    "found": "copies found",
    "not found": "no copies found",
    "met": "target met",
    "not met": "target not met",
    "described": "a description, not a test",
    "": "",
}

CANNOT = (
    "Attributes are perceived, from pixels, by a classifier; nobody's identity is inferred.",
    "A share says what this model drew for these prompts, seeds and settings, not what "
    "it would draw for others.",
    "An image that is not called a copy may still imitate; a copy of an image that is not in the "
    "searched training set cannot be found.",
)

FORMULAS = (
    ("Share", "k / n over images with a label, Wilson's interval (Wilson 1927). Missing images are "
     "counted beside it, never in it."),
    ("Correction", "(q + Sp - 1) / (Se + Sp - 1) from the observed share q and the classifier's "
     "sensitivity and specificity (Rogan and Gladen 1978), with limits that carry "
     "the error of both (Lang and Reiczigel 2014); for more than two classes the confusion matrix "
     "is inverted on the simplex, with draws from Dirichlet posteriors."),
    ("Many comparisons", "q-values by Benjamini and Hochberg (1995) inside the family named in "
     "the table."),
    ("Copies", "W = log(d_held / d_train): how much nearer an image is to the training set than "
     "to a held-out set of the same kind and size. Without copying W is as often negative as "
     "positive, which gives the threshold its false discovery rate (Barber and Candes 2015)."),
    ("Effects of a rewrite", "differences on the same noise, prompt by prompt; intervals by "
     "Newcombe (1998) and by resampling prompts; exact McNemar tests."),
    ("Fair floor", "what a perfectly faithful model would score at this number of images, because "
     "a distance cannot be negative."),
)  # fmt: skip

CITATIONS = (
    "Barber and Candes 2015, Annals of Statistics 43:2055",
    "Benjamini and Hochberg 1995, JRSS B 57:289",
    "Carlini et al. 2023, Extracting training data from diffusion models, USENIX Security",
    "Lang and Reiczigel 2014, Preventive Veterinary Medicine 113:13",
    "Luccioni et al. 2023, Stable Bias, NeurIPS",
    "Newcombe 1998, Statistics in Medicine 17:2635",
    "Pizzi et al. 2022, A self-supervised descriptor for image copy detection, CVPR",
    "Rogan and Gladen 1978, American Journal of Epidemiology 107:71",
    "Rombach et al. 2022, High-resolution image synthesis with latent diffusion models, CVPR",
    "Somepalli et al. 2023, Diffusion art or digital forgery?, CVPR",
    "Wilson 1927, JASA 22:209",
)


def number(x: float, digits: int = 3) -> str:
    """A plain number with sensible digits, or `not known`."""
    if not math.isfinite(x):
        return "not known"
    return f"{x:.0f}" if float(x).is_integer() and abs(x) >= 1 else f"{x:.{digits}f}"


def p_value(x: float) -> str:
    """A p- or q-value: `0.03`, `< 0.001`, or a dash where there was no test."""
    if not math.isfinite(x):
        return "\N{EN DASH}"
    return "< 0.001" if x < 0.001 else f"{x:.3f}" if x < 0.1 else f"{x:.2f}"


def clip(text: str, length: int = 160) -> str:
    """A text of at most `length` characters, with an ellipsis where it was cut."""
    text = " ".join(str(text).split())
    return text if len(text) <= length else text[: length - 1] + "\N{HORIZONTAL ELLIPSIS}"


__all__ = [
    "CANNOT", "CITATIONS", "FORMULAS", "VERDICTS", "change", "clip", "cosine_change", "interval",
    "number", "p_value", "percent", "points",
]  # fmt: skip
