"""Predictive values and likelihood ratios, against counting, scikit-learn, and all outcomes of small studies."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom
from sklearn.metrics import class_likelihood_ratios

from ganonym.classify.metrics.binary import predictive_values
from ganonym.classify.screening.prevalence import (
    Fourfold,
    likelihood_ratios,
    predictive_intervals,
)
from ganonym.errors import UsageError

COUNTS = st.integers(1, 60)
TABLES = st.builds(Fourfold, COUNTS, COUNTS, COUNTS, COUNTS)


@given(TABLES)
def test_at_the_studys_own_prevalence_they_are_the_shares_of_true_calls(table: Fourfold) -> None:
    own = table.patients / (table.patients + table.controls)
    ppv, npv = predictive_values(table.sensitivity, table.specificity, own)
    assert ppv == pytest.approx(table.hit / (table.hit + table.alarmed))
    assert npv == pytest.approx(table.cleared / (table.cleared + table.missed))


def test_a_city_counted_out() -> None:
    """One in 1000 of a million people; 90 % sensitivity, 99 % specificity."""
    ppv, npv = predictive_values(0.9, 0.99, 0.001)
    assert ppv == pytest.approx(900 / (900 + 9_990))
    assert npv == pytest.approx(989_010 / (989_010 + 100))


@given(TABLES)
def test_ratios_are_scikit_learns(table: Fourfold) -> None:
    truth = np.repeat([1, 1, 0, 0], [table.hit, table.missed, table.alarmed, table.cleared])
    called = np.repeat([1, 0, 1, 0], [table.hit, table.missed, table.alarmed, table.cleared])
    positive, negative = likelihood_ratios(table)
    assert (positive.value, negative.value) == pytest.approx(class_likelihood_ratios(truth, called))
    assert positive.low < positive.value < positive.high


def test_interval_of_a_ratio_as_published() -> None:
    """Simel 1991 by hand: 90 of 100 and 20 of 100; log 4.5 ± 1.96 √(0.1/90 + 0.8/20)."""
    positive, negative = likelihood_ratios(Fourfold(90, 10, 20, 80))
    wide = 1.959964 * math.sqrt(0.1 / 90 + 0.8 / 20)
    assert (positive.low, positive.high) == pytest.approx((4.5 * math.exp(-wide), 4.5 * math.exp(wide)), rel=1e-6)
    wide = 1.959964 * math.sqrt(0.9 / 10 + 0.2 / 80)
    assert (negative.low, negative.high) == pytest.approx((0.125 * math.exp(-wide), 0.125 * math.exp(wide)), rel=1e-6)


@given(TABLES, st.floats(0.001, 0.5))
def test_intervals_of_predictive_values_are_the_delta_method_on_the_logit(table: Fourfold, prevalence: float) -> None:
    """Numerically: gradient of the logit in sensitivity and specificity, times their binomial variances."""

    def logits(sensitivity: float, specificity: float) -> np.ndarray:
        values = np.array(predictive_values(sensitivity, specificity, prevalence))
        return np.log(values / (1 - values))

    se, sp, step = table.sensitivity, table.specificity, 1e-7
    by_se = (logits(se + step, sp) - logits(se - step, sp)) / (2 * step)
    by_sp = (logits(se, sp + step) - logits(se, sp - step)) / (2 * step)
    sd = np.sqrt(by_se**2 * se * (1 - se) / table.patients + by_sp**2 * sp * (1 - sp) / table.controls)
    for estimate, centre, spread in zip(predictive_intervals(table, prevalence), logits(se, sp), sd, strict=True):
        for end, sign in ((estimate.low, -1), (estimate.high, 1)):
            logit = math.log(end) - math.log1p(-end)
            assert logit == pytest.approx(centre + sign * 1.959964 * spread, rel=1e-3, abs=1e-3)
        assert estimate.low <= estimate.value <= estimate.high


def test_intervals_cover_the_truth_about_as_often_as_they_say() -> None:
    """Over all outcomes of a study of 40 patients and 50 controls, each with its probability."""
    sensitivity, specificity, prevalence = 0.85, 0.8, 0.05
    truth = predictive_values(sensitivity, specificity, prevalence)
    covered, weight = np.zeros(2), 0.0
    for hit in range(41):
        for cleared in range(51):
            chance = binom.pmf(hit, 40, sensitivity) * binom.pmf(cleared, 50, specificity)
            if chance < 1e-5:
                continue
            weight += chance
            found = predictive_intervals(Fourfold(hit, 40 - hit, 50 - cleared, cleared), prevalence)
            covered += [chance * (each.low <= value <= each.high) for each, value in zip(found, truth, strict=True)]
    assert weight > 0.99
    assert (covered / weight > 0.94).all()
    assert (covered / weight < 0.985).all()


@pytest.mark.parametrize("cells", [(30, 0, 4, 26), (0, 30, 4, 26), (20, 10, 0, 30), (20, 10, 30, 0), (30, 0, 0, 30)])
def test_an_empty_cell_leaves_a_finite_interval(cells: tuple[int, int, int, int]) -> None:
    table = Fourfold(*cells)
    for estimate in (*predictive_intervals(table, 0.1), *likelihood_ratios(table)):
        assert 0 <= estimate.low <= estimate.value <= estimate.high
        assert estimate.high > estimate.low
    ppv, npv = predictive_intervals(table, 0.1)
    assert ppv.high <= 1 and npv.high <= 1  # noqa: PT018
    if not table.missed:  # 30 of 30 patients found: adjusted to (30 + z²/2) of (30 + z²)
        half = 1.959964**2 / 2
        se, sp = (30 + half) / (30 + 2 * half), (table.cleared + half) / (30 + 2 * half)
        middle = math.log(npv.low / (1 - npv.low)) if npv.low < npv.value else math.nan
        deviation = math.sqrt(se / (1 - se) / (30 + 2 * half) + (1 - sp) / sp / (30 + 2 * half))
        assert middle == pytest.approx(math.log(sp * 0.9 / ((1 - se) * 0.1)) - 1.959964 * deviation, rel=1e-5)


def test_nobody_called_and_ratios_by_nothing() -> None:
    ppv, npv = predictive_values(0.0, 1.0, 0.1)
    assert math.isnan(ppv)
    assert npv == pytest.approx(0.9)
    found, _ = predictive_intervals(Fourfold(0, 20, 0, 20), 0.1)
    assert math.isnan(found.value)
    assert 0 < found.low < found.high < 1
    assert likelihood_ratios(Fourfold(10, 0, 0, 10))[0].value == math.inf
    assert math.isnan(likelihood_ratios(Fourfold(0, 10, 0, 10))[0].value)


def test_refusals() -> None:
    for prevalence in (0.0, 1.0, -0.1, math.nan):
        with pytest.raises(UsageError, match="no prior"):
            predictive_values(0.9, 0.9, prevalence)
    for cells in ((0, 0, 1, 1), (1, 1, 0, 0), (2, -1, 1, 1)):
        with pytest.raises(UsageError, match="no comparison"):
            Fourfold(*cells)
