"""The expression budget and draws from the population: what they let through, and their bits by enumeration."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ganonym.errors import UsageError
from ganonym.privacy.expression import ExpressionBudget, quantize_expression
from ganonym.privacy.population import factor, generator, population_draw

SD = np.array([0.5, 1.0, 2.0, 3.0])


@given(st.lists(st.floats(-50, 50), min_size=4, max_size=4))
def test_expression_is_clipped_and_rounded_to_steps(values: list[float]) -> None:
    units = quantize_expression(np.array(values), SD) / SD
    assert set(units.tolist()) <= {-1.5, 0.0, 1.5}
    inside = np.abs(np.array(values) / SD) <= 1.5
    assert (np.abs(units - np.array(values) / SD)[inside] <= 0.75 + 1e-12).all()
    halves = quantize_expression(np.array(values), SD, 1.5, 0.5) / SD
    assert np.array_equal(halves * 2, np.rint(halves * 2))
    assert (np.abs(halves - np.array(values) / SD)[inside] <= 0.25 + 1e-12).all()
    assert np.array_equal(quantize_expression(units * SD, SD), units * SD)  # idempotent


def test_expression_bits_count_the_values_that_occur() -> None:
    budget = ExpressionBudget(clip=1.0, step=0.5)
    grid = itertools.product(np.linspace(-5, 5, 101), repeat=2)
    seen = {quantize_expression(np.array(point), np.ones(2), 1.0, 0.5).tobytes() for point in grid}
    assert math.log2(len(seen)) == pytest.approx(budget.bits(2))
    assert ExpressionBudget().bits(6) == pytest.approx(4 * math.log2(3))
    assert ExpressionBudget(directions=2, step=0.5).bits(6) == pytest.approx(2 * math.log2(7))
    assert ExpressionBudget().bits(3) == pytest.approx(3 * math.log2(3))
    assert ExpressionBudget(keep=False).bits(4) == 0.0


@pytest.mark.parametrize(("clip", "step"), [(2.0, 0.3), (0.0, 0.5), (2.0, -1.0), (2.0, 0.0)])
def test_expression_budget_refuses_what_it_cannot_count(clip: float, step: float) -> None:
    with pytest.raises(UsageError, match="whole number of steps"):
        ExpressionBudget(clip=clip, step=step)


def test_population_draw_has_the_covariance_it_states() -> None:
    turn = np.linalg.qr(np.random.default_rng(1).normal(size=(4, 4)))[0]
    covariance = turn * SD**2 @ turn.T
    rows = population_draw(generator(0, "test"), covariance, 40_000) @ turn / SD
    assert np.allclose(np.cov(rows.T), np.eye(4), atol=0.03)
    assert 2.5 < np.abs(rows).max() < 2.63
    assert np.allclose(factor(covariance) @ factor(covariance).T, covariance)
