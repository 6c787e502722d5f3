"""Operating points against brute force, pyeer and closed forms; ties and failures to the attacker's disadvantage."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pyeer.eer_stats import calculate_roc, get_eer_values
from scipy.stats import norm
from sklearn.metrics import auc, roc_auc_score, roc_curve

from ganonym.evaluate.metrics.verification import Pairs, det, equal_error, operating_point, pairs, roc, verification
from ganonym.statistics.intervals import proportion

from .simulated_scores import leaking, scores

WHOLE = st.integers(0, 8).map(float)


def two(mated: np.ndarray, non_mated: np.ndarray, photos: int = 1) -> Pairs:
    return Pairs(mated, np.array([f"s{index // photos:05d}" for index in range(len(mated))]), np.sort(non_mated))


@given(arrays(np.float64, 12, elements=WHOLE), arrays(np.float64, 40, elements=WHOLE), st.sampled_from([0.1, 0.3]))
def test_the_threshold_is_the_most_permissive_one_below_the_target(
    mated: np.ndarray, non_mated: np.ndarray, target: float
) -> None:
    result = operating_point(two(mated, non_mated), target)
    assert result.achieved == np.mean(non_mated <= result.threshold) <= target
    assert result.tar.value == pytest.approx(np.mean(mated <= result.threshold))
    allowed = [t for t in np.arange(-1.0, 9.0, 0.5) if np.mean(non_mated <= t) <= target]
    assert result.tar.value == pytest.approx(max(np.mean(mated <= t) for t in allowed))


def test_ties_never_exceed_the_target() -> None:
    """All scores equal: pyeer reports TAR 1 at FMR "1e-2"; whoever lets one pass lets all pass."""
    result = operating_point(two(np.ones(50), np.ones(200)), 1e-2)
    assert (result.achieved, result.tar.value) == (0.0, 0.0)


def test_exactly_the_target_is_allowed() -> None:
    result = operating_point(two(np.full(10, 9.5), np.arange(1.0, 101.0)), 0.1)
    assert (result.achieved, result.tar.value) == (0.1, 1.0)
    result = operating_point(two(np.full(10, 11.0), np.arange(1.0, 101.0)), 0.1)
    assert (result.achieved, result.tar.value) == (0.1, 0.0)


def test_tar_is_over_subjects() -> None:
    """Ten photos of each subject tell no more than one."""
    mated = np.repeat(np.r_[np.zeros(15), np.ones(5) * 99], 10)
    tar = operating_point(two(mated, np.linspace(1, 2, 1000), photos=10), 1e-2).tar
    exact = proportion(15, 20)
    assert (tar.value, tar.low, tar.high, tar.n) == (0.75, exact.low, exact.high, 20)


def test_subjects_with_many_photos_weigh_no_more() -> None:
    owners = np.array(["a"] * 9 + ["b"])
    result = operating_point(Pairs(np.r_[np.zeros(9), 99.0], owners, np.linspace(1, 2, 1000)), 1e-2)
    assert result.tar.value == 0.5


@pytest.mark.parametrize(("subjects", "resolved"), [(17, []), (20, [0.1]), (56, [0.1, 0.01]), (174, [0.1, 0.01, 1e-3])])
def test_targets_finer_than_the_people_are_not_resolved(subjects: int, resolved: list[float]) -> None:
    points = verification(leaking(np.random.default_rng(1), subjects)).tar
    assert [point.target for point in points if point.resolved] == resolved
    many = verification(leaking(np.random.default_rng(1), subjects, photos=8)).tar
    assert [point.target for point in many if point.resolved] == resolved


def test_normal_scores_have_their_closed_forms() -> None:
    quantiles = [norm.ppf((np.arange(n) + 0.5) / n) for n in (20_000, 200_000)]
    result = two(quantiles[0], 2 + quantiles[1])
    fmr, tar = roc(result)
    assert equal_error(fmr, tar) == pytest.approx(norm.cdf(-1.0), abs=1e-3)
    assert operating_point(result, 1e-2).tar.value == pytest.approx(norm.cdf(2 + norm.ppf(1e-2)), abs=1e-3)
    assert operating_point(result, 1e-2).achieved == pytest.approx(1e-2, abs=1e-5)
    for x, y in det(fmr, tar):
        if 1e-3 < x < 1 - 1e-3:  # beyond, the grid of quantiles is coarse
            assert y == pytest.approx(1 - norm.cdf(2 + norm.ppf(x)), abs=2e-3)
    assert len(det(fmr, tar)) <= 100


def test_against_pyeer_and_sklearn_on_many_scores() -> None:
    simulated = leaking(np.random.default_rng(3), 400, noise=1.5)
    result = verification(simulated)
    compared = pairs(simulated)
    rates = calculate_roc(-compared.mated, -compared.non_mated, ds_scores=False, rates=True)
    *_, eer = get_eer_values(np.asarray(rates[1]), np.asarray(rates[2]))
    assert result.eer == pytest.approx(eer, abs=0.005)
    labels = np.r_[np.ones(len(compared.mated)), np.zeros(len(compared.non_mated))]
    assert result.auc == pytest.approx(roc_auc_score(labels, -np.r_[compared.mated, compared.non_mated]))
    pooled = np.sqrt((compared.mated.var() + compared.non_mated.var()) / 2)
    assert result.d_prime == pytest.approx((compared.non_mated.mean() - compared.mated.mean()) / pooled)


@given(arrays(np.float64, 9, elements=WHOLE), arrays(np.float64, 30, elements=WHOLE), st.booleans())
def test_the_curve_is_that_of_all_thresholds(mated: np.ndarray, non_mated: np.ndarray, apart: bool) -> None:
    """scikit-learn's curve has a point for every distance; the same line, so the same height at each of its points."""
    result = two(mated, non_mated + 0.5 * apart)
    labels = np.r_[np.ones(len(mated)), np.zeros(len(non_mated))]
    wanted = roc_curve(labels, -np.r_[result.mated, result.non_mated], drop_intermediate=False)[:2]
    fmr, tar = roc(result)
    assert len(fmr) <= 2 * len(np.unique(mated)) + 2
    assert {*zip(fmr.round(9), tar.round(9), strict=True)} <= {*zip(*(entry.round(9) for entry in wanted), strict=True)}
    for x in np.unique(wanted[0]):  # a curve may rise at one rate: its lowest and its highest point there
        heights = wanted[1][wanted[0] == x]
        lowest, highest = (np.interp(x + step, fmr, tar) for step in (-1e-9, 1e-9))
        assert (lowest, highest) == (
            pytest.approx(heights.min() if x > 0 else highest, abs=1e-6),
            pytest.approx(heights.max(), abs=1e-6),
        ) or x in (0.0, 1.0)
    assert auc(fmr, tar) == pytest.approx(auc(*wanted))


