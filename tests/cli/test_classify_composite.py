"""`ganonym classify composite` on phantoms: a face a class, a map against the unaffected, the same bytes again."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image

from ganonym.photos.encode import prove_clean

Run = Callable[..., Any]


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
    assert {name: each["people"] for name, each in told["classes"].items()} == {"PHANTOM-CONTROL": 5, "PHANTOM-WBS": 7}
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
