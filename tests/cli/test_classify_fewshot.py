"""`ganonym classify fewshot` on phantoms: who teaches, who is asked for, and what is said of those who are neither."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

Run = Callable[..., Any]
BASE = ("--base", "PHANTOM-WBS", "--base", "PHANTOM-CONTROL")
SMALL = ("--ways", 2, "--episodes", 20, "--jobs", 1)


def test_all_learners_in_the_same_episodes(ganonym: Run, unequal_classes: Path) -> None:
    ended = ganonym("classify", "fewshot", "--data", unequal_classes / "people.csv", *SMALL, *BASE, "--json")
    assert ended.code == 0, ended.err
    told = json.loads(ended.out)
    assert told["simulated"]
    assert (told["ways"], told["shots"], told["queries"], told["chance"]) == (2, 1, 1, 0.5)
    assert told["base"] == {"PHANTOM-CONTROL": 5, "PHANTOM-WBS": 7}
    assert told["novel"] == {"PHANTOM-FAS": 2, "PHANTOM-KBG": 3}
    assert told["classes_left_out"] == {"PHANTOM-NS": 1}
    assert "PHANTOM-NS (1)" in ended.err
    assert told["training"] == {"ways": 2, "shots": 1, "queries": 4}
    assert len(told["learners"]) == 5
    assert told["not_run"] == {}
    for learner in told["learners"].values():
        assert learner["episodes"] == 20
        for span in (learner["over_episodes"], learner["over_subjects"]):
            assert span["low"] <= span["value"] <= span["high"]


def test_disorders_of_more_than_six_people_teach(ganonym: Run, unequal_classes: Path, tmp_path: Path) -> None:
    """There is one such disorder: it centres the nearest mean, and there is nothing to train on. Of another there is
    one photograph, which shows nobody."""
    people = shutil.copytree(unequal_classes, tmp_path / "people")
    Image.new("RGB", (200, 200)).save(people / "photos" / "blank.png")
    with (people / "people.csv").open(newline="") as file:
        columns = next(csv.reader(file))
    with (people / "people.csv").open("a", newline="") as file:
        csv.DictWriter(file, columns).writerow({"image": "blank.png", "subject": "nobody", "syndrome": "PHANTOM-NONE"})
    command = ("classify", "fewshot", "--data", people / "people.csv", *SMALL)
    ended = ganonym(*command)
    assert ended.code == 0, ended.err
    assert "SIMULATED" in ended.out
    assert "chance 0.500" in ended.out
    assert "1 base classes: PHANTOM-WBS" in ended.out
    assert "nearest mean (SimpleShot)" in ended.out
    assert ended.out.count("not run") == 4
    assert "…" not in ended.out
    assert "* Of fewer than 10 people" not in ended.out, "there are ten of novel disorders"
    assert "Not run, as there is one base class" in ended.err
    assert "blank.png: no face was found" in ended.err
    assert "PHANTOM-NONE (0)" in ended.err
    assert ganonym(*command).out == ended.out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--ways", 5), "of 4 novel classes 3 have as many. Ask for 3 ways"),
        (("--ways", 2, "--base", "PHANTOM-XYZ"), "nobody has the disorder 'PHANTOM-XYZ'"),
        (("--ways", 2, "--frequent", 3, *BASE), "Give one of them"),
    ],
)
def test_what_cannot_be_is_refused(ganonym: Run, unequal_classes: Path, arguments: tuple[Any, ...], said: str) -> None:
    ended = ganonym("classify", "fewshot", "--data", unequal_classes / "people.csv", "--jobs", 1, *arguments)
    assert ended.code == 2
    assert said in " ".join(ended.err.split())
    assert ended.out == ""
