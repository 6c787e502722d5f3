"""Rows of utility: whether released pictures are as good as originals, and how their numbers agree photo by photo.

Non-inferiority is decided by the paired bootstrap over subjects.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ganonym.evaluate.findings import Utility
from ganonym.statistics.intervals import Estimate, Statistic, paired_bootstrap, subject_bootstrap
from ganonym.types import Floats

Decision = Literal["kept", "lost", "undecided"]
Bounds = tuple[float, float] | None
RATE: Bounds = (0.0, 1.0)
REPORTED_ROUNDS = 400  # nothing hangs on the second digit of these intervals


def decide(difference: Estimate, margin: float) -> Decision:
    """Kept when the interval of `difference` (released − original, more is better) lies above −`margin`.

    Lost when it lies below, else undecided: a small study proves neither.

    >>> decide(Estimate(value=-0.02, low=-0.04, high=0.0), 0.05)
    'kept'
    """
    if difference.low > -margin:
        return "kept"
    return "lost" if difference.high < -margin else "undecided"


def compared(
    family: str,
    name: str,
    statistics: tuple[Statistic, Statistic],
    subjects: Sequence[str],
    rng: np.random.Generator,
    *,
    margin: float | None = None,
    bounds: Bounds = RATE,
    note: str = "",
) -> Utility:
    """`statistics` of originals and of released pictures over the same photos, and their paired difference.

    With a `margin` it is decided whether the second is non-inferior; without one it is reported. Where a statistic is
    undefined (see `subject_bootstrap`) the row says so instead of a number.
    """
    original, released = statistics
    apart = None if bounds is None else (bounds[0] - bounds[1], bounds[1] - bounds[0])
    seed = int(rng.integers(2**63))  # the same resamples for all three, so that equal statistics have equal intervals
    try:
        before, after = (
            subject_bootstrap(statistic, subjects, np.random.default_rng(seed), bounds=bounds)
            for statistic in statistics
        )
        difference = paired_bootstrap(released, original, subjects, np.random.default_rng(seed), bounds=apart)
    except ValueError as error:
        return not_evaluated(family, name, f"{note} {error}".strip())
    return Utility(
        family=family,
        name=name,
        original=before,
        released=after,
        difference=difference,
        margin=margin,
        decision="reported" if margin is None else decide(difference, margin),
        note=note,
    )


def reported(
    family: str,
    name: str,
    statistic: Statistic,
    subjects: Sequence[str],
    rng: np.random.Generator,
    *,
    bounds: Bounds = None,
    original: Estimate | None = None,
    note: str = "",
) -> Utility:
    """`statistic` of released pictures, or of how they agree with originals; nothing is decided by it."""
    try:
        found = subject_bootstrap(statistic, subjects, rng, REPORTED_ROUNDS, bounds=bounds)
    except ValueError as error:
        return not_evaluated(family, name, f"{note} {error}".strip())
    return Utility(
        family=family,
        name=name,
        original=original,
        released=found,
        difference=None,
        margin=None,
        decision="reported",
        note=note,
    )


def not_evaluated(family: str, name: str, note: str, original: Estimate | None = None) -> Utility:
    """A row that says why there is no number."""
    return Utility(
        family=family,
        name=name,
        original=original,
        released=None,
        difference=None,
        margin=None,
        decision="not evaluated",
        note=note,
    )


FEWEST, ROUNDS = 10, 400


def correlation(before: Floats, after: Floats) -> Statistic:
    """Pearson's r of values (n,); 0 where what was released does not vary, NaN where originals do not."""

    def statistic(photos: NDArray[np.intp]) -> float:
        one, other = before[photos] - before[photos].mean(), after[photos] - after[photos].mean()
        scale = float(np.sqrt(one @ one)), float(np.sqrt(other @ other))
        if scale[0] <= 1e-12 or len(photos) < 3:
            return float("nan")
        return float(one @ other) / (scale[0] * scale[1]) if scale[1] > 1e-12 else 0.0

    return statistic


def mean_of(values: Floats) -> Statistic:
    """Mean of values (n,)."""
    return lambda photos: float(values[photos].mean())


def limits_of_agreement(differences: Floats) -> tuple[float, float]:
    """Bland and Altman's (1986) 95 % limits: mean ± 1.96 SD of differences (n,), n ≥ 2."""
    half = 1.96 * float(differences.std(ddof=1))
    return float(differences.mean()) - half, float(differences.mean()) + half


def repeatability(values: Floats, subjects: Sequence[str], rng: np.random.Generator) -> Estimate | None:
    """Correlation of values (n,) between two original photos of one subject: the ceiling of any agreement.

    The intraclass correlation of first and second photos, which are exchangeable: each pair counts both ways. None
    where fewer than 10 subjects have two photos.
    """
    pairs: dict[str, list[int]] = {}
    for index, subject in enumerate(subjects):
        pairs.setdefault(subject, []).append(index)
    rows = np.array([photos[:2] for photos in pairs.values() if len(photos) > 1], dtype=np.intp).reshape(-1, 2)
    if len(rows) < FEWEST:
        return None
    # One entry per subject, so that the resampled unit is the pair.
    first, second = values[rows[:, 0]], values[rows[:, 1]]

    def statistic(people: NDArray[np.intp]) -> float:
        one, other = first[people], second[people]
        return correlation(np.concatenate([one, other]), np.concatenate([other, one]))(np.arange(2 * len(people)))

    try:
        return subject_bootstrap(statistic, [subjects[row] for row in rows[:, 0]], rng, ROUNDS, bounds=(-1.0, 1.0))
    except ValueError:
        return None
