"""Re-identification from the 68 landmarks alone: where they lie relative to each other is a biometric.

Landmarks are handled as complex pre-shapes (centred, unit size; Kendall 1984): position, scale and roll play no part.
`PLAIN_SHAPE` compares them directly. `WhitenedShape` first learns, on other people, how one person's shape varies from
photo to photo, and discounts it; that lifts London neutral/smiling from about 60 % to nearly 100 % rank-1.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ganonym.errors import UsageError
from ganonym.evaluate.attackers.attacker import Approach, Fixed, Lesson, Rows, Sample, Templates
from ganonym.types import LANDMARKS, Floats

WIDTH = 2 * LANDMARKS
FEWEST_PAIRS = 5


def preshape(sample: Sample) -> Floats | None:
    """Centred landmarks of unit centroid size, unfolded as x0, y0, x1, …, (136,); None without landmarks."""
    if sample.points is None:
        return None
    centred = sample.points - sample.points.mean(axis=0)
    size = float(np.linalg.norm(centred))
    return (centred / size).ravel() if size > 0 else None


def _complex(templates: Rows) -> NDArray[np.complex128]:
    return np.asarray(templates[:, 0::2] + 1j * templates[:, 1::2])


def _real(shapes: NDArray[np.complex128]) -> Floats:
    return np.stack([shapes.real, shapes.imag], axis=-1).reshape(len(shapes), -1)


@dataclass(frozen=True, slots=True)
class ShapeView:
    """The landmarks as the detector finds them: synthesized faces have landmarks of their own."""

    name: str = "landmarks"
    width: int = WIDTH

    def template(self, sample: Sample) -> Floats | None:
        """Pre-shape (136,), None where no face was found."""
        return preshape(sample)


def procrustes(probes: Templates, gallery: Templates) -> Floats:
    """Full Procrustes distances √(1 − |⟨z, w⟩|²), (p, g) in [0, 1]."""
    agreement = np.abs(_complex(probes.rows) @ _complex(gallery.rows).conj().T)
    return np.sqrt(np.maximum(1.0 - agreement**2, 0.0))


PLAIN_SHAPE = Fixed("shape plain", ShapeView(), procrustes, Approach("T0", "face shape"))


@dataclass(frozen=True, slots=True)
class Metric:
    """`mean` (68,) complex Procrustes mean; `whitener` (136, 136) turns within-person variation into unit noise."""

    mean: NDArray[np.complex128]
    whitener: Floats

    def __call__(self, probes: Templates, gallery: Templates) -> Floats:
        """Mahalanobis distances in the tangent space at the mean, (p, g)."""
        from scipy.spatial.distance import cdist

        one, other = (_tangent(side.rows, self.mean) @ self.whitener for side in (probes, gallery))
        return np.asarray(cdist(one, other))


@dataclass(frozen=True, slots=True)
class WhitenedShape:
    """Distance = Mahalanobis under the pooled within-person covariance of other people.

    Learned on their originals or, `informed`, on their released pictures, and so from what the anonymizer changes from
    photo to photo (Hanisch et al. 2024).
    """

    informed: bool = False
    view: ShapeView = ShapeView()

    @property
    def name(self) -> str:
        return "shape informed" if self.informed else "shape"

    @property
    def approach(self) -> Approach:
        if self.informed:
            return Approach("A", "face shape, trained on outputs")
        return Approach("T0", "face shape, trained")

    def learn(self, lesson: Lesson) -> Metric:
        """Learns the metric from people with two or more photos; covariance shrunk by Ledoit and Wolf (2004).

        Raises UsageError when fewer than FEWEST_PAIRS people have two photos with a face.
        """
        from sklearn.covariance import ledoit_wolf

        templates = lesson.released if self.informed else lesson.originals
        rows = defaultdict(list)
        for index, subject in enumerate(lesson.subjects):
            if np.isfinite(templates[index]).all():
                rows[subject].append(index)
        repeated = [indices for indices in rows.values() if len(indices) > 1]
        if len(repeated) < FEWEST_PAIRS:
            raise UsageError(
                f"the whitened shape attacker needs two photos of {FEWEST_PAIRS} other people, it got {len(repeated)}.",
                "Give it more people, or use the plain shape attacker.",
            )
        mean = _procrustes_mean(_complex(templates[[index for indices in rows.values() for index in indices]]))
        deviations = []
        for indices in repeated:
            person = _tangent(templates[indices], mean)
            deviations.append((person - person.mean(axis=0)) * np.sqrt(len(indices) / (len(indices) - 1)))
        covariance, _ = ledoit_wolf(np.concatenate(deviations), assume_centered=True)
        return Metric(mean, _whitener(covariance))


def _whitener(covariance: Floats) -> Floats:
    """Rotation and scaling (d, d) after which `covariance` is the unit matrix.

    Directions of no variation count as a billionth of the largest, and all alike where nothing varies: an anonymizer
    that gives every photo of a person the same face leaves no covariance, and is then attacked by plain distance.
    """
    values, vectors = np.linalg.eigh(covariance)
    largest = float(values[-1])
    return np.asarray(vectors / np.sqrt(np.maximum(values, 1e-9 * largest) if largest > 0 else np.ones_like(values)))


def _procrustes_mean(shapes: NDArray[np.complex128]) -> NDArray[np.complex128]:
    """Full Procrustes mean (68,): leading eigenvector of the summed z z* (Kent 1994)."""
    _, vectors = np.linalg.eigh(shapes.T @ shapes.conj())
    return np.asarray(vectors[:, -1])


def _tangent(templates: Rows, mean: NDArray[np.complex128]) -> Floats:
    """Coordinates (n, 136) of pre-shapes, each turned onto `mean`, less `mean`."""
    shapes = _complex(templates)
    turn = shapes.conj() @ mean
    with np.errstate(invalid="ignore"):  # NaN, no landmarks, stays NaN
        return _real(shapes * (turn / np.abs(turn))[:, None] - mean)
