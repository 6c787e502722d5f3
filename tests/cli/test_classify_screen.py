"""`ganonym classify screen` and `dysmorphism` on phantoms whose class is written into the picture."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from ganonym.classify.gestaltmatcher_csv import read_cases

Run = Callable[..., Any]
COLOURS = {"PHANTOM-WBS": (0.05, 1.0, 1.0), "PHANTOM-KBG": (1.0, 1.0, 0.05), "PHANTOM-CONTROL": (1.0, 0.05, 1.0)}


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve people, two photographs each, in the colour of their class, and a grey one of nobody.

    `few.csv` has one person of two classes each.
    """
    from ganonym.phantom.cohort import cohort_of
    from ganonym.phantom.write import class_sizes, write_cohort

    folder = tmp_path_factory.mktemp("cohort")
    write_cohort(folder / "photos", cohort_of(class_sizes("WBS=3,KBG=5,control=4", 4), 2, 3), 1, lambda *_: None)
    for case in read_cases(folder / "people.csv", folder / "photos"):
        with Image.open(case.path) as opened:
            bands = opened.convert("RGB").split()
        shares = zip(bands, COLOURS[str(case.disorder)], strict=True)
        tinted = [band.point(lambda value, share=share: int(value * share)) for band, share in shares]
        Image.merge("RGB", tinted).save(case.path)
    table = (folder / "people.csv").read_text().splitlines()
    few = [row for row in table if row.startswith(("image", "PHANTOM-KBG-0001", "PHANTOM-CONTROL-0001"))]
    assert len(few) == 5
    (folder / "few.csv").write_text("\n".join(few) + "\n")
    nobody = table[1].replace("PHANTOM-", "nobody-", 2)
    (folder / "people.csv").write_text("\n".join([*table, nobody]) + "\n")
    grey = folder / "photos" / nobody.split(",")[0]
    grey.parent.mkdir()
    Image.new("RGB", (200, 200), (90, 90, 90)).save(grey)
    return folder


def common(cohort: Path, table: str = "people.csv") -> tuple[object, ...]:
    return ("--data", cohort / table, "--folds", 3, "--jobs", 1)


def test_what_is_written_into_the_picture_is_screened_for(ganonym: Run, cohort: Path) -> None:
    asked = ("classify", "screen", "vcfs-screening", *common(cohort), "--positive", "PHANTOM-KBG")
    ended = ganonym(*asked, "--prevalence", 0.001, "--yaw", 2, "--json")
    assert ended.code == 0, ended.err
    told = json.loads(ended.out)
    assert told["simulated"]
    assert told["positive"] == "PHANTOM-KBG"
    assert [entry["reason"] for entry in told["left_out"]] == ["no face was found"]
    rates = told["any_angle"]
    assert (rates["photos"], rates["patients"], rates["others"]) == (24, 5, 7)
    # Ages and tones differ more than the tint in a photo or two; without the tint no rate is near these.
    assert min(rates[name]["value"] for name in ("sensitivity", "specificity", "auroc", "ppv")) >= 0.9
    assert rates["ppv"]["low"] < 0.05, "five patients and seven others do not prove a rare disorder"
    assert (rates["positive_ratio"]["value"], rates["positive_ratio"]["high"]) == (None, None)
    assert rates["prevalence"] == 0.001
    assert len(told["thresholds"]) == 3
    assert told["not_frontal"] == 24 - told["frontal"]["photos"]
    assert 0 < told["not_frontal"] < 24
    read = ganonym(*asked, "--threshold", "sensitivity", "--target", 0.9)
    assert read.code == 0, read.err
    said = " ".join(read.out.split())
    for part in ("SIMULATED", "this study", "nothing of practice", "1 photographs left out", "sensitivity of at least"):
        assert part in said


def test_patients_are_parted_by_the_unaffected_class(ganonym: Run, cohort: Path) -> None:
    asked = ("classify", "dysmorphism", "nearest-mean", *common(cohort), "--unaffected", "PHANTOM-CONTROL")
    ended = ganonym(*asked, "--json")
    assert ended.code == 0, ended.err
    told = json.loads(ended.out)
    assert told["simulated"]
    assert (told["photos"], told["patients"], told["unaffected"], told["disorders"]) == (24, 8, 4, 2)
    assert told["unaffected_class"]["value"] >= 0.95
    assert all(0 <= told[name]["low"] <= told[name]["high"] <= 1 for name in ("result_list", "highest"))


def test_what_cannot_be_screened_is_refused(ganonym: Run, cohort: Path) -> None:
    few = common(cohort, "few.csv")
    screen = ("screen", "vcfs-screening", *few, "--positive")
    for arguments, said in (
        (("screen", "photo-set", *few, "--positive", "PHANTOM-KBG"), "people, not photographs"),
        ((*screen, "PHANTOM-KBG"), "1 patients and 1 controls"),
        ((*screen, "PHANTOM-XYZ"), "no case has"),
        ((*screen, "PHANTOM-KBG", "--prevalence", 1), "no prior"),
        ((*screen, "PHANTOM-KBG", "--yaw", -1), "degrees of yaw"),
        ((*screen, "PHANTOM-KBG", "--threshold", "sensitivity", "--target", 2), "is no rate"),
        ((*screen, "PHANTOM-KBG", "--threshold", "horoscope"), "horoscope"),
        (("dysmorphism", "nearest-mean", *few, "--unaffected", "nobody"), "of class 'nobody'"),
        (("dysmorphism", "nearest-mean", *few, "--unaffected", "PHANTOM-CONTROL"), "list of one disorder"),
    ):
        ended = ganonym("classify", *arguments)
        assert ended.code == 2, ended.err
        assert said in ended.err
