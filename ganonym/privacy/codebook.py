"""A public codebook of kinds of face: an output that depends on one of M codes tells at most log2 M bits of a subject.

Codes are cells of the public population of virtual patients, divided by k-means (Lloyd 1982) in their kept coordinates:
tone, age, sex and the signs of syndromes. A subject is replaced by a random virtual patient of its cell.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ganonym.privacy.population import VirtualPatients, generator
from ganonym.types import Floats

FITTED = 6_000


@dataclass(frozen=True, slots=True, eq=False)
class Codebook:
    """`patients` are public; `centres` (M, r) of the codes lie in their projection; `members` lists, by code, rows."""

    patients: VirtualPatients
    centres: Floats
    members: tuple[NDArray[np.int64], ...]

    def code(self, row: Floats) -> int:
        """The code of a subject's row (n,); the first if tied."""
        gaps = self.centres - self.patients.place(row)
        return int(np.argmin(np.sum(gaps * gaps, axis=1)))

    def draw(self, code: int, rng: np.random.Generator) -> Floats:
        """The row (n,) of a random virtual patient of a code."""
        rows = self.members[code]
        return np.asarray(self.patients.rows[rows[rng.integers(len(rows))]])

    def middle(self, code: int) -> Floats:
        """The mean row (n,) of a code's virtual patients."""
        return np.asarray(self.patients.rows[self.members[code]].mean(axis=0))


def make_codebook(patients: VirtualPatients, codes: int = 32, seed: int = 0) -> Codebook:
    """A codebook of at most `codes` codes: a function of public things and a public seed alone.

    A code that no virtual patient has is left out; where nothing lasting is kept, there is one code.

    >>> from ganonym.faces.shape import load_shape
    >>> from ganonym.faces.kept import kept_space
    >>> from ganonym.privacy.population import public_patients
    >>> len(make_codebook(public_patients(load_shape(), kept_space()), codes=4).centres)
    4
    """
    from scipy.cluster.vq import kmeans2, vq

    places = patients.places
    first = places[:FITTED]
    rng = generator(seed, "codebook")
    if codes > 1 and places.shape[1]:
        centres = kmeans2(first, codes, minit="++", seed=rng, iter=12)[0]
        nearest, _ = vq(places, centres)
    else:  # one kind, which everybody is of
        centres, nearest = first.mean(axis=0)[None], np.zeros(len(places), dtype=np.int64)
    members = [np.flatnonzero(nearest == code) for code in range(len(centres))]
    kept = [code for code, rows in enumerate(members) if len(rows)]
    return Codebook(patients, centres[kept], tuple(members[code] for code in kept))
