"""Who knows the groups reads more from outputs, finds every planted leak, and gets 1/k of an honest k-same.

Readings are drawn: a face is identity and expression, and an output is read with error.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from numpy.typing import NDArray

from ganonym.errors import UsageError
from ganonym.evaluate.attack_one import attacks
from ganonym.evaluate.attackers.attacker import Attacker, Fixed, Sample, euclidean
from ganonym.evaluate.attackers.informed import Informed
from ganonym.evaluate.findings import Finding
from ganonym.evaluate.protocol import ALL_PHOTOS, ANONYMIZED, OTHER_PHOTO, PARROT, SAME_PHOTO
from ganonym.evaluate.scores import Photos
from ganonym.types import Floats

IDENTITY, EXPRESSION, K = 20, 3, 10
WIDTH = IDENTITY + EXPRESSION


@dataclass(frozen=True)
class Invented:
    """Readings are invented, too."""

    name: str = "invented"
    width: int = WIDTH

    def template(self, sample: Sample) -> Floats | None:
        raise NotImplementedError


ATTACKER = Informed(Invented())
PLAIN = Fixed("plain", Invented(), euclidean)


@dataclass(frozen=True, eq=False)
class Faces:
    """`rows` (n, 23) of photos, `subject` (n,) their people, two photos each; `groups` (n,) by photo or by person."""

    rows: Floats
    subject: NDArray[np.intp]
    groups: NDArray[np.intp]

    def middle(self) -> Floats:
        means = np.array([self.rows[self.groups == number].mean(axis=0) for number in range(self.groups.max() + 1)])
        return np.asarray(means[self.groups])

    def photos(self, released: Floats, *, told: bool = True, mock: Floats | None = None) -> Photos:
        names = tuple(f"s{number:03d}" for number in self.subject.tolist())
        withheld = np.zeros(len(names), dtype=bool)
        return Photos(self.rows, released, names, withheld, mock=mock, groups=self.groups if told else None)


def faces(people: int = 240, *, by_person: bool = False, seed: int = 0) -> Faces:
    """Photos 2i and 2i + 1 are of person i; groups of K different people, alike on the first coordinate."""
    rng = np.random.default_rng(seed)
    identity = rng.standard_normal((people, IDENTITY))
    rows = np.concatenate(
        [identity.repeat(2, 0) + 0.3 * rng.standard_normal((2 * people, IDENTITY)),
         rng.standard_normal((2 * people, EXPRESSION))], axis=1
    )  # fmt: skip
    groups = np.empty(2 * people, dtype=np.intp)
    if by_person:
        groups[np.argsort(identity[:, 0]).repeat(2) * 2 + np.tile([0, 1], people)] = np.arange(2 * people) // (2 * K)
    else:
        for number in (0, 1):
            own = np.arange(number, 2 * people, 2)
            groups[own[np.argsort(rows[own, 0])]] = np.arange(people) // K + number * (people // K)
    return Faces(rows, np.arange(2 * people) // 2, groups)


def read(shown: Floats, rng: np.random.Generator, error: float = 0.3) -> Floats:
    """What is read of what is shown: turned, stretched, and with an error."""
    turn = np.linalg.qr(np.random.default_rng(9).standard_normal((WIDTH, WIDTH)))[0]
    return np.asarray(1.3 * shown @ turn + 4.0 + error * rng.standard_normal(shown.shape))


def honest(cohort: Faces, rng: np.random.Generator) -> Floats:
    """The middle of the group, and public noise."""
    return np.asarray(cohort.middle() + 0.5 * rng.standard_normal(cohort.rows.shape))


def found(attacker: Attacker, photos: Photos) -> dict[str, Finding]:
    return {attack.finding.setting: attack.finding for attack in attacks(attacker, photos)}


def test_an_honest_release_by_photo_gives_one_in_k_and_no_more() -> None:
    rates = []
    for seed in range(4):
        rng = np.random.default_rng(seed)
        cohort = faces(seed=seed)
        outcomes = found(ATTACKER, cohort.photos(read(honest(cohort, rng), rng)))
        rates.append(outcomes[SAME_PHOTO].rank1.value)
        assert outcomes[SAME_PHOTO].rank1.low <= 1 / K
        assert outcomes[OTHER_PHOTO].rank1.low <= 1 / K
        assert outcomes[ANONYMIZED].rank1.low <= 1 / K
    # The mean of four is within two of its standard errors; and the group is read, else it would be near 1/240.
    assert 0.05 < np.mean(rates) < 1 / K + 2 * np.sqrt(0.1 * 0.9 / 960)


def test_first_photos_hide_among_all_photos_of_their_group() -> None:
    """Half of every group are photos that no gallery holds: an output does not say that it is of a first photo."""
    rates = []
    for seed in range(4):
        rng = np.random.default_rng([seed, 13])
        cohort = faces(seed=seed)
        half, groups = K // 2, np.empty(len(cohort.rows), dtype=np.intp)
        blocks = np.arange(240) // half
        groups[0::2], groups[1::2] = blocks, np.roll(blocks, 7 * half)
        mixed = replace(cohort, groups=groups)
        shown = mixed.middle() + 0.3 * rng.standard_normal(mixed.rows.shape)
        rates.append(found(ATTACKER, mixed.photos(read(shown, rng, 0.1)))[SAME_PHOTO].rank1.value)
    assert 0.06 < np.mean(rates) < 1 / K + 2 * np.sqrt(0.1 * 0.9 / 960)


def test_linked_outputs_intersect_their_groups() -> None:
    """Nearly as well as who is told both groups of everybody, and names one of those who are in both."""
    rng = np.random.default_rng(1)
    cohort = faces()
    shown = cohort.middle() + 0.1 * rng.standard_normal(cohort.rows.shape)
    photos = cohort.photos(read(shown, rng, 0.1))
    linked = found(ATTACKER, photos)
    one, other = cohort.groups[::2], cohort.groups[1::2]
    both = ((one[:, None] == one) & (other[:, None] == other)).sum(axis=1)
    assert linked[SAME_PHOTO].rank1.low <= 1 / K
    assert 0.85 * (1 / both).mean() < linked[ALL_PHOTOS].rank1.value < 1.15 * (1 / both).mean()
    assert ALL_PHOTOS not in found(ATTACKER, replace(photos, linked=False))


def test_an_expression_outside_the_groups_names_people() -> None:
    """By person, each photo with its own expression: neither alone names anybody, together they do."""
    rng = np.random.default_rng(2)
    cohort = faces(by_person=True)
    shown = honest(cohort, rng)
    shown[:, IDENTITY:] = cohort.rows[:, IDENTITY:] + 0.2 * rng.standard_normal((len(shown), EXPRESSION))
    released = read(shown, rng)
    same = found(ATTACKER, cohort.photos(released))[SAME_PHOTO].rank1
    assert same.low > 1 / K
    assert same.value > 2 * found(PLAIN, cohort.photos(released))[SAME_PHOTO].rank1.value
    inside = honest(cohort, rng)
    assert found(ATTACKER, cohort.photos(read(inside, rng)))[SAME_PHOTO].rank1.low <= 1 / K


@dataclass(frozen=True)
class Wide(Invented):
    """As many readings as there are coordinates of a face."""

    width: int = 84


def test_four_coordinates_of_84_that_come_through_name_most_people() -> None:
    """What is left of them in every direction at once is too little to learn; coordinate by coordinate it is not."""
    rng = np.random.default_rng(12)
    identity, expression = rng.standard_normal((200, 80)), rng.standard_normal((400, 4))
    rows = np.concatenate([identity.repeat(2, 0), expression], axis=1)
    groups = np.argsort(np.argsort(identity[:, 0])).repeat(2) // K
    cohort = Faces(rows, np.arange(400) // 2, groups)
    shown = cohort.middle() + 0.8 * rng.standard_normal(rows.shape)
    honest_release = cohort.photos(shown + 0.3 * rng.standard_normal(rows.shape))
    shown[:, 80:] = rows[:, 80:]
    release = cohort.photos(shown + 0.3 * rng.standard_normal(rows.shape))
    attacker = Informed(Wide())
    assert found(attacker, release)[SAME_PHOTO].rank1.low > 0.3
    assert found(attacker, honest_release)[SAME_PHOTO].rank1.low <= 1 / K


@pytest.mark.parametrize("share", [0.15, 0.3])
def test_a_share_of_the_photo_that_shines_through_is_found(share: float) -> None:
    rng = np.random.default_rng(3)
    cohort = faces()
    shown = (1 - share) * honest(cohort, rng) + share * cohort.rows
    outcomes = found(ATTACKER, cohort.photos(read(shown, rng, 0.1)))
    assert outcomes[SAME_PHOTO].rank1.low > 1 / K


def test_groups_are_worth_knowing() -> None:
    rng = np.random.default_rng(4)
    cohort = faces()
    released = read(0.9 * honest(cohort, rng) + 0.1 * cohort.rows, rng)
    known = found(ATTACKER, cohort.photos(released))[SAME_PHOTO].rank1.value
    untold = found(ATTACKER, cohort.photos(released, told=False))[SAME_PHOTO].rank1.value
    assert known > untold


def test_a_mechanism_that_can_be_rerun_is_parroted() -> None:
    """What is shown is scrambled by the photo itself, which no regression undoes; a second run comes near it."""
    rng = np.random.default_rng(5)
    cohort = faces()
    scrambled = rng.standard_normal(cohort.rows.shape)
    first, again = (read(scrambled + 0.8 * rng.standard_normal(scrambled.shape), rng) for _ in range(2))
    outcomes = found(ATTACKER, cohort.photos(first, told=False, mock=again))
    plain = found(PLAIN, cohort.photos(first, told=False, mock=again))
    assert plain[PARROT].rank1.value > 0.4
    assert outcomes[PARROT].rank1.value > plain[PARROT].rank1.value
    assert outcomes[SAME_PHOTO].rank1.low <= outcomes[SAME_PHOTO].chance
    unlike = read(rng.standard_normal(scrambled.shape), rng)
    nothing = found(ATTACKER, cohort.photos(first, told=False, mock=unlike))[PARROT]
    assert nothing.rank1.low <= nothing.chance


@pytest.mark.parametrize("told", [True, False])
def test_outputs_that_say_nothing_stay_inside_the_chance_interval(told: bool) -> None:
    rng = np.random.default_rng(6)
    cohort = faces()
    for outcome in found(ATTACKER, cohort.photos(rng.standard_normal(cohort.rows.shape), told=told)).values():
        assert outcome.rank1.low <= outcome.chance <= outcome.rank1.high, outcome.setting


def test_one_and_the_same_output_for_all_is_a_blind_guess() -> None:
    cohort = faces(60)
    for outcome in found(ATTACKER, cohort.photos(np.ones(cohort.rows.shape))).values():
        assert outcome.rank1.value == pytest.approx(1 / 60, rel=0.1), outcome.setting


def test_photos_without_a_face_an_output_or_a_group_are_no_hits() -> None:
    rng = np.random.default_rng(7)
    cohort = faces()
    photos = cohort.photos(read(honest(cohort, rng), rng))
    originals, released, groups = photos.originals.copy(), photos.released.copy(), cohort.groups.copy()
    originals[:20] = np.nan
    released[20:40] = np.nan
    withheld = np.zeros(len(released), dtype=bool)
    withheld[40:60] = True
    groups[withheld] = -1
    outcomes = found(ATTACKER, Photos(originals, released, photos.subjects, withheld, groups=groups))
    assert outcomes[SAME_PHOTO].failures == 20
    assert outcomes[SAME_PHOTO].trials == 230
    assert outcomes[OTHER_PHOTO].trials == 230
    assert outcomes[SAME_PHOTO].rank1.low <= 1 / K


def test_too_few_people_are_refused() -> None:
    rng = np.random.default_rng(8)
    cohort = faces(19 + 1)
    few = Faces(cohort.rows[:38], cohort.subject[:38], cohort.groups[:38])
    with pytest.raises(UsageError, match="the attacker informed learns from released photos of 10 other people"):
        found(ATTACKER, few.photos(read(honest(few, rng), rng)))


def test_where_only_a_lesson_is_held_originals_are_weighed() -> None:
    """`learn`, for whoever has no use of groups: likelihoods both ways, and plain distance within one side."""
    from ganonym.evaluate.attackers.attacker import Lesson, Templates

    rng = np.random.default_rng(10)
    cohort = faces()
    released = read(cohort.rows, rng)
    names = tuple(str(number) for number in cohort.subject[:240].tolist())
    matcher = ATTACKER.learn(Lesson(cohort.rows[:240], released[:240], names))
    after, before = Templates(released[240:], released=True), Templates(cohort.rows[240:], released=False)
    assert (matcher(after, before).argmin(axis=1) == np.arange(240)).mean() > 0.9
    assert np.array_equal(matcher(before, after), matcher(after, before).T)
    assert np.allclose(np.diag(matcher(after, after)), 0.0)
