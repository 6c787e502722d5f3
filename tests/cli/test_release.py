"""phantom, anonymize, verify and demo with the real models, on people who do not exist."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ganonym import demo
from ganonym_cli.app import main

Run = Callable[..., "Ended"]  # noqa: F821  # of conftest.py
PEOPLE, PHOTOS, K = 4, 2, 3


def call(*arguments: object) -> int:
    with pytest.raises(SystemExit) as stop:
        main([str(argument) for argument in arguments])
    return int(stop.value.code or 0)


def pictures(out: Path) -> list[Path]:
    return sorted((out / "images").rglob("*.png"))


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("people")
    assert call("phantom", folder, "--people", PEOPLE, "--photos", PHOTOS, "--seed", 3, "--quiet") == 0
    return folder


@pytest.fixture(scope="module")
def released(people: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One sound release; tests that spoil it work on a copy."""
    out = tmp_path_factory.mktemp("released") / "out"
    manifest = people / "people.csv"
    serial = people / "serial.toml"
    serial.write_text('engine = "serial"\n')
    code = call("anonymize", people / "photos", out, "--manifest", manifest, "-k", K, "--profile", serial, "--quiet")
    assert code in (0, 1)
    assert len(pictures(out)) >= PEOPLE * PHOTOS - 1
    return out


@pytest.fixture
def copy(released: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(released, tmp_path / "copy"))


def test_phantom_writes_what_its_manifest_names(people: Path) -> None:
    with (people / "people.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == PEOPLE * PHOTOS
    assert len({row["subject"] for row in rows}) == PEOPLE
    named = sorted(row["image"] for row in rows)
    assert named == sorted(
        path.relative_to(people / "photos").as_posix() for path in (people / "photos").rglob("*.png")
    )


def test_phantom_depends_on_the_seed_alone(ganonym: Run, people: Path, tmp_path: Path) -> None:
    for name, seed in (("same", 3), ("other", 4)):
        arguments = ["--people", PEOPLE, "--photos", PHOTOS, "--seed", seed]
        assert ganonym("phantom", tmp_path / name, *arguments).code == 0
    for path in (people / "photos").rglob("*.png"):
        name = path.relative_to(people)
        assert path.read_bytes() == (tmp_path / "same" / name).read_bytes()
        if (tmp_path / "other" / name).is_file():
            assert path.read_bytes() != (tmp_path / "other" / name).read_bytes()


def test_phantom_does_not_add_to_a_full_folder(ganonym: Run, people: Path) -> None:
    ended = ganonym("phantom", people)
    assert ended.code == 2
    assert "not empty" in ended.err


def test_a_second_run_skips_what_is_done(ganonym: Run, people: Path, copy: Path) -> None:
    before = {path: path.read_bytes() for path in pictures(copy)}
    ended = ganonym(
        "anonymize", people / "photos", copy, "--manifest", people / "people.csv", "-k", K, "--jobs", 1, "--json"
    )
    told = json.loads(ended.out)
    assert (told["anonymized"], told["skipped"], told["exit_code"]) == (0, len(before), ended.code)
    assert {path: path.read_bytes() for path in pictures(copy)} == before


def test_dry_run_writes_nothing(ganonym: Run, people: Path, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    shutil.copytree(people / "photos", tmp_path / "in", dirs_exist_ok=True)
    (tmp_path / "in" / "scan.pdf").write_text("x")
    (tmp_path / "in" / ".DS_Store").write_text("x")
    ended = ganonym("anonymize", tmp_path / "in", tmp_path / "out", "--dry-run", "--json", "-k", 3)
    told = json.loads(ended.out)
    assert ended.code == 0
    assert (told["photos"], told["refused"], told["mechanism"]) == (PEOPLE * PHOTOS, {"unsupported": 1}, "k-same")
    assert told["ignored"] == {"hidden": 1}
    assert not (tmp_path / "out").exists()
    assert "Dry run" in ganonym("anonymize", tmp_path / "in", tmp_path / "out", "--dry-run").out


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--mechanism", "none"], "--i-understand"),
        (["--mechanism", "k-same", "-k", "99"], "99"),
        (["--mechanism", "magic"], "magic"),
        (["-k", "1"], "-k"),
        (["--profile", "nonsense"], "nonsense"),
        (["--profile", "absent.toml"], "absent.toml"),
        (["--manifest", "absent.csv"], "absent.csv"),
        (["--key-file", "absent"], "absent"),
    ],
)
def test_requests_that_make_no_sense_are_2_and_write_no_picture(
    ganonym: Run, people: Path, tmp_path: Path, options: list[str], words: str
) -> None:
    ended = ganonym("anonymize", people / "photos", tmp_path / "out", *options)
    assert ended.code == 2
    assert words in ended.err
    assert pictures(tmp_path / "out") == []


