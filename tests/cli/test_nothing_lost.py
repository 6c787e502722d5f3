"""Commands that write where something lies already: checked first, replaced last, or refused."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ganonym import demo, weights
from ganonym.batch.audit import audit_release
from ganonym.batch.run import anonymize_folder
from ganonym.errors import EnvironmentFault, UsageError
from ganonym.evaluate import api as assessing
from ganonym.evaluate.metrics.ranking import Trials, trials_of
from ganonym.evaluate.scores import Scores

Run = Callable[..., "Ended"]  # noqa: F821  # of conftest.py


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_demo_leaves_a_study_with_the_names_of_a_demo_alone(ganonym: Run, tmp_path: Path) -> None:
    for names in (("people.csv", "photos/patient.jpg"), ("people.csv", "demo.key", "photos/patient.jpg")):
        for name in names:
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_bytes(b"precious")
        before = contents(tmp_path)
        ended = ganonym("demo", tmp_path)
        assert ended.code == 2
        assert "Choose another folder" in ended.err
        assert contents(tmp_path) == before


@pytest.fixture
def tiny_demo(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "PEOPLE", 3)
    monkeypatch.setattr(demo, "PHOTOS", 1)
    monkeypatch.setattr(demo, "K", 3)


def test_a_demo_that_fails_leaves_the_earlier_one_and_the_next_replaces_it(
    ganonym: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny_demo: None
) -> None:
    def earlier(name: str) -> bytes:
        return (tmp_path / name).read_bytes()

    (tmp_path / "photos/phantom-0001").mkdir(parents=True)
    for name in ("photos/phantom-0001/0.png", "people.csv", "demo.key", "sheet.png", "mine.txt"):
        (tmp_path / name).write_bytes(b"earlier")
    before = contents(tmp_path)

    def broken(folder: Path, *_: object) -> None:
        folder.mkdir()
        (folder / "0.png").write_bytes(b"half")
        raise EnvironmentFault("the disk is gone.")

    with monkeypatch.context() as patch:
        patch.setattr(demo, "write_people", broken)
        assert ganonym("demo", tmp_path, "--jobs", 1).code == 4
    assert {name: data for name, data in contents(tmp_path).items() if not name.startswith(".new/")} == before
    real = anonymize_folder
    monkeypatch.setattr(
        "ganonym.demo.anonymize_folder",  # a process of its own takes longer to start than the whole release
        lambda source, out, settings, **options: real(source, out, settings.changed(engine="serial"), **options),
    )
    monkeypatch.setattr(demo, "_attack", lambda *_: ([], []))
    monkeypatch.setattr("ganonym_cli.phantom._table", lambda *_: "")
    monkeypatch.setattr(demo, "_sheet", lambda *_: np.zeros((8, 8, 3), np.uint8))
    assert ganonym("demo", tmp_path, "--jobs", 1).code == 0
    assert earlier("mine.txt") == b"earlier"
    assert not (tmp_path / ".new").exists()
    assert b"earlier" not in {earlier("people.csv"), earlier("demo.key"), earlier("sheet.png")}
    assert len(list((tmp_path / "photos").rglob("*.png"))) == 3
    assert audit_release(tmp_path / "anonymized").problems == ()


@pytest.mark.parametrize("name", ["people.csv", "landmarks.csv", "signs.csv"])
def test_phantom_overwrites_no_table(ganonym: Run, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("image,subject\nthe clinic's own\n")
    ended = ganonym("phantom", tmp_path, "--people", 1, "--photos", 1)
    assert ended.code == 2
    assert f"{name} is there already" in ended.err
    assert list(tmp_path.iterdir()) == [tmp_path / name]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--severity", "easy"], "--severity does nothing"),
        (["--people", 3, "--syndromes", "WBS=2,control=1"], "--people does nothing"),
    ],
)
def test_an_option_of_phantom_that_does_nothing_is_refused(
    ganonym: Run, tmp_path: Path, options: list[object], words: str
) -> None:
    ended = ganonym("phantom", tmp_path / "out", *options)
    assert ended.code == 2
    assert words in ended.err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--mechanism", "codebook", "-k", "5"], "-k does nothing"),
        (["--mechanism", "k-same", "--epsilon", "1"], "--epsilon does nothing"),
        (["--policy", "lax"], "lax"),
        (["-k", ""], "-k names no group size"),
        (["--mechanism", "metric", "--epsilon", ","], "--epsilon names no budget"),
    ],
)
def test_a_sweep_that_makes_no_sense_is_refused_before_any_work(
    ganonym: Run, tmp_path: Path, options: list[str], words: str
) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "m.csv").write_text("image,subject\na.png,A\n")
    ended = ganonym("sweep", tmp_path / "in", "--manifest", tmp_path / "m.csv", "--out", tmp_path / "out", *options)
    assert ended.code == 2
    assert words in ended.err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("inside", ["released", "released/private/report", "photos/report"])
def test_reports_that_show_photographs_stay_out_of_what_is_shared(tmp_path: Path, inside: str) -> None:
    for folder in ("photos", "released"):
        (tmp_path / folder).mkdir()
    with pytest.raises(UsageError, match="show photographs and names, would lie inside"):
        assessing.assess(tmp_path / "photos", tmp_path / "released", tmp_path / "m.csv", out=tmp_path / inside)
    assert [path.name for path in sorted(tmp_path.rglob("*"))] == ["photos", "released"]


def test_an_assessment_that_fails_leaves_an_earlier_one_whole(
    unequal_classes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_given: object, _tell: object, write: Callable[[Trials], None]) -> None:
        one = np.array(["s"])
        write(trials_of(Scores("dlib", "T1", "other photo", np.zeros((1, 1)), one, one, np.zeros(1, dtype=np.intp))))
        raise EnvironmentFault("memory is short.")

    out = tmp_path / "out"
    out.mkdir()
    for name in ("assessment.json", "trials.parquet", "report.html", "evidence.html", "card.md"):
        (out / name).write_bytes(b"earlier")
    before = contents(out)
    monkeypatch.setattr(assessing, "assess_release", broken)
    photos = unequal_classes / "photos"
    (tmp_path / "released").symlink_to(photos)
    given = (photos, Path(os.path.relpath(photos)), unequal_classes / "people.csv")
    with pytest.raises(UsageError, match="inside"):
        assessing.assess(*given, out=photos / "out")
    with pytest.raises(EnvironmentFault, match="memory is short"):
        assessing.assess(*given, out=out)
    assert contents(out) == before


def test_a_model_is_not_trained_for_a_folder_that_holds_one(
    ganonym: Run, tmp_path: Path, unequal_classes: Path
) -> None:
    (tmp_path / "model.toml").write_text("a model")
    ended = ganonym("classify", "train", "vcfs-screening", "--data", tmp_path / "absent.csv", "--out", tmp_path)
    assert ended.code == 2
    assert "already holds a model" in ended.err


def test_weights_are_accepted_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = weights.checkpoints_folder()
    for name in ("manifest.toml", "reference.safetensors"):
        (tmp_path / name).write_bytes((source / name).read_bytes())
    before = (tmp_path / "manifest.toml").read_bytes()
    real = Path.write_text

    def torn(self: Path, data: str, *arguments: Any) -> int:
        real(self, data[: len(data) // 2], *arguments)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", torn)
    with pytest.raises(EnvironmentFault, match="No space left"):
        weights.accept("reference", tmp_path)
    assert contents(tmp_path).keys() == {"manifest.toml", "reference.safetensors"}
    assert (tmp_path / "manifest.toml").read_bytes() == before


def test_a_changed_default_is_said_on_the_screen_and_in_json(
    ganonym: Run, unequal_classes: Path, tmp_path: Path
) -> None:
    photos, manifest = unequal_classes / "photos", unequal_classes / "people.csv"
    plain = ["anonymize", photos, tmp_path / "out", "-k", 20, "--small-classes", "withhold", "--dry-run"]
    given = [*plain, "--manifest", manifest]
    told = json.loads(ganonym(*given, "--json").out)
    assert told["mechanism"] == "codebook"
    assert told["mechanism_reason"] == "mechanism codebook: a class of only 7 subjects, fewer than k = 20"
    assert told["without_effect"] == ["--small-classes"]
    shown = " ".join(ganonym(*given).out.split())
    assert told["mechanism_reason"] in shown
    assert "without effect, because of the mechanism that was chosen: --small-classes" in shown
    ended = ganonym(*given, "--mechanism", "codebook")
    assert (ended.code, ended.out) == (2, "")
    assert "-k does nothing" in ended.err
    assert "--small-classes does nothing without --manifest" in ganonym(*plain).err
