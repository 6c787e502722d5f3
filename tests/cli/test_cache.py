"""`--cache`: the second command finds no face again, and says the same."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, PngImagePlugin

Run = Callable[..., Any]


def test_faces_are_found_by_the_first_command_only(
    ganonym: Run, unequal_classes: Path, tmp_path: Path, undetectable: Callable[[], AbstractContextManager[None]]
) -> None:
    table, model = unequal_classes / "people.csv", tmp_path / "model"
    plain, kept = ("--jobs", 1, "--json"), ("--cache", tmp_path / "cache", "--jobs", 1, "--json")
    only = ("--only", "PHANTOM-WBS", "--only", "PHANTOM-CONTROL")
    trained = ganonym("classify", "train", "nearest-mean", "--data", table, *only, "--out", model, *kept)
    assert trained.code == 0, trained.err
    photos = [path for name in ("WBS", "CONTROL") for path in sorted((unequal_classes / "photos").glob(f"*{name}*/*"))]
    people = (table, *only)
    commands = [
        ("classify", "predict", model, *photos),
        ("classify", "evaluate", "nearest-mean", "--folds", 2, "--data", *people),
        ("classify", "match", photos[0], "--one-view", "--gallery", table),
        ("measure", *photos),
    ]
    wanted = [ganonym(*command, *plain) for command in commands[:2]]
    ganonym(*commands[2], *kept)
    with undetectable():
        assert [ganonym(*command, *kept).out for command in commands[:2]] == [entry.out for entry in wanted]
        for command in commands[2:]:
            ended = ganonym(*command, *kept)
            assert (ended.code, json.loads(ended.out)["photos"] != []) == (0, True), ended.err
        assert ganonym(*commands[0], *plain).code not in (0, 1), "without the cache they would be found"
        with Image.open(photos[0]) as opened:
            told = PngImagePlugin.PngInfo()
            told.add_text("comment", "touched")
            opened.save(tmp_path / "altered.png", pnginfo=told)
        assert ganonym("classify", "predict", model, tmp_path / "altered.png", *kept).code not in (0, 1)


@pytest.mark.parametrize("command", [("measure",), ("classify", "predict", "model")])
def test_a_folder_of_photographs_is_no_cache(ganonym: Run, unequal_classes: Path, command: tuple[str, ...]) -> None:
    photo = next((unequal_classes / "photos").rglob("*.png"))
    ended = ganonym(*command, photo, "--cache", photo.parent)
    assert ended.code in (2, 4)
    assert command[0] != "measure" or "no cache of faces" in ended.err
    assert sorted(path.name for path in photo.parent.iterdir()) == [photo.name]
