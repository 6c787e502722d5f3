"""`assess` on pictures in memory: anyone's function or outputs, people in words, attackers and classifiers added."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from ganonym.classify.recipe import load_recipe
from ganonym.errors import PhotoError, UsageError
from ganonym.evaluate import assessment as results
from ganonym.evaluate.api import assess
from ganonym.evaluate.assessment import Assessment
from ganonym.evaluate.attackers.attacker import Fixed, Sample, euclidean
from ganonym.evaluate.inputs import AssessmentInput, read_input
from ganonym.evaluate.sources import as_files
from ganonym.evaluate.verdict.policy import load_policy
from ganonym.phantom.cohort import phantom_cohort
from ganonym.photos.decode import read_photo
from ganonym.photos.encode import encode_png
from ganonym.types import RGB, Floats

DAY = date(2026, 11, 30)


@dataclass(frozen=True, slots=True)
class Colour:
    """The mean colour of a picture: what a planted attacker looks at."""

    name: str = "mean colour"
    width: int = 3

    def template(self, sample: Sample) -> Floats:
        return np.asarray(sample.rgb.reshape(-1, 3).mean(axis=0))


@dataclass(frozen=True, slots=True)
class ByName:
    """A classifier that always says the first class: of two equally frequent ones it gets half."""

    name: str = "always the first"

    def learn(self, inputs: NDArray[np.uint8], classes: NDArray[np.intp], count: int, seed: int) -> object:  # noqa: ARG002
        assert inputs.dtype == np.uint8
        assert inputs.shape[1:] == (64, 64, 3)
        return lambda seen: np.eye(count)[np.zeros(len(seen), dtype=np.intp)]


@pytest.fixture(scope="module")
def cohort() -> tuple[list[RGB], list[dict[str, str]]]:
    """24 photographs of 12 virtual people, half of whom have a simulated syndrome."""
    taken = list(phantom_cohort({"WBS": 6, "control": 6}, 2, seed=3))
    return [photo.rgb for photo in taken], [
        {"subject": photo.subject, "syndrome": "WBS" if "WBS" in photo.subject else "none"} for photo in taken
    ]


def blurred(rgb: RGB) -> RGB:
    return np.asarray(Image.fromarray(rgb).filter(ImageFilter.GaussianBlur(12)))


def test_a_function_is_scored_in_five_lines(cohort: tuple[list[RGB], list[dict[str, str]]], tmp_path: Path) -> None:
    photos, people = cohort
    colour = Fixed("mean colour", Colour(), euclidean)

    assessment = assess(
        photos, blurred, people, attackers=[colour], classifiers=[ByName(), "fas-measurement"], policy="internal",
        out=tmp_path / "out",
        today=DAY, title="Blur", mock=blurred,
    )  # fmt: skip

    counts = assessment.counts
    assert (counts.photos, counts.subjects, counts.released, counts.withheld) == (24, 12, 24, 0)
    assert (assessment.policy, assessment.title) == ("internal", "Blur")
    named = {(finding.attacker, finding.setting): finding.rank1.value for finding in assessment.findings}
    assert named["mean colour", "same photo"] == 1.0, "a blur keeps the mean colour, by which all are told apart"
    assert named["thumbnail", "same photo"] >= 0.9
    assert named["thumbnail", "mock to anonymized"] == 1.0, "a blur has no key: anybody can make the very outputs"
    for finding in assessment.findings:
        if finding.attacker in ("metadata name", "metadata order", "metadata time"):
            assert finding.rank1.value <= finding.chance_high, "our own files say nothing of whose they are"
    gates = {gate.id: gate.state for gate in assessment.gates}
    assert (gates["G0"], gates["G2b"], assessment.verdict) == ("PASS", "FAIL", "INCONCLUSIVE"), "so few people"

    worst = assessment.worst
    assert worst is not None
    assert worst.rank1.upper == max(finding.rank1.upper for finding in assessment.findings)
    other = assessment.worst_in("other photo")
    assert other is not None
    assert other.setting == "other photo"
    assert assessment.worst_in("no such setting") is None

    rows = [row for row in assessment.utility if row.name.startswith("macro top-1 by always the first")]
    assert [row.original.value for row in rows if row.original is not None] == [0.5]
    assert "not above chance" in rows[0].note
    name = load_recipe("fas-measurement").name
    assert any(row.name.startswith(f"macro top-1 by {name}") for row in assessment.utility)

    frame = assessment.to_frame()
    assert len(frame) == len(assessment.findings)
    told = frame.set_index(["attacker", "setting"])["rank1"].to_dict()
    assert told == named

    wrote = {path.name for path in (tmp_path / "out").iterdir()}
    assert wrote == {"assessment.json", "card.md", "evidence.html", "report.html", "trials.parquet"}
    assert Assessment.load(tmp_path / "out") == assessment
    saved = assessment.save(tmp_path / "again")
    assert {path.name for path in saved} == {"assessment.json", "card.md", "evidence.html"}
    for path in saved:
        assert path.read_bytes() == (tmp_path / "out" / path.name).read_bytes()


def test_a_second_run_pairs_up_with_photos_and_withholds_its_own(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    photos = [rng.integers(0, 255, (8, 8, 3), dtype=np.uint8) for _ in range(3)]
    keep = {photo.tobytes() for photo in photos[1:]}
    files = as_files(
        tmp_path, photos, blurred, ["a", "b", "c"], mock=lambda rgb: rgb if rgb.tobytes() in keep else None
    )
    given = read_input(files, load_policy("internal"), {})
    assert given.mock[0] is None
    again = [read_photo(path.parent, path.name)[0] for path in given.mock[1:] if path is not None]
    assert np.array_equal(again, photos[1:])
    assert read_input(as_files(tmp_path / "b", photos, blurred, None), load_policy("internal"), {}).mock == ()


def test_files_and_folders_may_be_named_in_words(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for folder in ("photos", "outputs", "mock", "others"):
        (tmp_path / folder).mkdir()
        for name in ("1.png", "2.png"):
            pixels = rng.integers(0, 255, (8, 8, 3), dtype=np.uint8)
            (tmp_path / folder / name).write_bytes(encode_png(pixels))
    (tmp_path / "pairs.csv").write_text("source,output\n1.png,2.png\n2.png,1.png\n")
    (tmp_path / "others" / "donors.csv").write_text("image,subject\n1.png,x\n2.png,y\n")
    (tmp_path / "distinct.csv").write_text("a,A\n")
    choices: dict[str, Any] = {
        "distinct": tmp_path / "distinct.csv",
        "donors": tmp_path / "others" / "donors.csv",
        "distractors": tmp_path / "others",
    }

    def read(kind: type[Path] | type[str]) -> AssessmentInput:
        folder, mock, pairs = (kind(tmp_path / name) for name in ("photos", "mock", "pairs.csv"))
        private = tmp_path / kind.__name__
        private.mkdir()
        files = as_files(private, folder, kind(tmp_path / "outputs"), ["a", "A"], pairs, mock)
        options: Any = {name: kind(path) for name, path in choices.items()}
        return read_input(files, load_policy("internal"), options)

    one, other = read(Path), read(str)
    assert one.donors == other.donors == ((tmp_path / "others/1.png", "x"), (tmp_path / "others/2.png", "y"))
    assert one.distractors == other.distractors == (tmp_path / "others/1.png", tmp_path / "others/2.png")
    assert one.mock == other.mock == (tmp_path / "mock/1.png", tmp_path / "mock/2.png")
    assert [item.released for item in other.release.items] == [tmp_path / "outputs/2.png", tmp_path / "outputs/1.png"]
    assert one.provenance == other.provenance


def test_memory_and_folder_give_the_same_findings(tmp_path: Path) -> None:
    taken = list(phantom_cohort(4, 2, seed=5))
    photos, people = [photo.rgb for photo in taken], [photo.subject for photo in taken]
    outputs = [None if index == 3 else blurred(rgb) for index, rgb in enumerate(photos)]
    for index, rgb in enumerate(photos, start=1):
        (tmp_path / f"{index:06d}.png").write_bytes(encode_png(rgb))

    def withholding(rgb: RGB) -> Image.Image:
        if np.array_equal(rgb, photos[3]):
            raise PhotoError("refused", "not this one.")
        return Image.fromarray(blurred(rgb))

    by_path = {f"{index:06d}.png": name for index, name in enumerate(people, start=1)}
    one = assess(photos, outputs, people, policy=load_policy("internal"), today=DAY)
    other = assess(tmp_path, withholding, by_path, policy="internal", today=DAY)
    assert one.counts.withheld == 1
    assert one.provenance == other.provenance

    def seen(outcome: Assessment) -> list[results.Finding]:  # what is looked at in the originals' own files is not ours
        return [finding for finding in outcome.findings if not finding.attacker.startswith("metadata")]

    assert seen(one) == seen(other)
    assert one.utility == other.utility


@pytest.mark.parametrize(
    ("originals", "release", "people", "said"),
    [
        ([], [], None, "no original"),
        ([np.zeros((9, 9, 3))], [None], None, "original 1 is float64"),
        ([np.zeros((9, 9, 3), np.uint8)], [None], ["a", "b"], "2 names are told of 1 photos"),
        ([np.zeros((9, 9, 3), np.uint8)], [], None, "0 outputs are given for 1 photos"),
        ([np.zeros((9, 9, 3), np.uint8)], lambda _: np.zeros(4), None, "the output of 000001.png is float64"),
        ([np.zeros((9, 9, 3), np.uint8)], [None], None, "nothing below"),
    ],
)
def test_what_does_not_fit_is_told(originals: Sequence[RGB], release: object, people: object, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        assess(originals, release, people)  # type: ignore[arg-type]


def test_a_recipe_that_there_is_not_is_told_before_any_work() -> None:
    photo = np.zeros((9, 9, 3), np.uint8)
    with pytest.raises(UsageError, match="there is no recipe 'deepgestolt'"):
        assess([photo], [photo], classifiers=["deepgestolt"])


def test_an_option_that_there_is_not_is_told() -> None:
    with pytest.raises(TypeError, match="no option speed"):
        assess([], [], speed=3)  # type: ignore[call-arg]


def test_what_an_anonymizer_raises_says_at_which_photo() -> None:
    def broken(rgb: RGB) -> RGB:
        raise ValueError(f"no filter for {rgb.shape}")

    with pytest.raises(ValueError, match="no filter for") as told:
        assess([np.zeros((8, 8, 3), np.uint8)], broken, policy="internal")
    assert told.value.__notes__ == ["The anonymizer raised this for the photo 000001.png."]


@pytest.mark.parametrize(
    ("choice", "told"),
    [
        ({"classifiers": [3]}, "3 is no classifier"),
        ({"classifiers": ["astrology"]}, "there is no recipe 'astrology'"),
        ({"attackers": ["x"]}, "is no attacker"),
        ({"jobs": 0}, "there cannot be 0 jobs"),
        ({"seed": -1}, "the seed is -1"),
        ({"policy": "lenient"}, "no policy called 'lenient'"),
    ],
)
def test_a_choice_that_cannot_be_is_refused_before_a_photo_is_treated(choice: dict[str, Any], told: str) -> None:
    treated: list[RGB] = []

    with pytest.raises(UsageError, match=told):
        assess([np.zeros((8, 8, 3), np.uint8)], treated.append, **{"policy": "internal", **choice})  # type: ignore[arg-type]
    assert treated == []
