"""Subject bootstrap: clusters stay together, coverage is what it says, zero hits are no certainty."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ganonym.statistics.intervals import paired_bootstrap, proportion, subject_bootstrap


def names(subjects: int, photos: int = 1) -> list[str]:
    return [f"s{index // photos:03d}" for index in range(subjects * photos)]


@pytest.mark.parametrize("hits", [0.0, 1.0])
@pytest.mark.parametrize("n", [1, 2, 32])
def test_no_variation_gives_clopper_and_pearson(hits: float, n: int) -> None:
    values = np.full(3 * n, hits)
    result = subject_bootstrap(lambda photos: values[photos].mean(), names(n, 3), np.random.default_rng(1), rounds=50)
    exact = proportion(hits * n, n)
    assert (result.value, result.low, result.high) == pytest.approx((hits, exact.low, exact.high))


def test_all_photos_of_a_subject_are_one_unit() -> None:
    """Ten identical photos of each subject tell no more than one of each: same interval, not √10 narrower."""
    one = np.random.default_rng(2).normal(size=40)
    ten = np.repeat(one, 10)
    single = subject_bootstrap(lambda i: one[i].mean(), names(40), np.random.default_rng(3), bounds=None)
    many = subject_bootstrap(lambda i: ten[i].mean(), names(40, 10), np.random.default_rng(3), bounds=None)
    assert (many.low, many.high) == pytest.approx((single.low, single.high))
    assert many.high - many.low == pytest.approx(2 * 1.96 * one.std(ddof=1) / np.sqrt(40), rel=0.1)


def test_coverage_with_dependent_photos() -> None:
    rng = np.random.default_rng(4)
    subjects = names(40, 4)
    covered = 0
    for _ in range(150):
        values = np.repeat(rng.normal(size=40), 4) + 0.5 * rng.normal(size=160)
        result = subject_bootstrap(lambda i, v=values: v[i].mean(), subjects, rng, rounds=200, bounds=None)
        covered += result.low <= 0.0 <= result.high
    assert 0.88 <= covered / 150 <= 0.99  # photo by photo it is about 0.67


def test_paired_differences_cancel_what_subjects_have_in_common() -> None:
    rng = np.random.default_rng(5)
    common = rng.normal(size=60) * 10
    one, other = common + 0.1 + 0.01 * rng.normal(size=60), common
    result = paired_bootstrap(lambda i: one[i].mean(), lambda i: other[i].mean(), names(60), rng, bounds=None)
    assert 0.09 < result.low < result.value < result.high < 0.11

    def level(photos: np.ndarray) -> float:
        return 0.4

    same = paired_bootstrap(level, level, names(60), rng, rounds=20)
    assert (same.low, same.high) == pytest.approx((-proportion(0, 60).high, proportion(0, 60).high))


@settings(max_examples=15, deadline=None)
@given(st.permutations(range(24)), st.integers(0, 99))
def test_the_order_of_photos_decides_nothing(order: list[int], seed: int) -> None:
    values = np.random.default_rng(seed).normal(size=24)
    subjects = names(8, 3)
    mixed, mixed_subjects = values[order], [subjects[index] for index in order]
    straight = subject_bootstrap(lambda i: values[i].mean(), subjects, np.random.default_rng(7), 50, bounds=None)
    shuffled = subject_bootstrap(lambda i: mixed[i].mean(), mixed_subjects, np.random.default_rng(7), 50, bounds=None)
    assert (straight.low, straight.high) == pytest.approx((shuffled.low, shuffled.high))


def test_resamples_without_a_value_are_left_out_and_too_many_are_an_error() -> None:
    def two_kinds(photos: np.ndarray) -> float:
        return float(photos.mean()) if len(set(photos.tolist())) > 1 else float("nan")

    result = subject_bootstrap(two_kinds, names(3), np.random.default_rng(8), 200, bounds=None)
    assert result.low < 1.0 < result.high
    with pytest.raises(ValueError, match="resamples"):
        subject_bootstrap(
            lambda i: 1.0 if len(set(i.tolist())) == 6 else float("nan"), names(6), np.random.default_rng(9), 100
        )
    with pytest.raises(ValueError, match="undefined over all"):
        subject_bootstrap(lambda i: float("nan") * i[0], names(3), np.random.default_rng(9))
    with pytest.raises(ValueError, match="nobody"):
        subject_bootstrap(two_kinds, [], np.random.default_rng(9))


def test_one_seed_one_interval() -> None:
    values = np.random.default_rng(10).normal(size=30)
    one, other = (subject_bootstrap(lambda i: values[i].mean(), names(30), np.random.default_rng(11)) for _ in range(2))
    assert one == other
