"""People with several photographs each: what encoders learn to tell apart before they learn any syndrome.

What published systems do on CASIA-WebFace or Glint360K, whose licences forbid bundling, is done here on virtual people,
who need none: `ganonym phantom` photographs them; any manifest of people with several photographs each does as well.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ganonym.classify.cohort import Crop, Portrait, portraits
from ganonym.errors import UsageError
from ganonym.manifest import read_manifest

HELD_OUT = 60


@dataclass(frozen=True, slots=True)
class Crops:
    """Crops (n, ...) uint8 and who is on them, (n,) numbers from 0."""

    pixels: NDArray[np.uint8]
    person: NDArray[np.intp]

    @property
    def people(self) -> int:
        return int(self.person.max()) + 1

    @property
    def unseen(self) -> NDArray[np.bool_]:
        """(n,) The last people, HELD_OUT of them and at most a fifth: they say how well strangers are told apart."""
        return self.person >= self.people - min(HELD_OUT, self.people // 5)


def read_crops(
    manifest: Path,
    folder: Path,
    crop: Crop,
    jobs: int,
    log: Callable[[str], None],
) -> Crops:
    """The `crop` of the faces of a manifest's photographs below `folder`.

    Raises UsageError when nobody has two.
    """
    rows = list(read_manifest(manifest).rows.values())
    found = portraits([folder / row.image for row in rows], (crop,), jobs)
    kept = [index for index, each in enumerate(found) if isinstance(each, Portrait)]
    log(f"{len(kept)} of {len(rows)} photographs show a face")
    people = [rows[index].subject for index in kept]
    if len(kept) < 2 or len(set(people)) == len(people):
        raise UsageError(f"{manifest} shows nobody on two photographs.", "Identities need several photographs each.")
    person = np.unique(np.array(people), return_inverse=True)[1].astype(np.intp)
    return Crops(np.stack([each.crop(crop) for each in found if isinstance(each, Portrait)]), person)


def rank1(vectors: NDArray[np.floating], person: NDArray[np.intp]) -> float:
    """Share of photographs whose nearest other one, by cosine of vectors (n, d), shows the same person; NaN of none.

    >>> rank1(np.array([[1.0, 0.0], [2.0, 0.1], [0.0, 1.0], [1.0, 0.3]]), np.array([0, 0, 1, 1]))
    0.75
    """
    if not len(vectors):
        return float("nan")
    unit = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    likeness = unit @ unit.T
    np.fill_diagonal(likeness, -2.0)
    return float(np.mean(person[likeness.argmax(axis=1)] == person))