def test_output_inside_the_input_is_refused(ganonym: Run, people: Path) -> None:
    assert ganonym("anonymize", people / "photos", people / "photos" / "out").code == 2
    assert not (people / "photos" / "out").exists()


def test_a_profile_may_be_a_file_and_options_win(ganonym: Run, people: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text('mechanism = "codebook"\n')
    arguments = ["anonymize", people / "photos", tmp_path / "out", "--dry-run", "--json"]
    assert json.loads(ganonym(*arguments, "--profile", tmp_path / "mine.toml").out)["mechanism"] == "codebook"
    ended = ganonym(*arguments, "--profile", tmp_path / "mine.toml", "--mechanism", "k-same", "-k", 2)
    assert json.loads(ended.out)["mechanism"] == "k-same"


def test_privacy_options_reach_the_release(ganonym: Run, people: Path, released: Path, tmp_path: Path) -> None:
    """Metric with its ε, and people of an earlier release left out: all four here, so that a small class is left."""
    shutil.copytree(people / "photos" / "phantom-0001", tmp_path / "in" / "phantom-0001")
    common = ["--manifest", people / "people.csv", "--profile", people / "serial.toml", "--json"]
    metric = ["--mechanism", "metric", "--epsilon", 0.25, "--link", "subject"]
    told = json.loads(ganonym("anonymize", tmp_path / "in", tmp_path / "metric", *common, *metric).out)
    assert told["mechanism"] == "metric"
    assert "exp(0.25·t)" in told["guarantee"]
    ended = ganonym("anonymize", tmp_path / "in", tmp_path / "late", *common, *metric, "--after", released)
    assert (ended.code, json.loads(ended.out)["exit_code"]) == (2, 2)
    assert "was released before" in ended.err
    assert not (tmp_path / "late").exists()
    labels = ["--small-classes", "merge", "--keep", "signs,tone", "-k", K, "--dry-run"]
    assert json.loads(ganonym("anonymize", tmp_path / "in", tmp_path / "dry", *common, *labels).out)["dry_run"] is True


def test_stdout_is_one_json_object_in_a_process_of_its_own(people: Path, tmp_path: Path) -> None:
    photos = Path(shutil.copytree(people / "photos" / "phantom-0001", tmp_path / "in"))
    (photos / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    command = [sys.executable, "-m", "ganonym_cli", "anonymize", str(photos), str(tmp_path / "out"), "--json"]
    done = subprocess.run([*command, "--jobs", "1"], capture_output=True, text=True, env=dict(os.environ))
    told = json.loads(done.stdout)
    assert done.returncode == told["exit_code"] == 1
    assert told["mechanism"] == "codebook"
    assert told["anonymized"] + told["quarantined"] == PHOTOS + 1
    assert "produce" in done.stderr


def test_verify_accepts_a_sound_release(ganonym: Run, people: Path, released: Path) -> None:
    ended = ganonym("verify", released, "--originals", people / "photos", "--json")
    assert ended.code == 0, ended.out
    told = json.loads(ended.out)
    assert (told["sound"], told["pictures"]) == (True, len(pictures(released)))


def alter_picture(out: Path, _: Path) -> None:
    data = bytearray(pictures(out)[0].read_bytes())
    data[-20] ^= 1
    pictures(out)[0].write_bytes(data)


def delete_picture(out: Path, _: Path) -> None:
    pictures(out)[0].unlink()


def put_original(out: Path, originals: Path) -> None:
    shutil.copy(next(originals.rglob("*.png")), out / "images" / ("a" * 24 + ".png"))


def cut_ledger(out: Path, _: Path) -> None:
    ledger = out / "private" / "ledger.jsonl"
    lines = ledger.read_bytes().splitlines(keepends=True)
    ledger.write_bytes(b"".join(lines[:1] + lines[2:]))


def blank_picture(out: Path, _: Path) -> None:
    Image.fromarray(np.full((256, 256, 3), 128, np.uint8)).save(pictures(out)[0])


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (alter_picture, "altered since"),
        (delete_picture, "No such file"),
        (put_original, "copy of an original"),
        (cut_ledger, "does not follow"),
        (blank_picture, "0 faces found"),
    ],
)
def test_verify_finds_every_planted_fault(
    ganonym: Run, people: Path, copy: Path, spoil: Callable[[Path, Path], None], words: str
) -> None:
    spoil(copy, people / "photos")
    ended = ganonym("verify", copy, "--originals", people / "photos", "--json")
    assert ended.code == 3
    assert any(words in problem for entry in json.loads(ended.out)["problems"].values() for problem in entry)


