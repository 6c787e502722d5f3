"""Groups of photographs that lie close together and show k different people each: the grouping of joint k-same.

MDAV (Domingo-Ferrer & Torra 2005) over photographs, with at most one photograph of a person in a group, then swaps and
moves that lower the scatter, as in Hartigan & Wong's k-means (1979). Of few people with one photograph each, the best
partition of all is searched. Everything here is a function of the rows as they are ordered: whoever calls sorts first.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ganonym.errors import UsageError
from ganonym.privacy.ksame import FEW, optimal_groups
from ganonym.types import Floats

ROUNDS = 12
"""Sweeps of swaps at most; scatter hardly falls after the fifth."""

_WORTH = 1e-9


def crowds(places: Floats, owners: NDArray[np.intp], k: int) -> NDArray[np.intp]:
    """The group (n,) of each photo, counted from 0; -1 for photos of people who have more photos than there are groups.

    `places` (n, d), weighted so that distances count alike; `owners` (n,) number the people, 0 and up. A group has k
    to 2k - 1 photos, all of different people. Ties go to the earlier row. Raises UsageError where fewer than k people
    are, k < 2 or a place is not finite.

    >>> crowds(np.array([[0.0], [9.0], [0.1], [9.1]]), np.array([0, 0, 1, 1]), 2)
    array([0, 1, 0, 1])
    """
    if k < 2:
        raise UsageError(f"k = {k} protects nobody.", "Choose k of at least 2.")
    if not np.isfinite(places).all():
        raise UsageError("coordinates of a face hold a value that is not finite.", "Withhold that photo.")
    people = len(np.unique(owners))
    if people < k:
        raise UsageError(
            f"{people} people are too few for k = {k}.", "Add people, lower -k, or use --mechanism codebook."
        )
    if people == len(owners) <= FEW:
        group = np.empty(len(places), dtype=np.intp)
        for number, members in enumerate(optimal_groups(places, k)):
            group[members] = number
    else:
        group = _mdav(places, owners, k)
        inside = np.flatnonzero(group >= 0)
        group[inside] = _refined(places[inside], owners[inside], group[inside], k)
    return _numbered(group)


def scatter_of(places: Floats, group: NDArray[np.intp]) -> float:
    """Sum of squared distances of `places` (n, d) to the mean of their group; photos without a group do not count."""
    total = 0.0
    for number in range(int(group.max(initial=-1)) + 1):
        own = places[group == number]
        total += float(((own - own.mean(axis=0)) ** 2).sum())
    return total


def _numbered(group: NDArray[np.intp]) -> NDArray[np.intp]:
    """Groups counted in the order of their first photo."""
    firsts = [int(np.flatnonzero(group == number)[0]) for number in range(int(group.max(initial=-1)) + 1)]
    rank = np.empty(len(firsts) + 1, dtype=np.intp)
    rank[np.argsort(firsts)] = np.arange(len(firsts))
    rank[-1] = -1
    return rank[group]


def _mdav(places: Floats, owners: NDArray[np.intp], k: int) -> NDArray[np.intp]:
    """Whoever is farthest from the mean takes the nearest photos of k - 1 others; the last few join what is near.

    As many groups as there can be: whoever has more photos than groups are left must be in this one, and of the others
    no more than those groups can spare.
    """
    group = np.full(len(places), -1, dtype=np.intp)
    left = np.arange(len(places))
    centres: list[Floats] = []
    groups = _most_groups(np.bincount(owners), k)

    def take(seed: Floats) -> None:
        nonlocal left
        near = left[np.argsort(_squared(places[left], seed), kind="stable")]
        firsts = near[np.sort(np.unique(owners[near], return_index=True)[1])]
        others = groups - len(centres) - 1
        photos = np.bincount(owners[left])
        spare = int(np.minimum(photos, others).sum()) - others * k
        free = photos[owners[firsts]] <= others
        members = firsts[~free | (np.cumsum(free) <= spare)][:k]
        group[members] = len(centres)
        centres.append(places[members].mean(axis=0))
        left = left[group[left] < 0]

    while len(centres) < groups:
        middle = places[left].mean(axis=0)
        if groups - len(centres) == 1:
            take(middle)
            continue
        seed = _farthest(places[left], middle)
        take(seed)
        if groups - len(centres) > 1:
            take(_farthest(places[left], seed))
    _settle(places, owners, group, np.array(centres))
    return group


def _most_groups(photos: NDArray[np.intp], k: int) -> int:
    """The most groups of k different people that people with so many `photos` (p,) can form (Gale 1957).

    >>> _most_groups(np.array([2] * 33), 20), _most_groups(np.array([9, 1, 1, 1]), 2)
    (3, 3)
    """
    groups = 0
    while int(np.minimum(photos, groups + 1).sum()) >= (groups + 1) * k:
        groups += 1
    return groups


def _settle(places: Floats, owners: NDArray[np.intp], group: NDArray[np.intp], centres: Floats) -> None:
    """Every photo left joins the nearest group without its person, if there is one; fewer than k people are left."""
    crowd = np.zeros((len(centres), owners.max() + 1), dtype=bool)
    crowd[group[group >= 0], owners[group >= 0]] = True
    for photo in np.flatnonzero(group < 0):
        free = np.flatnonzero(~crowd[:, owners[photo]])
        if len(free):
            nearest = free[np.argmin(_squared(centres[free], places[photo]))]
            group[photo] = nearest
            crowd[nearest, owners[photo]] = True


def _refined(places: Floats, owners: NDArray[np.intp], group: NDArray[np.intp], k: int) -> NDArray[np.intp]:
    """The groups after swaps of two photos, and moves of one, as long as they lower the scatter.

    A swap of i (group a) and j (group b) lowers it by 2 (zj - zi)·(ca - cb) + |zj - zi|² (1/na + 1/nb); a move of i
    from a to b by na/(na - 1) |zi - ca|² - nb/(nb + 1) |zi - cb|². One row is held against all others at once.
    """
    group = group.copy()
    count = int(group.max()) + 1
    sizes = np.bincount(group, minlength=count)
    centres = np.array([places[group == number].mean(axis=0) for number in range(count)])
    crowd = np.zeros((count, owners.max() + 1), dtype=bool)
    crowd[group, owners] = True
    squares, dots = (places**2).sum(axis=1), centres @ places.T
    own_dots = dots[group, np.arange(len(places))]
    worth = _WORTH * max(1.0, float(squares.mean()))
    for _ in range(ROUNDS):
        changed = False
        for i in range(len(places)):
            a, free_of = group[i], ~crowd[:, owners[i]]
            gaps = squares + squares[i] - 2.0 * (places @ places[i])
            apart = dots[a] - dots[a, i] - own_dots + dots[:, i][group]
            gains = 2.0 * apart + gaps * (1.0 / sizes[a] + 1.0 / sizes)[group]
            own = (owners == owners[i]) & (group != a)
            gains[~(own | (free_of[group] & ~crowd[a][owners]))] = -np.inf
            j = int(np.argmax(gains))
            b, best, swapped = group[j], gains[j], True
            if sizes[a] > k and (free := np.flatnonzero(free_of & (sizes < 2 * k - 1))).size:
                far = squares[i] - 2.0 * dots[:, i] + (centres**2).sum(axis=1)
                lowered = sizes[a] / (sizes[a] - 1.0) * far[a] - (sizes / (sizes + 1.0) * far)[free]
                if lowered.max() > best:
                    b, best, swapped = free[np.argmax(lowered)], lowered.max(), False
            if best <= worth:
                continue
            changed = True
            crowd[a, owners[i]] = False
            if swapped:
                crowd[b, owners[j]] = False
                group[j] = a
                crowd[a, owners[j]] = True
            else:
                sizes[a], sizes[b] = sizes[a] - 1, sizes[b] + 1
            group[i] = b
            crowd[b, owners[i]] = True
            for number in (a, b):
                members = np.flatnonzero(group == number)
                centres[number] = places[members].mean(axis=0)
                dots[number] = places @ centres[number]
                own_dots[members] = dots[number, members]
        if not changed:
            break
    return group


def _squared(rows: Floats, point: Floats) -> Floats:
    gaps = rows - point
    return np.asarray(np.einsum("ij,ij->i", gaps, gaps))


def _farthest(rows: Floats, point: Floats) -> Floats:
    return np.asarray(rows[np.argmax(_squared(rows, point))])