def test_strangers_out_of_order_are_refused() -> None:
    with pytest.raises(ValueError, match="must rise"):
        Pairs(np.ones(1), np.array(["a"]), np.array([2.0, 1.0]))


def test_all_tied_scores_are_chance() -> None:
    result = verification(scores(np.ones((30, 30)), range(30)))
    assert (result.auc, result.eer, result.d_prime) == (0.5, 0.5, None)
    assert all(point.tar.value == 0.0 for point in result.tar)


@settings(max_examples=15)
@given(st.integers(0, 1000))
def test_only_the_order_of_distances_counts(seed: int) -> None:
    simulated = leaking(np.random.default_rng(seed), 15, photos=2)
    one, other = verification(simulated), verification(scores(simulated.distances**3, np.repeat(np.arange(15), 2)))
    assert [point.tar for point in one.tar] == [point.tar for point in other.tar]
    assert (one.auc, one.eer) == pytest.approx((other.auc, other.eer))
    assert np.allclose(one.det, other.det)


def test_failures_are_neither_matches_nor_rejections() -> None:
    simulated = leaking(np.random.default_rng(4), 40, noise=0.01)
    failed = simulated.distances.copy()
    failed[:30] = np.nan
    result = verification(scores(failed, range(40)))
    assert result.tar[0].tar.value == 1.0
    assert result.tar[0].tar.n == 10
    nothing = verification(scores(np.full((5, 5), np.nan), range(5)))
    assert nothing.tar == ()
    assert nothing.auc is None
    assert verification(scores(np.zeros((1, 1)), [0])).tar == ()


def test_identity_passes_every_threshold() -> None:
    result = verification(leaking(np.random.default_rng(5), 200, noise=0.0))
    assert [point.tar.value for point in result.tar] == [1.0, 1.0, 1.0]
    assert (result.auc, result.eer) == (1.0, 0.0)
