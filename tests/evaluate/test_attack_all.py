"""All attackers over one release: planted leaks are found, columns narrow the gallery, nothing fails in silence."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest

from ganonym.errors import EnvironmentFault, UsageError
from ganonym.evaluate.acquire import Acquired, Seen
from ganonym.evaluate.attack_all import Attacked, attack_all, released_values
from ganonym.evaluate.attack_one import FUSED
from ganonym.evaluate.attackers.attacker import Approach, Attacker, Fixed, Lesson, Matcher, Sample, View, euclidean
from ganonym.evaluate.controls.holds import control_all
from ganonym.evaluate.integrity import integrity_faults, outputs_as_copies
from ganonym.evaluate.metrics.ranking import Trials
from ganonym.evaluate.metrics.strata import CONDITIONED, DISTINCTIVE, OTHER_SESSION
from ganonym.evaluate.protocol import ANONYMIZED, OTHER_PHOTO, SAME_PHOTO
from ganonym.evaluate.release import Item, Release
from ganonym.evaluate.utility.agreement import Agreement
from ganonym.manifest import Row
from ganonym.types import Floats

PEOPLE = 60
CROWD = 180


@dataclass(frozen=True, slots=True)
class Given:
    """A view whose templates the test gives."""

    name: str
    width: int = 16

    def template(self, sample: Sample) -> Floats | None:  # noqa: ARG002
        raise AssertionError("there are no photos")


def fixed(name: str) -> Fixed:
    return Fixed(name, Given(name), euclidean, Approach("T0"))


@dataclass(frozen=True, slots=True)
class Raises:
    """An attacker that raises when it learns."""

    error: Exception
    name: str = "raises"
    view: View = field(default_factory=lambda: Given("clear"))

    def learn(self, lesson: Lesson) -> Matcher:  # noqa: ARG002
        raise self.error


def release(columns: tuple[str, ...] = (), people: int = PEOPLE) -> Release:
    items = tuple(
        Item(
            Row(f"{n}.png", f"s{n // 2:02d}", sex="female" if n // 2 % 2 else "male", age=30.0 + n // 2),
            Path(f"in/{n}.png"),
            Path(f"out/{n}.png"),
        )
        for n in range(2 * people)
    )
    return Release(items, columns, None, "", ())


def seen(rng: np.random.Generator) -> Seen:
    """Views: "clear" releases people as they are, "noise" releases noise, "a" and "b" each a half of a person."""
    own = np.repeat(rng.normal(size=(PEOPLE, 16)), 2, axis=0)
    before = own + 0.05 * rng.normal(size=own.shape)
    noise = rng.normal(size=own.shape)
    weak = {name: before + 1.4 * rng.normal(size=own.shape) for name in ("a", "b")}
    views = ("clear", "noise", "a", "b")
    return Seen(dict.fromkeys(views, before), {"clear": before, "noise": noise} | weak, {}, {}, (None,) * len(own), ())


def run(attackers: list[Attacker], fused: tuple[str, ...] = (), columns: tuple[str, ...] = ()) -> Attacked:
    return attack_all(attackers, fused, seen(np.random.default_rng(0)), release(columns), seed=1)


def rate(attacked: Attacked, attacker: str, setting: str) -> float:
    return next(
        finding.rank1.value
        for finding in attacked.findings
        if (finding.attacker, finding.setting) == (attacker, setting)
    )


def test_a_leak_is_found_and_noise_is_not() -> None:
    attacked = run([fixed("clear"), fixed("noise")])
    for setting in (OTHER_PHOTO, SAME_PHOTO, ANONYMIZED):
        assert rate(attacked, "clear", setting) == 1.0
        assert rate(attacked, "noise", setting) < 0.1
        assert attacked.hits["clear", setting] == {f"s{n:02d}": 1.0 for n in range(PEOPLE)}
    assert len(attacked.surest["clear", SAME_PHOTO]) == 12
    assert all(index % 2 == 0 for index in attacked.surest["clear", SAME_PHOTO]), "first photos"


def test_the_surest_names_come_first() -> None:
    people = seen(np.random.default_rng(0))
    far = people.originals["clear"].copy()
    far[14:16] *= 10.0
    people = replace(people, originals={"clear": far}, released={"clear": far})
    attacked = attack_all([fixed("clear")], (), people, release(), seed=1)
    assert attacked.surest["clear", SAME_PHOTO][0] == 14
    assert attacked.surest["clear", OTHER_PHOTO][0] == 15


def test_fused_attackers_are_stronger_than_each() -> None:
    attacked = run([fixed("a"), fixed("b"), fixed("noise")], fused=("a", "b"))
    assert rate(attacked, FUSED, SAME_PHOTO) > max(rate(attacked, name, SAME_PHOTO) for name in "ab") + 0.1


def test_who_cannot_learn_is_not_fused_and_one_alone_is_no_fusion() -> None:
    unable = Raises(UsageError("too few people."))
    both = run([fixed("a"), fixed("b")], fused=("a", "b"))
    three = run([fixed("a"), fixed("b"), unable], fused=("a", "b", "raises"))
    fused = [[finding for finding in value.findings if finding.attacker == FUSED] for value in (both, three)]
    assert fused[0] == fused[1] != []
    assert not [
        finding for finding in run([fixed("a"), unable], fused=("a", "raises")).findings if finding.attacker == FUSED
    ]


def test_a_finding_does_not_depend_on_who_else_attacks() -> None:
    alone, among = run([fixed("b")]), run([fixed("clear"), fixed("a"), fixed("b")], fused=("clear", "a"))
    assert alone.findings == tuple(finding for finding in among.findings if finding.attacker == "b")


def test_strata_take_sessions_of_the_photos_that_are_candidates() -> None:
    """Three photos, of sessions 0, 1 and 0. Where the first was withheld, the second is what the third is sought by."""
    own = np.repeat(np.random.default_rng(0).normal(size=(PEOPLE, 16)), 3, axis=0)
    rows = {"dlib oracle": own + 0.05 * np.random.default_rng(1).normal(size=own.shape)}
    items = tuple(
        Item(
            Row(f"{n}.png", f"s{n // 3:02d}", session="010"[n % 3]),
            Path(f"in/{n}.png"),
            None if n % 9 == 0 else Path(f"out/{n}.png"),
        )
        for n in range(3 * PEOPLE)
    )
    whole = Release(items, (), None, "", ())
    given = Seen(rows, rows, {}, {}, (None,) * len(own), ())
    attacked = attack_all([fixed("dlib oracle")], (), given, whole, seed=1)
    trials = {entry.setting: entry.trials for entry in attacked.strata}
    assert (trials[OTHER_PHOTO + OTHER_SESSION], trials[ANONYMIZED + OTHER_SESSION]) == (PEOPLE, PEOPLE)
    assert trials[OTHER_PHOTO + DISTINCTIVE] == 2 * PEOPLE // 4
    assert len(trials) == 4


def test_released_columns_narrow_the_gallery_for_attacks_on_originals() -> None:
    attacked = run([fixed("a")], columns=("sex", "age"))
    settings = {finding.setting for finding in attacked.findings}
    assert OTHER_PHOTO + CONDITIONED in settings
    assert ANONYMIZED + CONDITIONED not in settings
    assert rate(attacked, "a", OTHER_PHOTO + CONDITIONED) > rate(attacked, "a", OTHER_PHOTO)
    chance = {finding.setting: finding.chance for finding in attacked.findings}
    assert chance[OTHER_PHOTO + CONDITIONED] > 3 * chance[OTHER_PHOTO]
    assert released_values(release(("sex", "age")), 2) == ("female", "30")


def test_distractors_are_in_every_gallery_of_originals_and_share_nobodys_columns() -> None:
    rng = np.random.default_rng(0)
    people = seen(rng)
    crowd = replace(people, distractors={"clear": rng.normal(size=(30, 16))})
    attacked = attack_all([fixed("clear")], (), crowd, release(("sex",)), seed=1)
    gallery = {finding.setting: finding.gallery for finding in attacked.findings}
    assert (gallery[OTHER_PHOTO], gallery[ANONYMIZED]) == (PEOPLE + 30, PEOPLE)
    assert rate(attacked, "clear", OTHER_PHOTO) == rate(attacked, "clear", OTHER_PHOTO + CONDITIONED) == 1.0
    chance = {finding.setting: finding.chance for finding in attacked.findings}
    assert chance[OTHER_PHOTO + CONDITIONED] == pytest.approx(1 / 30, abs=0.01), "thirty of each sex, no distractor"


def test_too_few_people_is_noted_and_every_other_error_is_one() -> None:
    attacked = run([Raises(UsageError("too few people.")), fixed("clear")])
    assert attacked.not_run == (("raises", "too few people."),)
    assert {finding.attacker for finding in attacked.findings} == {"clear"}
    with pytest.raises(EnvironmentFault, match="no weights"):
        run([Raises(EnvironmentFault("no weights")), fixed("clear")])


def test_processes_change_nothing() -> None:
    from ganonym.evaluate.attackers.eigenface import Eigenface
    from ganonym.evaluate.attackers.landmark_shape import PLAIN_SHAPE

    rng = np.random.default_rng(3)
    rows = {name: rng.normal(size=(2 * PEOPLE, 136)) for name in ("landmarks",)}
    faces = {"eigen": rng.normal(size=(2 * PEOPLE, Eigenface().view.width)).astype(np.float32)}
    both = Seen(rows | faces, rows | faces, {}, {}, (None,) * 2 * PEOPLE, ())
    results = []
    for jobs in (1, 2):
        attackers: list[Attacker] = [PLAIN_SHAPE, Eigenface()]
        fused = ("shape plain", "eigen-lda")
        trials: list[Trials] = []
        attacked = attack_all(attackers, fused, both, release(), seed=1, jobs=jobs, write=trials.append)
        results.append([(trial.attacker, trial.setting, trial.mated.tobytes()) for trial in trials])
        results.append(attacked.findings)
    assert results[0] == results[2]
    assert results[1] == results[3]


def templates(rng: np.random.Generator, recognized: bool, people: int = PEOPLE) -> Seen:
    """What dlib and the thumbnail would see of people, recognizable or not; released is noise."""
    results: dict[str, Floats] = {}
    weak: dict[tuple[str, str], Floats] = {}
    released: dict[str, Floats] = {}
    for name, width in (("dlib", 128), ("dlib oracle", 128), ("thumbnail", 576)):
        own = np.repeat(rng.normal(size=(people, width)), 2, axis=0) * (1.0 if recognized else 0.0)
        rows = own + 0.1 * rng.normal(size=own.shape)
        if name == "thumbnail":
            rows = (rows - rows.mean(axis=1, keepdims=True)) / rows.std(axis=1, keepdims=True)
        results[name], released[name] = rows, rng.normal(size=own.shape)
        if name != "dlib":
            weak |= {(method, name): rows + 0.1 * rng.normal(size=own.shape) for method in ("blur of 2 %", "eye bar")}
    return Seen(results, released, {}, weak, (None,) * 2 * people, ())


@pytest.mark.parametrize("recognized", [True, False])
def test_controls_hold_for_an_instrument_that_works_and_no_other(recognized: bool) -> None:
    controls = control_all(templates(np.random.default_rng(4), recognized), release(), [], [], 0)
    blocking = {control.id: control.holds for control in controls if control.blocks}
    assert set(blocking) >= {"C1", "C2", "C3.1", "C3.2", "C3.3", "C4"}
    assert blocking.pop("C4") is True
    if recognized:
        assert all(blocking.values()), controls
    else:
        assert (blocking["C1"], blocking["C3.2"], blocking["C3.3"]) == (False, None, None), controls


def test_faults_of_files_are_named(tmp_path: Path) -> None:
    from PIL import Image

    clean, tagged, stray = (tmp_path / name for name in ("clean.jpg", "tagged.jpg", "stray.png"))
    picture = Image.fromarray(np.zeros((8, 8, 3), np.uint8))
    picture.save(clean)
    exif = Image.Exif()
    exif[0x010F] = "Canon"
    picture.save(tagged, exif=exif)
    items = tuple(Item(Row(f"{n}.jpg", f"s{n}"), tmp_path / "o.jpg", path) for n, path in enumerate((clean, tagged)))
    nothing = Seen({}, {}, {}, {}, (None, None), ())
    faults = integrity_faults(Release(items, (), None, "", (stray,)), nothing)
    assert len(faults) == 2
    assert "tagged.jpg carries EXIF" in faults[0]
    assert "stray.png belongs to no photo" in faults[1]


def test_outputs_near_their_originals_are_named_only_when_chance_does_not_explain_them() -> None:
    # Fewer than 174 people do not tell what one in a thousand strangers passes.
    people = templates(np.random.default_rng(5), True, CROWD)
    unlike = Agreement(pixel_equal=False, ssim_aligned=0.3)
    acquired = [
        Acquired({}, {}, {}, {}, None, None, None, None, unlike, 0.0, None, True, None) for _ in range(2 * CROWD)
    ]
    people = replace(people, photos=tuple(acquired))
    assert outputs_as_copies(release(people=CROWD), people) == (), "noise"
    one, many = (people.released["dlib"].copy() for _ in range(2))
    one[7] = people.originals["dlib"][7]
    assert outputs_as_copies(release(people=CROWD), replace(people, released={"dlib": one})) == (), (
        "one of 360 may be by chance"
    )
    many[:6] = people.originals["dlib"][:6]
    named = outputs_as_copies(release(people=CROWD), replace(people, released={"dlib": many}))
    assert {entry.split(":")[0] for entry in named} >= {f"{n}.png" for n in range(6)}
    assert len(named) <= 9, "strangers of whom one in a hundred passes"
    acquired[3] = replace(acquired[3], agreement=Agreement(pixel_equal=True, ssim_aligned=1.0))
    (equal,) = outputs_as_copies(release(people=CROWD), replace(people, photos=tuple(acquired)))
    assert equal.startswith("3.png: the face is the original, pixel by pixel")
