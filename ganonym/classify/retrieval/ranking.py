"""From encodings of images to a list of disorders, and how several photos of a patient or a disorder count together.

GestaltMatcher's ensemble (Hustinx et al. 2023, arXiv 2211.06764): every vector is brought to length one, each
(encoder, variant) gives a matrix of cosine distances between probes and gallery, and the ensemble's distance is the
mean of the matrices.

A `Search` compares the photos to test with a gallery, both given by number, and says which patients or photos it
answered for. Five are here: each photo for itself (GestaltMatcher 2021, 2023) and four ways to pool photos.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ganonym.classify.case import Case
from ganonym.errors import UsageError
from ganonym.types import Floats

_LISTED = 20

Rows = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Encodings:
    """What encoders make of images: `vectors[v]` (n, d_v) of each (encoder, variant) v, row i of image `images[i]`.

    A row with NaN says that the encoder had nothing to look at. Raises ValueError for other numbers of rows than
    images, for an image twice, and without any encoder.
    """

    images: tuple[str, ...]
    vectors: tuple[Floats, ...]

    def __post_init__(self) -> None:
        if not self.vectors or any(array.shape[:1] != (len(self.images),) or array.ndim != 2 for array in self.vectors):
            shapes = [array.shape for array in self.vectors]
            raise ValueError(f"{len(self.images)} images need arrays of as many rows, not {shapes}")
        if len(set(self.images)) != len(self.images):
            raise ValueError("an image is encoded twice")

    def lacking(self, images: Sequence[str]) -> tuple[str, ...]:
        """Those of `images` without a finite vector of some length from every encoder."""
        whole = np.logical_and.reduce([np.isfinite(array).all(axis=1) & array.any(axis=1) for array in self.vectors])
        good = {image for image, sound in zip(self.images, whole.tolist(), strict=True) if sound}
        return tuple(image for image in images if image not in good)

    def of(self, images: Sequence[str]) -> tuple[Floats, ...]:
        """The vectors of `images` in their order, an image twice where asked twice.

        Raises UsageError naming every image that has none: left out, they would raise the accuracy unseen and shift
        labels against images, as in the original evaluation.
        """
        absent = self.lacking(images)
        if absent:
            more = f" … and {len(absent) - _LISTED} more" if len(absent) > _LISTED else ""
            raise UsageError(
                f"{len(absent)} of {len(images)} images have no encoding: {', '.join(absent[:_LISTED])}{more}.",
                "Encode them, or leave them out of the cases and say so.",
            )
        row = {image: index for index, image in enumerate(self.images)}
        rows = np.array([row[image] for image in images], dtype=np.intp)
        return tuple(array[rows] for array in self.vectors)


def unit(vectors: Floats) -> Floats:
    """Vectors (n, d) at length one. Raises ValueError where that is undefined."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    if not np.isfinite(lengths).all() or (lengths == 0).any():
        raise ValueError("a vector of length zero, or not finite, has no direction")
    return np.asarray(vectors / lengths, dtype=np.float64)


def cosine_distances(probes: Floats, gallery: Floats) -> Floats:
    """1 − cosine, in 0 … 2, of probes (n, d) and gallery (m, d) → (n, m). Raises ValueError for a vector of zeros.

    >>> cosine_distances(np.array([[2.0, 0.0]]), np.array([[1.0, 0.0], [0.0, 3.0], [-1.0, 0.0]])).tolist()
    [[0.0, 1.0, 2.0]]
    """
    return np.asarray(np.clip(1.0 - unit(probes) @ unit(gallery).T, 0.0, 2.0))


def ensemble_distances(probes: Sequence[Floats], gallery: Sequence[Floats]) -> Floats:
    """Mean (n, m) of the cosine distances of each (encoder, variant) v: probes (n, d_v) and gallery (m, d_v).

    Raises ValueError when one has more encoders than the other, or none.
    """
    if not probes:
        raise ValueError("there is no encoder")
    total = np.zeros((len(probes[0]), len(gallery[0])))
    for one, other in zip(probes, gallery, strict=True):
        total += cosine_distances(one, other)
    return total / len(probes)


def fused(vectors: Sequence[Floats], groups: NDArray[np.intp]) -> tuple[Floats, ...]:
    """Mean vectors (g, d_v) of the rows of each group 0 … g − 1 of `groups` (n,), none empty: one for all photos.

    The rows are averaged as they come from the encoder, as GestaltMatcher's multi-image evaluation does.
    """
    number = np.bincount(groups).astype(float)[:, None]
    means = []
    for array in vectors:
        total = np.zeros((len(number), array.shape[1]))
        np.add.at(total, groups, array)
        means.append(total / number)
    return tuple(means)


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

    >>> ranking = nearest_case(np.array([[0.3, 0.1, 0.2]]), np.array([7, 4, 7]))
    >>> ranking.disorders.tolist(), ranking.score.tolist(), ranking.nearest.tolist()
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
        probes = fused([array[test] for array in vectors], owner)
        firsts, patient = _groups([subjects[row] for row in gallery])
        patients = fused([array[gallery] for array in vectors], patient)
        names, disorder = np.unique(disorders[gallery[firsts]], return_inverse=True)
        centres = ensemble_distances(probes, fused(patients, disorder))
        _, nearest = _nearest(ensemble_distances(probes, [array[gallery] for array in vectors]), disorders[gallery])
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
    return ensemble_distances([array[test] for array in vectors], [array[gallery] for array in vectors])


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


@dataclass(frozen=True, slots=True)
class Match:
    """`distance`, the gestalt score, 0 … 2, is that of `case`, the photograph of `disorder` that is nearest."""

    disorder: str
    distance: float
    case: Case


def matches(probes: Encodings, gallery: Encodings, cases: Sequence[Case], top: int) -> list[list[Match]]:
    """The `top` nearest disorders of each probe, the closest first; `cases` (m) are the gallery's, with disorders.

    Raises UsageError naming images without encoding, ValueError for an empty gallery.
    """
    if not probes.images:
        return []
    names = sorted({str(case.disorder) for case in cases})
    number = {name: index for index, name in enumerate(names)}
    disorders = np.array([number[str(case.disorder)] for case in cases], dtype=np.intp)
    distances = ensemble_distances(probes.of(probes.images), gallery.of([case.image for case in cases]))
    ranking = nearest_case(distances, disorders)
    return [
        [
            Match(names[disorder], float(score), cases[row])
            for disorder, score, row in zip(names_of[:top], scores[:top], nearest[:top], strict=True)
        ]
        for names_of, scores, nearest in zip(ranking.disorders, ranking.score, ranking.nearest, strict=True)
    ]
