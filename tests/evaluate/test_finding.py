"""A finding composes the metrics: identity is 1, nothing is inside the null band, and the unit is the subject."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ganonym.evaluate.metrics.finding import finding
from ganonym.evaluate.metrics.strata import conditioned
from ganonym.evaluate.protocol import ANONYMIZED, OTHER_PHOTO
from ganonym.statistics.intervals import proportion

from .simulated_scores import leaking, scores


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_identity_is_one_everywhere() -> None:
    result = finding(leaking(rng(1), 60, 3, noise=0.0), rng(), 200)
    assert (result.rank1.value, result.rank1.high, result.advantage, result.p_value) == (1.0, 1.0, 1.0, 1 / 201)
    assert result.rank1.low == pytest.approx(proportion(60, 60).low)
    assert (result.subjects, result.trials, result.gallery, result.failures) == (60, 180, 60, 0)
    assert set(result.cmc) == {1.0}
    assert {crowd.median for crowd in result.crowds} == {1.0}
    assert result.bits_mean == pytest.approx(np.log2(60), abs=0.1)


def test_nothing_is_inside_the_null_band() -> None:
    result = finding(leaking(rng(2), 100, 2, noise=np.inf, setting=ANONYMIZED), rng(), 500)
    assert result.chance_low <= result.rank1.value <= result.chance_high
    assert result.p_value > 0.05
    assert result.advantage_upper < 0.1
    assert result.auc == pytest.approx(0.5, abs=0.06)
    assert result.linkability is not None
    assert result.linkability.low <= 0.0 <= result.linkability.high


def test_the_unit_is_the_subject() -> None:
    """Half of the subjects leak by one of their ten photos: R = 0.5 of 40, not 0.05 of 400."""
    distances = np.ones((400, 40)) + rng(3).permuted(np.tile(np.arange(40.0), (400, 1)), axis=1)
    owners = np.repeat(np.arange(40), 10)
    distances[np.arange(400), owners] = 99.0
    leaks = np.arange(0, 200, 10)
    distances[leaks, owners[leaks]] = 0.0
    result = finding(scores(distances, owners), rng(), 100)
    assert (result.rank1.value, result.rank1.n) == (0.5, 40)
    assert result.rank1.upper == pytest.approx(proportion(20, 40, 0.90).high)


def test_blind_failures_score_chance() -> None:
    result = finding(scores(np.full((20, 20), np.nan), range(20), ANONYMIZED), rng(), 50)
    assert result.failures == 20
    assert result.rank1.value == pytest.approx(result.chance) == pytest.approx(1 / 20)
    assert (result.tar, result.auc, result.linkability) == ((), None, None)
    assert result.advantage == pytest.approx(0.0)


def test_one_subject_bounds_nothing() -> None:
    result = finding(scores(np.zeros((2, 1)), [0, 0]), rng(), 20)
    assert (result.rank1.value, result.chance, result.advantage_upper) == (1.0, 1.0, 1.0)


def test_one_photo_each_and_zero_hits_keep_an_exact_bound() -> None:
    distances = np.eye(32) + rng(4).random((32, 32)) / 10
    result = finding(scores(distances, range(32)), rng(), 100)
    assert (result.rank1.value, result.rank1.upper) == (0.0, pytest.approx(1 - 0.05 ** (1 / 32)))


@settings(max_examples=8)
@given(st.integers(0, 50))
def test_only_the_order_of_distances_counts_but_for_d_prime(seed: int) -> None:
    simulated = leaking(rng(seed), 20, 2, 1.5, ANONYMIZED)
    one = finding(simulated, rng(), 50)
    two = finding(scores(simulated.distances**3, np.repeat(np.arange(20), 2), ANONYMIZED), rng(), 50)
    thresholds = {"tar": (), "d_prime": None}
    assert one.model_copy(update=thresholds) == two.model_copy(update=thresholds)


def test_one_seed_one_finding() -> None:
    simulated = leaking(rng(6), 20, 2, 1.5, ANONYMIZED)
    assert finding(simulated, rng(7), 50) == finding(simulated, rng(7), 50)


def test_released_columns_narrow_the_crowd() -> None:
    """30 men, 10 women; outputs tell nothing. Columns alone raise chance to (1 + 1)/40; the face adds nothing."""
    simulated = leaking(rng(8), 40, noise=np.inf)
    sex = [("m",)] * 30 + [("f",)] * 10
    result = finding(conditioned(simulated, sex, sex), rng(), 2000)
    assert result.setting.startswith(OTHER_PHOTO)
    assert result.chance == pytest.approx(2 / 40, abs=0.005)
    assert abs(result.advantage) < 0.1
    alone = [(str(index),) for index in range(40)]
    assert finding(conditioned(simulated, alone, alone), rng(), 20).rank1.value == 1.0


def test_the_owner_stays_a_candidate_when_columns_differ() -> None:
    simulated = leaking(rng(9), 6, noise=0.0)
    narrowed = conditioned(simulated, [("30",)] * 6, [("31",)] * 6)
    assert narrowed.mask is not None
    assert np.array_equal(narrowed.mask, np.eye(6, dtype=bool))
    again = conditioned(conditioned(simulated, [("a",)] * 6, [("a",)] * 6), [("b",)] * 6, [("c",)] * 6)
    assert again.mask is not None
    assert again.mask.sum() == 6
    with pytest.raises(ValueError, match="do not fit"):
        conditioned(simulated, [("a",)], [("a",)] * 6)
