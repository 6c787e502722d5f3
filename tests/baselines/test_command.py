"""`ganonym baseline` as a command, with its worker processes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ganonym.baselines.methods import BaselineSettings
from ganonym.batch.run import baseline_folder
from ganonym.phantom.cohort import PhantomPhoto
from ganonym_cli.app import main


def call(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str]:
    capsys.readouterr()
    with pytest.raises(SystemExit) as stop:
        main([str(argument) for argument in arguments])
    return int(stop.value.code or 0), capsys.readouterr().out


def test_in_worker_processes(people: list[PhantomPhoto], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, out = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    Image.fromarray(people[0].rgb).save(source / "face.png")
    arguments = ("baseline", "pixelate", source, out, "--strength", 2, "--jobs", 1, "--json")
    code, told = call(capsys, *arguments)
    assert code == 0, told
    result = json.loads(told)
    assert (result["anonymized"], result["mechanism"], result["exit_code"]) == (1, "baseline pixelate", 0)
    assert "no guarantee" in result["guarantee"]
    (path,) = (out / "images").rglob("*.png")
    with Image.open(path) as picture:
        assert np.any(np.asarray(picture) != people[0].rgb)
    again = call(capsys, *arguments[:-1])
    assert again[0] == 0
    assert "done before" in again[1]
    assert call(capsys, *arguments[:-1], "--quiet") == (0, "")


def test_verify_says_that_a_baseline_made_it_and_still_finds_what_was_altered(
    people: list[PhantomPhoto], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, out = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    Image.fromarray(people[0].rgb).save(source / "face.png")
    settings = BaselineSettings(method="blackout", engine="serial")
    assert baseline_folder(source, out, settings).anonymized == 1
    code, told = call(capsys, "verify", out, "--originals", source, "--json")
    result = json.loads(told)
    assert (code, result["sound"], result["made_by"]) == (0, True, "baseline blackout")
    assert "promises nothing" in result["notes"][0]
    (path,) = (out / "images").rglob("*.png")
    Image.fromarray(people[0].rgb).save(path)
    code, told = call(capsys, "verify", out, "--json")
    assert code == 3
    assert "altered since" in told


@pytest.mark.parametrize(
    "options", [("blackout", "--strength", 2), ("blur", "-k", 3), ("blur", "--strength", 9), ("smear",)]
)
def test_wrong_usage_is_2_and_writes_nothing(
    options: tuple[object, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "in").mkdir()
    method, *more = options
    assert call(capsys, "baseline", method, tmp_path / "in", tmp_path / "out", *more)[0] == 2
    assert not (tmp_path / "out").exists()
