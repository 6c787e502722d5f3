"""Plain k-same: every subject is replaced by the mean of a group of at least k subjects. What a baseline does.

Newton, Sweeney and Malin 2005 (k-Same), Gross et al. 2005 (k-Same-Select: groups within a utility class). A release
uses `ganonym.privacy.joint`, which takes exact means, small classes and the best partition of few people from here.

Groups of k … 2k − 1 subjects that lie close together come from MDAV (Domingo-Ferrer & Mateo-Sanz 2002, in the form of
Domingo-Ferrer & Torra 2005), which is good at any size; of few subjects the best partition is searched, as that is hard
in general (Oganian & Domingo-Ferrer 2001). A class of fewer than k has no group: its subjects keep a place in the
release only if their label stops telling them apart, under one name with the nearest class.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ganonym.errors import UsageError
from ganonym.types import Floats, Refusal

FEW = 12  # 4096 subsets: a tenth of a second
JOINED = " or "


@dataclass(frozen=True, slots=True)
class GroupMean:
    """What is left of a subject: the mean identity (m,) of its group, and that group's number of subjects.

    `group` numbers the groups of a run. Private: who shares a group is never written to anything shareable.
    """

    mean: Floats
    size: int
    group: int


def k_same(
    identities: Floats, labels: Sequence[str | None] | None, k: int, identity_sd: Floats
) -> tuple[GroupMean | Refusal, ...]:
    """Group mean of each subject, in the order of `identities` (n, m), or a Refusal where its label is too rare.

    Given `labels`, groups never mix them (None is a label of its own) and labels of fewer than k subjects are
    withheld (reason "small-class"). Raises UsageError when there are no labels and n < k.
    """
    classes = [None] * len(identities) if labels is None else list(labels)
    results: list[GroupMean | Refusal] = [Refusal("small-class", "")] * len(identities)
    count = 0
    for label in sorted(set(classes), key=lambda value: (value is not None, value)):
        members = np.flatnonzero([other == label for other in classes])
        if labels is not None and len(members) < k:
            reason = f"only {len(members)} subjects carry the label {label or '(none)'!r}, fewer than k = {k}"
            for member in members:
                results[member] = Refusal("small-class", reason)
            continue
        for group in group_subjects(identities[members] / identity_sd, k):
            mean = exact_mean(identities[members[list(group)]])
            for member in members[list(group)]:
                results[member] = GroupMean(mean, len(group), count)
            count += 1
    return tuple(results)


def exact_mean(rows: Floats) -> Floats:
    """Column means that do not depend on the order of the rows, to the last bit: rounding must not mark a member."""
    return np.array([math.fsum(column) / len(rows) for column in rows.T.tolist()])


def merged_labels(
    identities: Floats, labels: Sequence[str | None], k: int, identity_sd: Floats
) -> tuple[str | None, ...]:
    """The label under which each subject is released, so that every label given has at least k subjects, if it can.

    Again and again the smallest class below `k` joins the class whose mean identity is nearest, in coefficients (n, m)
    whitened by `identity_sd`; ties go to the first in alphabetical order, so the outcome is a function of the set of
    subjects. Subjects without a label form no class and keep None.

    >>> merged_labels(np.array([[0.0], [1.0], [9.0], [9.5]]), ["a", "b", "c", "c"], 2, np.ones(1))
    ('a or b', 'a or b', 'c', 'c')
    """
    classes: dict[tuple[str, ...], list[int]] = {}
    for row, label in enumerate(labels):
        if label is not None:
            classes.setdefault((label,), []).append(row)
    while len(classes) > 1:
        smallest = min(classes, key=lambda names: (len(classes[names]), names))
        if len(classes[smallest]) >= k:
            break
        means = {names: (identities[rows] / identity_sd).mean(axis=0) for names, rows in classes.items()}
        others = [names for names in classes if names != smallest]
        nearest = min(others, key=lambda names: (float(np.linalg.norm(means[names] - means[smallest])), names))
        joined = tuple(sorted(smallest + nearest))
        classes[joined] = classes.pop(smallest) + classes.pop(nearest)
    released: list[str | None] = [None] * len(labels)
    for names, rows in classes.items():
        for row in rows:
            released[row] = JOINED.join(names)
    return tuple(released)


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
    """The partition of `rows` (n, m) with the least sum of squared distances to group means.

    Over all subsets: n up to 12, O(3ⁿ) time. Groups of 2k and more need not be tried, because splitting one never
    adds to it.
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
    best_groups, mask = [], (1 << n) - 1
    while mask:
        group = int(choice[mask])
        best_groups.append(np.flatnonzero((group >> np.arange(n)) & 1))
        mask ^= group
    return best_groups


def _squared(rows: Floats, point: Floats) -> Floats:
    gaps = rows - point
    return np.asarray(np.einsum("ij,ij->i", gaps, gaps))


def _farthest(rows: Floats, point: Floats) -> int:
    return int(np.argmax(_squared(rows, point)))
