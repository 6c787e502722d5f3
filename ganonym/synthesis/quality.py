"""How good a set of synthesized faces is, from feature arrays: likeness to real ones, variety, memorisation, detail.

Plain functions of arrays (n, d), one row a picture; whose features they are is the caller's business. A number here is
worth no more than the features: those of a face network see who is shown, not whether the skin has pores.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist, pdist

from ganonym.types import RGB, Floats, Points, luma

OCTAVES = 4


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value with its 95 % interval [`low`, `high`]."""

    value: float
    low: float
    high: float


def kernel_distance(real: Floats, fake: Floats, rng: np.random.Generator, rounds: int = 200) -> Estimate:
    """KID (Bińkowski et al. 2018): unbiased squared MMD of (n, d) and (m, d) under the kernel (x·y / d + 1)³.

    Unlike FID it is unbiased at any n, so it may be negative; scale features to length √d. The interval is the spread
    over random halves without replacement, whose variance given the sample is that of the estimate itself. Raises
    ValueError for fewer than 4 rows or unequal widths.
    """
    _check(real, fake, 4)
    within_real, within_fake, between = (_cubic(a, b) for a, b in ((real, real), (fake, fake), (real, fake)))
    value = _unbiased(within_real, within_fake, between)
    halves = []
    for _ in range(rounds):
        rows, columns = (np.sort(rng.permutation(n)[: (n + 1) // 2]) for n in between.shape)
        halves.append(
            _unbiased(
                within_real[np.ix_(rows, rows)], within_fake[np.ix_(columns, columns)], between[np.ix_(rows, columns)]
            )
        )
    low, high = np.quantile(np.array(halves) - np.mean(halves), [0.025, 0.975])
    return Estimate(value, float(value + low), float(value + high))


def precision_recall(real: Floats, fake: Floats, neighbours: int = 3) -> tuple[float, float]:
    """Improved precision and recall (Kynkäänniemi et al. 2019) of (n, d) and (m, d), each in 0…1.

    Precision is the share of `fake` inside the manifold of `real`: within reach of a real row, whose reach is the
    distance to its `neighbours`-th nearest other one. Recall is the same with the roles swapped. Small sets are sparse,
    so compare only rows of equal n and m. Raises ValueError without more rows than `neighbours` on each side.
    """
    _check(real, fake, neighbours + 1)
    between = cdist(real, fake)
    reach_real, reach_fake = (_reach(rows, neighbours) for rows in (real, fake))
    precision = (between <= reach_real[:, None]).any(axis=0).mean()
    recall = (between <= reach_fake[None, :]).any(axis=1).mean()
    return float(precision), float(recall)


def diversity(features: Floats) -> float:
    """Mean Euclidean distance between two rows of (n, d), n ≥ 2. One face drawn n times gives 0."""
    if len(features) < 2:
        raise ValueError("the distance between two faces needs two faces")
    return float(pdist(features).mean())


def nearest(features: Floats, reference: Floats) -> Floats:
    """Distance (n,) of each row of (n, d) to its nearest row of `reference` (m, d), m ≥ 1; 0 is a copy."""
    _check(features, reference, 1)
    return np.asarray(cdist(features, reference).min(axis=1))


def landmark_error(found: Points, requested: Points) -> float:
    """Mean distance between landmarks (68, 2), in units of the distance between the requested eye centres."""
    interocular = np.linalg.norm(requested[36:42].mean(axis=0) - requested[42:48].mean(axis=0))
    return float(np.linalg.norm(found - requested, axis=1).mean() / interocular)


def agreement(requested: Floats, measured: Floats, least: float = 0.0) -> tuple[float, float]:
    """Pearson correlation of values (n,) with what was measured of them, and the share whose sign agrees.

    Only |requested| > `least` count for the sign; NaN where nothing does or nothing varies.
    """
    if requested.shape != measured.shape or requested.ndim != 1:
        raise ValueError(f"{requested.shape} values were requested and {measured.shape} measured")
    clear = np.abs(requested) > least
    varies = len(requested) > 1 and np.ptp(requested) > 0 and np.ptp(measured) > 0
    correlation = float(np.corrcoef(requested, measured)[0, 1]) if varies else float("nan")
    same = float((np.sign(requested[clear]) == np.sign(measured[clear])).mean()) if clear.any() else float("nan")
    return correlation, same


def bands(rgb: RGB, points: Points) -> Floats:
    """Mean absolute value of four octave bands (4,), finest first, of luma from brows to mouth, in grey levels.

    Each band is the difference between a picture and its 2 × 2 means (a Laplacian pyramid of boxes). `points` (68, 2)
    in pixels of `rgb`. Raises ValueError where that part of the face is under 16 px.
    """
    (left, top), (right, bottom) = points[17:60].min(axis=0).astype(int), points[17:60].max(axis=0).astype(int)
    level = luma(rgb)
    level = level[max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)]
    step = 2**OCTAVES
    level = level[: level.shape[0] // step * step, : level.shape[1] // step * step]
    if level.size == 0:
        raise ValueError(f"a face of {right - left} × {bottom - top} px has no four octaves")
    bands = []
    for _ in range(OCTAVES):
        height, width = level.shape
        coarse = level.reshape(height // 2, 2, width // 2, 2).mean(axis=(1, 3))
        bands.append(np.abs(level - coarse.repeat(2, axis=0).repeat(2, axis=1)).mean())
        level = coarse
    return np.array(bands)


def _cubic(one: Floats, other: Floats) -> Floats:
    return np.asarray((one @ other.T / one.shape[1] + 1.0) ** 3)


def _unbiased(within_real: Floats, within_fake: Floats, between: Floats) -> float:
    same = sum(
        (kernel.sum() - np.trace(kernel)) / (len(kernel) * (len(kernel) - 1)) for kernel in (within_real, within_fake)
    )
    return float(same - 2.0 * between.mean())


def _reach(rows: Floats, neighbours: int) -> NDArray[np.float64]:
    distances = cdist(rows, rows)
    np.fill_diagonal(distances, np.inf)
    return np.asarray(np.partition(distances, neighbours - 1, axis=1)[:, neighbours - 1])


def _check(one: Floats, other: Floats, least: int) -> None:
    if one.ndim != 2 or other.ndim != 2 or one.shape[1] != other.shape[1]:
        raise ValueError(f"features of shapes {one.shape} and {other.shape} cannot be compared")
    if min(len(one), len(other)) < least:
        raise ValueError(f"{len(one)} and {len(other)} rows are too few: {least} are needed on each side")
