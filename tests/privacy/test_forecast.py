"""What a plan says of a cohort: the same numbers as the release's, and whom so few of their kind cannot serve."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from ganonym.privacy.forecast import Cohort, forecast_cohort, kind_of, rate_distortion, remedies_of
from ganonym.privacy.joint import joint_k_same, shown
from ganonym.types import Floats

from .drawn_rows import WIDTH, kept_space

SPACE = kept_space()
EYE = replace(SPACE, names=("tone", "age"), axes=np.eye(2), weights=np.ones(2), mean=np.zeros(2), covariance=np.eye(2))


def cohort(people: int, photos: int = 1, seed: int = 0, labels: int = 0) -> Cohort:
    """People drawn from the population, whose photos differ a little; `labels` classes of equal size."""
    rng = np.random.default_rng(seed)
    own = rng.multivariate_normal(SPACE.mean, SPACE.covariance, people)
    rows = own[:, None] + 0.3 * rng.standard_normal((people, photos, WIDTH))
    owners = [f"person {number}" for number in range(people) for _ in range(photos)]
    classes = [f"class {number % labels}" for number in range(people) for _ in range(photos)] if labels else None
    return Cohort(rows.reshape(-1, WIDTH), owners, classes)


@pytest.mark.parametrize(("people", "photos", "labels", "k"), [(60, 1, 0, 5), (60, 2, 0, 11), (60, 1, 3, 11)])
def test_a_forecast_is_what_the_release_of_the_same_rows_gives(people: int, photos: int, labels: int, k: int) -> None:
    """Outputs drawn with the mechanism's own noise: the kept coordinates of each are those that were forecast."""
    given = cohort(people, photos, labels=labels)
    plan = forecast_cohort(given, SPACE, k)
    joint = joint_k_same(given.rows, given.owners, given.labels, SPACE, k)
    rng = np.random.default_rng(1)
    kept = np.flatnonzero(joint.group >= 0)
    drawn = SPACE.coordinates(np.array([shown(joint, int(photo), rng) for photo in kept]))
    read = SPACE.coordinates(given.rows[kept])
    assert [axis.name for axis in plan.axes] == list(SPACE.names)
    for place, axis in enumerate(plan.axes):
        assert axis.r == pytest.approx(np.corrcoef(read[:, place], drawn[:, place])[0, 1], abs=1e-6)
        assert axis.spread == pytest.approx(drawn[:, place].std() / read[:, place].std(), abs=1e-6)
    groups = [
        {given.owners[photo] for photo in np.flatnonzero(joint.group == number)} for number in set(joint.group[kept])
    ]
    assert (plan.groups, plan.smallest) == (len(groups), min(map(len, groups)))
    assert plan.bits == pytest.approx(math.log2(len(groups)))
    assert plan.withheld == len(given.rows) - len(kept)
    assert 1 / max(map(len, groups)) - 1e-9 <= plan.named <= 1 / k + 1e-9


def test_named_is_the_rate_of_whoever_knows_the_groups() -> None:
    """Of an output's group the one with most photos is named; a class of seven, one of whom has three, is a group."""
    given = cohort(70, 2)
    labels = ["common"] * 140 + ["rare"] * 9
    rare = cohort(9, seed=4)
    owners = [*given.owners, *(f"rare {max(0, number - 2)}" for number in range(9))]
    everybody = Cohort(np.concatenate([given.rows, rare.rows]), owners, labels)
    plan = forecast_cohort(everybody, SPACE, 11)
    group = joint_k_same(everybody.rows, owners, labels, SPACE, 11).group
    rates = []
    for photo in np.flatnonzero(group >= 0):
        crowd = Counter(owners[other] for other in np.flatnonzero(group == group[photo]))
        rates.append(max(crowd.values()) / crowd.total())
    assert rates[-1] == 3 / 9
    assert plan.named == pytest.approx(float(np.mean(rates)))
    assert plan.named != pytest.approx(1 / 11, rel=0.01)


