"""`ganonym classify` from a table of cases to a picture of what a network saw, on phantoms."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from ganonym.classify.gestaltmatcher_csv import read_cases
from ganonym_cli.app import main

Run = Callable[..., Any]
SYNDROMES = "WBS=4,KBG=4,control=4"


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from ganonym.phantom.cohort import cohort_of
    from ganonym.phantom.write import class_sizes, write_cohort

    folder = tmp_path_factory.mktemp("cohort")
    write_cohort(folder / "photos", cohort_of(class_sizes(SYNDROMES, 4), 2, 3), 1, lambda *_: None)
    return folder


def test_recipes_are_listed(ganonym: Run) -> None:
    told = json.loads(ganonym("classify", "recipes", "--json").out)
    assert "Gurovich" in told["deepgestalt"]["paper"]
    assert len(told) >= 9


def test_train_predict_and_explain(ganonym: Run, cohort: Path, tmp_path: Path) -> None:
    table, model = cohort / "people.csv", tmp_path / "model"
    small = ("--set", "epochs=3", "--set", 'regions=["full"]', "--jobs", 1)
    trained = ganonym("classify", "train", "deepgestalt", "--data", table, "--out", model, *small, "--json")
    assert trained.code == 0, trained.err
    told = json.loads(trained.out)
    assert told["classes"] == ["PHANTOM-CONTROL", "PHANTOM-KBG", "PHANTOM-WBS"]
    assert (told["photos"], told["subjects"], told["simulated"]) == (24, 12, True)
    assert "SIMULATED" in trained.err
    assert "Not as published" in trained.err
    assert {path.name for path in model.iterdir()} == {"model.safetensors", "model.toml", "recipe.toml"}

    photos = sorted((cohort / "photos").rglob("*.png"))[:2]
    blank = tmp_path / "blank.png"
    Image.new("RGB", (200, 200)).save(blank)
    asked = ganonym("classify", "predict", model, *photos, blank, "--top", 2, "--jobs", 1, "--json")
    assert asked.code == 1, "one photograph shows nobody"
    told = json.loads(asked.out)
    assert [len(photo) for photo in told["photos"].values()] == [2, 2]
    assert all(a["probability"] >= b["probability"] for a, b in told["photos"].values())
    assert told["left_out"] == [{"photo": str(blank), "reason": "no face was found"}]
    assert told["simulated"]

    picture = tmp_path / "seen" / "map.png"
    names = ("PHANTOM-CONTROL", "PHANTOM-KBG", "PHANTOM-WBS")
    tried = {
        name: ganonym(
            "classify", "explain", model, photos[0], "--out", picture.with_stem(name), "--class", name, "--json"
        )
        for name in names
    }
    # After three epochs a network may have nothing that speaks for a class; of no class it is impossible.
    assert all("nothing in" in entry.err for entry in tried.values() if entry.code != 0)
    name, shown = next((name, entry) for name, entry in tried.items() if entry.code == 0)
    told, picture = json.loads(shown.out), picture.with_stem(name)
    assert told["class"] == name
    assert sum(told["shares"].values()) == pytest.approx(1.0)
    with Image.open(picture) as opened, Image.open(photos[0]) as photo:
        assert opened.size == photo.size
    assert picture.stat().st_mode & 0o777 == 0o600, "it shows the person"
    before, drawn = photos[0].read_bytes(), picture.read_bytes()
    absent = tmp_path / "nobody.png"
    for arguments in (
        ("explain", model, absent, "--out", tmp_path / "new.png"),
        ("predict", model, photos[0], absent),
    ):
        ended = ganonym("classify", *arguments)
        assert (ended.code, "there is no photo" in ended.err) == (2, True)
    for out, said in (
        (photos[0], "the photograph itself"),
        (tmp_path / "map.jpg", "no PNG"),
        (picture, "is there already. Name another file"),
    ):
        ended = ganonym("classify", "explain", model, photos[0], "--out", out)
        assert (ended.code, said in " ".join(ended.err.split())) == (2, True)
    assert (photos[0].read_bytes(), picture.read_bytes()) == (before, drawn)
    assert "photo itself" in " ".join(ganonym("measure", photos[0], "--draw", photos[0]).err.split())
    assert photos[0].read_bytes() == before

    again = ganonym("classify", "evaluate", model, "--data", table, "--jobs", 1)
    assert again.code == 2
    assert "learned from 24" in again.err


def test_evaluate_in_folds_and_with_an_answer_written_into_the_picture(
    ganonym: Run, cohort: Path, tmp_path: Path
) -> None:
    """Faces get their class's colour: whoever reads pictures finds it; landmarks do not see it."""
    colours = {"PHANTOM-WBS": (0.1, 1.0, 1.0), "PHANTOM-KBG": (1.0, 1.0, 0.1), "PHANTOM-CONTROL": (1.0, 0.1, 1.0)}
    photos = tmp_path / "photos"
    for case in read_cases(cohort / "people.csv", cohort / "photos"):
        assert case.disorder is not None
        with Image.open(case.path) as opened:
            bands = opened.convert("RGB").split()
        tinted = [
            band.point(lambda value, share=share: int(value * share))
            for band, share in zip(bands, colours[case.disorder], strict=True)
        ]
        (photos / case.image).parent.mkdir(parents=True, exist_ok=True)
        Image.merge("RGB", tinted).save(photos / case.image)
    common = ("--data", cohort / "people.csv", "--folds", 3, "--jobs", 1, "--json")
    result = ganonym("classify", "evaluate", "nearest-mean", *common, "--images", photos)
    assert result.code == 0, result.err
    told = json.loads(result.out)
    assert told["simulated"]
    assert (told["photos"], told["subjects"]) == (24, 12)
    assert told["top"]["1"]["value"] >= 0.7  # two tints, on skin of six tones
    plain = json.loads(ganonym("classify", "evaluate", "nearest-mean", *common).out)
    assert plain["top"]["1"]["value"] < told["top"]["1"]["value"]
    binary = json.loads(
        ganonym("classify", "evaluate", "vcfs-screening", *common, "--positive", "PHANTOM-KBG", "--images", photos).out
    )
    assert list(binary["classes"]) == ["not PHANTOM-KBG", "PHANTOM-KBG"]
    assert binary["classes"]["PHANTOM-KBG"]["sensitivity"]["value"] >= 0.75


