"""`ganonym measure` on people who do not exist: what it says, what it writes, and how it ends."""

from __future__ import annotations

import csv
import json
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ganonym.classify.measurement.lengths import MEASUREMENTS, measurements
from ganonym.classify.measurement.norms_file import read_norms
from ganonym.photos import decode
from ganonym_cli.app import main

Run = Callable[..., "Ended"]  # noqa: F821  # of conftest.py
SYNDROMES = ("williams", "noonan", "fetal alcohol", "syndrome", "cornelia")


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Fourteen virtual controls, with their exact landmarks."""
    folder = tmp_path_factory.mktemp("cohort")
    with pytest.raises(SystemExit) as stop:
        main(["phantom", str(folder), "--syndromes", "control=14", "--photos", "1", "--jobs", "1", "--quiet"])
    assert not stop.value.code
    return folder


def photo(cohort: Path, number: int = 0) -> Path:
    return sorted((cohort / "photos").rglob("*.png"))[number]


def test_it_measures_what_the_exact_landmarks_say(ganonym: Run, cohort: Path) -> None:
    ended = ganonym("measure", photo(cohort), "--age", 10, "--sex", "female", "--json", "--quiet")
    assert ended.code == 0
    told = json.loads(ended.out)
    result = told["photos"][0]["measurements"]
    assert set(result) == set(MEASUREMENTS)
    with (cohort / "landmarks.csv").open() as file:
        row = next(row for row in csv.DictReader(file) if row["image"].endswith(f"{photo(cohort).parent.name}/1.png"))
    exact = measurements(np.array([[float(row[f"{axis}{i}"]) for axis in "xy"] for i in range(68)]), "face width")
    for key in ("EXEX", "ENEN", "IPD", "FACEH", "MOUTHW"):  # a detector finds landmarks to some pixels
        assert result[key]["value"] == pytest.approx(float(exact[key]), rel=0.12)
    score = result["ENEN"]
    mean, sd = 30.6 / 122.2, 30.6 / 122.2 * np.hypot(2.46 / 30.6, 5.38 / 122.2)
    assert score["z"] == pytest.approx((score["value"] - mean) / sd)
    assert "3D Facial Norms" in score["norm"]["source"]
    assert (result["TIPUP"]["z"], result["TIPUP"]["percentile"], result["TIPUP"]["why"]) == (None, None, "no norm")
    assert "plausibility only" in told["norms"]
    assert "no diagnosis" in told["remark"]


def test_a_picture_is_drawn_over_no_file(ganonym: Run, cohort: Path, tmp_path: Path) -> None:
    theirs = tmp_path / "only copy.png"
    theirs.write_bytes(b"precious")
    ended = ganonym("measure", photo(cohort), "--draw", theirs)
    assert (ended.code, "is there already. Name another" in " ".join(ended.err.split())) == (2, True)
    twice = ("measure", photo(cohort), photo(cohort, 1), "--draw", tmp_path, "--quiet")
    assert ganonym(*twice).code == 0, "other files of the folder are in nobody's way"
    before = {path: path.read_bytes() for path in tmp_path.glob("*.png")}
    assert len(before) == 3
    ended = ganonym(*twice)
    assert (ended.code, "0001-1.png is there already" in "".join(ended.err.split("\n"))) == (2, True), ended.err
    assert {path: path.read_bytes() for path in tmp_path.glob("*.png")} == before


def test_the_table_names_norms_and_never_a_diagnosis(
    ganonym: Run, cohort: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    ended = ganonym("measure", photo(cohort), "--age", 10, "--sex", "male")
    assert ended.code == 0
    words = " ".join(ended.out.split())
    assert "male, 10 years" in words
    assert "…" not in ended.out
    assert max(map(len, ended.out.splitlines())) <= 80
    for text in ("inner canthal", "Norms: published norms", "suggestions for a clinician to judge, no diagnosis"):
        assert text in words
    assert not any(name in words.lower() for name in SYNDROMES)
    assert max(map(len, ended.out.splitlines())) <= 80


def test_own_controls_make_norms_and_the_picture_is_private(ganonym: Run, cohort: Path, tmp_path: Path) -> None:
    saved, pictures = tmp_path / "controls.toml", tmp_path / "pictures"
    arguments = [cohort / "photos", "--people", cohort / "people.csv", "--unit", "face size", "--json", "--quiet"]
    ended = ganonym("measure", *arguments, "--save-norms", saved, "--draw", pictures)
    told = json.loads(ended.out)
    frontal = [entry for entry in told["photos"] if not entry.get("refused") and "error" not in entry]
    assert 10 <= len(frontal) < 14  # some heads are turned, and make no norms
    assert ended.code == 0
    norms = {norm.measure: norm for norm in read_norms(saved) if norm.sex is None and norm.ages.endswith("all ages")}
    values = [entry["measurements"]["ENEN"]["value"] for entry in frontal]
    assert norms["ENEN"].n == len(frontal)
    assert norms["ENEN"].mean == pytest.approx(np.mean(values))
    assert norms["ENEN"].sd == pytest.approx(np.std(values, ddof=1))
    written = sorted(pictures.iterdir())
    assert len(written) == 14
    assert stat.S_IMODE(written[0].stat().st_mode) == 0o600
    again = ganonym(
        "measure", photo(cohort), "--norms", saved, "--draw", tmp_path / "one.png", "--charts", tmp_path / "charts",
        "--json", "--quiet",
    )  # fmt: skip
    told = json.loads(again.out)
    assert told["unit"] == "face size"
    score = told["photos"][0]["measurements"]["ENEN"]
    assert score["z"] == pytest.approx((score["value"] - norms["ENEN"].mean) / norms["ENEN"].sd)
    assert score["norm"]["n"] == len(frontal)
    with Image.open(tmp_path / "one.png") as picture:
        assert picture.format == "PNG"
    assert (tmp_path / "charts" / "PFLEN-over-ENEN.svg").read_text().startswith("<?xml")
    assert {str(tmp_path / "one.png")} <= set(told["files"])


def test_some_photos_fail_and_the_others_are_measured(ganonym: Run, cohort: Path, tmp_path: Path) -> None:
    empty = tmp_path / "wall.png"
    Image.fromarray(np.full((200, 200, 3), 120, np.uint8)).save(empty)
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"\xff\xd8\xff\xe0 not a picture")
    ended = ganonym("measure", photo(cohort), empty, broken, "--json")
    assert ended.code == 1
    told = json.loads(ended.out)
    assert [entry["photo"] for entry in told["photos"] if "error" in entry] == ["wall.png", "broken.jpg"]
    assert told["photos"][0]["measurements"]
    assert "wall.png: 'wall.png' shows no face that is found. Use a frontal photo" in ended.err
    assert "broken.jpg" in ended.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["none.png"], "there is no photo none.png. Check"),
        (["PHOTO", "--sex", "boy"], "sex 'boy' is neither"),
        (["PHOTO", "--unit", "inch"], "unit 'inch' is not known. There are face size"),
        (["PHOTO", "--unit", "mm"], "millimetres need a scale"),
        (["PHOTO", "--mm-per-px", "0"], "--mm-per-px 0.0 is no scale"),
        (["PHOTO", "--mm-per-px", "1", "--iris-px", "20"], "both give a scale"),
        (["PHOTO", "--norms", "none.csv"], "cannot read the norms none.csv"),
        (["PHOTO", "--draw", "out.jpg"], "out.jpg is no PNG. Name a file"),
        (["PHOTO", "PHOTO", "--draw", "out.png"], "is one file for 2 photos. Name a folder"),
        (["PHOTO", "PHOTO", "--charts", "out"], "--charts are of one photo"),
        (["PHOTO", "--save-norms", "out.csv"], "is no TOML file"),
    ],
)
def test_wrong_requests_are_2_before_any_work(ganonym: Run, cohort: Path, arguments: list[str], words: str) -> None:
    ended = ganonym("measure", *(photo(cohort) if argument == "PHOTO" else argument for argument in arguments))
    assert ended.code == 2
    assert words in ended.err
    assert ended.out == ""


def test_a_photo_without_a_row_is_2_and_a_folder_that_cannot_be_written_4(
    ganonym: Run, cohort: Path, tmp_path: Path
) -> None:
    ended = ganonym("measure", photo(cohort), "--people", cohort / "people.csv")
    assert ended.code == 2
    assert "the nearest photo is '1.png'" in ended.err
    (tmp_path / "file").write_text("")
    ended = ganonym("measure", photo(cohort), "--draw", tmp_path / "file" / "out.png")
    assert ended.code == 4
    assert "cannot write" in ended.err


def test_millimetres_by_an_iris_say_so(ganonym: Run, cohort: Path) -> None:
    ended = ganonym("measure", photo(cohort), "--iris-px", 23.4, "--json", "--quiet")
    told = json.loads(ended.out)
    assert told["unit"] == "mm"
    assert "iris" in told["remark"]
    assert 50 < told["photos"][0]["measurements"]["FACEW"]["value"] < 200
    assert "the age is not known" in told["photos"][0]["measurements"]["ENEN"]["why"]


def test_help_imports_nothing_heavy() -> None:
    code = "import sys\nfrom ganonym_cli.app import app\ntry:\n app(['measure', '--help'])\nexcept SystemExit: pass\n"
    code += "print('HEAVY', *{'torch', 'numpy', 'PIL', 'scipy', 'sklearn', 'matplotlib'} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=dict(os.environ)
    )
    assert done.stdout.split("HEAVY")[1].split() == []
    assert "--norms" in done.stdout


def test_norms_and_charts_are_written_over_no_file(ganonym: Run, cohort: Path, tmp_path: Path) -> None:
    norms, chart = tmp_path / "norms.toml", tmp_path / "charts" / "PFLEN-over-ENEN.svg"
    chart.parent.mkdir()
    for theirs in (norms, chart):
        theirs.write_bytes(b"precious")
    for option, path in (("--save-norms", norms), ("--charts", chart.parent)):
        ended = ganonym("measure", photo(cohort), option, path)
        assert (ended.code, "is there already. Name another" in " ".join(ended.err.split())) == (2, True), ended.err
    assert norms.read_bytes() == chart.read_bytes() == b"precious"
    assert [*chart.parent.iterdir()] == [chart]


def test_the_manifest_says_whose_face_is_measured(ganonym: Run, cohort: Path, tmp_path: Path) -> None:
    """Two people side by side: of equal size none is the larger, and the column `face` tells them apart."""
    both = [np.asarray(Image.open(photo(cohort, number)).convert("RGB")) for number in (0, 1)]
    (tmp_path / "photos").mkdir()
    Image.fromarray(np.concatenate(both, axis=1)).save(tmp_path / "photos" / "two.png")
    results = {}
    for face in ("left", "right"):
        (tmp_path / "people.csv").write_text(f"image,subject,face\ntwo.png,a,{face}\n")
        ended = ganonym("measure", tmp_path / "photos", "--people", tmp_path / "people.csv", "--json", "--quiet")
        results[face] = json.loads(ended.out)["photos"][0]["measurements"]
    for number, face in enumerate(("left", "right")):
        alone = json.loads(ganonym("measure", photo(cohort, number), "--json", "--quiet").out)["photos"][0]
        for key in ("ENEN", "EXEX", "MOUTHW"):
            assert results[face][key]["value"] == pytest.approx(alone["measurements"][key]["value"], rel=0.03)
    (tmp_path / "people.csv").write_text("image,subject,face\ntwo.png,a,0 0 5 5\n")
    ended = ganonym("measure", tmp_path / "photos", "--people", tmp_path / "people.csv", "--json", "--quiet")
    assert (ended.code, "no face has its middle in the box" in ended.err) == (1, True)


def test_millimetres_of_a_photo_that_is_read_smaller(
    ganonym: Run, cohort: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The scale is one of the photograph as it is stored; very large ones are read at half their size."""
    with Image.open(photo(cohort)) as picture:
        picture.resize((picture.width * 2, picture.height * 2)).save(tmp_path / "large.png")
    arguments = ["measure", tmp_path / "large.png", "--mm-per-px", 0.2, "--json", "--quiet"]
    whole = json.loads(ganonym(*arguments).out)["photos"][0]["measurements"]
    monkeypatch.setattr(decode, "MAX_PIXELS", 500_000)
    monkeypatch.setattr(decode, "SHRUNK", 400_000)
    smaller = json.loads(ganonym(*arguments).out)["photos"][0]["measurements"]
    for name in ("ENEN", "EXEX"):
        assert smaller[name]["unit"] == whole[name]["unit"] == "mm"
        assert smaller[name]["value"] == pytest.approx(whole[name]["value"], rel=0.06)
