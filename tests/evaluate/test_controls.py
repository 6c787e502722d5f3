"""Controls hold for a working instrument and break for planted defects of it: blind, deaf, or hearing voices."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from ganonym.errors import UsageError
from ganonym.evaluate.attackers.attacker import Approach, Fixed, Lesson, Matcher, Templates, euclidean
from ganonym.evaluate.controls.holds import (
    acquisition,
    adapted,
    instrument,
    nulls,
    planted_leak,
    repeatable,
    weak_anonymizer,
)
from ganonym.evaluate.controls.planted import (
    attacked,
    clean,
    constant,
    donated,
    null_findings,
    rotated,
    strangers,
    watermarked,
)
from ganonym.evaluate.findings import Control, Finding
from ganonym.evaluate.metrics.finding import finding
from ganonym.evaluate.protocol import ANONYMIZED, OTHER_PHOTO, SAME_PHOTO
from ganonym.evaluate.scores import Photos, score
from ganonym.types import Floats

WIDTH = 12


class Rows:
    """Templates are given."""

    name = "rows"
    width = WIDTH

    def template(self, sample: object) -> Floats | None:  # noqa: ARG002
        raise AssertionError("nobody looks at photos here")


PLAIN = Fixed("plain", Rows(), euclidean, Approach("T1"))


@dataclass(frozen=True, slots=True)
class Unrotating:
    """Learns from other people which rotation brings released rows onto originals."""

    name: str = "map"
    view: Any = PLAIN.view

    def learn(self, lesson: Lesson) -> Matcher:
        seen = np.isfinite(lesson.originals).all(axis=1) & np.isfinite(lesson.released).all(axis=1)
        u, _, vt = np.linalg.svd(lesson.released[seen].T @ lesson.originals[seen])

        def match(probes: Templates, gallery: Templates) -> Floats:
            sides = [
                Templates(value.rows @ u @ vt if value.released else value.rows, False) for value in (probes, gallery)
            ]
            return euclidean(*sides)

        return match


def photos(seed: int = 0, subjects: int = 50, noise: float = 0.1) -> Photos:
    rng = np.random.default_rng(seed)
    own = np.repeat(rng.normal(size=(subjects, WIDTH)), 2, axis=0)
    before = own + noise * rng.normal(size=own.shape)
    before[7] = np.nan
    after = rng.normal(size=own.shape)
    withheld = np.zeros(len(own), dtype=bool)
    withheld[20:24] = True
    after[withheld] = np.nan
    return Photos(before, after, tuple(f"s{index // 2:03d}" for index in range(len(own))), withheld)


def rng() -> np.random.Generator:
    return np.random.default_rng(3)


def run(attacker: Any, release: Photos, setting: str = OTHER_PHOTO) -> Finding:
    return attacked(attacker, release, setting, rng(), 100)


def test_recognizers_must_know_the_people() -> None:
    assert instrument([run(PLAIN, clean(photos()))]).holds is True
    blind = instrument([run(PLAIN, clean(photos(noise=2.0)))])
    assert (blind.holds, "blind" in blind.detail, blind.blocks) == (False, True, True)
    assert instrument([]).holds is None
    shape = run(replace(PLAIN, approach=Approach("T0")), clean(photos()))
    assert instrument([shape]).holds is None
    few = instrument([run(PLAIN, clean(photos(subjects=10)))])  # 10 of 10: at least .74
    assert few.holds is False
    one_knows = [run(PLAIN, clean(photos(noise=2.0))), run(PLAIN, clean(photos()))]
    assert instrument(one_knows).holds is True


def test_a_weak_anonymizer_must_be_broken() -> None:
    before = run(PLAIN, clean(photos()))
    blurred = replace(photos(), released=photos().originals + 0.1)
    assert weak_anonymizer([before], [run(PLAIN, blurred)], "blur").holds is True
    assert weak_anonymizer([before], [run(PLAIN, photos())], "blur").holds is False
    assert weak_anonymizer([run(PLAIN, clean(photos(noise=3.0)))], [run(PLAIN, photos())], "blur").holds is None
    assert weak_anonymizer([before], [], "blur").holds is None


@pytest.mark.parametrize(
    ("leak", "attacker", "setting"),
    [
        (rotated, PLAIN, ANONYMIZED),
        (rotated, Unrotating(), OTHER_PHOTO),
        (donated, PLAIN, ANONYMIZED),
        (watermarked, PLAIN, ANONYMIZED),
    ],
)
def test_planted_leaks_are_found_by_who_should_find_them(leak: Any, attacker: Any, setting: str) -> None:
    before = run(PLAIN, clean(photos()))
    result = run(attacker, leak(photos(), rng()), setting)
    control = planted_leak(1, leak.__name__, result, before)
    assert (control.id, control.holds) == ("C3.1", True)
    # and an attacker that sees nothing breaks the control
    deaf = replace(PLAIN, matcher=lambda probes, gallery: np.zeros((len(probes.rows), len(gallery.rows))))
    assert planted_leak(1, "deaf", run(deaf, leak(photos(), rng()), setting), before).holds is False
    assert planted_leak(1, "nothing", result, run(deaf, clean(photos()))).holds is None


def test_planted_leaks_are_not_found_without_the_attack_they_are_for() -> None:
    """Else the control would hold for every attacker, and show nothing."""
    before = run(PLAIN, clean(photos()))
    for leak in (rotated, donated, watermarked):
        assert planted_leak(1, "naive", run(PLAIN, leak(photos(), rng())), before).holds is False


def test_an_attacker_that_finds_half_of_a_leak_is_broken() -> None:
    before = run(PLAIN, clean(photos()))
    noise = np.random.default_rng(5)

    def dull(probes: Templates, gallery: Templates) -> Floats:
        result = euclidean(probes, gallery)
        return result + 8.0 * noise.random(result.shape)

    outcome = run(replace(PLAIN, matcher=dull), rotated(photos(), rng()), ANONYMIZED)
    assert outcome.chance_high < outcome.rank1.value < 0.7
    assert planted_leak(1, "dull", outcome, before).holds is False


def test_planting_keeps_failures_and_donors_are_others() -> None:
    original = photos()
    for leak in (rotated, watermarked):
        assert np.isnan(leak(original, rng()).released[7]).all()
    given = donated(original, rng())
    source = [int(np.flatnonzero((row == original.originals).all(axis=1))[0]) for row in given.released[:7]]
    donors = [original.subjects[index] for index in source]
    assert all(donor != subject for donor, subject in zip(donors, original.subjects, strict=False))
    assert donors[0] == donors[1] != donors[2]
    assert source[0] != source[1]


def nothing(attacker: Any, release: Photos | None = None) -> Control:
    return nulls(list(null_findings(attacker, photos() if release is None else release, rng(), 200)))


def test_planting_in_photos_without_a_face_leaves_them_failures() -> None:
    empty = replace(photos(), originals=np.full_like(photos().originals, np.nan))
    for leak in (rotated, donated, watermarked):
        assert np.isnan(leak(empty, np.random.default_rng(0)).released).all()


def test_nothing_is_found_where_there_is_nothing() -> None:
    result = list(null_findings(PLAIN, photos(), rng(), 100))
    assert len(result) == 15
    assert nulls(result).holds is True
    assert nothing(Unrotating()).holds is True
    assert nulls([]).holds is None


def test_nulls_rarely_cry_wolf() -> None:
    """Five times 15 runs: with 5 % each time, more than one comes once in 40."""
    cries = sum(
        nulls(list(null_findings(PLAIN, photos(seed, subjects=25), rng(), 50))).holds is False for seed in range(5)
    )
    assert cries <= 1


def test_a_harness_that_hears_voices_is_caught() -> None:
    """Distances in which the true candidate is always nearest, whatever the outputs."""
    leaked = []
    for entry in score(PLAIN, strangers(photos(), rng())):
        true = np.arange(entry.distances.shape[1]) == entry.truth[:, None]
        leaked.append(finding(replace(entry, distances=np.where(true, 0.0, 1.0)), rng(), 50))
    assert nulls(leaked).holds is False
    assert nulls([*null_findings(PLAIN, photos(), rng(), 50), leaked[0]]).holds is False


def test_constant_and_strangers_leave_withheld_photos_withheld() -> None:
    original = photos()
    flat = constant(original)
    assert np.isnan(flat.released[20:24]).all()
    assert np.ptp(flat.released[~original.withheld], axis=0).max() == 0.0
    assert np.isnan(strangers(original, rng()).released[20:24]).all()
    unseen = replace(original, released=np.full_like(original.released, np.nan))
    assert constant(unseen) is unseen


def test_adapting_must_not_weaken() -> None:
    strong, weak = run(PLAIN, clean(photos())), run(PLAIN, photos())
    assert adapted(weak, strong).holds is True
    warned = adapted(strong, weak)
    assert (warned.holds, warned.blocks) == (False, False)
    assert adapted(strong, strong).holds is True


def test_faces_must_be_found_on_originals() -> None:
    assert acquisition(2, 100).holds is True
    assert acquisition(3, 100).holds is False
    with pytest.raises(ValueError, match="share"):
        acquisition(0, 0)


def test_the_same_seed_must_give_the_same() -> None:
    first, again, other = (
        [attacked(PLAIN, strangers(photos(), seeded), OTHER_PHOTO, seeded, 20)]
        for seeded in map(np.random.default_rng, (1, 1, 2))
    )
    assert repeatable(first, again, first + other).holds is True
    assert repeatable(first, other).holds is False
    assert repeatable([], []).holds is False


def test_a_setting_that_is_not_there_is_said() -> None:
    single = photos()
    single = Photos(single.originals, single.released, tuple(map(str, range(100))), single.withheld)
    assert attacked(PLAIN, clean(single), SAME_PHOTO, rng(), 10).rank1.value > 0.9
    with pytest.raises(UsageError, match="two photos"):
        attacked(PLAIN, single, OTHER_PHOTO, rng(), 10)
