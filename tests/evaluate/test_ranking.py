"""Ranks against scipy's, and the rules for ties and missing templates."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import rankdata

from ganonym.evaluate.metrics.ranking import any_hit, rank
from ganonym.types import Floats

MATRICES = arrays(np.float64, (6, 9), elements=st.integers(0, 5).map(float))
TRUTH = np.array([0, 3, 8, 1, 1, 4], dtype=np.intp)


@given(MATRICES)
def test_mid_rank_is_scipys_average_rank(distances: Floats) -> None:
    expected = rankdata(distances, method="average", axis=1)[np.arange(6), TRUTH]
    assert rank(distances, TRUTH).middle.tolist() == expected.tolist()


@given(MATRICES)
def test_only_the_order_of_distances_counts(distances: Floats) -> None:
    before, after = rank(distances, TRUTH), rank(np.exp(distances) - 7.0, TRUTH)
    assert before.middle.tolist() == after.middle.tolist()
    assert before.within(2).tolist() == after.within(2).tolist()


@given(MATRICES)
def test_rates_grow_with_the_rank_up_to_one(distances: Floats) -> None:
    ranks = rank(distances, TRUTH)
    rates = np.array([ranks.within(place) for place in range(10)])
    assert (rates[0] == 0).all()
    assert (rates[9] == 1).all()
    assert (np.diff(rates, axis=0) >= 0).all()
    # the mean of a random rank is the sum of its tail probabilities
    assert np.allclose((1 - rates[:9]).sum(axis=0), ranks.middle)


def test_no_template_is_a_blind_guess() -> None:
    no_probe = np.full((1, 4), np.nan)
    no_true_candidate = np.array([[0.1, 0.2, np.nan, 0.3]])
    for distances in (no_probe, no_true_candidate):
        ranks = rank(distances, np.array([2], dtype=np.intp))
        assert ranks.failed.all()
        assert ranks.within(1) == pytest.approx(1 / 4)
        assert ranks.middle == pytest.approx(2.5)


def test_another_candidate_without_template_does_not_shield_the_true_one() -> None:
    ranks = rank(np.array([[np.nan, 0.9, np.nan]]), np.array([1], dtype=np.intp))
    assert ranks.within(1).tolist() == [1.0]
    assert not ranks.failed.any()


def test_refuses_infinite_distances() -> None:
    with pytest.raises(ValueError, match="infinite"):
        rank(np.array([[np.inf, 0.0]]), np.array([0], dtype=np.intp))


@given(MATRICES, arrays(np.bool_, (6, 9)))
def test_a_mask_ranks_as_the_gallery_without_the_others(distances: Floats, mask: np.ndarray) -> None:
    mask[np.arange(6), TRUTH] = True
    masked = rank(distances, TRUTH, mask)
    for row in range(6):
        columns = np.flatnonzero(mask[row])
        alone = rank(distances[[row]][:, columns], np.flatnonzero(columns == TRUTH[row]))
        assert (masked.middle[row], masked.choices[row]) == (alone.middle[0], len(columns))
        assert masked.within(1)[row] == alone.within(1)[0]


def test_no_template_is_a_blind_guess_among_those_left() -> None:
    mask = np.array([[True, True, False, False]])
    ranks = rank(np.full((1, 4), np.nan), np.array([1], dtype=np.intp), mask)
    assert ranks.within(1).tolist() == [0.5]
    with pytest.raises(ValueError, match="masked"):
        rank(np.zeros((1, 4)), np.array([2], dtype=np.intp), mask)


@given(st.lists(st.tuples(st.sampled_from("abcde"), st.floats(0, 1)), min_size=1, max_size=12))
def test_any_hit_is_the_complement_of_missing_every_time(trials: list[tuple[str, float]]) -> None:
    owners, hits = zip(*trials, strict=True)
    expected = [1 - np.prod([1 - hit for name, hit in trials if name == owner]) for owner in sorted(set(owners))]
    assert any_hit(np.array(hits), owners).tolist() == pytest.approx(expected)
    assert any_hit(np.array([hits, hits]), owners).shape == (2, len(expected))
