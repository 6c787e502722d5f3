"""How one number per photo of released pictures agrees with the same number of their originals."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ganonym.statistics.bootstrap import Statistic, subject_bootstrap
from ganonym.statistics.estimate import Estimate
from ganonym.types import Floats

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


def median_of(values: Floats) -> Statistic:
    """Median of values (n,)."""
    return lambda photos: float(np.median(values[photos]))


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
    rows = np.array([each[:2] for each in pairs.values() if len(each) > 1], dtype=np.intp).reshape(-1, 2)
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
