"""`ganonym phantom --syndromes`: files that agree with each other, with the batch, and with any number of processes."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ganonym.errors import UsageError
from ganonym.manifest import read_manifest
from ganonym.phantom.cohort import phantom_cohort
from ganonym.phantom.photos import MOODS
from ganonym.phantom.syndromes import HARD, load_syndromes
from ganonym.phantom.write import class_sizes
from ganonym_cli.app import main

CLASSES = {"CdLS": 2, "KBG": 1, "control": 2}
ARGUMENTS = ("--syndromes", "CdLS=2,KBG=1,control", "--people", 2, "--photos", 2, "--seed", 8, "--quiet")


def call(*arguments: object) -> int:
    with pytest.raises(SystemExit) as stop:
        main([str(argument) for argument in arguments])
    return int(stop.value.code or 0)


def table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cohort")
    assert call("phantom", folder, *ARGUMENTS) == 0
    return folder


def test_the_manifest_is_read_by_the_batch(out: Path) -> None:
    manifest = read_manifest(out / "people.csv")
    assert manifest.labelled
    assert manifest.ignored == ("hpo", "shrink", "simulated")
    assert sorted(manifest.rows) == sorted(
        path.relative_to(out / "photos").as_posix() for path in (out / "photos").rglob("*.png")
    )
    assert {row.syndrome for row in manifest.rows.values()} == {"PHANTOM-CdLS", "PHANTOM-KBG", "PHANTOM-CONTROL"}
    assert {row.expression for row in manifest.rows.values()} <= {"neutral", *MOODS}


def test_the_files_say_what_the_cohort_says(out: Path) -> None:
    people, landmarks, signs = (table(out / name) for name in ("people.csv", "landmarks.csv", "signs.csv"))
    cohort = list(phantom_cohort(CLASSES, 2, seed=8))
    for photo, row, places in zip(cohort, people, landmarks, strict=True):
        assert row["image"] == places["image"] == f"{photo.subject}/{photo.number}.png"
        assert np.array_equal(np.asarray(Image.open(out / "photos" / row["image"])), photo.rgb)
        points = np.array([[float(places[f"x{point}"]), float(places[f"y{point}"])] for point in range(68)])
        np.testing.assert_allclose(points, photo.points, atol=0.006)
        assert tuple(filter(None, row["hpo"].split(";"))) == photo.hpo
        assert (row["subject"], row["syndrome"], row["simulated"]) == (photo.subject, photo.group, "true")
    assert {row["simulated"] for row in signs} == {"true"}
    for photo in cohort[::2]:
        told = {(row["hpo"], row["visible"]) for row in signs if row["subject"] == photo.subject}
        assert told == {(sign.sign.hpo, "true" if sign.sign.hpo in photo.hpo else "false") for sign in photo.signs}


def test_processes_do_not_matter(out: Path, tmp_path: Path) -> None:
    assert call("phantom", tmp_path / "two", *ARGUMENTS, "--jobs", 2) == 0
    files = sorted(path.relative_to(out) for path in out.rglob("*") if path.is_file())
    assert files == sorted(
        path.relative_to(tmp_path / "two") for path in (tmp_path / "two").rglob("*") if path.is_file()
    )
    for name in files:
        assert (out / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_healthy_people_are_called_simulated_too(tmp_path: Path) -> None:
    assert call("phantom", tmp_path, "--people", 1, "--photos", 1, "--quiet") == 0
    assert [row["simulated"] for row in table(tmp_path / "people.csv")] == ["true"]
    assert not read_manifest(tmp_path / "people.csv").labelled
    assert not (tmp_path / "signs.csv").exists()


def test_class_sizes() -> None:
    assert class_sizes(" WBS = 33 , KBG=2,control", 24) == {"WBS": 33, "KBG": 2, "control": 24}
    everybody = class_sizes("all=33,KBG=2", 24)
    assert everybody == dict.fromkeys((*(key for key in load_syndromes() if key not in HARD), "control"), 33) | {
        "KBG": 2
    }


@pytest.mark.parametrize("text", ["WBS=0", "WBS=-1", "WBS=x", "WBS=", "WBS,WBS=2", "WBS=1.5"])
def test_faulty_sizes_are_named(text: str) -> None:
    with pytest.raises(UsageError, match="WBS"):
        class_sizes(text, 24)


@pytest.mark.parametrize("arguments", [("--syndromes", "XYZ=3"), ("--syndromes", ""), ("--severity", "severe")])
def test_wrong_requests_write_nothing(tmp_path: Path, arguments: tuple[str, str]) -> None:
    assert call("phantom", tmp_path / "out", *arguments) == 2
    assert not (tmp_path / "out").exists()
