"""A number with its interval: exact for rates, by bootstrap for everything else; as data, and as written to JSON.

The unit is the subject, not the photo: photos of one person are not independent, and resampling them one by one gives
intervals that are too narrow.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from ganonym.types import Floats

FEW = 10
"""A rate of fewer people than this says little, whatever its value: one more patient moves it by a tenth."""


class Model(BaseModel):
    """Immutable; unknown fields are errors, so that a reader of another version finds out."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Rate(Model):
    """Share of `n` subjects with its exact interval (Clopper and Pearson 1934) and one-sided upper bound."""

    value: float
    low: float
    high: float
    upper: float
    n: int


class Estimate(Model):
    """A value with its interval by bootstrap over subjects."""

    value: float
    low: float
    high: float


def few(subjects: Iterable[str]) -> bool:
    """Whether these are fewer than ten different people, so that a rate of theirs needs a warning.

    >>> few(["a", "b", "a"]), few(map(str, range(10)))
    (True, False)
    """
    return len(set(subjects)) < FEW


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
