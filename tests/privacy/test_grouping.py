"""Grouping against a brute-force MDAV, and against every partition there is."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from ganonym.errors import UsageError
from ganonym.privacy.ksame import FEW, group_subjects, mdav_groups, optimal_groups
from ganonym.types import Floats


def scatter(rows: Floats, groups: list[NDArray[np.int64]]) -> float:
    return float(sum(((rows[group] - rows[group].mean(axis=0)) ** 2).sum() for group in groups))


def brute_mdav(points: list[tuple[float, ...]], k: int) -> set[frozenset[tuple[float, ...]]]:
    """MDAV as in the paper, in plain Python, on distinct points without ties."""

    def gap(a: tuple[float, ...], b: tuple[float, ...]) -> float:
        return sum((x - y) ** 2 for x, y in zip(a, b, strict=True))

    def centre(those: list[tuple[float, ...]]) -> tuple[float, ...]:
        return tuple(sum(axis) / len(those) for axis in zip(*those, strict=True))

    left, groups = list(points), []
    while len(left) >= 2 * k:
        middle = centre(left)
        r = max(left, key=lambda p: gap(p, middle))
        s = max(left, key=lambda p: gap(p, r))
        for seed in [r, s] if len(left) >= 3 * k else [r]:
            near = sorted(left, key=lambda p: gap(p, seed))[:k]
            groups.append(frozenset(near))
            left = [p for p in left if p not in near]
    return {*groups, frozenset(left)}


@st.composite
def cohorts(draw: st.DrawFn) -> tuple[Floats, int]:
    k = draw(st.integers(2, 6))
    n = draw(st.integers(k, 60))
    m = draw(st.integers(1, 5))
    return np.random.default_rng(draw(st.integers(0, 10**6))).normal(size=(n, m)), k


@given(cohorts())
@settings(deadline=None, max_examples=80)
def test_grouping_is_mdav(cohort: tuple[Floats, int]) -> None:
    rows, k = cohort
    groups = mdav_groups(rows, k)
    assert sorted(i for group in groups for i in group) == list(range(len(rows)))
    assert all(k <= len(group) < 2 * k for group in groups)
    points = [tuple(row) for row in rows.tolist()]
    assert {frozenset(points[i] for i in group) for group in groups} == brute_mdav(points, k)


@given(cohorts(), st.randoms(use_true_random=False), st.booleans())
@settings(deadline=None, max_examples=60)
def test_partition_ignores_the_order_of_subjects(cohort: tuple[Floats, int], random: object, ties: bool) -> None:
    rows, k = cohort
    rows = np.unique(np.round(rows), axis=0) if ties else rows  # a lattice: distances tie, rows stay distinct
    if len(rows) < k:
        return
    order = list(range(len(rows)))
    random.shuffle(order)  # type: ignore[attr-defined]
    shuffled = {frozenset(order[i] for i in group) for group in group_subjects(rows[order], k)}
    assert shuffled == {frozenset(group) for group in group_subjects(rows, k)}


def test_identical_subjects_still_form_groups() -> None:
    assert [len(group) for group in group_subjects(np.zeros((23, 4)), 5)] == [5, 5, 5, 8]


@pytest.mark.parametrize(("n", "k"), [(10, 11), (0, 2), (5, 1)])
def test_too_few_subjects_are_a_usage_error(n: int, k: int) -> None:
    with pytest.raises(UsageError):
        group_subjects(np.zeros((n, 3)), k)


def test_not_finite_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="not finite"):
        group_subjects(np.array([[0.0], [np.nan], [1.0]]), 2)


def partitions(rows: list[int], k: int) -> Iterator[list[list[int]]]:
    """Every partition of `rows` into groups of at least k."""
    if not rows:
        yield []
    first, *others = rows
    for size in range(k - 1, len(others) + 1):
        for mates in combinations(others, size):
            left = [row for row in others if row not in mates]
            if not left:
                yield [[first, *mates]]
            elif len(left) >= k:
                yield from ([[first, *mates], *rest] for rest in partitions(left, k))


@given(st.integers(2, 4), st.integers(0, 5), st.integers(0, 10**6))
@settings(deadline=None, max_examples=25)
def test_the_best_partition_is_the_best_of_all(k: int, more: int, seed: int) -> None:
    rows = np.random.default_rng(seed).normal(size=(k + more, 3))
    groups = optimal_groups(rows, k)
    assert sorted(np.concatenate(groups).tolist()) == list(range(len(rows)))
    assert all(k <= len(group) < 2 * k for group in groups)
    all_of_them = [[np.array(group) for group in partition] for partition in partitions(list(range(len(rows))), k)]
    assert scatter(rows, groups) == pytest.approx(min(scatter(rows, entry) for entry in all_of_them))


@pytest.mark.parametrize(("subjects", "better"), [(FEW, True), (FEW + 1, False)])
def test_few_subjects_get_the_best_partition_and_many_get_mdav(subjects: int, better: bool) -> None:
    ratios = []
    for seed in range(8):
        rows = np.random.default_rng(seed).normal(size=(subjects, 8))
        ordered = rows[np.lexsort(rows.T[::-1])]
        chosen = [np.array(group) for group in group_subjects(rows, 3)]
        ratios.append(scatter(rows, chosen) / scatter(ordered, mdav_groups(ordered, 3)))
    assert max(ratios) < 1 + 1e-9
    assert (min(ratios) < 0.99) == better
