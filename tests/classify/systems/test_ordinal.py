"""Ordinal grading: probabilities are a cumulative model's, the loss is by hand, agreement is scikit-learn's."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.metrics import cohen_kappa_score, recall_score

from ganonym.classify.learning.fit import Schedule
from ganonym.classify.learning.heads import OrdinalHead, coral_loss, level_probabilities
from ganonym.classify.networks.light import Light
from ganonym.classify.systems.ordinal import (
    OrdinalGrading,
    level_rates,
    levels_by_signs,
    median_level,
    quadratic_kappa,
)
from ganonym.errors import EnvironmentFault

METHOD = OrdinalGrading(Light(8), Schedule(25, 16, "adamw", 1e-2))


def graded(seed: int, each: int = 40) -> tuple[NDArray[np.float32], NDArray[np.intp]]:
    """Severity is one direction of six; levels cut it at ±0.5, the others are noise of another place and scale."""
    rng = np.random.default_rng(seed)
    severity = rng.uniform(-1.5, 1.5, 3 * each)
    result = rng.normal(size=(3 * each, 6))
    result[:, 2] = severity
    levels = np.digitize(severity, [-0.5, 0.5]).astype(np.intp)
    return (result * [1, 9, 0.01, 1, 1, 100] + 50).astype(np.float32), levels


INPUTS, LEVELS = graded(1)
TRAINED = METHOD.learn(INPUTS, LEVELS, 3, 0)


@settings(max_examples=80, deadline=None)
@given(
    st.floats(-60, 60),
    st.lists(st.floats(-20, 20), min_size=0, max_size=5),
    st.lists(st.floats(-80, 80), min_size=1, max_size=4),
)
def test_any_weights_give_monotone_probabilities_that_sum_to_1(
    first: float, gaps: list[float], scores: list[float]
) -> None:
    head = OrdinalHead(1, len(gaps) + 2).double()
    with torch.no_grad():
        head.weight.weight.fill_(1.0)
        head.first.fill_(first)
        head.gaps.copy_(torch.tensor(gaps))
    above = head(torch.tensor(scores, dtype=torch.float64)[:, None]).detach()
    assert above.shape == (len(scores), len(gaps) + 1)
    assert (above.diff(dim=1) <= 0).all()
    probabilities = level_probabilities(above)
    assert (probabilities >= 0).all()
    np.testing.assert_allclose(probabilities.sum(dim=1), 1, atol=1e-12)
    beyond = probabilities.flip(1).cumsum(1).flip(1)[:, 1:]
    np.testing.assert_allclose(beyond, above.sigmoid(), atol=1e-12)


def test_probabilities_keep_their_digits_far_out() -> None:
    probabilities = level_probabilities(torch.tensor([[-40.0, -41.0], [41.0, 40.0]], dtype=torch.float64))
    exact = math.exp(-40) - math.exp(-41)
    assert float(probabilities[0, 1]) == pytest.approx(exact, rel=1e-12)
    assert float(probabilities[1, 1]) == pytest.approx(exact, rel=1e-12)


def test_first_thresholds_are_a_unit_apart_about_0() -> None:
    np.testing.assert_allclose(OrdinalHead(3, 4).biases.detach(), [1, 0, -1], atol=1e-6)
    assert OrdinalHead(3, 2).biases.tolist() == [0.0]
    assert sum(weight.numel() for weight in OrdinalHead(3, 4).parameters()) == 3 + 3  # CORAL: one weight vector
    with pytest.raises(ValueError, match="nothing to grade"):
        OrdinalHead(3, 1)


def test_the_loss_by_hand() -> None:
    above = torch.tensor([[2.0, -1.0], [0.5, 0.0], [3.0, 1.0]], dtype=torch.float64)
    levels = torch.tensor([1, 0, 2])

    def of(odds: float, *, reached: bool) -> float:
        chance = 1 / (1 + math.exp(-odds))
        return -math.log(chance if reached else 1 - chance)

    results = [
        of(2.0, reached=True) + of(-1.0, reached=False),
        of(0.5, reached=False) + of(0.0, reached=False),
        of(3.0, reached=True) + of(1.0, reached=True),
    ]
    assert float(coral_loss(above, levels)) == pytest.approx(sum(results) / 3)
    weights = torch.tensor([1.0, 3.0, 0.0], dtype=torch.float64)
    assert float(coral_loss(above, levels, weights)) == pytest.approx((results[0] + 3 * results[1]) / 4)


def test_a_planted_severity_is_graded_in_order() -> None:
    inputs, levels = graded(2, 100)
    result = TRAINED(inputs)
    assert quadratic_kappa(median_level(result), levels, 3)(np.arange(300)) > 0.85
    severity = np.argsort(np.argsort(inputs[:, 2]))
    assert np.corrcoef(severity, np.argsort(np.argsort(result @ [0, 1, 2])))[0, 1] > 0.95


def test_levels_weigh_alike_however_rare() -> None:
    """Inputs that tell nothing: every level is as likely as the others, not as its share of the photos."""
    levels = np.repeat([0, 1, 2], [28, 9, 3])
    method = OrdinalGrading(Light(4), Schedule(300, 40, "adam", 3e-2))
    result = method.learn(np.ones((40, 2)), levels, 3, 0)(np.ones((1, 2)))
    np.testing.assert_allclose(result, 1 / 3, atol=2e-3)


def test_neither_place_nor_scale_of_embeddings_matters() -> None:
    moved = INPUTS.astype(np.float64) * 1024 - 3e4
    again = METHOD.learn(moved, LEVELS, 3, 0)(moved)
    np.testing.assert_allclose(again, TRAINED(INPUTS), atol=5e-3)


def test_equal_seeds_give_equal_bytes_and_files_restore_them() -> None:
    before = torch.random.get_rng_state()
    short = OrdinalGrading(Light(8), Schedule(2, 16))
    first = short.learn(INPUTS, LEVELS, 3, 5)
    assert torch.equal(torch.random.get_rng_state(), before)
    torch.rand(3)
    assert first(INPUTS).tobytes() == short.learn(INPUTS, LEVELS, 3, 5)(INPUTS).tobytes()
    assert first(INPUTS).tobytes() != short.learn(INPUTS, LEVELS, 3, 6)(INPUTS).tobytes()
    assert first(INPUTS).tobytes() == short.restore(first.arrays, 3)(INPUTS).tobytes()
    np.testing.assert_allclose(first(INPUTS).sum(axis=1), 1, atol=1e-12)
    np.testing.assert_allclose(first(INPUTS)[9], first(INPUTS[9:10])[0], atol=1e-6)
    assert first(INPUTS[:0]).shape == (0, 3)
    arrays = dict(first.arrays)
    for wrong, count in (({}, 3), (arrays, 4), ({"shape": np.array([6])}, 3)):
        with pytest.raises(EnvironmentFault):
            short.restore(wrong, count)


def test_crops_are_graded_by_a_network() -> None:
    rng = np.random.default_rng(3)
    levels = np.arange(60) % 3
    crops = rng.integers(0, 60, (60, 12, 12, 3)).astype(np.uint8)
    crops[..., 0] += (90 * levels[:, None, None]).astype(np.uint8)
    trained = OrdinalGrading(Light(8), Schedule(25, 16, "adamw", 1e-2)).learn(crops, levels, 3, 0)
    assert (median_level(trained(crops)) == levels).mean() > 0.9


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 5), st.integers(2, 40), st.integers(0, 999))
def test_quadratic_kappa_is_sklearns(count: int, photos: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    levels, called = rng.integers(0, count, (2, photos))
    drawn = rng.integers(0, photos, photos)
    result = quadratic_kappa(called, levels, count)(drawn)
    if len(set(levels[drawn]) | set(called[drawn])) == 1:
        assert math.isnan(result)
        return
    expected = cohen_kappa_score(levels[drawn], called[drawn], weights="quadratic", labels=list(range(count)))
    assert result == pytest.approx(expected, abs=1e-12)


def test_a_photo_without_a_call_is_as_far_off_as_can_be() -> None:
    levels, every = np.array([0, 0, 1, 1, 2, 2]), np.arange(6)
    called = np.array([0, -1, 1, 1, 2, 2])
    # weights 0, 1, 0 …: mean 1/6; by chance: no call 1/6 · 1, the others of rates 1/6, 2/6, 2/6 as far as they are
    chance = 1 / 6 + (1 / 6 * (0.25 + 1) + 2 / 6 * (0.25 + 0.25) + 2 / 6 * (1 + 0.25)) / 3
    assert quadratic_kappa(called, levels, 3)(every) == pytest.approx(1 - (1 / 6) / chance)
    assert quadratic_kappa(called, levels, 3)(every) <= quadratic_kappa(np.maximum(called, 0), levels, 3)(every)


def test_rates_of_levels_are_sklearns() -> None:
    rng = np.random.default_rng(4)
    levels, called = rng.integers(0, 3, (2, 90))
    for level, rates in enumerate(level_rates(called, levels, 3)):
        truth, result = levels == level, called == level
        assert rates.sensitivity == pytest.approx(recall_score(truth, result))
        assert rates.specificity == pytest.approx(recall_score(truth, result, pos_label=False))
        assert rates.photos == truth.sum()
    absent = level_rates(np.array([0, -1]), np.array([0, 0]), 2)
    assert absent[0].sensitivity == 0.5
    assert math.isnan(absent[0].specificity)
    assert math.isnan(absent[1].sensitivity)
    assert absent[1].specificity == 1.0


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 50), min_size=2, max_size=6).filter(lambda weights: sum(weights) > 0))
def test_the_median_level_has_half_of_the_chance_on_either_side(weights: list[int]) -> None:
    shares = np.array(weights) / sum(weights)
    result = int(median_level(shares[None])[0])
    assert shares[: result + 1].sum() >= 0.5 - 1e-9
    assert shares[result:].sum() >= 0.5 - 1e-9


def test_levels_by_signs() -> None:
    signs = [["a"] * number for number in (0, 1, 4)] + [list("abcd"), list("abcde"), list("abcdef")]
    assert levels_by_signs(signs).tolist() == [0, 1, 1, 1, 2, 2]
    assert levels_by_signs(signs, (2, 5, 6)).tolist() == [0, 0, 0, 1, 2, 3]
