"""Random identities: the truncated population Gaussian in identity coefficients, and the seeds behind it."""

from __future__ import annotations

import hashlib
import math

import numpy as np

from ganonym.types import Floats

TRUNCATION = 2.5  # SD. Of untruncated draws in 40 directions 40 % hold a coefficient beyond it: such faces look drawn.


def generator(seed: int, purpose: str) -> np.random.Generator:
    """A generator for one purpose, so that a face's seed can serve shape and texture without correlating them."""
    digest = hashlib.sha256(f"{purpose}:{seed}".encode()).digest()
    return np.random.default_rng(int.from_bytes(digest, "big"))


def population_draw(rng: np.random.Generator, identity_sd: Floats, count: int) -> Floats:
    """`count` independent identities, (count, m): zero mean, covariance exactly diag(identity_sd²).

    Each coefficient is a normal truncated at ±2.5 SD and rescaled to unit variance, so none exceeds 2.62 SD.
    """
    from scipy.special import ndtr, ndtri

    tail = float(ndtr(-TRUNCATION))
    normal = ndtri(rng.uniform(tail, 1.0 - tail, (count, identity_sd.size)))
    density = math.exp(-(TRUNCATION**2) / 2) / math.sqrt(2 * math.pi)
    variance = 1.0 - 2.0 * TRUNCATION * density / (1.0 - 2.0 * tail)  # of the truncated standard normal
    return np.asarray(normal / math.sqrt(variance) * identity_sd, dtype=np.float64)
