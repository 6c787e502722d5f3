"""Metric privacy: the sampler against its density, the bound over pairs, the leakage against numerical integration."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import beta as beta_distribution
from scipy.stats import gamma, ks_2samp, kstest

from ganonym.privacy.metric import (
    RADIUS,
    clip_to_ball,
    laplace_noise,
    metric_bits,
    metric_private,
)
from ganonym.privacy.population import generator, virtual_patients
from ganonym.types import Floats

from .small_space import small_space

DRAWS = 20_000
SYNDROMES = np.array([[4.0, 0, 0, 0, 0, 0], [0, 0, 3.0, 0, 0, 0], [0, 0, 0, 0, 2.0, -2.0]])
SPACE = small_space({"sign 1": 1, "sign 2": 4, "tone": 2})
PUBLIC = virtual_patients(SPACE, SYNDROMES)


def noise(directions: int, epsilon: float, seed: int = 3) -> Floats:
    rng = generator(seed, "test")
    return np.array([laplace_noise(directions, epsilon, rng) for _ in range(DRAWS)])


@pytest.mark.parametrize(("directions", "epsilon"), [(1, 0.7), (2, 1.0), (8, 3.0)])
def test_the_sampler_follows_its_density(directions: int, epsilon: float) -> None:
    """Density ∝ exp(−ε·r): lengths are Gamma(d, 1/ε), and each coordinate of a uniform direction has a Beta square."""
    rows = noise(directions, epsilon)
    lengths = np.linalg.norm(rows, axis=1)
    assert kstest(lengths, gamma(directions, scale=1 / epsilon).cdf).pvalue > 1e-3
    assert kstest(lengths, gamma(directions, scale=1.1 / epsilon).cdf).pvalue < 1e-6, "the test has power"
    if directions > 1:
        squares = (rows[:, 0] / lengths) ** 2
        assert kstest(squares, beta_distribution(0.5, (directions - 1) / 2).cdf).pvalue > 1e-3
    assert rows.var(axis=0) == pytest.approx(np.full(directions, (directions + 1) / epsilon**2), rel=0.1)
    uniform = np.abs(np.corrcoef(rows.T)) if directions > 1 else np.zeros((1, 1))
    assert np.abs(uniform - np.eye(directions) * (directions > 1)).max() < 5 / math.sqrt(DRAWS)


@pytest.mark.parametrize("shift", [(1.0, 0.0), (-0.5, 2.0), (3.0, -2.0)])
def test_no_region_tells_two_people_apart_by_more_than_epsilon_times_their_distance(shift: tuple[float, float]) -> None:
    """Counts in a grid around either person; a cell seen from one only cannot exceed what the bound allows."""
    epsilon, apart = 0.8, math.hypot(*shift)
    first, second = noise(2, epsilon, 1), noise(2, epsilon, 2) + np.array(shift)
    edges = np.linspace(-6, 6, 13)
    counts = [np.histogram2d(*rows.T, bins=(edges, edges))[0].ravel() for rows in (first, second)]
    one, other = (np.asarray(count)[(counts[0] + counts[1]) > 40] for count in counts)
    for a, b in ((one, other), (other, one)):
        assert _excess(a, b, math.exp(epsilon * apart)) < 4.5
        assert _excess(a, b, math.exp(epsilon * apart / 2)) > 4.5, "half of ε would be refuted"


def _excess(a: Floats, b: Floats, factor: float) -> float:
    """Largest standardised amount by which Poisson counts `a` exceed `factor` times `b`, were that their bound."""
    variance = a + factor**2 * np.maximum(b, a / factor)
    return float(((a - factor * b) / np.sqrt(variance)).max())


@given(st.integers(1, 12), st.floats(0.05, 5.0), st.floats(0.5, 6.0))
def test_leakage_is_the_integral_of_the_largest_density(directions: int, epsilon: float, radius: float) -> None:
    scale = epsilon**directions / math.gamma(directions)

    def density(r: float) -> float:  # of the length, of the best-placed centre in the ball
        return scale * r ** (directions - 1) * math.exp(-epsilon * max(r - radius, 0.0))

    far = radius + 60 / epsilon
    total = quad(density, 0, radius)[0] + quad(density, radius, far, limit=400)[0]
    assert metric_bits(directions, epsilon, radius) == pytest.approx(math.log2(total), abs=1e-4)


@given(st.lists(st.floats(-20, 20), min_size=3, max_size=3), st.lists(st.floats(-20, 20), min_size=3, max_size=3))
def test_clipping_stays_in_the_ball_and_brings_nobody_further_apart(a: list[float], b: list[float]) -> None:
    """A projection onto a convex set is a contraction, so the clipped distance bounds nothing it should not."""
    one, other = np.array(a), np.array(b)
    clipped = [clip_to_ball(point, RADIUS) for point in (one, other)]
    assert max(np.linalg.norm(point) for point in clipped) <= RADIUS * (1 + 1e-12)
    assert np.linalg.norm(clipped[0] - clipped[1]) <= np.linalg.norm(one - other) + 1e-9


def test_outputs_of_the_population_are_distributed_as_the_population() -> None:
    """Posterior draws: with the prior right, who is shown is as likely as who was behind it, in every direction."""
    people, rng = PUBLIC.rows[:1500], generator(0, "people")
    outputs = np.array([metric_private(person, PUBLIC, 1.0, 3, rng) for person in people])
    for before, after in zip(PUBLIC.places.T, ((outputs - SPACE.mean) @ PUBLIC.projection).T, strict=True):
        assert ks_2samp(before, after).pvalue > 1e-3
    assert outputs.std(axis=0) == pytest.approx(PUBLIC.rows.std(axis=0), rel=0.1)


def test_outputs_carry_the_place_among_syndromes_and_nothing_else() -> None:
    people, rng = PUBLIC.rows[:1500], generator(0, "people")
    outputs = np.array([metric_private(person, PUBLIC, 3.0, 3, rng) for person in people])
    places = [rows @ PUBLIC.projection for rows in (people, outputs)]
    assert min(np.corrcoef(a, b)[0, 1] for a, b in zip(*(rows.T for rows in places), strict=True)) > 0.5
    # Healthy people moved where the projection does not look must not change what comes out.
    unseen = np.linalg.svd(PUBLIC.projection.T)[2][PUBLIC.projection.shape[1]]
    for person in people[:20]:
        same = [metric_private(person + far * unseen, PUBLIC, 1.0, 3, generator(1, "x")) for far in (0.0, 50.0)]
        np.testing.assert_array_equal(same[0], same[1])


def proved_nats(hits: int, false_alarms: int, trials: int) -> float:
    """The least ε·t consistent with a distinguisher's record, in nats; 0 when it proves nothing.

    It named the first of two shapes in `hits` of `trials` outputs of the first, and in `false_alarms` of as many of the
    second. Under ε-metric privacy at distance t the rates differ by a factor exp(ε·t) at most, both ways round; each
    is bounded by Clopper and Pearson (Jagielski et al. 2020).
    """

    def least(count: int) -> float:
        return float(beta_distribution.ppf(0.0005, count, trials - count + 1)) if count else 0.0

    def most(count: int) -> float:
        return 1.0 - least(trials - count)

    ratios = least(hits) / most(false_alarms), least(trials - false_alarms) / most(trials - hits)
    return max(0.0, *(math.log(ratio) for ratio in ratios if ratio > 0))


@pytest.mark.parametrize(("noisier", "refuted"), [(1.0, False), (0.4, True)])
def test_a_distinguisher_refutes_a_mechanism_with_too_little_noise(noisier: float, refuted: bool) -> None:
    """Two people 4 SD apart, ε = 1: the likelihood-ratio attack proves more than ε·t only where noise is missing."""
    epsilon, apart = 1.0, 4.0
    first, second = noisier * noise(3, epsilon, 1), noisier * noise(3, epsilon, 2) + np.array([apart, 0.0, 0.0])

    def guess(rows: Floats) -> int:  # "the first", where it is nearer by a margin: few and certain guesses prove most
        near = np.linalg.norm(rows, axis=1) - np.linalg.norm(rows - np.array([apart, 0, 0]), axis=1)
        return int((near < -0.9 * apart).sum())

    proved = proved_nats(guess(first), guess(second), DRAWS)
    assert (proved > epsilon * apart) == refuted
    assert proved > 1.0, "the attack is not blind"
