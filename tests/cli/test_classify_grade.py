"""`ganonym classify grade`: levels in the order that is said, found where they are written into the picture.

`ganonym classify composite`: mean faces of a table's classes.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ganonym.photos.encode import prove_clean

Run = Callable[..., Any]
COLOURS = ((0.3, 1.0, 1.0), (1.0, 0.3, 1.0), (1.0, 1.0, 0.3))


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Fifteen people, one photograph each; every third has no, two or six signs, and the colour of that level."""
    from ganonym.phantom.cohort import cohort_of
    from ganonym.phantom.write import class_sizes, write_cohort

    folder = tmp_path_factory.mktemp("graded")
    write_cohort(folder / "photos", cohort_of(class_sizes("control=15", 15), 1, 3), 1, lambda *_: None)
    with (folder / "people.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    terms = [f"HP:000000{number}" for number in range(6)]
    with (folder / "graded.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, [*rows[0], "level"])
        writer.writeheader()
        for number, row in enumerate(rows):
            level = number % 3
            path = folder / "photos" / row["image"]
            with Image.open(path) as opened:
                bands = opened.convert("RGB").split()
            tinted = [
                band.point(lambda value, share=share: int(value * share))
                for band, share in zip(bands, COLOURS[level], strict=True)
            ]
            Image.merge("RGB", tinted).save(path)
            shown = {"hpo": ";".join(terms[: (0, 2, 6)[level]]), "level": ("low", "high", "dangerous")[level]}
            writer.writerow(row | shown)
    return folder


def test_levels_are_found_and_keep_their_order(ganonym: Run, cohort: Path) -> None:
    table = ("--data", cohort / "graded.csv", "--folds", 3, "--jobs", 1, "--json")
    levels = ("--label", "level", "--level", "low", "--level", "high", "--level", "dangerous")
    ended = ganonym("classify", "grade", "risk-grading", *table, *levels)
    assert ended.code == 0, ended.err
    told = json.loads(ended.out)
    assert list(told["levels"]) == ["low", "high", "dangerous"], "not as the alphabet has them"
    assert told["kappa"]["value"] > 0.7
    assert [sum(level["called"]) for level in told["levels"].values()] == [5, 5, 5]
    assert told["simulated"]
    signs = json.loads(ganonym("classify", "grade", "risk-grading", *table, "--signs", "1,5").out)
    assert list(signs["levels"]) == ["0 signs", "1 to 4 signs", "5 signs and more"]
    assert signs["kappa"] == told["kappa"], "the same people in the same levels"


def test_a_photograph_is_called_the_median_level_and_not_the_likeliest(
    ganonym: Run, cohort: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "ganonym.classify.studies.grade.cross_validated", lambda *_: np.tile([0.4, 0.25, 0.35], (15, 1))
    )
    ended = ganonym(
        "classify", "grade", "risk-grading", "--data", cohort / "graded.csv", "--signs", "1,5", "--jobs", 1, "--json"
    )
    assert ended.code == 0, ended.err
    assert [level["called"] for level in json.loads(ended.out)["levels"].values()] == [[0, 5, 0]] * 3


def test_what_cannot_be_graded_is_refused(ganonym: Run, cohort: Path) -> None:
    command = ("classify", "grade", "risk-grading", "--data", cohort / "graded.csv", "--jobs", 1)
    for arguments, said in (
        ((), "Give label (--label) and every level"),
        (("--label", "level"), "Give label (--label) and every level"),
        (("--label", "level", "--level", "low", "--signs", "1"), "said in two ways"),
        (("--signs", "5,1"), "rise from 1"),
        (("--signs", "none"), "rise from 1"),
        (("--label", "level", "--level", "low", "--level", "high"), "dangerous"),
    ):
        ended = ganonym(*command, *arguments)
        assert ended.code == 2
        assert said in " ".join(ended.err.split()), ended.err


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_faces_and_maps(ganonym: Run, unequal_classes: Path, tmp_path: Path) -> None:
    command = ("classify", "composite", "--data", unequal_classes / "people.csv", "--against", "PHANTOM-CONTROL")
    ended = ganonym(*command, "--out", tmp_path / "one", "--jobs", 1, "--json")
    assert ended.code == 0, ended.err
    told = json.loads(ended.out)
    assert told["simulated"]
    assert told["classes_left_out"] == {"PHANTOM-FAS": 2, "PHANTOM-KBG": 3, "PHANTOM-NS": 1}
    assert "PHANTOM-KBG (3)" in ended.err
    assert "no privacy guarantee" in " ".join(ended.err.split())
    assert {name: label["people"] for name, label in told["classes"].items()} == {
        "PHANTOM-CONTROL": 5,
        "PHANTOM-WBS": 7,
    }
    written = files(tmp_path / "one")
    faces = {"composites/PHANTOM-CONTROL.png", "composites/PHANTOM-WBS.png"}
    assert set(written) == faces | {"differences/PHANTOM-WBS.png"}
    for data in written.values():
        prove_clean(data)
    with Image.open(tmp_path / "one" / "composites" / "PHANTOM-WBS.png") as opened:
        assert opened.size == (256, 256)
    assert told["luma_limit"] > 1
    assert told["classes"]["PHANTOM-WBS"]["largest_shift_px"] > 1

    only = ganonym(*command, "--out", tmp_path / "two", "--jobs", 2, "--only", "PHANTOM-WBS")
    assert only.code == 0, only.err
    assert "SIMULATED" in only.out
    assert files(tmp_path / "two") == {name: data for name, data in written.items() if "WBS" in name}


def test_what_cannot_be_is_refused(ganonym: Run, unequal_classes: Path, tmp_path: Path) -> None:
    command = ("classify", "composite", "--data", unequal_classes / "people.csv", "--jobs", 1)
    full = tmp_path / "full"
    full.mkdir()
    (full / "mine.txt").write_text("mine")
    for arguments, said in (
        (("--out", full), "is not empty"),
        (("--out", tmp_path / "a", "--only", "PHANTOM-XYZ"), "nobody in"),
        (("--out", tmp_path / "b", "--only", "PHANTOM-KBG"), "a composite takes 5 people; there are PHANTOM-KBG (3)"),
        (("--out", tmp_path / "c", "--only", "PHANTOM-NS", "--against", "PHANTOM-FAS"), "'PHANTOM-FAS' has 2 people"),
    ):
        ended = ganonym(*command, *arguments)
        assert ended.code == 2
        assert said in " ".join(ended.err.split()), ended.err
    assert set(files(tmp_path)) == {"full/mine.txt"}
