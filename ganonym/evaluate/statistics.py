"""Exact intervals for rates. The unit is the subject, not the photo: photos of one person are not independent."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Proportion:
    """A rate `value` = hits / n with its exact interval [`low`, `high`]; `n` counts subjects.

    `hits` may be fractional: a tie among t candidates counts 1/t.
    """

    value: float
    low: float
    high: float
    hits: float
    n: int


def proportion(hits: float, n: int, confidence: float = 0.95) -> Proportion:
    """Clopper–Pearson (1934) interval, two-sided at `confidence`, of `hits` among `n` independent subjects.

    Fractional hits are rounded down for `low` and up for `high`, so the interval only widens. A one-sided 95 % bound is
    the end of the two-sided 90 % interval. Raises ValueError unless n >= 1 and 0 <= hits <= n.

    >>> p = proportion(0, 32)
    >>> p.value, p.low, round(p.high, 3)
    (0.0, 0.0, 0.109)
    >>> round(proportion(0, 32, confidence=0.90).high, 3)
    0.089
    """
    from scipy.stats import binomtest

    if n < 1 or not 0.0 <= hits <= n:
        raise ValueError(f"{hits} hits among {n} subjects is not a proportion")
    exact = round(hits, 9)  # sums of 1/t such as 3 × 1/3 must not round up to one hit more
    low = binomtest(math.floor(exact), n).proportion_ci(confidence, method="exact").low
    high = binomtest(math.ceil(exact), n).proportion_ci(confidence, method="exact").high
    return Proportion(hits / n, float(low), float(high), float(hits), n)
