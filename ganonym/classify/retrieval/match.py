"""The disorders of a gallery that are nearest to a photograph: what GestaltMatcher's service answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ganonym.classify.case import Case
from ganonym.classify.retrieval.distances import Encodings, ensemble_distances
from ganonym.classify.retrieval.ranking import nearest_case


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
    found = nearest_case(distances, disorders)
    return [
        [
            Match(names[disorder], float(score), cases[row])
            for disorder, score, row in zip(names_of[:top], scores[:top], nearest[:top], strict=True)
        ]
        for names_of, scores, nearest in zip(found.disorders, found.score, found.nearest, strict=True)
    ]
