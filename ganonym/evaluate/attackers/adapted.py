"""Attackers adapted to the anonymizer in closed form: maps of templates, and a metric, learned from other people.

An anonymizer may move every face the same way in a recognizer's space: then no face matches its original as it is, and
all of them do once the move is known. Anybody who anonymizes photos of his own has the pairs to learn it from.

The metric discounts what varies from photo to photo of one person: within-class covariance normalisation (Hatch,
Kajarekar and Stolcke 2006) over originals and released photos pooled, as the step from a person's original to his
released photo is variation within him, like light or expression. Each side is centred on its own mean, so that what the
anonymizer does to everybody alike counts neither for nor against anyone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ganonym.errors import UsageError
from ganonym.evaluate.attackers.attacker import Approach, Lesson, Templates, View, adapted_to, cosine_rows, finite
from ganonym.types import Floats

FEWEST_SUBJECTS = 10
PENALTIES = tuple(10.0**power for power in range(-4, 4))
"""Ridge penalties tried, in units of the released templates' mean variance: from none to the mean alone."""
CROSS_VALIDATION = 4
COMPONENTS = 128
TINY = float(np.finfo(np.float64).tiny)


@dataclass(frozen=True, slots=True)
class Pairs:
    """Photos of which both sides gave a template, (n, d) float64; `subject` (n,) numbers the `names` (s,) from 0."""

    originals: Floats
    released: Floats
    subject: NDArray[np.intp]
    names: NDArray[np.str_]


def pairs_of(lesson: Lesson, attacker: str, fewest: int = FEWEST_SUBJECTS) -> Pairs:
    """The complete pairs of `lesson`. Raises UsageError when they are of fewer than `fewest` subjects."""
    whole = whole_pairs(lesson, attacker, fewest)
    names, subject = np.unique(np.array(lesson.subjects, dtype=np.str_)[whole], return_inverse=True)
    return Pairs(lesson.originals[whole].astype(np.float64), lesson.released[whole].astype(np.float64), subject, names)


def whole_pairs(lesson: Lesson, attacker: str, fewest: int = FEWEST_SUBJECTS) -> NDArray[np.intp]:
    """Photos with a template on both sides. Raises UsageError when they are of fewer than `fewest` subjects."""
    whole = np.flatnonzero(finite(lesson.originals) & finite(lesson.released))
    if (people := len({lesson.subjects[photo] for photo in whole.tolist()})) < fewest:
        raise UsageError(
            f"the attacker {attacker} learns from released photos of {fewest} other people, it got {people}.",
            "Assess more subjects, or leave this attacker out.",
        )
    return whole


@dataclass(frozen=True, slots=True)
class LinearMap:
    """Distance = 1 − cosine about `target`, the mean original, after released rows went through x ↦ (x − source) M.

    `basis` (d, k) takes originals, less `target`, where `matrix` (d, k) takes released rows, less `source`.
    """

    source: Floats
    target: Floats
    matrix: Floats
    basis: Floats | None = None

    def __call__(self, probes: Templates, gallery: Templates) -> Floats:
        """(p, g) in [0, 2]; of the two sides only what is released goes through the map."""
        return cosine_rows(self.carried(probes), self.carried(gallery))

    def carried(self, side: Templates) -> Floats:
        """Rows about their mean, brought to where both sides are compared."""
        if side.released:
            return np.asarray((side.rows - self.source) @ self.matrix)
        centred = np.asarray(side.rows - self.target)
        return centred if self.basis is None else np.asarray(centred @ self.basis)


@dataclass(frozen=True, slots=True)
class RidgeMap:
    """Ridge regression of original on released templates; its penalty by cross-validation over subjects."""

    view: View

    @property
    def name(self) -> str:
        return f"ridge map on {self.view.name}"

    @property
    def approach(self) -> Approach:
        return adapted_to(self.view, "learned map back")

    def learn(self, lesson: Lesson) -> LinearMap:
        """The map. Raises UsageError when too few people are there to learn from."""
        pairs = pairs_of(lesson, self.name)
        source, target = pairs.released.mean(axis=0), pairs.originals.mean(axis=0)
        inputs, outputs = pairs.released - source, pairs.originals - target
        return LinearMap(source, target, _ridge(inputs, outputs, pairs))


def _ridge(inputs: Floats, outputs: Floats, pairs: Pairs) -> Floats:
    """Matrix (d, d) with the least squared error on subjects left out.

    The penalty draws it towards zero or towards a multiple of the identity, whichever does better: where released
    photos resemble their originals already, the map should not have to learn that from a few hundred pairs.
    """
    from sklearn.linear_model import RidgeCV
    from sklearn.model_selection import GroupKFold

    unit = max(float(np.mean(inputs**2)), TINY) * len(inputs)
    folds = list(GroupKFold(CROSS_VALIDATION).split(inputs, groups=pairs.subject))
    alike = float(np.sum(inputs * outputs)) / max(float(np.sum(inputs**2)), TINY)
    best, chosen = -np.inf, np.zeros((inputs.shape[1], outputs.shape[1]))
    for share in (0.0, max(alike, 0.0)):
        ridge = RidgeCV(
            alphas=np.array(PENALTIES) * unit, fit_intercept=False, cv=folds, scoring="neg_mean_squared_error"
        ).fit(inputs, outputs - share * inputs)
        if ridge.best_score_ > best:
            best, chosen = ridge.best_score_, ridge.coef_.T + share * np.eye(inputs.shape[1])
    return np.asarray(chosen)