def test_few_classes_or_another_column_and_honest_probabilities(ganonym: Run, cohort: Path, tmp_path: Path) -> None:
    table = ("--data", cohort / "people.csv", "--jobs", 1, "--json")
    only = ("--only", "PHANTOM-WBS", "--only", "PHANTOM-KBG")
    told = json.loads(ganonym("classify", "evaluate", "nearest-mean", *table, *only, "--folds", 2).out)
    assert (list(told["classes"]), told["photos"]) == (["PHANTOM-KBG", "PHANTOM-WBS"], 16)
    assert told["temperature"] > 0
    assert 0 <= told["scaled_calibration"]["value"] <= 1
    told = json.loads(ganonym("classify", "evaluate", "nearest-mean", *table, "--label", "sex", "--folds", 2).out)
    assert list(told["classes"]) == ["female", "male"]
    model = tmp_path / "model"
    told = json.loads(ganonym("classify", "train", "nearest-mean", *table, *only, "--out", model, "--calibrate").out)
    assert told["classes"] == ["PHANTOM-KBG", "PHANTOM-WBS"]
    assert f"temperature = {told['temperature']!r}" in (model / "model.toml").read_text()
    assert told["temperature"] != 1.0
    ended = ganonym("classify", "evaluate", "nearest-mean", *table, "--only", "PHANTOM-XYZ")
    assert ended.code == 2
    assert "nobody" in ended.err


