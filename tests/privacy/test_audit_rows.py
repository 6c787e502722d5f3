"""The audit of rows stops every planted leak, and honest releases of whatever cohort pass."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import numpy as np
import pytest
from scipy.stats import binomtest

from ganonym.errors import GuaranteeBroken
from ganonym.privacy.audit import Audit, Rerun, audit_rows
from ganonym.privacy.joint import joint_k_same, shown
from ganonym.types import Floats

from .drawn_rows import Drawn, drawn, kept_space

SPACE = kept_space()
K, PEOPLE = 20, 300


def audited(cohort: Drawn, shown: Floats, mock: Floats | None = None, bound: float | Floats = 1 / K) -> Audit:
    photos = np.arange(len(cohort.rows))
    return audit_rows(cohort.rows, shown, photos, cohort.owners, SPACE, bound, Rerun(cohort.groups, mock))


def honest(seed: int, cohort: Drawn) -> Audit:
    rng = np.random.default_rng([seed, 1])
    return audited(cohort, cohort.shown(rng), cohort.shown(rng))


def test_two_hundred_honest_releases_pass() -> None:
    stopped = 0
    for seed in range(200):
        try:
            honest(seed, drawn(SPACE, PEOPLE, K, seed=seed))
        except GuaranteeBroken:
            stopped += 1
    assert stopped <= 1


@pytest.mark.parametrize(("people", "k", "photos"), [(40, 5, 1), (60, 20, 3), (20, 20, 2)])
def test_small_cohorts_and_several_photos_a_person_pass(people: int, k: int, photos: int) -> None:
    for seed in range(20):
        cohort = drawn(SPACE, people, k, photos, seed)
        rng = np.random.default_rng([seed, 2])
        result = audited(cohort, cohort.shown(rng), cohort.shown(rng), 1 / k)
        assert (result.subjects, result.unit) == (people * photos, "photos" if photos > 1 else "subjects")


@pytest.mark.parametrize("k", [5, 20])
def test_the_librarys_own_mechanism_passes(k: int) -> None:
    for seed in range(10):
        cohort = drawn(SPACE, 120, k, 2, seed)
        joint = joint_k_same(cohort.rows, [str(owner) for owner in cohort.owners], None, SPACE, k)
        rng = np.random.default_rng([seed, 3])
        photos = np.flatnonzero(joint.group >= 0)
        one, other = (np.array([shown(joint, photo, rng) for photo in photos.tolist()]) for _ in range(2))
        bounds = np.where(joint.group >= 0, joint.bounds[joint.group], 1.0)
        rerun = Rerun(joint.group, other)
        assert audit_rows(cohort.rows, one, photos, cohort.owners, SPACE, bounds, rerun).bound <= 1 / k + 1e-9


def test_without_noise_a_group_gives_one_hit_at_most() -> None:
    cohort = drawn(SPACE, PEOPLE, K)
    result = audited(cohort, cohort.middle, cohort.middle)
    assert result.hits <= PEOPLE / K + 1e-6


def seeded(cohort: Drawn) -> Floats:
    """What is drawn for a photo decided by the photo itself."""
    digests = [hashlib.sha256(row.tobytes()).digest() for row in cohort.rows]
    draws = [np.random.default_rng(list(digest)).standard_normal(len(cohort.noise)) for digest in digests]
    return np.asarray(cohort.middle + 0.8 * np.array(draws) @ cohort.noise.T)


LEAKS: dict[str, Callable[[Drawn, np.random.Generator], Floats]] = {
    "own row mixed in": lambda cohort, rng: 0.85 * cohort.shown(rng) + 0.15 * cohort.rows,
    "own row mixed in, off the kept axes": lambda cohort, rng: cohort.shown(rng) + 0.3 * off_kept(cohort.rows),
    "own kept axes mixed in": lambda cohort, rng: cohort.shown(rng) + 0.05 * (cohort.rows - off_kept(cohort.rows)),
}


def off_kept(rows: Floats) -> Floats:
    load = np.linalg.pinv(SPACE.axes)
    return np.asarray(rows - (rows @ SPACE.axes.T) @ load.T)


@pytest.mark.parametrize("leak", LEAKS.values(), ids=LEAKS)
def test_a_row_mixed_in_stops_the_run(leak: Callable[[Drawn, np.random.Generator], Floats]) -> None:
    for seed in range(5):
        cohort = drawn(SPACE, PEOPLE, K, seed=seed)
        with pytest.raises(GuaranteeBroken, match=r"of 300 subjects: .*declared at most 0\.050"):
            audited(cohort, leak(cohort, np.random.default_rng(seed)))


def test_a_row_mixed_in_is_found_without_the_groups() -> None:
    cohort = drawn(SPACE, PEOPLE, K)
    shown = 0.85 * cohort.shown(np.random.default_rng(0)) + 0.15 * cohort.rows
    with pytest.raises(GuaranteeBroken, match=r"best of 8 attacks"):
        audit_rows(cohort.rows, shown, np.arange(PEOPLE), cohort.owners, SPACE, 1 / K)


def test_groups_of_one_person_fewer_stop_the_run() -> None:
    cohort = drawn(SPACE, PEOPLE, K - 1)
    with pytest.raises(GuaranteeBroken, match="a group has 19 people, and at least 20 are declared"):
        honest(0, cohort)


def test_two_photos_of_one_person_count_once() -> None:
    cohort = drawn(SPACE, 40, 20)
    owners = cohort.owners.copy()
    owners[np.flatnonzero(cohort.groups == 0)[:2]] = 99
    photos = np.arange(40)
    shown = cohort.shown(np.random.default_rng(0))
    with pytest.raises(GuaranteeBroken, match="a group has 19 people"):
        audit_rows(cohort.rows, shown, photos, owners, SPACE, 1 / K, Rerun(cohort.groups))


def test_noise_that_the_photo_decides_stops_the_run() -> None:
    cohort = drawn(SPACE, PEOPLE, K)
    with pytest.raises(GuaranteeBroken, match="the nearest output of a second run"):
        audited(cohort, seeded(cohort), seeded(cohort))


def test_outputs_of_one_row_are_averaged() -> None:
    """By person, photos of whom show one middle: many noisy leaks together are one clear leak."""
    cohort = drawn(SPACE, PEOPLE, K)
    photos = np.repeat(np.arange(PEOPLE), 30)
    rng = np.random.default_rng(0)
    noise = 0.8 * rng.standard_normal((len(photos), len(cohort.noise))) @ cohort.noise.T
    groups = Rerun(cohort.groups)
    result = audit_rows(cohort.rows, cohort.middle[photos] + noise, photos, cohort.owners, SPACE, 1 / K, groups)
    assert result.subjects == PEOPLE
    shown = cohort.middle[photos] + noise + 0.1 * off_kept(cohort.rows)[photos]
    with pytest.raises(GuaranteeBroken):
        audit_rows(cohort.rows, shown, photos, cohort.owners, SPACE, 1 / K, groups)


def test_each_row_may_have_a_bound_of_its_own() -> None:
    """Small classes, each a group: what is declared is the mean, and a class is held to its own number."""
    cohort = drawn(SPACE, 40, 20)
    sizes = np.where(cohort.groups == 0, 1 / 20, 1 / 10)
    result = audited(cohort, cohort.shown(np.random.default_rng(0)), bound=sizes)
    assert result.bound == pytest.approx(0.075)
    with pytest.raises(GuaranteeBroken, match="at least 21 are declared"):
        audited(cohort, cohort.shown(np.random.default_rng(0)), bound=np.where(cohort.groups == 0, 1 / 21, 0.1))


def test_the_bound_is_exact_and_corrected_for_the_number_of_attacks() -> None:
    cohort = drawn(SPACE, PEOPLE, K)
    shown = cohort.shown(np.random.default_rng(3))
    shown[:40] = cohort.rows[:40]
    result = audited(cohort, shown, bound=1.0 / 2)
    exact = binomtest(int(result.hits), PEOPLE, alternative="greater")
    assert result.tried == 11
    assert result.low == pytest.approx(exact.proportion_ci(1 - 0.001 / result.tried, method="exact").low, abs=1e-9)


def test_what_does_not_fit_is_refused() -> None:
    cohort = drawn(SPACE, 40, 20)
    with pytest.raises(ValueError, match="do not fit"):
        audit_rows(cohort.rows, cohort.rows[:3], np.arange(4), cohort.owners, SPACE, 0.5)
    with pytest.raises(ValueError, match="not finite"):
        audit_rows(cohort.rows, cohort.rows * np.nan, np.arange(40), cohort.owners, SPACE, 0.5)
