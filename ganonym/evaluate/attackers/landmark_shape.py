"""Re-identification from the 68 landmarks alone: where they lie relative to each other is a biometric.

Landmarks are handled as complex pre-shapes (centred, unit size; Kendall 1984): position, scale and roll play no part.
`PlainShape` compares them directly. `WhitenedShape` first learns, on other people, how one person's shape varies from
photo to photo, and discounts it; that lifts London neutral/smiling from about 60 % to nearly 100 % rank-1.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ganonym.errors import UsageError
from ganonym.evaluate.attackers.attacker import stack
from ganonym.evaluate.sample import Sample
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


def _complex(templates: Floats) -> NDArray[np.complex128]:
    return np.asarray(templates[:, 0::2] + 1j * templates[:, 1::2])


def _real(shapes: NDArray[np.complex128]) -> Floats:
    return np.stack([shapes.real, shapes.imag], axis=-1).reshape(len(shapes), -1)


@dataclass(frozen=True, slots=True)
class PlainShape:
    """Distance = full Procrustes distance √(1 − |⟨z, w⟩|²), in [0, 1]."""

    name: str = field(default="shape plain", init=False)

    def templates(self, samples: Sequence[Sample]) -> Floats:
        """(n, 136), NaN rows where no face was found."""
        return stack([preshape(sample) for sample in samples], WIDTH)

    def distances(self, probes: Floats, gallery: Floats) -> Floats:
        """Full Procrustes distances, (p, g)."""
        agreement = np.abs(_complex(probes) @ _complex(gallery).conj().T)
        return np.sqrt(np.maximum(1.0 - agreement**2, 0.0))

    def learn(self, templates: Floats, subjects: Sequence[str]) -> PlainShape:  # noqa: ARG002
        """Itself: nothing is learned."""
        return self


@dataclass(frozen=True, slots=True)
class Metric:
    """`mean` (68,) complex Procrustes mean; `whitener` (136, 136) turns within-person variation into unit noise."""

    mean: NDArray[np.complex128]
    whitener: Floats


@dataclass(frozen=True, slots=True)
class WhitenedShape:
    """Distance = Mahalanobis under the pooled within-person covariance of other people; needs `learn` first."""

    metric: Metric | None = None
    name: str = field(default="shape", init=False)

    def templates(self, samples: Sequence[Sample]) -> Floats:
        """(n, 136), NaN rows where no face was found."""
        return PlainShape().templates(samples)

    def distances(self, probes: Floats, gallery: Floats) -> Floats:
        """Mahalanobis distances in the tangent space at the learned mean, (p, g)."""
        from scipy.spatial.distance import cdist

        if self.metric is None:
            raise UsageError(
                "the whitened shape attacker has learned nothing yet.", "Call learn on other people first."
            )
        metric = self.metric
        return np.asarray(
            cdist(_tangent(probes, metric.mean) @ metric.whitener, _tangent(gallery, metric.mean) @ metric.whitener)
        )

    def learn(self, templates: Floats, subjects: Sequence[str]) -> WhitenedShape:
        """Learns the metric from people with two or more photos; covariance shrunk by Ledoit and Wolf (2004).

        Raises UsageError when fewer than FEWEST_PAIRS people have two photos with a face.
        """
        from sklearn.covariance import ledoit_wolf

        rows = defaultdict(list)
        for index, subject in enumerate(subjects):
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
        values, vectors = np.linalg.eigh(covariance)
        return WhitenedShape(Metric(mean, vectors / np.sqrt(values)))


def _procrustes_mean(shapes: NDArray[np.complex128]) -> NDArray[np.complex128]:
    """Full Procrustes mean (68,): leading eigenvector of the summed z z* (Kent 1994)."""
    _, vectors = np.linalg.eigh(shapes.T @ shapes.conj())
    return np.asarray(vectors[:, -1])


def _tangent(templates: Floats, mean: NDArray[np.complex128]) -> Floats:
    """Coordinates (n, 136) of pre-shapes, each turned onto `mean`, less `mean`."""
    shapes = _complex(templates)
    turn = shapes.conj() @ mean
    return _real(shapes * (turn / np.abs(turn))[:, None] - mean)
