"""Bits and crowds: nothing where nothing is told, log2 N where everything is, closed forms between."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import betabinom, entropy

from ganonym.evaluate.metrics.disclosure import CROWDS, _probabilities, crowds, disclosure
from ganonym.evaluate.metrics.ranking import rank

from .simulated_scores import leaking, scores


def ranked(ranks: list[int], gallery: int) -> np.ndarray:
    """Distances in which the owner of probe i (person i) comes out at `ranks[i]`."""
    distances = np.empty((len(ranks), gallery))
    for row, place in enumerate(ranks):
        others = [column for column in range(gallery) if column != row]
        order = [*others[: place - 1], row, *others[place - 1 :]]
        distances[row, order] = np.arange(gallery)
    return distances


def test_everybody_named_tells_all_bits() -> None:
    result = disclosure(leaking(np.random.default_rng(1), 64, noise=0.0))
    assert result.mean == pytest.approx(6.0, abs=0.05)
    assert result.worst == pytest.approx(6.0, abs=0.01)


@pytest.mark.parametrize("value", [1.0, np.nan])
def test_ties_and_failures_tell_nothing(value: float) -> None:
    result = disclosure(scores(np.full((30, 30), value), range(30)))
    assert (result.mean, result.worst) == pytest.approx((0.0, 0.0), abs=0.02)


def test_unrelated_outputs_tell_next_to_nothing_where_plain_frequencies_would() -> None:
    fitted, plain = [], []
    for seed in range(12):
        simulated = leaking(np.random.default_rng(seed), 80, noise=np.inf)
        fitted.append(disclosure(simulated).mean)
        ranks = rank(simulated.distances, simulated.truth).middle.astype(int)
        plain.append(np.log2(80) - entropy(np.bincount(ranks), base=2))
    assert np.mean(fitted) < 0.12
    assert np.mean(plain) > 0.4


def test_ranks_spread_over_the_first_quarter_tell_two_bits() -> None:
    ranks = np.arange(128) // 4 + 1
    result = disclosure(scores(ranked(ranks.tolist(), 128), range(128)))
    assert result.mean == pytest.approx(2.0, abs=0.35)


def test_an_outright_leak_of_some_is_seen_in_the_worst_rank() -> None:
    rng = np.random.default_rng(2)
    ranks = np.where(np.arange(100) < 25, 1, rng.integers(1, 101, 100))
    result = disclosure(scores(ranked(ranks.tolist(), 100), range(100)))
    assert result.worst == pytest.approx(np.log2(100 * np.mean(ranks == 1)), abs=0.1)
    assert result.mean > 0.5


def test_more_noise_tells_less() -> None:
    bits = [disclosure(leaking(np.random.default_rng(3), 100, noise=noise)).mean for noise in (0.0, 1.0, 2.0, 5.0)]
    assert bits == sorted(bits, reverse=True)


def test_photos_of_a_subject_share_its_weight() -> None:
    """One subject with 50 leaking photos among 50 who tell nothing is one of 51."""
    rng = np.random.default_rng(4)
    ranks = [1] * 50 + rng.integers(1, 52, 50).tolist()
    owners = [0] * 50 + list(range(1, 51))
    distances = np.empty((100, 51))
    for row, (place, owner) in enumerate(zip(ranks, owners, strict=True)):
        others = [column for column in range(51) if column != owner]
        distances[row, [*others[: place - 1], owner, *others[place - 1 :]]] = np.arange(51)
    simulated = scores(distances, owners)
    assert disclosure(simulated).mean < 0.4
    assert crowds(simulated)[0].median > 200


def test_crowd_is_the_expected_rank_among_more_people() -> None:
    """10 of 100 candidates are nearer: 1 + 999 × 10/99 of 1000."""
    result = crowds(scores(ranked([11] * 40, 100), range(40)))
    assert [entry.size for entry in result] == list(CROWDS)
    assert [entry.median for entry in result] == pytest.approx([1 + (size - 1) * 10 / 99 for size in CROWDS])
    half = crowds(leaking(np.random.default_rng(5), 400, noise=np.inf))
    assert half[2].median == pytest.approx(5e5, rel=0.15)
    assert half[2].worst == pytest.approx(5e4, rel=0.5)


def test_a_crowd_that_was_not_seen_is_none() -> None:
    """Nobody of 20 is nearer: nothing is known of a million, so nothing is claimed."""
    assert {crowd.median for crowd in crowds(scores(1.0 - np.eye(20), range(20)))} == {1.0}


def test_the_worst_crowd_is_that_of_the_few_who_leak() -> None:
    result = crowds(scores(ranked([1] * 4 + [50] * 36, 100), range(40)))[0]
    assert (result.worst, result.median) == pytest.approx((1.0, 1 + 999 * 49 / 99))


@settings(max_examples=15)
@given(st.integers(0, 200), st.permutations(range(12)))
def test_order_of_people_and_scale_do_not_matter(seed: int, order: list[int]) -> None:
    straight = leaking(np.random.default_rng(seed), 12, noise=1.0)
    chosen = np.array(order)
    mixed = replace(straight, distances=np.log(straight.distances[chosen] + 1), owners=straight.owners[chosen])
    assert crowds(straight) == crowds(mixed)
    assert disclosure(straight).mean == pytest.approx(disclosure(mixed).mean, abs=1e-3)


def test_bits_within_classes_are_those_beyond_the_class() -> None:
    """Named among 8 with the same columns: 3 bits, whatever the gallery; alone in a class there is nothing to tell."""
    simulated = leaking(np.random.default_rng(6), 64, noise=0.0)
    group = np.arange(64) // 8
    masked = replace(simulated, mask=group[:, None] == group[None, :])
    assert disclosure(masked).mean == pytest.approx(3.0, abs=0.05)
    assert disclosure(replace(simulated, mask=np.eye(64, dtype=bool))).mean == 0.0


@given(st.integers(1, 40), st.floats(0.01, 50), st.floats(0.01, 50))
def test_ranks_are_beta_binomial(n: int, a: float, b: float) -> None:
    expected = betabinom.pmf(np.arange(n), n - 1, a, b) if n > 1 else np.ones(1)
    assert _probabilities(n, 0.0, a, b) == pytest.approx(expected, abs=1e-9)