@pytest.fixture(scope="module")
def model(cohort: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Nearest means of the first and third person of each class; "others.csv" beside them are the others."""
    folder = tmp_path_factory.mktemp("model")
    head, *rows = (cohort / "people.csv").read_text().splitlines()
    for place, name in enumerate(("learned", "others")):
        kept = [row for number, row in enumerate(rows) if number // 2 % 2 == place]
        (folder / f"{name}.csv").write_text("\n".join([head, *kept]))
    told = ("--data", folder / "learned.csv", "--images", cohort / "photos", "--out", folder / "means", "--jobs", 1)
    with pytest.raises(SystemExit) as stop:
        main(["classify", "train", "nearest-mean", *map(str, told)])
    assert not stop.value.code
    return folder / "means"


def test_a_model_is_tested_on_the_classes_that_are_asked_for(ganonym: Run, cohort: Path, model: Path) -> None:
    others = ("--data", model.parent / "others.csv", "--images", cohort / "photos", "--jobs", 1, "--json")
    ended = ganonym("classify", "evaluate", model, *others, "--only", "PHANTOM-WBS")
    assert ended.code == 0, ended.err
    told = json.loads(ended.out)
    assert (told["photos"], told["subjects"]) == (4, 2)
    assert list(told["classes"]) == ["PHANTOM-CONTROL", "PHANTOM-KBG", "PHANTOM-WBS"], "any of them may be called"
    assert [label["affected"] for label in told["classes"].values()] == [0, 0, 2]


def test_predictions_are_at_the_temperature_of_the_card(
    ganonym: Run, cohort: Path, model: Path, tmp_path: Path
) -> None:
    hot = shutil.copytree(model, tmp_path / "hot")
    card = (hot / "model.toml").read_text()
    (hot / "model.toml").write_text(card.replace("temperature = 1.0\n", "temperature = 2.0\n"))
    photo = next((cohort / "photos").rglob("*.png"))
    results = [
        json.loads(ganonym("classify", "predict", kept, photo, "--jobs", 1, "--json").out) for kept in (model, hot)
    ]
    plain, scaled = ({entry["name"]: entry["probability"] for entry in one["photos"][str(photo)]} for one in results)
    roots = {name: chance**0.5 for name, chance in plain.items()}
    assert scaled == pytest.approx({name: root / sum(roots.values()) for name, root in roots.items()})
    assert scaled != pytest.approx(plain)


def test_a_set_of_photographs_is_one_case(ganonym: Run, cohort: Path) -> None:
    result = ganonym(
        "classify", "evaluate", "photo-set", "--data", cohort / "people.csv", "--folds", 2, "--jobs", 1,
        "--set", "epochs=2", "--json",
    )  # fmt: skip
    assert result.code == 0, result.err
    told = json.loads(result.out)
    assert (told["photos"], told["subjects"]) == (12, 12)


def test_what_cannot_be_is_refused(ganonym: Run, cohort: Path, tmp_path: Path) -> None:
    table = cohort / "people.csv"
    for arguments, said in (
        (("train", "horoscope", "--data", table, "--out", tmp_path / "m"), "no recipe"),
        (("train", "deepgestalt", "--data", table, "--out", tmp_path / "m", "--set", "moon=full"), "no such setting"),
        (("train", "deepgestalt", "--data", table, "--out", tmp_path / "m", "--preset", "huge"), "no preset"),
        (("evaluate", "nearest-mean", "--data", table, "--positive", "PHANTOM-XYZ", "--jobs", 1), "nobody|no case"),
        (("predict", tmp_path, table), "no model"),
        (
            ("train", "nearest-mean", "--data", table, "--out", tmp_path / "m", "--device", "abacus"),
            "nothing to compute",
        ),
    ):
        ended = ganonym("classify", *arguments)
        assert ended.code in (2, 4)
        assert any(part in ended.err for part in said.split("|")), ended.err
    assert not (tmp_path / "m").exists()
    ended = ganonym("classify", "train", "nearest-mean", "--data", table, "--out", tmp_path / "m", "--set", "width=3")
    assert (ended.code, "the system has no settings" in ended.err) == (2, True)


def test_the_small_table_may_be_anywhere(ganonym: Run, cohort: Path, tmp_path: Path) -> None:
    """A table with a photograph that is not there is refused as a whole, with its line."""
    table = tmp_path / "few.csv"
    with table.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["image", "subject", "syndrome"])
        writer.writerow(["nobody.png", "a", "x"])
    ended = ganonym("classify", "evaluate", "nearest-mean", "--data", table, "--images", cohort / "photos")
    assert ended.code == 2
    assert "line 2" in ended.err


def test_the_reference_is_learned_from_nobody_who_lives(ganonym: Run, cohort: Path, tmp_path: Path) -> None:
    from ganonym.classify.learning.tabular import load_reference

    file = tmp_path / "reference.safetensors"
    ended = ganonym("train", "reference", "--data", cohort / "people.csv", "--out", file, "--jobs", 1)
    assert ended.code == 0, ended.err
    assert load_reference(file).names == ("PHANTOM-CONTROL", "PHANTOM-KBG", "PHANTOM-WBS")
    told = (cohort / "people.csv").read_text().splitlines()
    table = tmp_path / "people.csv"
    table.write_text("\n".join([*told[:5], told[5].removesuffix("true") + "false", *told[6:]]))
    images = ("--images", cohort / "photos", "--jobs", 1)
    ended = ganonym("train", "reference", "--data", table, "--out", tmp_path / "other", *images)
    assert ended.code == 2
    assert "not simulated" in ended.err
    assert not (tmp_path / "other").exists()


def test_what_only_training_needs_is_refused_for_a_model(ganonym: Run, cohort: Path, model: Path) -> None:
    others = ("--data", model.parent / "others.csv", "--images", cohort / "photos")
    ended = ganonym("classify", "evaluate", model, *others, "--preset", "full", "--folds", 3)
    assert ended.code == 2
    assert "--preset, --folds" in " ".join(ended.err.split())
    assert "trained already" in " ".join(ended.err.split())


def test_whether_it_has_learned_from_a_photograph_only_the_key_tells(
    ganonym: Run, cohort: Path, model: Path, tmp_path: Path
) -> None:
    key = model.parent / "private" / "means.key"
    assert (key.stat().st_mode & 0o777, key.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert not list(model.rglob("*.key"))
    shared = shutil.copytree(model, tmp_path / "means")
    old, new = (
        ("--data", model.parent / f"{name}.csv", "--images", cohort / "photos", "--jobs", 1, "--json")
        for name in ("learned", "others")
    )
    ended = ganonym("classify", "evaluate", shared, *old)
    assert ended.code == 0
    assert "Nobody checked" in ended.err
    assert not json.loads(ended.out)["known_to_be_unseen"]
    assert json.loads(ganonym("classify", "evaluate", shared, *new, "--key-file", key).out)["known_to_be_unseen"]
    assert json.loads(ganonym("classify", "evaluate", model, *new).out)["known_to_be_unseen"]
    # The second photographs of people of whom it learned the first, too, but for one byte.
    again = tmp_path / "again"
    for photo in (cohort / "photos").rglob("*.png"):
        (again / photo.relative_to(cohort / "photos")).parent.mkdir(parents=True, exist_ok=True)
        (again / photo.relative_to(cohort / "photos")).write_bytes(photo.read_bytes() + b"\0")
    people = ("--data", model.parent / "learned.csv", "--images", again, "--jobs", 1)
    other = tmp_path / "other.key"
    other.write_bytes(bytes(32))
    other.chmod(0o600)
    for arguments, said in (
        ((model, *old), "learned from 12 of these photographs"),
        ((shared, *old, "--key-file", key), "learned from 12 of these photographs"),
        ((model, *people), "learned from other photographs of 6 of the people on these photographs"),
        ((shared, *new, "--key-file", other), "not the key"),
        ((shared, *new, "--key-file", tmp_path / "none"), "cannot read the key file"),
        (("nearest-mean", *new, "--key-file", key), "of a trained model"),
    ):
        ended = ganonym("classify", "evaluate", *arguments)
        assert ended.code == 2
        assert said in " ".join(ended.err.split())
