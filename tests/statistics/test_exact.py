"""Exact intervals, against the beta form of Clopper–Pearson and the protocol's sample-size table."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import beta, binom, binomtest

from ganonym.statistics.intervals import exceeds, holm, proportion, rate


@given(st.integers(1, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_interval_is_clopper_pearson(case: tuple[int, int]) -> None:
    hits, n = case
    result = proportion(hits, n)
    assert result.value == hits / n
    assert result.low == pytest.approx(beta.ppf(0.025, hits, n - hits + 1) if hits else 0.0, abs=1e-6)
    assert result.high == pytest.approx(beta.ppf(0.975, hits + 1, n - hits) if hits < n else 1.0, abs=1e-6)


@pytest.mark.parametrize(
    ("bound", "needed"),
    [(0.33, (8, 13, 17, 21)), (0.20, (14, 22, 30, 37)), (0.09, (32, 51, 68, 84)), (0.05, (59, 93, 124, 153))],
)
def test_subjects_needed_for_a_one_sided_bound(bound: float, needed: tuple[int, ...]) -> None:
    for hits, n in enumerate(needed):
        assert proportion(hits, n, confidence=0.90).high <= bound
        assert proportion(hits, n - 1, confidence=0.90).high > bound


def test_interval_covers_the_truth_at_least_as_often_as_it_says() -> None:
    for truth in (0.01, 0.09, 0.5):
        covered = sum(
            binom.pmf(hits, 80, truth)
            for hits in range(81)
            if proportion(hits, 80).low <= truth <= proportion(hits, 80).high
        )
        assert covered >= 0.95


def test_fractional_hits_widen_the_interval() -> None:
    result = proportion(2.5, 30)
    assert (result.low, result.high) == (proportion(2, 30).low, proportion(3, 30).high)
    assert result.value == pytest.approx(2.5 / 30)
    tenths = sum([0.1] * 10)  # 0.9999999999999999
    assert proportion(tenths, 30).low == proportion(1, 30).low


@pytest.mark.parametrize(("hits", "n"), [(0, 0), (-1, 4), (5, 4), (float("nan"), 4)])
def test_refuses_what_is_no_proportion(hits: float, n: int) -> None:
    with pytest.raises(ValueError, match="not a proportion"):
        proportion(hits, n)


@given(st.integers(0, 40), st.floats(0.0, 1.0))
def test_exceeding_a_limit_is_the_binomial_test(hits: int, limit: float) -> None:
    assert exceeds(hits, 40, limit) == pytest.approx(binomtest(hits, 40, limit, "greater").pvalue, abs=1e-12)
    assert exceeds(min(hits + 0.9, 40), 40, limit) == exceeds(hits, 40, limit)


def test_the_test_and_the_bound_agree() -> None:
    """Significantly above τ at 5 % exactly where the lower end of the two-sided 90 % interval is."""
    for hits in range(61):
        assert (exceeds(hits, 60, 0.09) <= 0.05) == (proportion(hits, 60, 0.90).low >= 0.09)


def test_rate_has_the_one_sided_bound() -> None:
    result = rate(0, 32)
    assert result.upper == pytest.approx(1 - 0.05 ** (1 / 32))
    assert result.high == pytest.approx(1 - 0.025 ** (1 / 32))


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_rejects_step_by_step(p_values: list[float]) -> None:
    """The textbook procedure: reject the smallest while p(i) ≤ α/(m − i)."""
    for alpha in (0.01, 0.05, 0.3):
        rejected = set()
        for place, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
            if p_values[index] * (len(p_values) - place) > alpha:
                break
            rejected.add(index)
        assert {index for index, entry in enumerate(holm(p_values)) if entry <= alpha} == rejected
    assert holm([]) == []
