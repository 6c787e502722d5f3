"""Groups of photographs of at least k different people that lie close together.

Microaggregation: MDAV (Domingo-Ferrer & Torra 2005) over photographs, with at most one photo of a person in a group,
then swaps of two photographs as long as they bring groups closer together (as k-means' last step by Hartigan 1975).
Rows are put in lexicographic order first and every tie goes to the earlier one: the groups are a function of the set of
photographs.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ganonym.types import Floats

ROUNDS = 8
NEIGHBOURS = 8
LEAST_GAIN = 1e-9

Groups = NDArray[np.int64]


def group_photos(places: Floats, people: Groups, k: int) -> Groups:
    """The group (n,) of each photo at `places` (n, d), numbered from 0, or -1 where none can take it.

    `people` (n,) number whose photo it is. Every group has photos of at least `k` different people and no two of one
    person. There must be at least k people.

    >>> group_photos(np.array([[0.0], [9.0], [0.1], [9.1]]), np.array([0, 1, 2, 3]), 2).tolist()
    [0, 1, 0, 1]
    """
    order = np.lexsort((*places.T[::-1],))
    rows, owners = places[order], _by_appearance(people[order])
    found = _swapped(rows, owners, _aggregated(rows, owners, k))
    groups = np.empty(len(rows), dtype=np.int64)
    groups[order] = found
    return _numbered(groups)


def scatter(rows: Floats, groups: Groups) -> float:
    """Sum of squared distances of grouped `rows` (n, d) to the mean of their group: what grouping takes from them."""
    total = 0.0
    for number in range(int(groups.max(initial=-1)) + 1):
        inside = rows[groups == number]
        total += float(((inside - inside.mean(axis=0)) ** 2).sum())
    return total


def _by_appearance(people: Groups) -> Groups:
    """People renumbered in the order of their first photo, so that names play no part."""
    _, first, number = np.unique(people, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[number]


def _numbered(groups: Groups) -> Groups:
    names = [number for number in dict.fromkeys(groups.tolist()) if number >= 0]
    return np.array([names.index(number) if number >= 0 else -1 for number in groups.tolist()], dtype=np.int64)


def _aggregated(rows: Floats, owners: Groups, k: int) -> Groups:
    """MDAV: whoever is farthest takes the nearest photos of k − 1 other people; what is left joins where it may."""
    groups = np.full(len(rows), -1, dtype=np.int64)
    count = 0

    def left() -> Groups:
        return np.flatnonzero(groups < 0)

    def take(seed: Floats) -> None:
        nonlocal count
        free = left()
        near = free[np.argsort(_squared(rows[free], seed), kind="stable")]
        first = np.sort(np.unique(owners[near], return_index=True)[1])
        groups[near[first[:k]]] = count
        count += 1

    while len(np.unique(owners[left()])) >= 2 * k:
        free = left()
        far = rows[free[_farthest(rows[free], rows[free].mean(axis=0))]]
        take(far)
        free = left()
        if len(np.unique(owners[free])) >= 2 * k:
            take(rows[free[_farthest(rows[free], far)]])
    while len(np.unique(owners[left()])) >= k:
        take(rows[left()].mean(axis=0))
    for photo in left():
        open_to = [number for number in range(count) if owners[photo] not in owners[groups == number]]
        if open_to:
            gaps = [float(_squared(rows[groups == number].mean(axis=0)[None], rows[photo])[0]) for number in open_to]
            groups[photo] = open_to[int(np.argmin(gaps))]
    return groups


def _swapped(rows: Floats, owners: Groups, groups: Groups) -> Groups:
    """Exchange two photos of different groups while that lowers the scatter; sizes and people stay as they must."""
    groups = groups.copy()
    count = int(groups.max(initial=-1)) + 1
    if count < 2:
        return groups
    sizes = np.bincount(groups[groups >= 0], minlength=count).astype(np.float64)
    centres = np.array([rows[groups == number].mean(axis=0) for number in range(count)])
    has = np.zeros((count, int(owners.max()) + 1), dtype=np.bool_)
    has[groups[groups >= 0], owners[groups >= 0]] = True
    for _ in range(ROUNDS):
        moved = False
        for photo in np.flatnonzero(groups >= 0):
            here = groups[photo]
            best, partner = LEAST_GAIN, -1
            for there in np.argsort(_squared(centres, rows[photo]), kind="stable")[:NEIGHBOURS]:
                if there == here or has[there, owners[photo]]:
                    continue
                others = np.flatnonzero(groups == there)
                others = others[~has[here, owners[others]]]
                if not len(others):
                    continue
                step = rows[others] - rows[photo]
                gains = _gain(centres[here], step, sizes[here]) + _gain(centres[there], -step, sizes[there])
                if gains.max() > best:
                    best, partner = float(gains.max()), int(others[gains.argmax()])
            if partner >= 0:
                there = groups[partner]
                has[here, owners[photo]] = has[there, owners[partner]] = False
                groups[photo], groups[partner] = there, here
                has[there, owners[photo]] = has[here, owners[partner]] = True
                for number in (here, there):
                    centres[number] = rows[groups == number].mean(axis=0)
                moved = True
        if not moved:
            break
    return groups


def _gain(centre: Floats, step: Floats, size: float) -> Floats:
    """How much size · |centre|² grows when a group's centre moves by step / size, for many steps (n, d)."""
    return np.asarray(2.0 * step @ centre + (step * step).sum(axis=1) / size)


def _squared(rows: Floats, point: Floats) -> Floats:
    gaps = rows - point
    return np.asarray(np.einsum("ij,ij->i", gaps, gaps))


def _farthest(rows: Floats, point: Floats) -> int:
    return int(np.argmax(_squared(rows, point)))
