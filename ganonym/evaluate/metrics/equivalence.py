"""Equivalence classes of released columns: among how many people a table row leaves somebody, without any face."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Equivalence:
    """`classes` of equal released values; `smallest` subjects in one; `exposed` subjects in classes below `k`."""

    classes: int
    smallest: int
    exposed: int


def equivalence(columns: Sequence[tuple[str, ...]], subjects: Sequence[str], k: int) -> Equivalence:
    """Classes of rows with equal released values, counted in subjects (Sweeney 2002); empty tuples are one class.

    A subject whose photos differ is in several classes, and as exposed as in the smallest. Raises ValueError without
    rows or when they do not pair up.

    >>> equivalence([("f",), ("f",), ("m",)], ["a", "a", "b"], k=2)
    Equivalence(classes=2, smallest=1, exposed=2)
    """
    if not subjects or len(columns) != len(subjects):
        raise ValueError(f"{len(columns)} rows of {len(subjects)} subjects have no equivalence classes")
    people: dict[tuple[str, ...], set[str]] = defaultdict(set)
    for values, subject in zip(columns, subjects, strict=True):
        people[values].add(subject)
    exposed = set().union(*(names for names in people.values() if len(names) < k))
    return Equivalence(len(people), min(map(len, people.values())), len(exposed))
