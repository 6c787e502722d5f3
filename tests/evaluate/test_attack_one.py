"""The harness finds a planted copy, gives chance for nothing, and never counts a failure as protection."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from ganonym.errors import GanonymError
from ganonym.evaluate.attack_all import attack_samples
from ganonym.evaluate.attack_one import attacks
from ganonym.evaluate.attackers.attacker import Approach, Attacker, Lesson, Matcher, Sample, Templates, View, euclidean
from ganonym.evaluate.findings import Finding
from ganonym.evaluate.protocol import ALL_PHOTOS, ANONYMIZED, OTHER_PHOTO, PARROT, REVERSE, SAME_PHOTO
from ganonym.evaluate.scores import People, Photos, score
from ganonym.types import Floats

PLAIN = Approach("T0")


class MeanColour:
    """The mean colour of the picture."""

    name = "mean colour"
    width = 3

    def template(self, sample: Sample) -> Floats | None:
        return None if sample.points is None else sample.rgb.reshape(-1, 3).mean(axis=0)


@dataclass
class Pixels:
    """Attacks by the mean colour; remembers whom it learned from."""

    taught: list[set[str]] = field(default_factory=list)
    name: str = "mean colour"
    view: View = field(default_factory=MeanColour)
    approach: Approach = PLAIN

    def learn(self, lesson: Lesson) -> Matcher:
        assert len(lesson.originals) == len(lesson.released) == len(lesson.subjects)
        self.taught.append(set(lesson.subjects))
        return euclidean


def photos(
    templates: Floats,
    released: Floats,
    subjects: list[str],
    withheld: NDArray[np.bool_] | None = None,
    **more: Any,
) -> Photos:
    free = np.zeros(len(subjects), dtype=bool)
    return Photos(templates, released, tuple(subjects), free if withheld is None else withheld, **more)


def people(rng: np.random.Generator, subjects: int = 40) -> tuple[Floats, list[str]]:
    own = rng.normal(size=(subjects, 12))
    templates = np.repeat(own, 2, axis=0) + 0.05 * rng.normal(size=(2 * subjects, 12))
    return templates, [f"s{index // 2}" for index in range(2 * subjects)]


def attack(attacker: Attacker, pictures: Photos) -> list[Finding]:
    return [made.finding for made in attacks(attacker, pictures)]


def by_setting(outcomes: Iterable[Finding]) -> dict[str, Finding]:
    return {outcome.setting: outcome for outcome in outcomes}


def test_copies_are_found_in_every_setting() -> None:
    templates, subjects = people(np.random.default_rng(1))
    outcomes = by_setting(attack(Pixels(), photos(templates, templates, subjects)))
    assert set(outcomes) == {OTHER_PHOTO, SAME_PHOTO, ALL_PHOTOS, ANONYMIZED, REVERSE}
    for outcome in outcomes.values():
        assert outcome.rank1.value == 1.0
        assert (outcome.rank1.n, outcome.gallery, outcome.trials, outcome.failures) == (40, 40, 40, 0)
        assert outcome.chance == pytest.approx(1 / 40, abs=3 / 40 / 1000**0.5), "mean of 1000 shuffles, SD 1/40"


def test_unrelated_outputs_are_inside_the_chance_interval() -> None:
    rng = np.random.default_rng(2)
    templates, subjects = people(rng, 200)
    for outcome in attack(Pixels(), photos(templates, rng.normal(size=templates.shape), subjects)):
        assert outcome.rank1.low <= outcome.chance <= outcome.rank1.high
        assert outcome.rank1.value < 0.05


def test_settings_look_at_different_photos() -> None:
    templates, subjects = people(np.random.default_rng(3))
    strangers = np.random.default_rng(4).normal(size=templates.shape) * 9
    only_first = np.where(np.arange(80)[:, None] % 2 == 0, templates, strangers)
    outcomes = by_setting(attack(Pixels(), photos(templates, only_first, subjects)))
    assert outcomes[SAME_PHOTO].rank1.value == 1.0
    assert outcomes[OTHER_PHOTO].rank1.value < 0.2
    relabelled = strangers.copy()
    relabelled[1::2] = relabelled[0::2] + 1e-3
    outcomes = by_setting(attack(Pixels(), photos(templates, relabelled, subjects)))
    assert outcomes[ANONYMIZED].rank1.value == 1.0
    assert outcomes[SAME_PHOTO].rank1.value < 0.2


def test_constant_outputs_score_exactly_chance() -> None:
    templates, subjects = people(np.random.default_rng(5))
    outcome = by_setting(attack(Pixels(), photos(templates, np.ones_like(templates), subjects)))[ANONYMIZED]
    assert outcome.rank1.value == pytest.approx(outcome.chance)
    assert outcome.failures == 0
    assert np.allclose(outcome.cmc, np.arange(1, 21) / 40)


def test_failure_to_acquire_scores_exactly_chance_and_is_counted() -> None:
    templates, subjects = people(np.random.default_rng(6))
    released = templates.copy()
    released[:40] = np.nan
    for outcome in attack(Pixels(), photos(templates, released, subjects)):
        assert outcome.failures == 20
        assert outcome.trials == 40
        assert outcome.rank1.value == pytest.approx((20 + 20 / 40) / 40)


def test_withheld_photos_are_no_trials() -> None:
    templates, subjects = people(np.random.default_rng(7))
    withheld = np.zeros(80, dtype=bool)
    withheld[:20] = True  # ten people, both photos
    withheld[20] = True  # and one person's first
    outcomes = by_setting(attack(Pixels(), photos(templates, templates, subjects, withheld)))
    assert (outcomes[OTHER_PHOTO].trials, outcomes[OTHER_PHOTO].gallery) == (30, 40)
    assert (outcomes[SAME_PHOTO].trials, outcomes[SAME_PHOTO].gallery) == (29, 40)
    assert (outcomes[ANONYMIZED].trials, outcomes[ANONYMIZED].gallery) == (29, 30)


def test_people_with_one_photo_meet_only_the_same_photo_attack() -> None:
    templates, _ = people(np.random.default_rng(8))
    outcomes = attack(Pixels(), photos(templates, templates, [f"s{index}" for index in range(80)]))
    assert [outcome.setting for outcome in outcomes] == [SAME_PHOTO]


def test_several_probes_of_one_subject_are_one_unit() -> None:
    templates, _ = people(np.random.default_rng(9))
    subjects = [f"s{index // 4}" for index in range(80)]
    outcome = by_setting(attack(Pixels(), photos(templates, np.ones_like(templates), subjects)))[ANONYMIZED]
    assert (outcome.trials, outcome.rank1.n) == (60, 20)
    assert outcome.rank1.value == pytest.approx(outcome.chance) == pytest.approx(1 - (19 / 20) ** 3)


def test_order_of_subjects_does_not_matter() -> None:
    rng = np.random.default_rng(10)
    templates, subjects = people(rng)
    released = templates + 1.6 * rng.normal(size=templates.shape)
    order = np.argsort(np.repeat(rng.permutation(40), 2), kind="stable")
    straight = attack(Pixels(), photos(templates, released, subjects))
    shuffled = attack(Pixels(), photos(templates[order], released[order], [subjects[index] for index in order]))
    assert [entry.rank1 for entry in straight] == [entry.rank1 for entry in shuffled]
    assert 0.1 < straight[0].rank1.value < 0.9


def test_learning_never_sees_the_people_under_attack() -> None:
    templates, subjects = people(np.random.default_rng(11))
    attacker = Pixels(approach=Approach(folds=4))
    background = People(templates[:4], ("x", "x", "y", "y"))
    attack(attacker, photos(templates, templates, subjects, background=background))
    everyone = set(subjects)
    attacked = [everyone - taught for taught in attacker.taught]
    assert len(attacked) == 4
    assert set().union(*attacked) == everyone
    assert sum(len(names) for names in attacked) == len(everyone)
    assert all({"x", "y"} <= taught for taught in attacker.taught)
    with pytest.raises(ValueError, match="background"):
        attack(attacker, photos(templates, templates, subjects, background=People(templates[:1], ("s0",))))


def test_an_attackers_error_is_an_error() -> None:
    def fail(probes: Templates, gallery: Templates) -> Floats:
        raise GanonymError("no model")

    class Broken(Pixels):
        def learn(self, lesson: Lesson) -> Matcher:  # noqa: ARG002
            return fail

    templates, subjects = people(np.random.default_rng(12))
    with pytest.raises(GanonymError, match="no model"):
        attack(Broken(), photos(templates, templates, subjects))


def test_samples_give_what_their_templates_give() -> None:
    rng = np.random.default_rng(13)
    subjects = [f"s{index // 2}" for index in range(24)]
    colours = np.repeat(rng.integers(0, 256, (12, 1, 1, 3), dtype=np.uint8), 2, axis=0)
    points = np.zeros((68, 2))
    originals = [Sample(np.broadcast_to(colour, (4, 4, 3)), points) for colour in colours]
    released: list[Sample | None] = [*originals]
    released[0] = None
    released[3] = Sample(originals[3].rgb, None)
    outcomes = by_setting(attack_samples([Pixels()], originals, released, subjects))
    assert outcomes[SAME_PHOTO].trials == 11
    assert outcomes[OTHER_PHOTO].failures == 1
    assert outcomes[OTHER_PHOTO].rank1.value == pytest.approx((11 + 1 / 12) / 12)
    with pytest.raises(ValueError, match="pair up"):
        attack_samples([Pixels()], originals, released[1:], subjects)


def test_all_photos_together_find_what_single_ones_hide() -> None:
    """Independent noise on each photo averages out: the fused probe is as strong as their mean template."""
    rng = np.random.default_rng(14)
    own = rng.normal(size=(40, 12))
    subjects = [f"s{index // 8:02d}" for index in range(320)]
    originals = np.repeat(own, 8, axis=0)
    released = originals + 2.5 * rng.normal(size=originals.shape)
    result = list(score(Pixels(), photos(originals, released, subjects)))
    fused = next(entry for entry in result if entry.setting == ALL_PHOTOS)
    mean = cdist(released.reshape(40, 8, 12).mean(axis=1), own)
    assert np.array_equal(np.argsort(fused.distances, axis=1), np.argsort(mean, axis=1))
    outcomes = by_setting(attack(Pixels(), photos(originals, released, subjects)))
    single = by_setting(attack(Pixels(), photos(originals[::8], released[::8], subjects[::8])))[SAME_PHOTO]
    assert outcomes[ALL_PHOTOS].rank1.value > single.rank1.value + 0.3
    assert outcomes[ALL_PHOTOS].trials == 40


def test_a_fused_probe_needs_one_photo_with_a_face() -> None:
    templates, subjects = people(np.random.default_rng(15))
    released = templates.copy()
    released[0] = np.nan
    released[2:4] = np.nan
    fused = by_setting(attack(Pixels(), photos(templates, released, subjects)))[ALL_PHOTOS]
    assert (fused.failures, fused.trials) == (1, 40)
    assert fused.rank1.value * 40 == pytest.approx(39 + 1 / 40)


def test_a_mock_run_finds_a_fixed_secret_that_originals_do_not() -> None:
    """An anonymizer that turns every template the same way is found by whoever runs it himself."""
    rng = np.random.default_rng(16)
    templates, subjects = people(rng)
    turn, _ = np.linalg.qr(rng.normal(size=(12, 12)))
    outcomes = by_setting(attack(Pixels(), photos(templates, templates @ turn, subjects, mock=templates @ turn)))
    assert outcomes[PARROT].rank1.value == 1.0
    assert outcomes[OTHER_PHOTO].rank1.value < 0.3
    with pytest.raises(ValueError, match="mock"):
        photos(templates, templates, subjects, mock=templates[1:])


def test_reverse_attack_asks_for_released_people_only() -> None:
    templates, subjects = people(np.random.default_rng(17))
    withheld = np.zeros(80, dtype=bool)
    withheld[:2] = True
    withheld[2] = True
    reverse = by_setting(attack(Pixels(), photos(templates, templates, subjects, withheld)))[REVERSE]
    assert (reverse.trials, reverse.gallery) == (39, 39)
    assert reverse.rank1.value == 1.0


def test_distractors_are_candidates_and_never_right() -> None:
    templates, subjects = people(np.random.default_rng(18))
    outcomes = by_setting(attack(Pixels(), photos(templates, templates, subjects, distractors=templates[::2] + 1e-6)))
    assert {name: outcome.gallery for name, outcome in outcomes.items()} == {
        OTHER_PHOTO: 80, SAME_PHOTO: 80, ALL_PHOTOS: 80, ANONYMIZED: 40, REVERSE: 40
    }  # fmt: skip
    strangers = templates[::2][::-1] + 1e-6
    hidden = by_setting(attack(Pixels(), photos(templates, strangers.repeat(2, 0), subjects, distractors=strangers)))
    assert hidden[SAME_PHOTO].rank1.value == 0.0
