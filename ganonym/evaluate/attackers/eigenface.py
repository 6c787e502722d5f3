"""Re-identification by Fisherfaces: PCA, then linear discriminants of the pixels of the aligned face.

Belhumeur et al. (1997). The discriminants are learned on other people, so the attacker needs no weights and adapts to
any anonymizer: to blur as well as to synthesized faces, if only these keep something of a person from photo to photo.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ganonym.errors import UsageError
from ganonym.evaluate.attackers.attacker import Approach, Lesson, Rows, Sample, Templates
from ganonym.evaluate.attackers.thumbnails import standardized
from ganonym.faces.aligned import ANCHORS, face_thumbnail
from ganonym.faces.aligned import SIDE as THUMBNAIL
from ganonym.types import Floats

Taught: TypeAlias = Literal["released", "originals", "both"]

SIDE = 32
COMPONENTS = 100
FEWEST_PAIRS = 5
_NOTHING = 1e-4  # of unit variance, as templates have
_LEAST = 1e-3  # shrinkage that keeps the scatter of few photos invertible
_ANCHORS = (ANCHORS + 0.5) * (SIDE / THUMBNAIL) - 0.5


@dataclass(frozen=True, slots=True)
class EigenView:
    """Grey levels of the aligned face, 32 x 32, with zero mean and unit variance."""

    name: str = "eigen"
    width: int = SIDE * SIDE

    def template(self, sample: Sample) -> NDArray[np.float32] | None:
        """float32 (1024,), None without landmarks. A face of one grey has no pattern: all zeros."""
        points = sample.place
        if points is None:
            return None
        grey = face_thumbnail(sample.rgb, points, SIDE, _ANCHORS)
        return standardized(grey.astype(np.float64).ravel()).astype(np.float32)


@dataclass(frozen=True, slots=True)
class Discriminants:
    """`mean` (1024,) face and `axes` (1024, d) along which people differ, in units of how photos of one do."""

    mean: Floats
    axes: Floats

    def __call__(self, probes: Templates, gallery: Templates) -> Floats:
        """1 − cosine in the space of discriminants, (p, g) in [0, 2]; a face with no pattern ties with everyone."""
        one, other = (_unit(self._project(side.rows)) for side in (probes, gallery))
        return np.asarray(1.0 - one @ other.T)

    def _project(self, rows: Rows) -> Floats:
        projected = (rows - self.mean) @ self.axes
        projected[~rows.any(axis=1)] = 0.0
        return np.asarray(projected)


@dataclass(frozen=True, slots=True)
class Eigenface:
    """Discriminants learned on other people's released pictures, on their originals, or on both.

    With both, an original and what was made of it count as two photos of one person: what tells people apart before
    and after alike. That finds more originals; released pictures alone tell more of how these vary among themselves.
    """

    taught: Taught = "released"
    view: EigenView = EigenView()

    @property
    def name(self) -> str:
        return {"originals": "eigen-lda naive", "released": "eigen-lda", "both": "eigen-lda paired"}[self.taught]

    @property
    def approach(self) -> Approach:
        on = {"originals": "originals", "released": "outputs", "both": "pairs"}[self.taught]
        return Approach("T0" if self.taught == "originals" else "A", f"grey values, trained on {on}")

    def learn(self, lesson: Lesson) -> Discriminants:
        """PCA to at most COMPONENTS, then linear discriminants with the shrinkage of Ledoit and Wolf (2004).

        Raises UsageError when fewer than FEWEST_PAIRS people have two photos with a face.
        """
        from sklearn.covariance import ledoit_wolf_shrinkage
        from sklearn.decomposition import PCA
        from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

        rows, people = _usable(lesson, self.taught)
        repeated = sorted(name for name, count in Counter(people.tolist()).items() if count > 1)
        if len(repeated) < FEWEST_PAIRS:
            raise UsageError(
                f"the {self.name} attacker needs two photos of {FEWEST_PAIRS} other people, it got {len(repeated)}.",
                "Give it more people, or leave it out.",
            )
        mean = rows.mean(axis=0)
        if np.abs(rows - mean).max() < _NOTHING:  # bars over all faces: nothing to learn from, so everyone ties
            return Discriminants(mean, np.zeros((rows.shape[1], 1)))
        pca = PCA(min(COMPONENTS, len(rows) - 1), svd_solver="full").fit(rows)
        # People with one photo say what faces look like, but not how photos of one differ.
        chosen = np.isin(people, repeated)
        scores, people = pca.transform(rows[chosen]), people[chosen]
        within = np.concatenate([scores[people == name] - scores[people == name].mean(axis=0) for name in repeated])
        if np.abs(within).max() < _NOTHING:  # one picture for all photos of a person: nothing to discount
            return Discriminants(mean, pca.components_.T)
        shrinkage = float(ledoit_wolf_shrinkage(within, assume_centered=True))
        shrinkage = min(max(shrinkage, _LEAST), 1.0)
        lda = LinearDiscriminantAnalysis(solver="eigen", shrinkage=shrinkage).fit(scores, people)
        axes = pca.components_.T @ lda.scalings_[:, : len(repeated) - 1]
        return Discriminants(mean, axes)


def _usable(lesson: Lesson, taught: Taught) -> tuple[Floats, NDArray[Any]]:
    rows = {
        "originals": lesson.originals,
        "released": lesson.released,
        "both": np.concatenate([lesson.originals, lesson.released]),
    }[taught]
    people = np.array(lesson.subjects * (len(rows) // len(lesson.subjects)) if lesson.subjects else [])
    finite = np.isfinite(rows).all(axis=1)
    return rows[finite].astype(np.float64), people[finite]


def _unit(rows: Floats) -> Floats:
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.where(length > 0, length, 1.0)
