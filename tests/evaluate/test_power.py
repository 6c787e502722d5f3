"""The protocol's table of subjects needed, and its probabilities that a perfect anonymizer passes."""

from __future__ import annotations

import numpy as np
import pytest

from ganonym.evaluate.verdict.policy import load_policy
from ganonym.evaluate.verdict.power import allowed_hits, chance_of, power, subjects_needed
from ganonym.statistics.exact import proportion

TABLE = {
    0.33: (8, 13, 17, 21),
    0.20: (14, 22, 30, 37),
    0.09: (32, 51, 68, 84),
    0.05: (59, 93, 124, 153),
    0.03: (99, 157, 208, 257),
    0.01: (299, 473, 628, 773),
}


@pytest.mark.parametrize("limit", TABLE)
def test_subjects_needed(limit: float) -> None:
    assert tuple(subjects_needed(limit, hits) for hits in range(4)) == TABLE[limit]
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
    found = {each.gate: each for each in power(100, load_policy("public"))}
    assert list(found) == ["singling out", "singling out, same photo", "linkability", "reversal"]
    assert found["singling out, same photo"].limit == 0.09
    assert found["singling out, same photo"].needed == 84
    assert found["linkability"].limit == pytest.approx(0.01 + 0.09 * 0.99)
    few = power(10, load_policy("public"))[0]
    assert (few.allowed, few.passes) == (-1, 0.0)
    assert [each.gate for each in power(10, load_policy("internal"))] == ["singling out"]
    with pytest.raises(ValueError, match="planned"):
        power(0, load_policy("public"))


def test_distractors_lower_chance_hits() -> None:
    alone, crowded = (power(50, load_policy("public"), distractors=extra)[1].passes for extra in (0, 950))
    assert alone == pytest.approx((49 / 50) ** 50)
    assert crowded == pytest.approx((999 / 1000) ** 50)
