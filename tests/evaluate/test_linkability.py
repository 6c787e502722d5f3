"""D_sys: 0 for nothing, about 1 for everything, closed form between, and no score below ten mated pairs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import norm

from ganonym.evaluate.metrics.linkability import FEWEST, d_sys, linkability
from ganonym.evaluate.protocol import ANONYMIZED
from ganonym.statistics.intervals import proportion

from .simulated_scores import leaking, scores


def counts(values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    return np.histogram(values, edges)[0]


@pytest.mark.parametrize("gap", [1.0, 2.0, 3.0])
def test_normal_scores_have_their_integral(gap: float) -> None:
    def integrand(s: float) -> float:
        ratio = norm.pdf(s) / norm.pdf(s - gap)
        return max(0.0, 2 * ratio / (1 + ratio) - 1) * norm.pdf(s)

    truth, _ = quad(integrand, -8, 8 + gap, limit=200)
    n = 200_000
    spread = norm.ppf((np.arange(n) + 0.5) / n)
    edges = np.linspace(-10, 14, 2000)
    assert d_sys(counts(spread, edges), counts(spread + gap, edges)) == pytest.approx(truth, abs=0.02)


def test_separated_scores_give_one_and_equal_ones_zero() -> None:
    apart = d_sys(np.r_[np.full(100, 10), np.zeros(100, int)], np.r_[np.zeros(100, int), np.full(100, 50)])
    assert apart > 0.97  # the reference code: 0.5
    same = np.full(100, 10)
    assert d_sys(same, 5 * same) < 0.01
    assert d_sys(same, 0 * same) == 0.0


def test_nothing_linked_is_zero_after_subtraction() -> None:
    results = [
        linkability(
            leaking(np.random.default_rng(seed), 60, noise=np.inf, setting=ANONYMIZED), np.random.default_rng(0), 60
        )
        for seed in range(25)
    ]
    values = [entry.value for entry in results if entry is not None]
    assert abs(np.mean(values)) < 0.02
    assert np.mean([entry.low <= 0.0 <= entry.high for entry in results if entry is not None]) >= 0.9


def test_linked_outputs_are_near_one_and_noise_lowers_it() -> None:
    values = []
    for noise in (0.05, 1.5, 4.0):
        simulated = leaking(np.random.default_rng(1), 100, 2, noise, ANONYMIZED)
        result = linkability(simulated, np.random.default_rng(2), 100)
        assert result is not None
        assert result.low <= result.value <= result.high
        values.append(result.value)
    assert values[0] > 0.85
    assert values == sorted(values, reverse=True)


def test_everybody_linked_is_no_certainty() -> None:
    result = linkability(leaking(np.random.default_rng(1), 40, noise=0.0), np.random.default_rng(2), 50)
    assert result is not None
    assert result.value - result.low == pytest.approx(1 - proportion(40, 40).low, rel=0.1)


def test_few_pairs_are_refused() -> None:
    rng = np.random.default_rng(3)
    assert linkability(leaking(rng, FEWEST - 1), rng) is None
    assert linkability(leaking(rng, FEWEST), rng, 20) is not None
    assert linkability(scores(np.full((30, 30), np.nan), range(30)), rng) is None
    assert linkability(scores(np.zeros((30, 1)), [0] * 30), rng) is None


@settings(max_examples=10)
@given(st.integers(0, 100))
def test_only_the_order_of_distances_counts(seed: int) -> None:
    simulated = leaking(np.random.default_rng(seed), 20, 2)
    other = scores(simulated.distances**3, np.repeat(np.arange(20), 2))
    one, two = (linkability(value, np.random.default_rng(1), 20) for value in (simulated, other))
    assert one == two


def test_failures_are_left_out_of_the_distances() -> None:
    simulated = leaking(np.random.default_rng(4), 60, noise=0.05)
    failed = np.r_[simulated.distances, np.full((40, 60), np.nan)]
    whole = linkability(simulated, np.random.default_rng(5), 30)
    part = linkability(scores(failed, [*range(60), *range(40)]), np.random.default_rng(5), 30)
    assert whole is not None
    assert part is not None
    assert part.value == pytest.approx(whole.value)