def few_dark(dark: int, light: int, labels: list[str] | None = None) -> Cohort:
    """Light people near 1 SD of tone, dark ones near −2, all of one age."""
    rng = np.random.default_rng(3)
    tone = np.concatenate([np.full(light, 1.0), np.full(dark, -2.0)]) + 0.1 * rng.standard_normal(dark + light)
    rows = np.stack([tone, 0.1 * rng.standard_normal(dark + light)], axis=1)
    bands = ["light"] * light + ["dark"] * dark
    return Cohort(rows, [str(number) for number in range(dark + light)], labels, {"tone": bands})


def test_people_too_few_of_their_tone_are_named_with_how_far_they_would_be_off() -> None:
    [few] = forecast_cohort(few_dark(6, 40), EYE, 11).unserved
    assert (few.axis, few.band, few.people, few.short) == ("tone", "dark", 6, 6)
    group = joint_k_same(few_dark(6, 40).rows, few_dark(6, 40).owners, None, EYE, 11)
    middles = group.middle[group.group[40:]][:, 0]
    assert few.shift == pytest.approx(float((middles - few_dark(6, 40).rows[40:, 0]).mean()))
    assert few.shift > 0.3, "they would come out lighter"
    said = " ".join(few.remedies)
    assert all(words in said for words in ("--policy internal", "5 more people", "withhold", "weight"))
    assert "controlled" not in said, "6 people are no group of 11 either"
    assert forecast_cohort(few_dark(12, 40), EYE, 11).unserved == ()


def test_a_crowd_is_counted_within_the_label() -> None:
    """Twelve dark people are enough for a group of eleven, but not half of them under each of two labels."""
    halves = ["a", "b"] * 26
    [few] = forecast_cohort(few_dark(12, 40, halves), EYE, 11).unserved
    assert (few.band, few.people, few.short) == ("dark", 12, 12)


def test_a_larger_cohort_keeps_more_and_a_larger_group_less() -> None:
    table = rate_distortion(cohort(160, seed=5), SPACE, (5, 11, 20))
    assert [(line.people, line.k) for line in table] == [(80, 5), (80, 11), (80, 20), (160, 5), (160, 11), (160, 20)]
    signs = [line.kinds["signs"] for line in table]
    assert all(more > less for more, less in [*pairwise(signs[:3]), *pairwise(signs[3:])]), "with k"
    assert all(whole > half for half, whole in zip(signs[:3], signs[3:], strict=True)), "with people"
    assert all(line.bits > other.bits for line, other in pairwise(table[:3]))
    again = rate_distortion(cohort(160, seed=5), SPACE, (5, 11, 20))
    assert again == table


def test_where_nobody_can_be_grouped_the_plan_says_what_to_do_instead() -> None:
    plan = forecast_cohort(cohort(12), SPACE, 20)
    assert (plan.groups, plan.withheld, plan.left_out, plan.axes) == (0, 12, 12, ())
    said = " ".join(plan.instead)
    assert all(words in said for words in ("--policy controlled", "--policy internal", "8 more people", "codebook"))
    assert "--small-classes" not in said, "there are no classes"
    rare = forecast_cohort(cohort(12, labels=4), SPACE, 20)
    assert (rare.groups, rare.left_out) == (0, 12)
    assert "--small-classes merge" in " ".join(rare.instead)
    assert "17 more people" in " ".join(rare.instead), "of one label"


def test_remedies_count_from_the_strictest_policy_that_fits() -> None:
    assert [remedy.split()[1] for remedy in remedies_of(11, 20)[:-1]] == ["controlled", "internal"]
    assert remedies_of(2, 20) == ("pool with another site: 18 more people make a group",)
    assert kind_of("sign 12") == "signs"


def test_what_is_withheld_is_counted() -> None:
    """Three photos of one person, two groups: one photo has nowhere to go, but its person is still served."""
    rng = np.random.default_rng(6)
    rows: Floats = rng.standard_normal((12, 2))
    owners = ["twin"] * 3 + [str(number) for number in range(9)]
    plan = forecast_cohort(Cohort(rows, owners), EYE, 5)
    assert (plan.groups, plan.withheld, plan.left_out) == (2, 1, 0)
