"""A metric retrained on released photos: what varies from photo to photo of one person is discounted.

Within-class covariance normalisation (Hatch, Kajarekar and Stolcke 2006) over originals and released photos pooled:
the step from a person's original to his released photo is variation within him, like light or expression. Each side is
centred on its own mean, so that what the anonymizer does to everybody alike counts neither for nor against anyone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ganonym.evaluate.attackers.attacker import Approach, Lesson, Templates, View, adapted_to
from ganonym.evaluate.attackers.embedding_map import TINY, LinearMap, ProcrustesMap
from ganonym.evaluate.attackers.lessons import cosine_rows, finite, pairs_of
from ganonym.types import Floats


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
