"""Expression and attribute budgets: what they let through, and their bits by enumeration."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ganonym.errors import UsageError
from ganonym.privacy.expression import ExpressionBudget, quantize_expression
from ganonym.privacy.population import generator, population_draw
from ganonym.privacy.subject import AttributeChoice, coarsen

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
    rows = population_draw(generator(0, "test"), SD, 40_000) / SD
    assert np.allclose(np.cov(rows.T), np.eye(4), atol=0.03)
    assert 2.5 < np.abs(rows).max() < 2.63


def test_attribute_bits_count_the_values_that_occur() -> None:
    choice = AttributeChoice()
    ages = [None, *np.arange(0, 130.5, 0.5).tolist()]
    assert choice.bits()["age"] == pytest.approx(math.log2(len({coarsen(0, None, age, choice).age for age in ages})))
    tones = {coarsen(tone, None, None, choice).tone for tone in range(6)}
    assert choice.bits()["tone"] == pytest.approx(math.log2(len(tones)))
    sexes = {coarsen(0, sex, None, choice).sex for sex in (None, "female", "male")}
    assert choice.bits()["sex"] == pytest.approx(math.log2(len(sexes)))


def test_dropped_attributes_do_not_pass() -> None:
    none = AttributeChoice(tone=False, sex=False, age=False)
    assert {coarsen(t, s, a, none) for t in range(6) for s in ("female", "male") for a in (3.0, 77.0)} == {
        coarsen(0, None, None, none)
    }
    assert sum(none.bits().values()) == 0.0


def test_ages_are_banded_to_decades() -> None:
    choice = AttributeChoice()
    assert [coarsen(0, None, age, choice).age for age in (0.0, 9.9, 10.0, 34.0, 89.9, 90.0, 130.0)] == [
        5.0, 5.0, 15.0, 35.0, 85.0, 95.0, 95.0,
    ]  # fmt: skip


@pytest.mark.parametrize(("tone", "sex", "age"), [(6, None, None), (0, "other", None), (0, None, -1.0)])
def test_attributes_out_of_range_are_usage_errors(tone: int, sex: str | None, age: float | None) -> None:
    with pytest.raises(UsageError):
        coarsen(tone, sex, age, AttributeChoice())  # type: ignore[arg-type]


def test_age_that_is_not_a_number_is_a_usage_error() -> None:
    with pytest.raises(UsageError):
        coarsen(0, None, math.nan, AttributeChoice())
