"""Norms of one's own controls: the same camera, the same landmarks, people of the same population."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np

from ganonym.classify.measurement.norms import OLDEST, Norm
from ganonym.classify.measurement.table import Unit, unit_of
from ganonym.errors import UsageError
from ganonym.types import Floats, Sex

BANDS = (0.0, 2.0, 6.0, 12.0, 18.0, 40.0, OLDEST)
FEWEST = 10
"""People of whom a mean and SD are taken at all; a hundred know an SD to 7 %, ten to 24 %."""
_SEXES: tuple[Sex | None, ...] = (None, "female", "male")


def cohort_norms(
    values: Mapping[str, Floats],
    subjects: Sequence[str],
    unit: Unit,
    source: str,
    sexes: Sequence[Sex | None] | None = None,
    ages: Sequence[float | None] | None = None,
    bands: Sequence[float] = BANDS,
    fewest: int = FEWEST,
) -> tuple[Norm, ...]:
    """Norms of measurements (n,) of photos, lengths in `unit`: of all people, of each sex, age band, and both.

    Photos of one person in one band are averaged first, so people count alike. Strata of fewer than `fewest` people are
    left out: `norm_of` then falls back on wider ones. SD with n − 1. Raises UsageError when all are too few, or a
    measurement does not differ between them.
    """
    known_sex = sexes if sexes is not None else [None] * len(subjects)
    known_age = ages if ages is not None else [None] * len(subjects)
    norms: list[Norm] = []
    spans = [(0.0, OLDEST), *pairwise(bands)]
    for low, high in dict.fromkeys(spans):
        for sex in _SEXES:
            photos = [
                index
                for index, (own, age) in enumerate(zip(known_sex, known_age, strict=True))
                if sex in (None, own) and ((low, high) == (0.0, OLDEST) or (age is not None and low <= age < high))
            ]
            people = [subjects[index] for index in photos]
            names, person = np.unique(np.array(people, dtype=np.str_), return_inverse=True)
            if len(names) < max(fewest, 2):
                continue
            for key, column in values.items():
                means = np.bincount(person, column[photos]) / np.bincount(person)
                sd = float(means.std(ddof=1))
                if not sd > 0:
                    raise UsageError(f"{key} is the same in all controls, so it has no norm.", "Check the photos.")
                norms.append(Norm(key, float(means.mean()), sd, unit_of(key, unit), source, sex, low, high, len(names)))
    if not norms:
        raise UsageError(
            f"{len(set(subjects))} controls are too few for norms.", f"At least {fewest} people are needed."
        )
    return tuple(norms)
