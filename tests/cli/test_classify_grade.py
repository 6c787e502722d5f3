"""`ganonym classify grade`: levels in the order that is said, found where they are written into the picture."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

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
    assert [sum(each["called"]) for each in told["levels"].values()] == [5, 5, 5]
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
    assert [each["called"] for each in json.loads(ended.out)["levels"].values()] == [[0, 5, 0]] * 3


def test_what_cannot_be_graded_is_refused(ganonym: Run, cohort: Path) -> None:
    command = ("classify", "grade", "risk-grading", "--data", cohort / "graded.csv", "--jobs", 1)
    for arguments, said in (
        ((), "Give --label and each --level"),
        (("--label", "level"), "Give --label and each --level"),
        (("--label", "level", "--level", "low", "--signs", "1"), "said in two ways"),
        (("--signs", "5,1"), "rise from 1"),
        (("--signs", "none"), "rise from 1"),
        (("--label", "level", "--level", "low", "--level", "high"), "dangerous"),
    ):
        ended = ganonym(*command, *arguments)
        assert ended.code == 2
        assert said in " ".join(ended.err.split()), ended.err
