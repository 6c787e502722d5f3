"""`anonymize --output photo` and `verify` with the real models, on people who do not exist."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ganonym_cli.app import main

Run = Callable[..., "Ended"]  # noqa: F821  # of conftest.py


def call(*arguments: object) -> int:
    with pytest.raises(SystemExit) as stop:
        main([str(argument) for argument in arguments])
    return int(stop.value.code or 0)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two people; one stands beside a wall."""
    folder = tmp_path_factory.mktemp("people")
    assert call("phantom", folder, "--people", 2, "--photos", 1, "--seed", 3, "--quiet") == 0
    first = next(iter(sorted((folder / "photos").rglob("*.png"))))
    with Image.open(first) as picture:
        wide = np.full((480, 700, 3), 140, np.uint8)
        wide[:, :480] = np.asarray(picture)
    Image.fromarray(wide).save(first)
    return folder / "photos"


@pytest.fixture(scope="module")
def released(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("released") / "out"
    serial = tmp_path_factory.mktemp("profile") / "serial.toml"
    serial.write_text('engine = "serial"\noutput = "photo"\n')
    assert call("anonymize", photos, out, "--profile", serial, "--mechanism", "codebook", "--quiet") == 0
    return out


def outputs(out: Path) -> dict[str, Path]:
    with (out / "private" / "keymap.csv").open() as file:
        return {row["source"]: out / row["output"] for row in csv.DictReader(file)}


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        return np.asarray(picture)


def test_photos_keep_their_size_and_background_and_lose_their_face(photos: Path, released: Path) -> None:
    result = outputs(released)
    assert len(result) == 2
    for name, path in result.items():
        before, after = pixels(photos / name).astype(int), pixels(path).astype(int)
        assert before.shape == after.shape
        same = np.all(before == after, axis=-1)
        assert same[:15].all()
        assert same[-15:].all()
        height, width = 480, 480
        assert same[height // 2 - 40 : height // 2 + 40, width // 2 - 40 : width // 2 + 40].mean() < 0.1


def test_verify_accepts_it(ganonym: Run, photos: Path, released: Path) -> None:
    ended = ganonym("verify", released, "--originals", photos, "--json")
    assert ended.code == 0, ended.out
    assert json.loads(ended.out)["pictures"] == 2


def paste_stranger(out: Path, photos: Path) -> None:
    path = next(path for path in outputs(out).values() if pixels(path).shape[1] == 700)
    picture = pixels(path).copy()
    other = sorted(photos.rglob("*.png"))[1]
    with Image.open(other) as face:
        picture[100:320, 480:700] = np.asarray(face.resize((220, 220)))
    Image.fromarray(picture).save(path)


def wipe_face(out: Path, _: Path) -> None:
    path = next(iter(outputs(out).values()))
    Image.fromarray(np.full_like(pixels(path), 90)).save(path)


@pytest.mark.parametrize(("spoil", "words"), [(paste_stranger, "not synthesized"), (wipe_face, "0 faces found, not 1")])
def test_verify_finds_a_face_too_many_and_one_too_few(
    ganonym: Run, photos: Path, released: Path, tmp_path: Path, spoil: Callable[[Path, Path], None], words: str
) -> None:
    copy = Path(shutil.copytree(released, tmp_path / "copy"))
    spoil(copy, photos)
    ended = ganonym("verify", copy, "--json")
    assert ended.code == 3
    assert any(words in problem for problem in json.loads(ended.out)["problems"]["one face each"])


def test_the_warning_goes_to_stderr_whatever_is_silenced(ganonym: Run, photos: Path, tmp_path: Path) -> None:
    arguments = ["anonymize", photos, tmp_path / "out", "--dry-run", "--json", "--quiet", "--mechanism", "codebook"]
    for background in ("keep", "blur"):
        ended = ganonym(*arguments, "--output", "photo", "--background", background)
        assert "re-identify" in ended.err
        assert json.loads(ended.out)["dry_run"]
    assert "re-identify" not in ganonym(*arguments, "--output", "photo", "--background", "grey").err
    assert "re-identify" not in ganonym(*arguments).err
    assert ganonym(*arguments, "--output", "film").code == 2


def absent(name: str) -> str:
    raise PackageNotFoundError(name)


@pytest.mark.parametrize("more", [(), ("--dry-run",)])
def test_text_cannot_be_covered_without_the_extra(
    more: tuple[str, ...],
    photos: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("ganonym.photos.text.version", absent)
    whole = (photos, tmp_path / "out", "--output", "photo", "--quiet")
    assert call("anonymize", *whole, "--text", "cover", *more) == 4
    assert "ganonym[text]" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    assert call("anonymize", *whole, "--dry-run") == 0
    assert "was not looked for" in " ".join(capsys.readouterr().err.split())
    assert call("anonymize", *whole, "--dry-run", "--text", "keep") == 0
    assert "was not looked for" not in " ".join(capsys.readouterr().err.split())


def test_the_result_says_that_nobody_has_looked(released: Path) -> None:
    report = (released / "REPORT.md").read_text()
    assert "No person has looked through these outputs" in report
    assert "Text was looked for in all 2 photos" in report
    assert (released / "private" / "review.csv").read_text().startswith("source,output,why,left,top,right,bottom")
