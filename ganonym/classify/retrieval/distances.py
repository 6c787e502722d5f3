"""Cosine distances between encoded images, averaged over encoders and views: GestaltMatcher's ensemble.

Hustinx et al. 2023 (arXiv 2211.06764): every vector is brought to length one, each (encoder, view) gives a matrix of
cosine distances between probes and gallery, and the ensemble's distance is the mean of the matrices.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ganonym.errors import UsageError
from ganonym.types import Floats

_LISTED = 20


@dataclass(frozen=True, slots=True)
class Encodings:
    """What encoders make of images: `vectors[v]` (n, d_v) of each (encoder, view) v, row i of image `images[i]`.

    A row with NaN says that the encoder had nothing to look at. Raises ValueError for other numbers of rows than
    images, for an image twice, and without any encoder.
    """

    images: tuple[str, ...]
    vectors: tuple[Floats, ...]

    def __post_init__(self) -> None:
        if not self.vectors or any(each.shape[:1] != (len(self.images),) or each.ndim != 2 for each in self.vectors):
            shapes = [each.shape for each in self.vectors]
            raise ValueError(f"{len(self.images)} images need arrays of as many rows, not {shapes}")
        if len(set(self.images)) != len(self.images):
            raise ValueError("an image is encoded twice")

    def lacking(self, images: Sequence[str]) -> tuple[str, ...]:
        """Those of `images` without a finite vector of some length from every encoder."""
        whole = np.logical_and.reduce([np.isfinite(each).all(axis=1) & each.any(axis=1) for each in self.vectors])
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
        return tuple(each[rows] for each in self.vectors)


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
    """Mean (n, m) of the cosine distances of each (encoder, view): probes (n, d_v) and gallery (m, d_v), each v alike.

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
    found = []
    for each in vectors:
        total = np.zeros((len(number), each.shape[1]))
        np.add.at(total, groups, each)
        found.append(total / number)
    return tuple(found)
