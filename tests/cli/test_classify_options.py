"""`ganonym classify`: an option that does nothing for a recipe, or that it cannot mean, is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from safetensors.numpy import save_file

from ganonym.classify.learning.fit import seeded
from ganonym.classify.networks.iresnet import IResNet, IResNetForm
from ganonym.weights import sha256_file

Run = Callable[..., Any]


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> tuple[object, ...]:
    """`--encoder` and `--sha256` of a tiny recognizer that has learned nothing."""
    network = seeded(lambda: IResNet(IResNetForm((1, 1, 1, 1), (4, 4, 6, 8), 10, 32)), 5)
    file = tmp_path_factory.mktemp("encoder") / "tiny.safetensors"
    save_file({name: value.numpy() for name, value in network.state_dict().items()}, file)
    return ("--encoder", file, "--sha256", sha256_file(file))


def test_what_does_nothing_for_a_recipe_is_refused(
    ganonym: Run, unequal_classes: Path, tmp_path: Path, encoder: tuple[object, ...]
) -> None:
    made = ("--data", unequal_classes / "people.csv", "--out", tmp_path / "m")
    photo = next((unequal_classes / "photos").rglob("*.png"))
    people = ("--data", unequal_classes / "people.csv")
    for arguments, said in (
        (("train", "cnn-comparison", *made, *encoder), "starts from no pretrained network"),
        (("train", "fas-measurement", *made, *encoder), "starts from no pretrained network"),
        (("train", "fas-measurement", *made, "--device", "cpu"), "by no network"),
        (("train", "fas-measurement", *made, "--set", "trees=5"), "trees does nothing"),
        (("train", "deepgestalt", *made, "--preset", "full", *encoder), "starts from no pretrained network"),
        (("train", "nearest-mean", *made, "--sha256", "0" * 64), "none is given"),
        (
            ("train", "nearest-mean", *made, "--encoder", encoder[1]),
            f"If you trust the file: its sha256 is {encoder[3]}",
        ),
        (("train", "nearest-mean", *made, "--key-file", tmp_path / "m" / "key"), "would be shared"),
        *(
            (("train", name, *made, "--preset", "full"), "seen virtual people only")
            for name in ("gestaltmatcher", "meta-baseline", "nearest-mean", "photo-set", "risk-grading", "shen-margin")
        ),
        (("evaluate", "vcfs-screening", *people, "--preset", "full"), "seen virtual people only"),
        (("screen", "vcfs-screening", *people, "--positive", "PHANTOM-WBS", "--target", 0.9), "--target does nothing"),
        (
            (
                "match",
                photo,
                "--gallery",
                unequal_classes / "people.csv",
                "--base",
                encoder[1],
                "--base-sha256",
                encoder[3],
            ),
            "Leave",
        ),
    ):
        ended = ganonym("classify", *arguments)
        assert ended.code == 2, (arguments, ended.err)
        assert said in " ".join(ended.err.split())
    assert not (tmp_path / "m").exists()
    assert not (tmp_path / "private").exists()


@pytest.mark.parametrize("change", ["course=linear", "epochs=-5", "rate=abc", "batch=0"])
def test_a_setting_that_cannot_be_stops_before_a_photograph_is_read(ganonym: Run, tmp_path: Path, change: str) -> None:
    none = ("--data", tmp_path / "none.csv", "--out", tmp_path / "m")
    ended = ganonym("classify", "train", "deepgestalt", *none, "--set", change)
    assert ended.code == 2
    assert f"{change.split('=')[0]} must be" in " ".join(ended.err.split())


def test_the_full_preset_starts_from_the_network_that_is_given(
    ganonym: Run, unequal_classes: Path, tmp_path: Path, encoder: tuple[object, ...]
) -> None:
    table = ("--data", unequal_classes / "people.csv", "--jobs", 1)
    model, photo = tmp_path / "m", next((unequal_classes / "photos").rglob("*.png"))
    ended = ganonym("classify", "train", "nearest-mean", *table, "--out", model, "--preset", "full", *encoder)
    assert ended.code == 0, ended.err
    assert ganonym("classify", "predict", model, photo, *encoder, "--jobs", 1).code == 0
    ended = ganonym("classify", "predict", model, photo, "--jobs", 1)
    assert ended.code == 4
    assert "another recognizer" in ended.err
    for given, said in ((encoder[:2], "given without its digest"), (("--sha256", "0" * 64), "none is given")):
        ended = ganonym("classify", "predict", model, photo, *given, "--jobs", 1)
        assert ended.code == 2
        assert said in ended.err


def test_a_mean_of_few_people_is_said_to_be_as_private_as_they(
    ganonym: Run, unequal_classes: Path, tmp_path: Path
) -> None:
    common = ("--data", unequal_classes / "people.csv", "--images", unequal_classes / "photos", "--jobs", 1, "--json")
    ended = ganonym("classify", "train", "nearest-mean", *common, "--out", tmp_path / "means")
    assert "3 classes have fewer than 5 people" in " ".join(ended.err.split())
    assert "as private as the photographs" in " ".join(ended.err.split())
    few = ["PHANTOM-FAS", "PHANTOM-KBG", "PHANTOM-NS"]
    assert json.loads(ended.out)["classes_of_few_people"] == few, "five are enough"
    two = ("--only", few[0], "--only", few[1])
    ended = ganonym("classify", "train", "vcfs-screening", *common, *two, "--out", tmp_path / "slope")
    assert ended.code == 0, ended.err
    assert "as private" not in " ".join(ended.err.split())
    assert json.loads(ended.out)["classes_of_few_people"] == []
