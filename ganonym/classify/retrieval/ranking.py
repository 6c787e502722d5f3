"""From distances to a list of disorders, and how several photos of a patient or a disorder count together.

A `Search` compares the photos to test with a gallery, both given by number, and says which patients or photos it
answered for. Five are here: each photo for itself (GestaltMatcher 2021, 2023) and four ways to pool photos.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ganonym.classify.retrieval.distances import ensemble_distances, fused
from ganonym.types import Floats

Rows = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Ranking:
    """Every disorder of the gallery once, the closest first, for each of n probes.

    `disorders` (n, u) their numbers; `score` (n, u) the gestalt scores, distances that ascend; `nearest` (n, u) the
    index in the gallery of each disorder's closest photo. Disorders at one distance come by number.
    """

    disorders: Rows
    score: Floats
    nearest: Rows


Search: TypeAlias = Callable[[Rows, Rows], tuple[Rows, Ranking]]
"""Photos to test (n,), photos of the gallery (m,) → the photo (p,) that stands for each answer, and the answers."""


def nearest_case(distances: Floats, disorders: Rows) -> Ranking:
    """Disorders by their closest photo: the gallery (m,) sorted by `distances` (n, m), each disorder's first hit kept.

    >>> found = nearest_case(np.array([[0.3, 0.1, 0.2]]), np.array([7, 4, 7]))
    >>> found.disorders.tolist(), found.score.tolist(), found.nearest.tolist()
    ([[4, 7]], [[0.1, 0.2]], [[1, 2]])
    """
    names, nearest = _nearest(distances, disorders)
    return _sorted(names, np.take_along_axis(distances, nearest, axis=1), nearest)


def mean_case(distances: Floats, disorders: Rows) -> Ranking:
    """Disorders by the mean distance of all their photos in the gallery (m,), `distances` (n, m)."""
    names, nearest = _nearest(distances, disorders)
    mean = np.stack([distances[:, disorders == name].mean(axis=1) for name in names], axis=1)
    return _sorted(names, mean, nearest)


def patient_distances(distances: Floats, subjects: Sequence[str]) -> tuple[Rows, Floats]:
    """Mean distances (p, m) of each patient's photos, `distances` (n, m), and the index (p,) of each one's first."""
    first, owner = _groups(subjects)
    total = np.zeros((len(first), distances.shape[1]))
    np.add.at(total, owner, distances)
    return first, total / np.bincount(owner)[:, None]


def by_image(vectors: Sequence[Floats], disorders: Rows, subjects: Sequence[str]) -> Search:  # noqa: ARG001
    """Each photo for itself, by the nearest case. `vectors` (n, d_v), `disorders` (n,), `subjects` of all photos."""

    def search(test: Rows, gallery: Rows) -> tuple[Rows, Ranking]:
        return test, nearest_case(_between(vectors, test, gallery), disorders[gallery])

    return search


def by_patient(vectors: Sequence[Floats], disorders: Rows, subjects: Sequence[str]) -> Search:
    """All photos of a patient together, by the mean of their distances to each case, then the nearest."""

    def search(test: Rows, gallery: Rows) -> tuple[Rows, Ranking]:
        first, distances = patient_distances(_between(vectors, test, gallery), [subjects[row] for row in test])
        return test[first], nearest_case(distances, disorders[gallery])

    return search


def by_disorder(vectors: Sequence[Floats], disorders: Rows, subjects: Sequence[str]) -> Search:  # noqa: ARG001
    """Each photo for itself, by the mean of its distances to all cases of a disorder."""

    def search(test: Rows, gallery: Rows) -> tuple[Rows, Ranking]:
        return test, mean_case(_between(vectors, test, gallery), disorders[gallery])

    return search


def by_patient_and_disorder(vectors: Sequence[Floats], disorders: Rows, subjects: Sequence[str]) -> Search:
    """All photos of a patient together, by the mean of their distances to all cases of a disorder."""

    def search(test: Rows, gallery: Rows) -> tuple[Rows, Ranking]:
        first, distances = patient_distances(_between(vectors, test, gallery), [subjects[row] for row in test])
        return test[first], mean_case(distances, disorders[gallery])

    return search


def by_fused_vectors(vectors: Sequence[Floats], disorders: Rows, subjects: Sequence[str]) -> Search:
    """As GestaltMatcher's multi-image evaluation: mean vectors of each test patient, of each gallery patient, and of
    the patients of each disorder, in this order; a disorder is at the distance of its mean vector."""

    def search(test: Rows, gallery: Rows) -> tuple[Rows, Ranking]:
        first, owner = _groups([subjects[row] for row in test])
        probes = fused([each[test] for each in vectors], owner)
        known, patient = _groups([subjects[row] for row in gallery])
        patients = fused([each[gallery] for each in vectors], patient)
        names, disorder = np.unique(disorders[gallery[known]], return_inverse=True)
        centres = ensemble_distances(probes, fused(patients, disorder))
        _, nearest = _nearest(ensemble_distances(probes, [each[gallery] for each in vectors]), disorders[gallery])
        return test[first], _sorted(names, centres, nearest)

    return search


POOLS: Mapping[str, Callable[[Sequence[Floats], Rows, Sequence[str]], Search]] = {
    "image": by_image,
    "patient": by_patient,
    "disorder": by_disorder,
    "patient-and-disorder": by_patient_and_disorder,
    "fused": by_fused_vectors,
}


def _between(vectors: Sequence[Floats], test: Rows, gallery: Rows) -> Floats:
    return ensemble_distances([each[test] for each in vectors], [each[gallery] for each in vectors])


def _nearest(distances: Floats, disorders: Rows) -> tuple[Rows, Rows]:
    """The disorders (u,) in the gallery, ascending, and the index (n, u) of each one's closest photo."""
    if not len(disorders):
        raise ValueError("the gallery is empty")
    names = np.unique(disorders)
    nearest = np.empty((len(distances), len(names)), np.intp)
    for place, name in enumerate(names):
        photos = np.flatnonzero(disorders == name)
        nearest[:, place] = photos[distances[:, photos].argmin(axis=1)]
    return names, nearest


def _sorted(names: Rows, score: Floats, nearest: Rows) -> Ranking:
    order = np.argsort(score, axis=1, kind="stable")
    return Ranking(names[order], np.take_along_axis(score, order, axis=1), np.take_along_axis(nearest, order, axis=1))


def _groups(subjects: Sequence[str]) -> tuple[Rows, Rows]:
    """Index (p,) of each subject's first photo, in order of names, and the group (n,) of each photo."""
    _, first, owner = np.unique(np.array(subjects), return_index=True, return_inverse=True)
    return first.astype(np.intp), owner.astype(np.intp)
