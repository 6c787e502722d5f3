"""A metric of pairs finds what linear maps hide, better with more references, and nothing where there is nothing."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from scipy.stats import special_ortho_group

from ganonym.errors import UsageError
from ganonym.evaluate.attack_one import attacks
from ganonym.evaluate.attackers.attacker import Attacker, Fixed, Lesson, Sample, Templates, euclidean
from ganonym.evaluate.attackers.contrastive import Contrastive
from ganonym.evaluate.findings import Finding
from ganonym.evaluate.protocol import OTHER_PHOTO, SAME_PHOTO
from ganonym.evaluate.scores import Photos
from ganonym.types import Floats

WIDTH, PEOPLE, EACH = 24, 120, 6


@dataclass(frozen=True)
class Invented:
    """The templates are invented."""

    name: str = "invented"
    width: int = WIDTH

    def template(self, sample: Sample) -> Floats | None:
        raise NotImplementedError


VIEW = Invented()
ALL = [Contrastive(number, VIEW) for number in (1, 5, None)]
NAIVE = Fixed("naive", VIEW, euclidean)


def cohort(rng: np.random.Generator, within: float = 0.5, photos: int = EACH) -> Floats:
    people = rng.standard_normal((PEOPLE, WIDTH)).repeat(photos, 0)
    return people + within * rng.standard_normal(people.shape)


def photos(originals: Floats, released: Floats) -> Photos:
    result = len(originals) // PEOPLE
    subjects = tuple(f"s{index // result:03d}" for index in range(len(originals)))
    return Photos(originals, released, subjects, np.zeros(len(originals), dtype=bool))


def found(attacker: Attacker, pictures: Photos) -> dict[str, Finding]:
    return {attack.finding.setting: attack.finding for attack in attacks(attacker, pictures)}


def hidden(originals: Floats, rng: np.random.Generator, noise: float = 1.0) -> Floats:
    """Turned as a secret says, one direction drowned in noise."""
    turned = originals @ special_ortho_group.rvs(WIDTH, random_state=1)
    turned[:, :4] += 20 * rng.standard_normal((len(turned), 4))
    return np.asarray(turned + noise * rng.standard_normal(turned.shape))


@pytest.mark.parametrize("attacker", ALL, ids=lambda attacker: attacker.name)
def test_what_a_secret_turn_and_noise_hide_is_found(attacker: Contrastive) -> None:
    rng = np.random.default_rng(1)
    originals = cohort(rng)
    pictures = photos(originals, hidden(originals, rng, 0.3))
    assert found(NAIVE, pictures)[OTHER_PHOTO].rank1.value < 0.1
    outcomes = found(attacker, pictures)
    assert list(outcomes) == [OTHER_PHOTO, SAME_PHOTO]
    assert outcomes[SAME_PHOTO].rank1.value > 0.8
    assert outcomes[OTHER_PHOTO].rank1.value > 0.8


def test_a_weak_trace_in_every_coordinate_is_found() -> None:
    """A seventh of each of 84 coordinates: too little to see in any direction, enough in all of them together."""
    rng = np.random.default_rng(8)
    people = rng.standard_normal((250, 84)).repeat(2, 0)
    originals = people + 0.3 * rng.standard_normal(people.shape)
    released = 0.15 * originals + 0.7 * rng.standard_normal(people.shape)
    names = tuple(f"s{index // 2:03d}" for index in range(500))
    attacker = Contrastive(1, Invented(width=84))
    same = found(attacker, Photos(originals, released, names, np.zeros(500, dtype=bool)))[SAME_PHOTO]
    assert same.rank1.low > 20 * same.chance


def test_more_references_name_more_people() -> None:
    rng = np.random.default_rng(2)
    originals = cohort(rng, within=1.0)
    pictures = photos(originals, hidden(originals, rng))
    one, five, every = (np.mean(_ranks(attacker, pictures)) for attacker in ALL)
    assert one + 0.05 < five <= every + 0.02


def _ranks(attacker: Contrastive, pictures: Photos) -> Floats:
    """Which trials of another photo are hits; a finding counts a subject with any hit."""
    scores = next(attacker.scores(pictures, [OTHER_PHOTO]))
    return np.asarray(scores.distances.argmin(axis=1) == scores.truth, dtype=np.float64)


def test_the_photo_itself_is_no_reference_of_another_photo() -> None:
    """Photos of one person have nothing in common here: only the very photo could give him away."""
    rng = np.random.default_rng(3)
    originals = rng.standard_normal((PEOPLE * EACH, WIDTH))
    pictures = photos(originals, originals @ special_ortho_group.rvs(WIDTH, random_state=1))
    for attacker in ALL:
        outcomes = found(attacker, pictures)
        assert outcomes[OTHER_PHOTO].rank1.low <= outcomes[OTHER_PHOTO].chance_high, attacker.name
        assert outcomes[SAME_PHOTO].rank1.low > 0.1, attacker.name


@pytest.mark.parametrize("attacker", ALL, ids=lambda attacker: attacker.name)
def test_outputs_that_say_nothing_stay_inside_the_chance_interval(attacker: Contrastive) -> None:
    rng = np.random.default_rng(4)
    originals = cohort(rng)
    for outcome in found(attacker, photos(originals, rng.standard_normal(originals.shape))).values():
        assert outcome.rank1.low <= outcome.chance <= outcome.rank1.high, outcome.setting


def test_missing_templates_and_equal_outputs_are_blind_guesses() -> None:
    rng = np.random.default_rng(5)
    originals = cohort(rng)
    released = hidden(originals, rng, 0.3)
    released[:60] = np.nan
    originals[600:612] = np.nan
    withheld = np.zeros(len(released), dtype=bool)
    withheld[100:120] = True
    outcomes = found(ALL[2], replace(photos(originals, released), withheld=withheld))
    assert outcomes[SAME_PHOTO].failures == 12
    assert outcomes[OTHER_PHOTO].failures == 60
    assert outcomes[SAME_PHOTO].trials + outcomes[OTHER_PHOTO].trials == PEOPLE * EACH - 20
    flat = found(ALL[0], photos(cohort(rng), np.ones(released.shape)))
    assert flat[SAME_PHOTO].rank1.value == pytest.approx(1 / PEOPLE)


def test_more_references_than_there_are_photos_are_refused() -> None:
    rng = np.random.default_rng(6)
    originals = cohort(rng, photos=2)
    with pytest.raises(UsageError, match="no subject has three photos"):
        found(ALL[1], photos(originals, originals))
    assert found(ALL[0], photos(originals, originals))[SAME_PHOTO].rank1.value > 0.9
    few = Photos(originals[:16], originals[:16], tuple("aabbccddeeffgghh"), np.zeros(16, dtype=bool))
    with pytest.raises(UsageError, match="learns from released photos of 10 other people"):
        found(ALL[0], few)


def test_one_lesson_and_seed_give_one_metric() -> None:
    rng = np.random.default_rng(7)
    originals = cohort(rng)
    lesson = Lesson(originals, hidden(originals, rng), photos(originals, originals).subjects)
    one, other = (Contrastive(1, VIEW, seed=0).learn(lesson) for _ in range(2))
    sides = Templates(originals[:9], released=True), Templates(originals[:9], released=False)
    assert np.array_equal(one(*sides), other(*sides))
