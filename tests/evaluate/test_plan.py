"""Plans: the forecast of mechanisms, and the protocol's table of subjects needed with its probabilities."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from ganonym.evaluate.plan import Forecast, allowed_hits, chance_of, forecast, power
from ganonym.evaluate.verdict.policy import load_policy
from ganonym.faces.shape import load_shape
from ganonym.privacy.settings import PrivacySettings
from ganonym.statistics.intervals import proportion

MODEL = load_shape()
EXACT = PrivacySettings(mechanism="none", i_understand=True)


def of(settings: PrivacySettings, subjects: int = 150) -> Forecast:
    return forecast(settings, MODEL, subjects)


def test_exact_shapes_are_kept_named_and_linked() -> None:
    exact = of(EXACT)
    assert exact.named.value == 1.0
    assert exact.linked.value > 0.99
    assert exact.kept == pytest.approx(1.0)
    assert (exact.declared, exact.bits) == (1.0, None)


def test_a_single_code_keeps_nothing_and_names_by_chance() -> None:
    one = of(PrivacySettings(mechanism="codebook", codes=1))
    assert one.kept == pytest.approx(0.0, abs=0.08)
    assert one.bits == 0.0
    assert one.named.hits <= 5, "the best of several attacks, each of which names one of 150 by chance"
    assert one.linked.hits <= 5
    assert one.declared == pytest.approx(1 / 150)


@pytest.mark.parametrize(
    "budgets",
    [
        [PrivacySettings(k=k) for k in (2, 11, 40)],
        [PrivacySettings(mechanism="codebook", codes=codes) for codes in (512, 32, 4)],
        [PrivacySettings(mechanism="metric", epsilon=epsilon, link="subject") for epsilon in (6.0, 2.0, 0.2)],
    ],
    ids=["k-same", "codebook", "metric"],
)
def test_a_tighter_budget_names_fewer_and_keeps_less(budgets: list[PrivacySettings]) -> None:
    results = [of(budget) for budget in budgets]
    for loose, tight in pairwise(results):
        assert loose.named.value > tight.named.value
        assert loose.kept > tight.kept + 0.05
        assert loose.declared >= tight.declared
    for result in results:
        # The worst of a dozen attacks, which chance alone lifts by two standard errors.
        chance = (result.declared * (1 - result.declared) / result.named.n) ** 0.5
        assert result.named.value <= result.declared + 3.5 * chance
    assert results[-1].declared < 0.2


def test_draws_per_photo_break_the_link_and_draws_per_subject_do_not() -> None:
    assert of(PrivacySettings()).linked.value < 0.1
    assert of(PrivacySettings(link="subject")).linked.value == 1.0


def test_the_same_seed_gives_the_same_forecast() -> None:
    assert of(PrivacySettings()) == of(PrivacySettings())
    assert of(PrivacySettings()) != forecast(PrivacySettings(), MODEL, 150, seed=1)


TABLE = {
    0.33: (8, 13, 17, 21),
    0.20: (14, 22, 30, 37),
    0.09: (32, 51, 68, 84),
    0.05: (59, 93, 124, 153),
    0.03: (99, 157, 208, 257),
    0.01: (299, 473, 628, 773),
}


@pytest.mark.parametrize("limit", TABLE)
def test_so_many_subjects_allow_so_many_hits(limit: float) -> None:
    for hits, n in enumerate(TABLE[limit]):
        assert (allowed_hits(n, limit), allowed_hits(n - 1, limit)) == (hits, hits - 1)


def test_allowed_hits_are_those_whose_bound_keeps_the_limit() -> None:
    for n in (5, 40, 111):
        for limit in (0.05, 0.2, 1.0):
            bounds = [proportion(hits, n, 0.90).high <= limit for hits in range(n + 1)]
            expected = max((hits for hits, holds in enumerate(bounds[:n]) if holds), default=-1)
            assert allowed_hits(n, limit) == expected


@pytest.mark.parametrize(
    ("subjects", "limit", "passes"),
    [(50, 0.09, 0.36), (100, 0.09, 0.997), (100, 0.05, 0.74), (200, 0.05, 0.997), (200, 0.03, 0.74)],
)
def test_how_often_a_perfect_anonymizer_passes(subjects: int, limit: float, passes: float) -> None:
    """The protocol's figures are of simulated runs, rounded; blind guesses are drawn here too."""
    allowed = allowed_hits(subjects, limit)
    assert chance_of(allowed, subjects, subjects) == pytest.approx(passes, abs=0.016)
    rng = np.random.default_rng(1)
    hits = (rng.integers(0, subjects, (20_000, subjects)) == np.arange(subjects)).sum(axis=1)
    assert np.mean(hits <= allowed) == pytest.approx(chance_of(allowed, subjects, subjects), abs=0.012)


def test_gates_that_a_policy_requires() -> None:
    results = {entry.gate: entry for entry in power(100, load_policy("public"))}
    assert list(results) == ["singling out", "singling out, same photo", "linkability", "reversal"]
    assert results["singling out, same photo"].limit == 0.09
    assert results["singling out, same photo"].needed == 84
    assert results["linkability"].limit == pytest.approx(0.01 + 0.09 * 0.99)
    few = power(10, load_policy("public"))[0]
    assert (few.allowed, few.passes) == (-1, 0.0)
    assert [entry.gate for entry in power(10, load_policy("internal"))] == ["singling out"]
    with pytest.raises(ValueError, match="planned"):
        power(0, load_policy("public"))


def test_distractors_lower_chance_hits() -> None:
    alone, crowded = (power(50, load_policy("public"), distractors=extra)[1].passes for extra in (0, 950))
    assert alone == pytest.approx((49 / 50) ** 50)
    assert crowded == pytest.approx((999 / 1000) ** 50)
