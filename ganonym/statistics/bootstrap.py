"""Intervals for anything that is no plain rate: bootstrap over subjects, all photos of a subject together.

Photos of one person are not independent: resampling photos gives intervals that are too narrow.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ganonym.statistics.estimate import Estimate
from ganonym.types import Floats

Statistic: TypeAlias = Callable[[NDArray[np.intp]], float]
"""Indices of photos (m,), with repetition → a value, NaN where it is undefined (say, one class only)."""

ROUNDS = 1000


def subject_bootstrap(
    statistic: Statistic,
    subjects: Sequence[str],
    rng: np.random.Generator,
    rounds: int = ROUNDS,
    *,
    confidence: float = 0.95,
    bounds: tuple[float, float] | None = (0.0, 1.0),
) -> Estimate:
    """`statistic` over all photos with its two-sided interval; `subjects[i]` is on photo i.

    Bias-corrected and accelerated (Efron 1987), percentiles where that is undefined. A one-sided 95 % bound is the end
    of the two-sided 90 % interval. Where no resample differs, [0, 0] would be false certainty: then the interval allows
    the exact share 1 − (α/2)^(1/n) of subjects to lie at either end of `bounds`, the statistic's range, which is
    Clopper and Pearson's interval for 0 and for n hits. Without a range (None) such an interval is one point. Raises
    ValueError without subjects, or when the statistic is undefined over all photos or over half the resamples.

    >>> rng = np.random.default_rng(0)
    >>> hits = np.zeros(32)
    >>> found = subject_bootstrap(lambda photos: hits[photos].mean(), [str(n) for n in range(32)], rng)
    >>> found.value, found.low, round(found.high, 3)
    (0.0, 0.0, 0.109)
    """
    if not subjects:
        raise ValueError("there is nobody to resample")
    value = float(statistic(np.arange(len(subjects), dtype=np.intp)))
    if not math.isfinite(value):
        raise ValueError("the statistic is undefined over all photos")
    low, high = _interval(statistic, _photos(subjects), rng, rounds, confidence) or (value, value)
    if high - low <= 1e-12 * max(1.0, abs(value)):
        low, high = exact(value, len(set(subjects)), confidence, bounds)
    return Estimate(value=value, low=min(low, value), high=max(high, value))


def paired_bootstrap(
    one: Statistic,
    other: Statistic,
    subjects: Sequence[str],
    rng: np.random.Generator,
    rounds: int = ROUNDS,
    *,
    confidence: float = 0.95,
    bounds: tuple[float, float] | None = (-1.0, 1.0),
) -> Estimate:
    """`one` − `other` over the same resampled subjects, as `subject_bootstrap`."""
    return subject_bootstrap(
        lambda photos: one(photos) - other(photos), subjects, rng, rounds, confidence=confidence, bounds=bounds
    )


def resamples(statistic: Statistic, subjects: Sequence[str], rng: np.random.Generator, rounds: int = ROUNDS) -> Floats:
    """`statistic` over `rounds` times as many subjects drawn with replacement, (rounds,)."""
    photos = _photos(subjects)
    drawn = rng.integers(0, len(photos), (rounds, len(photos)))
    return np.array([statistic(np.concatenate([photos[index] for index in people])) for people in drawn])


def exact(
    value: float, subjects: int, confidence: float = 0.95, bounds: tuple[float, float] | None = (0.0, 1.0)
) -> tuple[float, float]:
    """The interval where nothing varies: see `subject_bootstrap`."""
    if bounds is None:
        return value, value
    share = 1.0 - ((1.0 - confidence) / 2) ** (1.0 / subjects)
    return value - share * max(value - bounds[0], 0.0), value + share * max(bounds[1] - value, 0.0)


def _photos(subjects: Sequence[str]) -> list[NDArray[np.intp]]:
    """The photos of every subject. By name, so that the order of photos decides nothing."""
    names, owner = np.unique(np.array(subjects), return_inverse=True)
    return [np.flatnonzero(owner == index) for index in range(len(names))]


def _interval(
    statistic: Statistic, photos: list[NDArray[np.intp]], rng: np.random.Generator, rounds: int, confidence: float
) -> tuple[float, float] | None:
    """None for a single subject, of whom every resample is the same."""
    from scipy.stats import DegenerateDataWarning, bootstrap

    if len(photos) < 2:
        return None

    def resampled(people: NDArray[np.intp]) -> float:
        return float(statistic(np.concatenate([photos[index] for index in people])))

    with warnings.catch_warnings(), np.errstate(invalid="ignore", divide="ignore"):
        warnings.simplefilter("ignore", DegenerateDataWarning)
        found = bootstrap(
            (np.arange(len(photos)),),
            resampled,
            vectorized=False,
            n_resamples=rounds,
            confidence_level=confidence,
            method="BCa",
            random_state=rng,
        )
    low, high = found.confidence_interval
    if math.isfinite(low) and math.isfinite(high):
        return float(low), float(high)
    defined = found.bootstrap_distribution[np.isfinite(found.bootstrap_distribution)]
    if 2 * len(defined) <= rounds:
        raise ValueError(f"the statistic is undefined on {rounds - len(defined)} of {rounds} resamples")
    tail = (1.0 - confidence) / 2
    return float(np.quantile(defined, tail)), float(np.quantile(defined, 1.0 - tail))
