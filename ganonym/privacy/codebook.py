"""A public codebook of shapes: an output that can take only M values carries at most log2 M bits of a subject."""

from __future__ import annotations

import numpy as np

from ganonym.privacy.draw import generator, population_draw
from ganonym.types import Floats


def make_codebook(identity_sd: Floats, codes: int = 256, seed: int = 0) -> Floats:
    """The codebook, (codes, m) identity coefficients: a function of the public shape model and a public seed alone.

    >>> make_codebook(np.ones(3), codes=4).shape
    (4, 3)
    """
    return population_draw(generator(seed, "codebook"), identity_sd, codes)


def nearest_code(identity: Floats, codebook: Floats, identity_sd: Floats) -> int:
    """Index of the code nearest to `identity` (m,) in coefficients whitened by `identity_sd`; the first if tied."""
    gaps = (codebook - identity) / identity_sd
    return int(np.argmin(np.sum(gaps * gaps, axis=1)))
