"""Attackers that learn find what a fixed comparison cannot see, and nothing where there is nothing."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from scipy.stats import special_ortho_group, zscore

from ganonym.errors import UsageError
from ganonym.evaluate.attack_one import attacks, fuse
from ganonym.evaluate.attackers.adapted import ProcrustesMap, RetrainedMetric, RidgeMap
from ganonym.evaluate.attackers.attacker import Approach, Attacker, Fixed, Lesson, Sample, Templates, euclidean
from ganonym.evaluate.attackers.fine_tuned_head import FineTunedHead
from ganonym.evaluate.findings import Finding
from ganonym.evaluate.metrics.finding import finding
from ganonym.evaluate.protocol import ANONYMIZED, OTHER_PHOTO, REVERSE, SAME_PHOTO
from ganonym.evaluate.scores import People, Photos, Scores, score
from ganonym.types import Floats

WIDTH, SUBJECTS = 32, 100


@dataclass(frozen=True)
class Invented:
    """Stands for any recognizer; the templates are invented."""

    name: str = "invented"
    width: int = WIDTH

    def template(self, sample: Sample) -> Floats | None:
        raise NotImplementedError


VIEW = Invented()
NAIVE = Fixed("naive", VIEW, euclidean, Approach("T1"))
MAPS: list[Attacker] = [RidgeMap(VIEW), ProcrustesMap(VIEW), RetrainedMetric(VIEW, mapped=True), FineTunedHead(VIEW)]
LEARNING: list[Attacker] = [*MAPS, RetrainedMetric(VIEW)]


def people(rng: np.random.Generator, subjects: int = SUBJECTS, within: float = 0.25) -> Floats:
    """Two templates a person, one after the other."""
    return rng.normal(size=(subjects, WIDTH)).repeat(2, 0) + within * rng.normal(size=(2 * subjects, WIDTH))


def photos(originals: Floats, released: Floats) -> Photos:
    subjects = tuple(f"s{index // 2:03d}" for index in range(len(originals)))
    return Photos(originals, released, subjects, np.zeros(len(originals), dtype=bool))


def turn(seed: int) -> Floats:
    return np.asarray(special_ortho_group.rvs(WIDTH, random_state=seed))


def found(attacker: Attacker, pictures: Photos) -> dict[str, Finding]:
    return {attack.finding.setting: attack.finding for attack in attacks(attacker, pictures)}


@pytest.mark.parametrize("attacker", MAPS, ids=lambda attacker: attacker.name)
def test_a_secret_rotation_is_undone(attacker: Attacker) -> None:
    originals = people(np.random.default_rng(1))
    pictures = photos(originals, originals @ turn(1) * 0.3 + 5.0)
    assert found(NAIVE, pictures)[OTHER_PHOTO].rank1.value < 0.1
    outcomes = found(attacker, pictures)
    for setting in (OTHER_PHOTO, SAME_PHOTO, REVERSE, ANONYMIZED):
        assert outcomes[setting].rank1.value > 0.95, setting


@pytest.mark.parametrize("attacker", LEARNING, ids=lambda attacker: attacker.name)
def test_outputs_that_say_nothing_stay_inside_the_chance_interval(attacker: Attacker) -> None:
    rng = np.random.default_rng(2)
    originals = people(rng)
    for entry in found(attacker, photos(originals, rng.normal(size=originals.shape))).values():
        assert entry.rank1.low <= entry.chance <= entry.rank1.high, entry.setting


@pytest.mark.parametrize("attacker", [RetrainedMetric(VIEW), FineTunedHead(VIEW)], ids=lambda attacker: attacker.name)
def test_large_noise_along_few_directions_is_discounted(attacker: Attacker) -> None:
    rng = np.random.default_rng(3)
    originals = people(rng)
    directions = turn(3)[:4]
    pictures = photos(originals, originals + 12 * rng.normal(size=(len(originals), 4)) @ directions)
    naive, learned = found(NAIVE, pictures), found(attacker, pictures)
    assert naive[ANONYMIZED].rank1.value < 0.1
    assert naive[REVERSE].rank1.value < 0.4
    for setting in (OTHER_PHOTO, REVERSE, ANONYMIZED):
        assert learned[setting].rank1.value > 0.95, setting


def test_the_head_finds_what_neither_a_rotation_nor_the_metric_alone_does() -> None:
    rng = np.random.default_rng(4)
    originals = people(rng)
    released = (originals + 12 * rng.normal(size=(len(originals), 4)) @ turn(3)[:4]) @ turn(4)
    pictures = photos(originals, released)
    for weaker in (NAIVE, ProcrustesMap(VIEW), RetrainedMetric(VIEW)):
        assert found(weaker, pictures)[OTHER_PHOTO].rank1.value < 0.75, weaker.name
    assert found(FineTunedHead(VIEW), pictures)[OTHER_PHOTO].rank1.value > 0.95


@pytest.mark.parametrize("attacker", [RidgeMap(VIEW), RetrainedMetric(VIEW)], ids=lambda attacker: attacker.name)
def test_learning_costs_little_where_nothing_was_moved(attacker: Attacker) -> None:
    rng = np.random.default_rng(5)
    originals = people(rng)
    pictures = photos(originals, originals + 1.5 * rng.normal(size=originals.shape))
    naive, learned = (found(value, pictures)[OTHER_PHOTO].rank1.value for value in (NAIVE, attacker))
    assert 0.5 < naive < 0.98
    assert learned > naive - 0.05


@pytest.mark.parametrize("attacker", LEARNING, ids=lambda attacker: attacker.name)
def test_missing_templates_are_neither_learned_from_nor_answered(attacker: Attacker) -> None:
    rng = np.random.default_rng(6)
    originals = people(rng)
    released = originals + 0.1 * rng.normal(size=originals.shape)
    released[::10] = np.nan
    background = People(rng.normal(size=(12, WIDTH)), tuple(f"other {index // 3}" for index in range(12)))
    outcomes = found(attacker, replace(photos(originals, released), background=background))
    assert outcomes[SAME_PHOTO].failures == 20
    assert outcomes[SAME_PHOTO].rank1.value * outcomes[SAME_PHOTO].rank1.n > 75


@pytest.mark.parametrize("attacker", LEARNING, ids=lambda attacker: attacker.name)
def test_too_few_people_to_learn_from_is_said(attacker: Attacker) -> None:
    originals = people(np.random.default_rng(7), 20)
    hidden = originals.copy()
    hidden[12:] = np.nan
    with pytest.raises(UsageError, match="other people, it got 6"):
        attacker.learn(Lesson(originals, hidden, photos(originals, hidden).subjects))


def test_the_head_is_the_same_every_time_and_leaves_the_worlds_dice_alone() -> None:
    originals = people(np.random.default_rng(8), 30)
    lesson = Lesson(originals, originals @ turn(8), photos(originals, originals).subjects)
    rows = Templates(originals[:9], released=True)
    before = torch.random.get_rng_state()
    first, again = (FineTunedHead(VIEW).learn(lesson)(rows, rows) for _ in range(2))
    assert np.array_equal(first, again)
    assert torch.equal(before, torch.random.get_rng_state())
    assert not np.array_equal(first, FineTunedHead(VIEW, seed=1).learn(lesson)(rows, rows))


def rated(scores: Scores) -> Finding:
    return finding(scores, np.random.default_rng(0))


def two_weak(rng: np.random.Generator) -> list[Scores]:
    """The same trials as two attackers see them, in independent noise and different units."""
    originals = people(rng, within=0.0)
    views = [originals + 2.2 * rng.normal(size=originals.shape) for _ in range(2)]
    return [
        next(iter(score(Fixed(name, VIEW, euclidean, Approach("T1")), photos(originals * unit, view * unit))))
        for name, view, unit in zip("ab", views, (1.0, 1000.0), strict=True)
    ]


def test_two_weak_attackers_together_beat_both() -> None:
    parts = two_weak(np.random.default_rng(9))
    together = rated(fuse(parts, "both"))
    assert together.attacker == "both"
    assert together.rank1.value > max(rated(part).rank1.value for part in parts) + 0.1
    expected = np.mean([zscore(part.distances, axis=1) for part in parts], axis=0)
    assert np.allclose(fuse(parts, "both").distances, expected)


def test_fused_noise_stays_inside_the_chance_interval() -> None:
    rng = np.random.default_rng(10)
    parts = [replace(entry, distances=rng.random(entry.distances.shape)) for entry in two_weak(rng)]
    fused = rated(fuse(parts, "both"))
    assert fused.rank1.low <= fused.chance <= fused.rank1.high


def test_an_attacker_without_a_template_has_no_say() -> None:
    one, other = two_weak(np.random.default_rng(11))
    blind = one.distances.copy()
    blind[0], blind[1, 3] = np.nan, np.nan
    other.distances[2] = np.nan
    blind[2] = np.nan
    fused = fuse([replace(one, distances=blind, tier="R"), other], "both")
    assert np.array_equal(np.argsort(fused.distances[0]), np.argsort(other.distances[0]))
    assert np.isfinite(fused.distances[1]).all()
    assert np.isnan(fused.distances[2]).all()
    assert fused.tier == "R"


def test_scores_of_other_trials_are_refused() -> None:
    one, other = two_weak(np.random.default_rng(12))
    for changed in (
        replace(other, setting=SAME_PHOTO),
        replace(other, owners=other.owners[::-1]),
        replace(other, photos=other.photos + 1),
        replace(other, gallery=other.gallery[:-1]),
    ):
        with pytest.raises(ValueError, match="same trials"):
            fuse([one, changed], "both")
    with pytest.raises(ValueError, match="nothing"):
        fuse([], "none")
