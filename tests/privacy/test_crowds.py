"""Groups of photos with k different people: against brute force, and by what must hold of any grouping."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import maximum_flow

from ganonym.errors import UsageError
from ganonym.privacy.crowds import _mdav, crowds, scatter_of
from ganonym.types import Floats

K = st.integers(2, 4)


@st.composite
def cohorts(draw: st.DrawFn) -> tuple[Floats, NDArray[np.intp], int]:
    """Places (n, 3), their owners, of whom some have many photos, and a k for which there are people enough."""
    k = draw(K)
    photos = draw(st.lists(st.sampled_from([1, 1, 1, 2, 3, 7]), min_size=k, max_size=18))
    owners = np.repeat(np.arange(len(photos)), photos)
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    owners = rng.permutation(owners)
    return rng.standard_normal((len(owners), 3)) + rng.standard_normal((len(photos), 3))[owners], owners, k


@settings(deadline=None)
@given(cohorts())
def test_a_group_has_k_different_people_and_no_more_photos_of_one_than_groups_are_left_out(
    cohort: tuple[Floats, NDArray[np.intp], int],
) -> None:
    places, owners, k = cohort
    group = crowds(places, owners, k)
    count = int(group.max()) + 1
    assert sorted(set(group.tolist()) - {-1}) == list(range(count))
    for number in range(count):
        people = owners[group == number]
        assert len(set(people.tolist())) == len(people)
        assert k <= len(people) <= 2 * k - 1
    withheld = Counter(owners[group < 0].tolist())
    assert withheld == Counter({person: n - count for person, n in Counter(owners.tolist()).items() if n > count})


@settings(deadline=None)
@given(cohorts())
def test_no_swap_that_is_left_would_lower_the_scatter(cohort: tuple[Floats, NDArray[np.intp], int]) -> None:
    places, owners, k = cohort
    group = crowds(places, owners, k)
    inside = np.flatnonzero(group >= 0)
    before = scatter_of(places, group)
    start = _mdav(places, owners, k)
    if len(owners) > 12:
        assert before <= scatter_of(places, start) + 1e-9
    for i, j in itertools.combinations(inside, 2):
        other = group.copy()
        other[i], other[j] = group[j], group[i]
        if all(len(set(owners[other == number])) == (other == number).sum() for number in (group[i], group[j])):
            assert scatter_of(places, other) >= before - 1e-6


@settings(deadline=None)
@given(cohorts())
def test_there_are_as_many_groups_as_there_can_be(cohort: tuple[Floats, NDArray[np.intp], int]) -> None:
    """The oracle is a maximum flow: from people, once into a group, k into each group."""
    places, owners, k = cohort
    count = int(crowds(places, owners, k).max()) + 1
    if len(owners) > len(set(owners.tolist())):  # of few people with one photo each the best partition may have fewer
        assert flow(owners, k, count) == count * k
    assert flow(owners, k, count + 1) < (count + 1) * k or len(owners) <= 12


def flow(owners: NDArray[np.intp], k: int, groups: int) -> int:
    photos = np.bincount(owners)
    people = len(photos)
    capacity = np.zeros((people + groups + 2, people + groups + 2), dtype=np.int32)
    capacity[-2, :people] = photos
    capacity[:people, people : people + groups] = 1
    capacity[people : people + groups, -1] = k
    return int(maximum_flow(csr_array(capacity), people + groups, people + groups + 1).flow_value)


def test_people_with_two_photos_each_are_not_lumped_together() -> None:
    """Planted: 33 people with two photos each make three groups; a greedy choice leaves two of them all."""
    rng = np.random.default_rng(0)
    owners = np.repeat(np.arange(33), 2)
    group = crowds(rng.standard_normal((33, 4))[owners] + 0.3 * rng.standard_normal((66, 4)), owners, 20)
    assert len(np.bincount(group)) == 3
    assert np.bincount(group).min() >= 20


def test_few_people_get_the_best_partition_of_all() -> None:
    for seed in range(12):
        places = np.random.default_rng(seed).standard_normal((9, 2))
        best = min(scatter_of(places, group) for group in partitions(np.arange(9), 3))
        assert scatter_of(places, crowds(places, np.arange(9), 3)) == pytest.approx(best)


def test_people_with_two_photos_come_near_the_best_partition_of_all() -> None:
    ratios = []
    for seed in range(25):
        rng = np.random.default_rng(seed)
        owners = np.array([0, 0, 1, 1, 2, 2, 3, 4])
        places = rng.standard_normal((5, 2))[owners] + 0.7 * rng.standard_normal((8, 2))
        best = min(scatter_of(places, group) for group in partitions(owners, 2))
        ratios.append(scatter_of(places, crowds(places, owners, 2)) / best)
    assert min(ratios) >= 1 - 1e-9
    assert np.mean(ratios) < 1.15
    assert np.mean(np.array(ratios) < 1 + 1e-9) > 0.5  # most often the very best


def test_swaps_take_a_tenth_off_the_scatter_of_mdav() -> None:
    rng = np.random.default_rng(3)
    owners = np.repeat(np.arange(120), 2)
    places = rng.standard_normal((120, 5))[owners] + 0.3 * rng.standard_normal((240, 5))
    assert scatter_of(places, crowds(places, owners, 10)) < 0.9 * scatter_of(places, _mdav(places, owners, 10))


def test_what_cannot_be_grouped_says_why() -> None:
    places = np.zeros((4, 1))
    with pytest.raises(UsageError, match="2 people are too few for k = 3"):
        crowds(places, np.array([0, 0, 1, 1]), 3)
    with pytest.raises(UsageError, match="protects nobody"):
        crowds(places, np.arange(4), 1)
    with pytest.raises(UsageError, match="not finite"):
        crowds(np.full((4, 1), np.nan), np.arange(4), 2)


def partitions(owners: NDArray[np.intp], k: int) -> Iterator[NDArray[np.intp]]:
    """All ways to put photos into groups of k different people and more, none left out."""

    def grow(group: list[int], photo: int) -> Iterator[NDArray[np.intp]]:
        if photo == len(owners):
            counts = Counter(group)
            if min(counts.values()) >= k:
                yield np.array(group, dtype=np.intp)
            return
        for number in range(max(group, default=-1) + 2):
            if all(owners[other] != owners[photo] for other in range(photo) if group[other] == number):
                yield from grow([*group, number], photo + 1)

    return grow([], 0)
