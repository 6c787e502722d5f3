"""What the learning attackers share: the pairs a lesson holds, and the comparison by angle."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ganonym.errors import UsageError
from ganonym.evaluate.attackers.attacker import Lesson, Rows, Templates
from ganonym.types import Floats

FEWEST_SUBJECTS = 10


@dataclass(frozen=True, slots=True)
class Pairs:
    """Photos of which both sides gave a template, (n, d) float64; `subject` (n,) numbers the `names` (s,) from 0."""

    originals: Floats
    released: Floats
    subject: NDArray[np.intp]
    names: NDArray[np.str_]


def pairs_of(lesson: Lesson, attacker: str, fewest: int = FEWEST_SUBJECTS) -> Pairs:
    """The complete pairs of `lesson`. Raises UsageError when they are of fewer than `fewest` subjects."""
    whole = whole_pairs(lesson, attacker, fewest)
    names, subject = np.unique(np.array(lesson.subjects, dtype=np.str_)[whole], return_inverse=True)
    return Pairs(lesson.originals[whole].astype(np.float64), lesson.released[whole].astype(np.float64), subject, names)


def whole_pairs(lesson: Lesson, attacker: str, fewest: int = FEWEST_SUBJECTS) -> NDArray[np.intp]:
    """Photos with a template on both sides. Raises UsageError when they are of fewer than `fewest` subjects."""
    whole = np.flatnonzero(finite(lesson.originals) & finite(lesson.released))
    if (people := len({lesson.subjects[photo] for photo in whole.tolist()})) < fewest:
        raise UsageError(
            f"the attacker {attacker} learns from released photos of {fewest} other people, it got {people}.",
            "Assess more subjects, or leave this attacker out.",
        )
    return whole


def finite(rows: Rows) -> NDArray[np.bool_]:
    """Which rows are templates, (n,)."""
    return np.asarray(np.isfinite(rows).all(axis=1))


def cosine_rows(one: Rows, other: Rows) -> Floats:
    """1 − cosine, (p, g) in [0, 2]; NaN where a row is missing or zero.

    >>> cosine_rows(np.eye(2), np.array([[2.0, 0.0], [-1.0, 0.0], [0.0, 0.0]])).tolist()
    [[0.0, 2.0, nan], [1.0, 1.0, nan]]
    """
    return np.asarray(1.0 - _unit(one) @ _unit(other).T, dtype=np.float64)


def cosine(probes: Templates, gallery: Templates) -> Floats:
    """1 − cosine of templates as they are: what recognizers trained with an angular margin are compared by."""
    return cosine_rows(probes.rows, gallery.rows)


def _unit(rows: Rows) -> Floats:
    double = np.asarray(rows, dtype=np.float64)
    length = np.linalg.norm(double, axis=1, keepdims=True)
    return np.asarray(np.divide(double, length, out=np.full_like(double, np.nan), where=length > 0))
