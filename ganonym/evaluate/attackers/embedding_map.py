"""Maps from the templates of released photos back to those of the originals, learned from other people.

An anonymizer may move every face the same way in a recognizer's space: then no face matches its original as it is, and
all of them do once the move is known. Anybody who anonymizes photos of his own has the pairs to learn it from.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ganonym.evaluate.attackers.attacker import Approach, Lesson, Templates, View, adapted_to
from ganonym.evaluate.attackers.lessons import Pairs, cosine_rows, pairs_of
from ganonym.types import Floats

PENALTIES = tuple(10.0**power for power in range(-4, 4))
"""Ridge penalties tried, in units of the released templates' mean variance: from none to the mean alone."""
CROSS_VALIDATION = 4
COMPONENTS = 128
TINY = float(np.finfo(np.float64).tiny)


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
