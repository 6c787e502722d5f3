"""Top-k over different classes against scikit-learn and a loop."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import balanced_accuracy_score, top_k_accuracy_score

from ganonym.classify.metrics.rates import accuracies, macro_top_k, places, ranked, telling


def drawn(seed: int, photos: int = 200, count: int = 12) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities that favour the truth, and a truth in which low classes are frequent."""
    rng = np.random.default_rng(seed)
    truth = np.minimum(rng.geometric(0.3, photos) - 1, count - 1).astype(np.intp)
    truth[:count] = np.arange(count)
    chances = rng.dirichlet(np.ones(count), photos)
    chances[np.arange(photos), truth] += 0.1
    return chances / chances.sum(axis=1, keepdims=True), truth


@pytest.mark.parametrize("k", [1, 2, 4])
def test_the_place_is_scikit_learns_and_macro_the_mean_over_classes(k: int) -> None:
    chances, truth = drawn(1)
    rank, every = places(ranked(chances), truth, 12), np.arange(len(truth))
    micro = top_k_accuracy_score(truth, chances, k=k, labels=np.arange(12))
    shares = [(rank[truth == label] <= k).mean() for label in range(12)]
    assert (rank <= k).mean() == pytest.approx(micro)
    assert macro_top_k(rank, truth, k)(every) == pytest.approx(np.mean(shares))
    weights = 1 / np.bincount(truth)[truth]
    weighted = top_k_accuracy_score(truth, chances, k=k, labels=np.arange(12), sample_weight=weights)
    assert macro_top_k(rank, truth, k)(every) == pytest.approx(weighted)
    assert abs(np.mean(shares) - micro) > 1e-3  # the two differ, or this shows nothing


def test_macro_top_1_is_balanced_accuracy() -> None:
    chances, truth = drawn(2)
    rank = places(ranked(chances), truth, 12)
    expected = balanced_accuracy_score(truth, chances.argmax(axis=1))
    assert macro_top_k(rank, truth, 1)(np.arange(len(truth))) == pytest.approx(expected)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(st.integers(-1, 5), min_size=6, max_size=6), min_size=1, max_size=5), st.integers(0, 5))
def test_the_place_is_that_among_different_classes(lists: list[list[int]], truth: int) -> None:
    expected = []
    for names in lists:
        different = list(dict.fromkeys(name for name in names if name >= 0))
        expected.append(different.index(truth) + 1 if truth in different else 7)
    found = places(np.array(lists), np.full(len(lists), truth), 6)
    assert found.tolist() == expected


def test_a_short_list_is_no_hit_at_any_k() -> None:
    rank = places(np.array([[0, 1, -1]]), np.array([2], np.intp), 30)
    assert rank.tolist() == [31]


def test_equal_chances_go_to_the_lower_number() -> None:
    assert ranked(np.array([[0.25, 0.5, 0.25, 0.0]])).tolist() == [[1, 0, 2, 3]]


def test_ranks_can_miss_and_intervals_are_over_subjects() -> None:
    assert telling(100) == (1, 5, 10, 30)
    assert telling(10) == (1, 5), "ten of ten hold the true one always"
    assert telling(1) == ()
    chances, truth = drawn(3, 120)
    rank = places(ranked(chances), truth, 12)
    alone = accuracies(rank, truth, [f"s{n:03d}" for n in range(120)], 12, np.random.default_rng(0), 200)
    assert list(alone) == [1, 5, 10]
    four = np.repeat(np.arange(120), 4)  # four equal photos of each tell no more than one
    subjects = [f"s{n:03d}" for n in four]
    many = accuracies(rank[four], truth[four], subjects, 12, np.random.default_rng(0), 200)
    assert many[5].value == pytest.approx(alone[5].value)
    assert many[5].high - many[5].low == pytest.approx(alone[5].high - alone[5].low, rel=1e-6)
