"""Several attackers together: the mean of their distances, each in units of its own spread over the gallery."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ganonym.evaluate.attackers.attacker import Tier
from ganonym.evaluate.scores import Scores
from ganonym.types import Floats

COST: tuple[Tier, ...] = ("T0", "T1", "T2", "A", "R")
"""Tiers from the cheapest attack to the dearest."""
ROUNDING = 1e-12


def fuse(scores: Sequence[Scores], name: str) -> Scores:
    """One attacker made of several in the same setting: mean of distances, z-normalised over each probe's gallery.

    An attacker without a template of a probe is left out of that probe's mean, one without a candidate's template out
    of that candidate's; a probe that nobody has is NaN. Its tier is the dearest of the parts'. Raises ValueError when
    there is nothing to fuse or the parts are not about the same trials.
    """
    if not scores:
        raise ValueError("there is nothing to fuse")
    first = scores[0]
    for other in scores[1:]:
        if not _same_trials(first, other):
            raise ValueError(f"{first.attacker} and {other.attacker} were not scored on the same trials")
    total, count = np.zeros(first.distances.shape), np.zeros(first.distances.shape, dtype=np.int16)
    for each in scores:  # one after the other: for thousands of people each is the largest thing there is
        units = znormed(each.distances)
        seen = np.isfinite(units)
        total += np.where(seen, units, 0.0)
        count += seen
    fused = np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0)
    tier = max((each.tier for each in scores), key=COST.index)
    return replace(first, attacker=name, tier=tier, distances=fused)


def znormed(distances: Floats) -> Floats:
    """Each row (p, g) with zero mean and unit variance over its candidates; zeros where all are equally far.

    >>> znormed(np.array([[1.0, 3.0, np.nan], [7.0, 7.0, 7.0]])).tolist()
    [[-1.0, 1.0, nan], [0.0, 0.0, 0.0]]
    """
    seen = np.isfinite(distances)
    count = np.maximum(seen.sum(axis=1, keepdims=True), 1)
    mean = np.where(seen, distances, 0.0).sum(axis=1, keepdims=True) / count
    centred = distances - mean
    spread = np.sqrt(np.where(seen, centred**2, 0.0).sum(axis=1, keepdims=True) / count)
    flat = spread <= ROUNDING * np.abs(mean)
    return np.asarray(np.where(flat, 0.0 * centred, centred / np.where(flat, 1.0, spread)))


def _same_trials(one: Scores, other: Scores) -> bool:
    return (
        one.setting == other.setting
        and np.array_equal(one.owners, other.owners)
        and np.array_equal(one.gallery, other.gallery)
        and np.array_equal(one.photos, other.photos)
    )
