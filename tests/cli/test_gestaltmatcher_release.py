"""Every command takes GestaltMatcher's data as they are published: the folder, its metadata or a split list."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]
WBS = "Williams-Beuren syndrome; deletion of chromosome 7q11.23"
KBG = "Intellectual developmental disorder with dysmorphic facies and macrodontia"
FAS = "Fetal alcohol spectrum disorder"
QUICK = ("--jobs", 1, "--json")


@pytest.mark.parametrize("data", ["", "gmdb_metadata/image_metadata_v1.1.0.tsv"])
def test_the_folder_or_its_metadata_are_the_table(ganonym: Run, release: Path, tmp_path: Path, data: str) -> None:
    told = ("train", "nearest-mean", "--data", release / data, "--out", tmp_path / "model", *QUICK)
    ended = ganonym("classify", *told)
    assert ended.code == 0, ended.err
    result = json.loads(ended.out)
    assert (result["photos"], result["subjects"]) == (18, 18)
    assert result["classes"] == sorted([WBS, KBG, FAS, "Unaffected", "Noonan syndrome 1"])


def test_a_split_list_has_names_and_whatever_column_the_metadata_have(
    ganonym: Run, release: Path, tmp_path: Path
) -> None:
    table = release / "gmdb_metadata" / "gmdb_frequent_gallery_images_v1.1.0.csv"
    ended = ganonym("classify", "train", "nearest-mean", "--data", table, "--out", tmp_path / "one", *QUICK)
    assert json.loads(ended.out)["classes"] == ["Unaffected", WBS], ended.err
    assert "image_metadata_v1.1.0.tsv says more of 9 photographs" in " ".join(ended.err.split())
    other = ganonym(
        "classify", "train", "nearest-mean", "--data", table, "--label", "gender", "--out", tmp_path / "two", *QUICK
    )
    assert json.loads(other.out)["classes"] == ["female", "male"], other.err


def test_retrieve_and_match_take_the_folder(ganonym: Run, release: Path) -> None:
    ended = ganonym("classify", "retrieve", "--data", release, *QUICK)
    assert ended.code == 0, ended.err
    told = json.loads(ended.out)
    assert told["splits"] == "published"
    assert {name: setting["gallery"] for name, setting in told["settings"].items()} == {
        "F/F": 9, "R/R": 2, "F/F+R": 11, "R/F+R": 11
    }  # fmt: skip
    photo = release / "gmdb_images" / "1000.png"
    asked = ganonym("classify", "match", photo, "--gallery", release, "--top", 1, *QUICK)
    assert json.loads(asked.out)["photos"][str(photo)][0]["disorder"] == WBS


def test_terms_of_the_metadata_grade_the_photographs_of_a_list(ganonym: Run, release: Path) -> None:
    table = release / "gmdb_metadata" / "gmdb_frequent_gallery_images_v1.1.0.csv"
    ended = ganonym("classify", "grade", "risk-grading", "--data", table, "--signs", "1", "--folds", 2, *QUICK)
    assert ended.code == 0, ended.err
    assert [*json.loads(ended.out)["levels"]] == ["0 signs", "1 signs and more"]


def test_photographs_elsewhere_are_asked_for_and_a_folder_that_is_none_says_what_it_lacks(
    ganonym: Run, release: Path, tmp_path: Path
) -> None:
    tables = shutil.copytree(release / "gmdb_metadata", tmp_path / "release" / "gmdb_metadata")
    ended = ganonym("classify", "retrieve", "--data", tables)
    assert ended.code == 2
    assert f"looked for in {tables}: give their folder with --images" in " ".join(ended.err.split())
    given = ganonym("classify", "retrieve", "--data", tables, "--images", release / "gmdb_images", *QUICK)
    assert given.code == 0, given.err
    (tmp_path / "empty").mkdir()
    ended = ganonym("classify", "train", "nearest-mean", "--data", tmp_path / "empty", "--out", tmp_path / "model")
    assert ended.code == 2
    said = " ".join(ended.err.split())
    assert "gmdb_metadata/image_metadata" in said
    assert "--images" in said
