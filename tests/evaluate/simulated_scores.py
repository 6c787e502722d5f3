"""Scores of simulated attackers, whose truth is known."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from ganonym.evaluate.protocol import OTHER_PHOTO
from ganonym.evaluate.scores import Scores
from ganonym.types import Floats


def scores(
    distances: Floats, owners: list[int] | NDArray[np.intp], setting: str = OTHER_PHOTO, gallery: int | None = None
) -> Scores:
    """Probe i is of person `owners[i]`, candidate j is person j."""
    people = distances.shape[1] if gallery is None else gallery
    return Scores(
        "simulated",
        "T1",
        setting,
        distances,
        np.array([f"s{index:04d}" for index in owners]),
        np.array([f"s{index:04d}" for index in range(people)]),
        np.arange(len(owners)),
    )


def leaking(
    rng: np.random.Generator, subjects: int, photos: int = 1, noise: float = 1.0, setting: str = OTHER_PHOTO
) -> Scores:
    """Released templates are the person's own plus `noise`; infinite noise tells nothing."""
    own = rng.normal(size=(subjects, 16))
    owners = np.repeat(np.arange(subjects), photos)
    spread = rng.normal(size=(len(owners), 16))
    probes = spread if np.isinf(noise) else own[owners] + noise * spread
    return scores(cdist(probes, own), owners, setting)
