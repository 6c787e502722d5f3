"""Who is averaged with whom: partitions of subjects into groups of k … 2k − 1 that lie close together.

MDAV (Domingo-Ferrer & Mateo-Sanz 2002, in the form of Domingo-Ferrer & Torra 2005), which is good at any size; and, as
finding the best partition is hard in general (Oganian & Domingo-Ferrer 2001), the best one for few subjects only.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ganonym.errors import UsageError
from ganonym.types import Floats

FEW = 12  # 4096 subsets: a tenth of a second


def group_subjects(whitened: Floats, k: int) -> tuple[tuple[int, ...], ...]:
    """Partition of subjects into groups of k … 2k − 1, from identity coefficients divided by their SD, (n, m).

    The best one for up to 12 subjects, MDAV for more. Rows are first put in lexicographic order and every tie goes to
    the earlier row, so the partition is a function of the set of rows alone: their order matters only between identical
    rows. Groups are sorted tuples of row numbers, ordered by their first. Raises UsageError when n < k, k < 2 or a row
    is not finite.

    >>> group_subjects(np.array([[0.0], [9.0], [0.1], [9.1]]), 2)
    ((0, 2), (1, 3))
    """
    if k < 2:
        raise UsageError(f"k = {k} protects nobody.", "Choose k of at least 2.")
    if len(whitened) < k:
        raise UsageError(
            f"{len(whitened)} subjects are too few for k = {k}.", "Add subjects, lower -k, or use --mechanism codebook."
        )
    if not np.isfinite(whitened).all():
        raise UsageError("an identity shape holds a value that is not finite.")
    order = np.lexsort(whitened.T[::-1])
    rows = whitened[order]
    groups = optimal_groups(rows, k) if len(rows) <= FEW else mdav_groups(rows, k)
    return tuple(sorted(tuple(sorted(order[group].tolist())) for group in groups))


def mdav_groups(rows: Floats, k: int) -> list[NDArray[np.int64]]:
    """Maximum distance to average vector: whoever is farthest from the mean takes the k − 1 nearest. O(n² m / k)."""
    left, groups = np.arange(len(rows)), []
    while len(left) >= 2 * k:
        far = _farthest(rows[left], rows[left].mean(axis=0))
        seeds = [rows[left[far]]]
        if len(left) >= 3 * k:
            seeds.append(rows[left[_farthest(rows[left], seeds[0])]])
        for seed in seeds:
            near = np.argsort(_squared(rows[left], seed), kind="stable")[:k]
            groups.append(left[near])
            left = np.delete(left, near)
    return [*groups, left]


def optimal_groups(rows: Floats, k: int) -> list[NDArray[np.int64]]:
    """The partition of `rows` (n, m) with the least `scatter`, over all subsets: n up to 12, O(3ⁿ) time.

    Groups of 2k and more need not be tried, because splitting one never adds to the scatter.
    """
    n = len(rows)
    masks = np.arange(1 << n)
    members = (masks[:, None] >> np.arange(n)) & 1
    sizes = members.sum(axis=1)
    centred = rows - rows.mean(axis=0)
    sums = members @ centred
    cost = members @ _squared(centred, np.zeros(rows.shape[1])) - np.sum(sums**2, axis=1) / np.maximum(sizes, 1)
    allowed = masks[(sizes >= k) & (sizes < 2 * k)]
    # Whoever groups a set of rows must group its first: only groups with that row are tried.
    starting = [allowed[allowed & -allowed == 1 << row] for row in range(n)]
    best, choice = np.full(1 << n, np.inf), np.zeros(1 << n, dtype=np.int64)
    best[0] = 0.0
    for mask in masks[1:]:
        groups = starting[int(mask & -mask).bit_length() - 1]
        groups = groups[groups & mask == groups]
        if len(groups):
            totals = cost[groups] + best[mask ^ groups]
            first = int(np.argmin(totals))
            best[mask], choice[mask] = totals[first], groups[first]
    found, mask = [], (1 << n) - 1
    while mask:
        group = int(choice[mask])
        found.append(np.flatnonzero((group >> np.arange(n)) & 1))
        mask ^= group
    return found


def scatter(rows: Floats, groups: list[NDArray[np.int64]]) -> float:
    """Sum of squared distances of `rows` (n, m) to the mean of their group: what k-same takes from the data."""
    return float(sum(_squared(rows[group], rows[group].mean(axis=0)).sum() for group in groups))


def _squared(rows: Floats, point: Floats) -> Floats:
    gaps = rows - point
    return np.asarray(np.einsum("ij,ij->i", gaps, gaps))


def _farthest(rows: Floats, point: Floats) -> int:
    return int(np.argmax(_squared(rows, point)))