@dataclass(frozen=True, slots=True)
class ProcrustesMap:
    """The rotation of released onto original templates, between the first `components` principal axes of each.

    Few parameters, so few people suffice; it finds what a rotation, reflection or permutation hides and no more. There
    are at most half as many axes as pairs.
    """

    view: View
    components: int = COMPONENTS

    @property
    def name(self) -> str:
        return f"procrustes map on {self.view.name}"

    @property
    def approach(self) -> Approach:
        return adapted_to(self.view, "learned rotation back")

    def learn(self, lesson: Lesson) -> LinearMap:
        """The rotation. Raises UsageError when too few people are there to learn from."""
        from scipy.linalg import orthogonal_procrustes

        pairs = pairs_of(lesson, self.name)
        source, target = pairs.released.mean(axis=0), pairs.originals.mean(axis=0)
        inputs, outputs = pairs.released - source, pairs.originals - target
        size = min(self.components, len(inputs) // 2, inputs.shape[1])
        before, after = _axes(inputs, size), _axes(outputs, size)
        rotation, _ = orthogonal_procrustes(inputs @ before, outputs @ after)
        return LinearMap(source, target, before @ rotation, after)


def _axes(centred: Floats, count: int) -> Floats:
    """The first `count` principal axes as columns (d, count)."""
    _, _, axes = np.linalg.svd(centred, full_matrices=False)
    return np.asarray(axes[:count].T)


@dataclass(frozen=True, slots=True)
class Whitened:
    """Distance = 1 − cosine after each side's mean was taken off and within-person variation was made unit noise.

    `carry` centres both sides and brings them together; `whitener` (k, k).
    """

    carry: LinearMap
    whitener: Floats

    def __call__(self, probes: Templates, gallery: Templates) -> Floats:
        """(p, g) in [0, 2]."""
        return cosine_rows(self.white(probes), self.white(gallery))

    def white(self, side: Templates) -> Floats:
        """Rows (n, k) in which one person's photos differ by unit noise."""
        return np.asarray(self.carry.carried(side) @ self.whitener)


@dataclass(frozen=True, slots=True)
class RetrainedMetric:
    """Cosine after within-person whitening; the covariance shrunk by Ledoit and Wolf (2004).

    `mapped`: released rows first go through the rotation that `ProcrustesMap` learns. That finds what was moved, and
    costs accuracy where nothing was.
    """

    view: View
    mapped: bool = False

    @property
    def name(self) -> str:
        return f"retrained metric{' after a map' if self.mapped else ''} on {self.view.name}"

    @property
    def approach(self) -> Approach:
        return adapted_to(self.view, f"retrained comparison{' after a learned map' if self.mapped else ''}")

    def learn(self, lesson: Lesson) -> Whitened:
        """The metric. Raises UsageError when released photos of too few other people are there to learn from."""
        from sklearn.covariance import ledoit_wolf

        pairs_of(lesson, self.name)
        names = np.array(lesson.subjects, dtype=np.str_)
        before, after = finite(lesson.originals), finite(lesson.released)
        one, other = lesson.originals[before].astype(np.float64), lesson.released[after].astype(np.float64)
        if self.mapped:
            carry = ProcrustesMap(self.view).learn(lesson)
        else:
            carry = LinearMap(other.mean(axis=0), one.mean(axis=0), np.eye(one.shape[1]))
        sides = (Templates(one, released=False), Templates(other, released=True))
        pooled = np.concatenate([carry.carried(side) for side in sides])
        covariance, _ = ledoit_wolf(
            _within(pooled, np.concatenate([names[before], names[after]])), assume_centered=True
        )
        values, vectors = np.linalg.eigh(covariance)
        floor = max(float(values[-1]) * 1e-10, TINY)
        return Whitened(carry, vectors / np.sqrt(np.maximum(values, floor)))


def _within(rows: Floats, names: NDArray[np.str_]) -> Floats:
    """Deviations (m, d) from the person's own mean, of people with several rows, unbiased by √(n / (n − 1))."""
    _, person, counts = np.unique(names, return_inverse=True, return_counts=True)
    sums = np.zeros((len(counts), rows.shape[1]))
    np.add.at(sums, person, rows)
    size = counts[person]
    several = size > 1
    scaled = (rows - sums[person] / size[:, None])[several]
    return np.asarray(scaled * np.sqrt(size / np.maximum(size - 1, 1))[several, None])
