"""Exact intervals for rates. The unit is the subject, not the photo: photos of one person are not independent."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ganonym.statistics.estimate import Rate


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
    from scipy.special import betaincinv

    if n < 1 or not 0.0 <= hits <= n:
        raise ValueError(f"{hits} hits among {n} subjects is not a proportion")
    exact = round(hits, 9)  # sums of 1/t such as 3 × 1/3 must not round up to one hit more
    fewest, most, tail = math.floor(exact), math.ceil(exact), (1.0 - confidence) / 2
    low = betaincinv(fewest, n - fewest + 1, tail) if fewest > 0 else 0.0
    high = betaincinv(most + 1, n - most, 1.0 - tail) if most < n else 1.0
    return Proportion(hits / n, float(low), float(high), float(hits), n)


def rate(hits: float, n: int) -> Rate:
    """`proportion` as the schema has it, with the one-sided 95 % upper bound."""
    found = proportion(hits, n)
    upper = proportion(hits, n, confidence=0.90).high
    return Rate(value=found.value, low=found.low, high=found.high, upper=upper, n=n)


def exceeds(hits: float, n: int, limit: float) -> float:
    """p-value of the exact binomial test that more than `limit` of all are hit; fractional hits are rounded down.

    >>> round(exceeds(3, 30, 0.05), 4), exceeds(3, 30, 1.0)
    (0.1878, 1.0)
    """
    from scipy.stats import binom

    return float(binom.sf(math.floor(round(hits, 9)) - 1, n, min(max(limit, 0.0), 1.0)))


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted p-values (Holm 1979): each below α controls the chance of a single false claim among all of them.

    >>> holm([0.04, 0.01, 0.03])
    [0.06, 0.03, 0.06]
    """
    adjusted = [0.0] * len(p_values)
    worst = 0.0
    for place, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        worst = max(worst, min(1.0, (len(p_values) - place) * p_values[index]))
        adjusted[index] = worst
    return adjusted
