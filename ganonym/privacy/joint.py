"""k-Same over all that a face shows: photographs are grouped, and every output shows its group and public noise.

k-Same (Newton, Sweeney & Malin 2005) on rows of identity, texture and expression together. A group holds photographs of
at least k different people that lie close together on the kept axes. What it shows is its mean, stretched along the
kept axes to the spread of the cohort (which a mean has lost) and moved elsewhere as the population goes; noise is drawn
from the population's covariance given the kept axes, so it changes nothing that is kept. All of that is a function of
the set of rows, the group and noise that knows nothing of anybody: docs/proofs/k-same.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ganonym.errors import UsageError
from ganonym.privacy.grouping import group_photos
from ganonym.privacy.kept import KeptSpace
from ganonym.privacy.ksame import exact_mean
from ganonym.privacy.population import factor
from ganonym.types import Floats

NOISE = 0.8
"""Noise has so many of the SDs that people have: a little less variety, fewer odd faces (fidelity study, §3)."""
TRUNCATION = 2.5
MOST_GAIN = 4.0
"""No axis is stretched by more: of few groups the spread says little."""


@dataclass(frozen=True, slots=True, eq=False)
class Joint:
    """What is left of N photographs: `group` (N,) of each, -1 where it is withheld, and what each group shows.

    `middle` (groups, D) are rows before noise; `sizes` (groups,) count different people; `noise` (D, D) is a factor of
    the covariance of noise, at its full strength; `gains` (d,) are how much kept axes were stretched. Private: who
    shares a group is never written to anything shareable.
    """

    group: NDArray[np.int64]
    middle: Floats
    sizes: NDArray[np.int64]
    noise: Floats
    gains: Floats

    def shown(self, photo: int, rng: np.random.Generator) -> Floats:
        """The row (D,) with which a photo that is not withheld is shown: of the photo, its group alone decides.

        `rng` must come from a seed that is no function of any photograph.
        """
        drawn = np.clip(rng.standard_normal(len(self.noise)), -TRUNCATION, TRUNCATION)
        return np.asarray(self.middle[self.group[photo]] + NOISE * self.noise @ drawn)


def joint_k_same(
    rows: Floats, owners: Sequence[str], labels: Sequence[str | None] | None, space: KeptSpace, k: int, least: int
) -> Joint:
    """Group photographs of at least `k` different people, and what every group shows.

    `rows` (N, D), `owners` (N,) whose photos they are; given `labels` (N,), groups never mix them (None is a label of
    its own). A label of fewer than k people is one group of them all where it has at least `least`, else withheld. A
    photo is withheld too when a person has more photos than there are groups to put them in. The order of rows decides
    nothing but between identical ones. Raises UsageError when no label is given and there are fewer than k people, when
    k < 2, or when a row is not finite.
    """
    if k < 2:
        raise UsageError(f"k = {k} protects nobody.", "Choose k of at least 2.")
    if not np.isfinite(rows).all():
        raise UsageError("the coordinates of a face hold a value that is not finite.")
    # Everything is computed in one order of rows, so that not even the last bit of a sum tells another.
    order = np.lexsort(rows.T[::-1])
    classes = [None if labels is None else labels[photo] for photo in order]
    people = np.unique(np.asarray(owners, dtype=str)[order], return_inverse=True)[1]
    group = np.empty(len(rows), dtype=np.int64)
    in_order = _grouped(space.coordinates(rows[order]) * space.weights, people, classes, k, least)
    group[order] = in_order
    if labels is None and (in_order < 0).all():
        raise UsageError(
            f"{len(set(owners))} subjects are too few for k = {k}.",
            "Add subjects, choose a smaller -k, or use --mechanism codebook.",
        )
    composed = _composed(rows[order], people, in_order, space)
    return replace(composed, group=group)


def _grouped(
    places: Floats, people: NDArray[np.int64], labels: Sequence[str | None], k: int, least: int
) -> NDArray[np.int64]:
    """Groups within labels, -1 where a label has too few people; people without a label need k whatever `least` is."""
    group = np.full(len(places), -1, dtype=np.int64)
    for label in sorted(set(labels), key=lambda value: (value is not None, value)):
        members = np.flatnonzero([other == label for other in labels])
        crowd = len(np.unique(people[members]))
        if crowd < (k if label is None else min(k, least)):
            continue
        numbers = group_photos(places[members], people[members], min(k, crowd))
        group[members] = np.where(numbers >= 0, numbers + group.max(initial=-1) + 1, -1)
    return group


def _composed(rows: Floats, people: NDArray[np.int64], group: NDArray[np.int64], space: KeptSpace) -> Joint:
    """Means of groups, stretched, and the noise that gives back what they lost off the kept axes."""
    count, kept = int(group.max(initial=-1)) + 1, group >= 0
    if not count:
        empty = np.zeros(rows.shape[1])
        return Joint(group, np.zeros((0, len(empty))), np.zeros(0, np.int64), np.diag(empty), np.ones(len(space.axes)))
    means = np.array([exact_mean(rows[group == number]) for number in range(count)])
    sizes = np.array([len(np.unique(people[group == number])) for number in range(count)])
    share = np.array([(group == number).sum() for number in range(count)]) / kept.sum()
    centre = exact_mean(rows[kept])
    off = means - centre
    spread = space.coordinates(off + space.mean)
    now = np.sqrt((share[:, None] * spread**2).sum(axis=0))
    cohort = space.coordinates(rows[kept]).std(axis=0)
    gains = np.clip(np.minimum(1.0, cohort) / np.maximum(now, 1e-9), 1.0, MOST_GAIN)
    stretched = off + (spread * (gains - 1.0)) @ space.pull.T
    lost = space.covariance - (stretched * share[:, None]).T @ stretched
    return Joint(group, centre + stretched, sizes, factor(_given(_positive(lost), space.axes)), gains)


def _positive(covariance: Floats) -> Floats:
    root = factor(covariance)
    return np.asarray(root @ root.T)


def _given(covariance: Floats, axes: Floats) -> Floats:
    """What is left of a covariance (D, D) when the coordinates on `axes` (d, D) are held fixed."""
    along = covariance @ axes.T
    return np.asarray(covariance - along @ np.linalg.pinv(axes @ along) @ along.T)
