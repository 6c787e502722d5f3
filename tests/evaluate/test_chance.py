"""Chance by shuffled names: closed forms, dependence between photos, and the p-value's level."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import hypergeom, kstest

from ganonym.evaluate.metrics.finding import advantage, first_place, null
from ganonym.evaluate.metrics.ranking import any_hit, rank

from .simulated_scores import leaking, scores


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@given(arrays(np.float64, (6, 5), elements=st.sampled_from([0.0, 1.0, 2.0, np.nan])))
def test_first_place_is_what_rank_gives_each_candidate_as_the_true_one(distances: np.ndarray) -> None:
    result = first_place(scores(distances, [0, 1, 2, 3, 4, 0]))
    for column in range(5):
        truth = np.full(6, column)
        assert result[:, column].tolist() == pytest.approx(rank(distances, truth).within(1).tolist())


def test_a_perfect_match_of_n_people_has_the_matching_distribution() -> None:
    """Distances 0 on the diagonal: hits under shuffling are fixed points, mean 1, variance 1 (Montmort 1708)."""
    result = null(scores(1.0 - np.eye(50), range(50)), rng(), 4000)
    assert result.chance == pytest.approx(1 / 50, abs=3 / 50 / np.sqrt(4000))
    assert (result.rates * 50).var() == pytest.approx(1.0, abs=0.1)
    assert result.band == (0.0, pytest.approx(0.06, abs=0.021))
    assert result.p_value(1.0) == pytest.approx(1 / 4001)


def test_distractors_take_names_too() -> None:
    """20 people of whom each is nearest to himself, among 80: hits have mean 20/80."""
    distances = 1.0 - np.eye(80)[:20]
    assert null(scores(distances, range(20)), rng(), 2000).chance * 20 == pytest.approx(20 / 80, abs=0.05)


def test_all_photos_of_a_subject_take_the_same_name() -> None:
    """Each person's 4 photos are nearest to the same candidate: chance is 1/N, not 1 − (1 − 1/N)⁴."""
    distances = np.repeat(1.0 - np.eye(20), 4, axis=0)
    result = null(scores(distances, np.repeat(np.arange(20), 4)), rng(), 4000)
    assert result.chance == pytest.approx(1 / 20, abs=0.003)
    different = rng(1).normal(size=(80, 20))
    independent = null(scores(different, np.repeat(np.arange(20), 4)), rng(), 4000)
    assert independent.chance == pytest.approx(1 - (1 - 1 / 20) ** 4, abs=0.03)


def test_ties_and_failures_give_exactly_the_chance_of_blind_guesses() -> None:
    for distances in (np.ones((8, 4)), np.full((8, 4), np.nan)):
        result = null(scores(distances, np.repeat(np.arange(4), 2)), rng(), 50)
        assert result.rates.tolist() == pytest.approx([1 - (3 / 4) ** 2] * 50)
        assert result.p_value(result.chance) == 1.0


def test_unrelated_outputs_are_inside_the_band_as_often_as_it_says() -> None:
    inside, p_values = 0, []
    for seed in range(150):
        simulated = leaking(rng(seed), 30, photos=2, noise=np.inf)
        observed = any_hit(rank(simulated.distances, simulated.truth).within(1), simulated.owners.tolist()).mean()
        result = null(simulated, rng(seed), 200)
        inside += result.band[0] - 1e-9 <= observed <= result.band[1] + 1e-9
        p_values.append(result.p_value(float(observed)))
    assert inside / 150 >= 0.92
    assert np.mean(np.array(p_values) <= 0.05) <= 0.09
    # discrete, and so never too small: the distribution lies above the uniform one
    assert kstest(p_values, "uniform", alternative="greater").pvalue > 0.01


@settings(max_examples=20)
@given(st.permutations(range(12)), st.integers(0, 50))
def test_order_of_people_and_scale_of_distances_do_not_matter(order: list[int], seed: int) -> None:
    straight = leaking(rng(seed), 12, noise=1.0)
    chosen = np.array(order)
    mixed = replace(straight, distances=straight.distances[chosen] ** 3, owners=straight.owners[chosen], photos=chosen)
    assert null(straight, rng(3), 100).rates.tolist() == pytest.approx(null(mixed, rng(3), 100).rates.tolist())


def test_masked_candidates_take_no_names() -> None:
    """Two classes of 4 and 16 people, all tied: chance of a person is one in the class."""
    group = np.r_[np.zeros(4, int), np.ones(16, int)]
    simulated = replace(scores(np.ones((20, 20)), range(20)), mask=group[:, None] == group[None, :])
    assert null(simulated, rng(), 50).rates.tolist() == pytest.approx([(4 / 4 + 16 / 16) / 20] * 50)
    perfect = replace(simulated, distances=1.0 - np.eye(20))
    assert null(perfect, rng(), 3000).chance == pytest.approx(2 / 20, abs=0.01)


def test_one_subject_alone_is_always_named() -> None:
    result = null(scores(np.ones((3, 1)), [0, 0, 0]), rng(), 10)
    assert (result.chance, result.p_value(1.0)) == (1.0, 1.0)
    assert advantage(1.0, result.chance) == 0.0


def test_memory_is_bounded_and_bounding_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:

    simulated = leaking(rng(5), 40, photos=3)
    whole = null(simulated, rng(6), 300).rates
    monkeypatch.setattr("ganonym.evaluate.metrics.finding._CELLS", 10_000)
    assert np.array_equal(whole, null(simulated, rng(6), 300).rates)


def test_hubs_do_not_raise_chance() -> None:
    """Every probe nearest to one candidate: exactly one subject is named, under any shuffle."""
    distances = np.ones((25, 25))
    distances[:, 7] = 0.5
    assert null(scores(distances, range(25)), rng(), 100).rates.tolist() == pytest.approx([1 / 25] * 100)
    few = null(scores(distances[:10], range(10)), rng(), 2000)
    assert few.chance * 10 == pytest.approx(hypergeom(25, 1, 10).mean(), abs=0.05)