def test_verify_finds_originals_that_changed_or_were_never_treated(
    ganonym: Run, people: Path, released: Path, tmp_path: Path
) -> None:
    originals = Path(shutil.copytree(people / "photos", tmp_path / "photos"))
    first, second = sorted(originals.rglob("*.png"))[:2]
    shutil.copy(first, originals / "new.png")
    first.write_bytes(second.read_bytes())
    ended = ganonym("verify", released, "--originals", originals, "--json")
    result = json.loads(ended.out)["problems"]["agrees with the originals"]
    assert ended.code == 3
    assert any(problem.startswith("new.png:") for problem in result)
    assert any("its source is gone or was changed" in problem for problem in result)


def test_verify_of_something_else_is_2(ganonym: Run, tmp_path: Path) -> None:
    ended = ganonym("verify", tmp_path)
    assert ended.code == 2
    assert "not an output folder" in ended.err


def test_demo_attacks_before_and_after(ganonym: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "PEOPLE", 7)
    monkeypatch.setattr(demo, "K", 3)
    ended = ganonym("demo", tmp_path / "demo", "--jobs", 1, "--json")
    told = json.loads(ended.out)
    assert ended.code == 0
    assert (told["simulated"], told["photos"]) == (True, 14)
    assert told["anonymized"] + told["withheld"] == 14
    rates = {(row["attacker"], row["setting"]): row for row in told["rank1"]}
    assert {attacker for attacker, _ in rates} == {"dlib", "shape"}
    assert rates["dlib", "other photo"]["before"]["rank1"] > 0.9
    assert rates["dlib", "other photo"]["after"]["rank1"] < 0.7
    assert all(0 <= row["after"]["low"] <= row["after"]["rank1"] <= row["after"]["high"] <= 1 for row in told["rank1"])
    with Image.open(tmp_path / "demo" / "sheet.png") as sheet:
        assert sheet.size[0] > 4 * 150
    assert ganonym("verify", tmp_path / "demo" / "anonymized", "--originals", tmp_path / "demo" / "photos").code == 0


def test_demo_does_not_replace_a_folder_that_is_not_a_demo(ganonym: Run, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "precious.jpg").write_bytes(b"x")
    ended = ganonym("demo", tmp_path)
    assert ended.code == 2
    assert (tmp_path / "photos" / "precious.jpg").read_bytes() == b"x"
