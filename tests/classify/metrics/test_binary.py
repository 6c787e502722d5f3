"""Rates of a yes-or-no question against scikit-learn, closed forms and exact intervals."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, f1_score, precision_score, recall_score, roc_auc_score

from ganonym.classify.metrics.binary import (
    area,
    at_prevalence,
    auroc,
    binary,
    f1,
    one_vs_rest,
    predictive_values,
    share,
)
from ganonym.errors import UsageError
from ganonym.statistics.intervals import proportion


def alone(photos: int) -> list[str]:
    return [f"s{n:03d}" for n in range(photos)]


def drawn(seed: int, photos: int = 80) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    truth = rng.random(photos) < 0.3
    score = np.round(rng.normal(size=photos) + truth, 1)  # rounded, so that there are ties
    return truth, score > 0.8, score


def test_all_rates_are_scikit_learns() -> None:
    truth, called, score = drawn(1)
    result = binary(truth, called, alone(80), np.random.default_rng(0), score, rounds=200)
    expected = {
        "sensitivity": recall_score(truth, called),
        "specificity": recall_score(~truth, ~called),
        "ppv": precision_score(truth, called),
        "npv": precision_score(~truth, ~called),
        "accuracy": accuracy_score(truth, called),
        "f1": f1_score(truth, called),
        "auroc": roc_auc_score(truth, score),
    }
    assert len(set(np.round(list(expected.values()), 6))) == 7  # all differ, or a mix-up would not show
    for name, value in expected.items():
        estimate = getattr(result, name)
        assert estimate.value == pytest.approx(value), name
        assert estimate.low < value < estimate.high, name
    assert (result.affected, result.others) == (truth.sum(), (~truth).sum())


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.integers(-3, 3)), min_size=2, max_size=30))
def test_auroc_and_f1_are_scikit_learns_on_any_resample(rows: list[tuple[bool, int]]) -> None:
    truth, score = np.array([row[0] for row in rows]), np.array([float(row[1]) for row in rows])
    photos = np.random.default_rng(len(rows)).integers(0, len(rows), len(rows))
    value = auroc(score, truth)(photos)
    if len(set(truth[photos])) < 2:
        assert math.isnan(value)
    else:
        assert value == pytest.approx(roc_auc_score(truth[photos], score[photos]))
    if (truth | (score > 0))[photos].any():
        assert f1(truth, score > 0)(photos) == pytest.approx(f1_score(truth[photos], score[photos] > 0))


def test_one_photo_a_subject_gives_exact_intervals_over_those_it_is_a_share_of() -> None:
    truth = np.arange(300) < 5
    result = binary(truth, truth, alone(300), np.random.default_rng(0), rounds=100)
    five = proportion(5, 5)
    assert result.sensitivity is not None
    assert (result.sensitivity.low, result.sensitivity.high) == pytest.approx((five.low, five.high))
    assert result.specificity is not None
    assert result.specificity.low == pytest.approx(proportion(295, 295).low)
    assert result.f1 is not None
    assert result.f1.low == pytest.approx(five.low)
    perfect = area(truth.astype(float), truth, alone(300), np.random.default_rng(0), 50)
    assert perfect is not None
    assert perfect.low == pytest.approx(five.low)  # not as sure as three hundred


def test_photos_of_one_subject_count_as_one() -> None:
    hits = np.repeat(np.random.default_rng(4).random(30) < 0.6, 8)
    subjects = [f"s{n // 8:02d}" for n in range(240)]
    result = share(hits, subjects, np.random.default_rng(0), 400)
    single = proportion(hits[::8].sum(), 30)
    assert result is not None
    assert result.high - result.low == pytest.approx(single.high - single.low, rel=0.2)
    assert result.high - result.low > 2 * (proportion(hits.sum(), 240).high - proportion(hits.sum(), 240).low)


def test_predictive_values_are_those_of_a_population_counted_out() -> None:
    """A million people, 1 in 1000 ill, sensitivity 0.8, specificity 0.95: 800 found, 49 950 alarmed in vain."""
    ppv, npv = predictive_values(0.8, 0.95, 0.001)
    assert ppv == pytest.approx(800 / (800 + 49_950))
    assert npv == pytest.approx(949_050 / (949_050 + 200))
    assert predictive_values(0.0, 1.0, 0.1)[1] == pytest.approx(0.9)
    assert math.isnan(predictive_values(0.0, 1.0, 0.1)[0])
    with pytest.raises(UsageError, match="prevalence"):
        predictive_values(0.8, 0.9, 1.5)


def test_at_the_prevalence_of_the_sample_they_are_the_samples_own() -> None:
    truth, called, _ = drawn(5)
    own = binary(truth, called, alone(80), np.random.default_rng(0), prevalence=float(truth.mean()), rounds=50)
    assert own.prevalent is not None
    for name in ("ppv", "npv"):
        there, here = getattr(own.prevalent, name), getattr(own, name)
        assert there.value == pytest.approx(here.value)
        assert there.low < here.value < there.high


def test_no_false_alarm_among_thirty_is_no_certainty_about_a_rare_disease() -> None:
    truth = np.arange(60) < 30
    result = at_prevalence(truth, truth, alone(60), 1e-4, np.random.default_rng(0))
    assert result is not None
    assert result.ppv is not None
    assert result.ppv.value == 1.0
    assert result.ppv.low < 0.002
    assert result.ppv.high == 1.0
    assert at_prevalence(truth[:30], truth[:30], alone(30), 0.1, np.random.default_rng(0)) is None


def test_the_interval_of_a_predictive_value_is_that_of_both_rates_by_bonferroni() -> None:
    truth, called, _ = drawn(7)
    result = at_prevalence(truth, called, alone(80), 0.03, np.random.default_rng(0))
    hits, ill, clear, well = (int(value.sum()) for value in (truth & called, truth, ~truth & ~called, ~truth))
    sensitivity, specificity = proportion(hits, ill, 0.975), proportion(clear, well, 0.975)
    assert result is not None
    for index, estimate in enumerate((result.ppv, result.npv)):
        assert estimate is not None
        assert estimate.low == pytest.approx(predictive_values(sensitivity.low, specificity.low, 0.03)[index])
        assert estimate.high == pytest.approx(predictive_values(sensitivity.high, specificity.high, 0.03)[index])


def test_the_interval_of_a_predictive_value_covers_it() -> None:
    rng = np.random.default_rng(6)
    truth = np.arange(90) < 40
    true_ppv, _ = predictive_values(0.8, 0.9, 0.05)
    covered = 0
    for _ in range(200):
        called = np.where(truth, rng.random(90) < 0.8, rng.random(90) < 0.1)
        ppv = at_prevalence(truth, called, alone(90), 0.05, rng)
        assert ppv is not None
        assert ppv.ppv is not None
        covered += ppv.ppv.low <= true_ppv <= ppv.ppv.high
    assert covered / 200 >= 0.95


def test_each_class_against_the_rest_and_no_call_is_a_miss() -> None:
    classes = np.array([0, 0, 1, 1, 2, 2], np.intp)
    predicted = np.array([0, -1, 1, 0, 2, 2], np.intp)
    chances = np.eye(4)[[0, 0, 1, 0, 2, 2]]
    table = one_vs_rest(predicted, classes, alone(6), 4, np.random.default_rng(0), chances, rounds=50)
    rates = [(entry.sensitivity.value, entry.specificity.value) for entry in table[:3] if entry.sensitivity]
    assert rates == [(0.5, 0.75), (0.5, 1.0), (1.0, 1.0)]
    assert table[0].ppv is not None
    assert table[0].ppv.value == 0.5
    assert table[2].auroc is not None
    assert table[2].auroc.value == 1.0
    nobody = table[3]
    assert (nobody.affected, nobody.sensitivity, nobody.ppv, nobody.f1, nobody.auroc) == (0, None, None, None, None)
    with pytest.raises(ValueError, match="5 calls"):
        binary(classes == 0, predicted[:5] == 0, alone(6), np.random.default_rng(0))


@pytest.mark.parametrize("scores", [(0.1, 0.9), (0.9, 0.1), (0.5, 0.5)])
def test_one_person_of_either_side_has_an_interval_too(scores: tuple[float, float]) -> None:
    """Half of all resamples of two people lack one side: by chance, fewer than half could be used."""
    sides = np.array([False, True])
    for seed in range(6):
        result = binary(sides, sides, ["p", "q"], np.random.default_rng(seed), np.array(scores), rounds=99)
        assert result.auroc is not None
        assert result.auroc.high - result.auroc.low > 0.9
    assert set(result.few_people) == {"sensitivity", "specificity", "ppv", "npv", "accuracy", "f1", "auroc"}


def test_the_rates_of_fewer_than_ten_people_are_named() -> None:
    truth, called = np.arange(40) < 9, np.arange(40) < 12
    result = binary(truth, called, alone(40), np.random.default_rng(0), truth.astype(float), rounds=50)
    assert set(result.few_people) == {"sensitivity", "auroc"}, "nine are affected, twelve are called so"
    twice = binary(truth, called, [f"p{row // 2}" for row in range(40)], np.random.default_rng(0), rounds=50)
    assert {"sensitivity", "ppv", "f1"} < set(twice.few_people), "two photographs of a person are one person"
