"""N-way K-shot episodes over a labelled set, drawn by subject.

Published episodes draw photographs. Where people were photographed more than once that tests whether a classifier
recognises the person, so here a shot is a subject: support and query never share one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ganonym.errors import UsageError

Index = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Shape:
    """`ways` classes, of each `shots` subjects to learn from and `queries` others to be told apart, a photo each."""

    ways: int = 5
    shots: int = 1
    queries: int = 5

    def __post_init__(self) -> None:
        if self.ways < 2 or self.shots < 1 or self.queries < 1:
            raise UsageError(f"{self} leaves nothing to choose: an episode needs 2 ways, 1 shot and 1 query at least.")


@dataclass(frozen=True, slots=True)
class Pool:
    """What episodes of one `shape` are drawn from.

    `photos[c]` has for every subject of class c the rows of the set that show it; empty for classes `left_out`, which
    have fewer than shots + queries subjects. `mixed`: subjects with photos of several classes, who are in no episode.
    """

    shape: Shape
    photos: tuple[tuple[Index, ...], ...]
    left_out: tuple[int, ...]
    mixed: tuple[str, ...]

    @property
    def classes(self) -> Index:
        """The classes that episodes are made of, ascending."""
        return np.array([number for number, people in enumerate(self.photos) if people], np.intp)


@dataclass(frozen=True, slots=True)
class Episode:
    """`support` (ways · shots,) and `query` (ways · queries,) rows of the set, each with its place among `classes`.

    `classes` (ways,) are numbers in the whole set; `support_ways` and `query_ways` count from 0 to ways − 1.
    """

    classes: Index
    support: Index
    support_ways: Index
    query: Index
    query_ways: Index


def pool(classes: Index, subjects: Sequence[str], shape: Shape, among: Sequence[int] | None = None) -> Pool:
    """Photos with `classes` (n,) of `subjects` (n) as a pool; only classes `among`, when given.

    Raises UsageError when fewer than `shape.ways` classes have the subjects that an episode takes.

    >>> found = pool(np.array([0, 0, 1, 1, 2]), ["a", "b", "c", "d", "e"], Shape(ways=2, shots=1, queries=1))
    >>> found.classes.tolist(), found.left_out
    ([0, 1], (2,))
    """
    if len(classes) != len(subjects):
        raise UsageError(f"there are {len(classes)} classes, but {len(subjects)} subjects.")
    names, owner = np.unique(np.array(subjects, dtype=str), return_inverse=True)
    of_subject = [np.flatnonzero(owner == index) for index in range(len(names))]
    mixed = tuple(str(name) for name, rows in zip(names, of_subject, strict=True) if len(set(classes[rows])) > 1)
    photos: list[list[Index]] = [[] for _ in range(int(classes.max(initial=-1)) + 1)]
    for rows in of_subject:
        if len(set(classes[rows])) == 1:
            photos[classes[rows[0]]].append(rows)
    wanted = range(len(photos)) if among is None else sorted(set(among))
    enough = [each for each in wanted if each < len(photos) and len(photos[each]) >= shape.shots + shape.queries]
    if len(enough) < shape.ways:
        raise UsageError(
            f"{len(enough)} of {len(wanted)} classes have {shape.shots} + {shape.queries} subjects, an episode takes "
            f"{shape.ways}; ask for fewer ways, shots or queries."
        )
    kept = tuple(tuple(people) if number in enough else () for number, people in enumerate(photos))
    return Pool(shape, kept, tuple(each for each in wanted if each not in enough), mixed)


def draw(pool: Pool, rng: np.random.Generator) -> Episode:
    """One episode: classes, of each its subjects, of each one photo, all alike in chance.

    >>> one = draw(pool(np.repeat([0, 1, 2], 4), list("aabbccddeeff"), Shape(2, 1, 1)), np.random.default_rng(0))
    >>> len(one.support), len(one.query), one.query_ways.tolist()
    (2, 2, [0, 1])
    """
    shape = pool.shape
    classes = rng.choice(pool.classes, shape.ways, replace=False)
    rows = np.zeros((shape.ways, shape.shots + shape.queries), np.intp)
    for way, number in enumerate(classes):
        people = pool.photos[number]
        for place, subject in enumerate(rng.permutation(len(people))[: rows.shape[1]]):
            rows[way, place] = people[subject][rng.integers(len(people[subject]))]
    ways = np.arange(shape.ways)
    return Episode(
        classes,
        rows[:, : shape.shots].ravel(),
        ways.repeat(shape.shots),
        rows[:, shape.shots :].ravel(),
        ways.repeat(shape.queries),
    )
