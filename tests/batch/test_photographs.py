"""Batches of whole photos: one output a photo, resumable, and the report says what leaks."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tiny_pipeline import PIPELINE, analyse, meet, produce, save_photo, weights_digest

from ganonym.batch.audit import audit_release
from ganonym.batch.job import BatchJob
from ganonym.batch.pipeline import Pipeline, Tools
from ganonym.batch.run import run_batch
from ganonym.errors import PhotoError, UsageError
from ganonym.faces.shape import load_shape
from ganonym.settings import Settings
from ganonym.types import RGB, Box, Doubt, FaceRecord, Photograph, PrivateFace, Refusal, Substitution

Contents = Callable[[Path], dict[str, bytes]]
PROFILE = 7


def find(rgb: RGB, source: str) -> list[FaceRecord]:
    if rgb[0, 0, 1] == PROFILE:
        raise PhotoError("profile", f"the face in {source!r} is turned.")
    return analyse(rgb, source)


def treat(rgb: RGB, substitutions: Sequence[Substitution], source: str) -> Photograph:
    """The photo's first rows, then 16 rows for each synthesized face."""
    meet(int(rgb[0, 0, 2]))
    assert all(record.source == source for record, _ in substitutions)
    faces = [(record, face) for record, face in substitutions if isinstance(face, PrivateFace)]
    rows = [produce(face, record) for record, face in faces]
    largest = substitutions[0][1] if substitutions else Refusal("untreated", "")
    return Photograph(
        np.concatenate([np.full((4, 16, 3), len(substitutions), np.uint8), *rows]),
        tuple(Box(0, 16.0 * n, 16, 16.0 * n + 16) for n in range(len(faces))),
        tuple(Box(0, 0, 4, 4) for _ in range(len(substitutions) - len(faces))),
        largest if isinstance(largest, Refusal) else None,
        (Box(1, 2, 3, 4),) if len(substitutions) == 2 else (),
        (Doubt(Box(5, 6, 7, 8.04), "one sees a face"),) if len(substitutions) == 2 else (),
    )


def load_tools(_settings: Settings) -> Tools:
    return Tools(find, produce, treat)


WHOLE = Pipeline(load_tools, load_shape, weights_digest)
SETTINGS = Settings(k=2, output="photo", engine="serial")


def ledger_items(out: Path) -> dict[str, dict[str, object]]:
    lines = [json.loads(line) for line in (out / "private" / "ledger.jsonl").read_bytes().splitlines()]
    return {line["name"]: line for line in lines if line["kind"] == "item"}


def shared(out: Path) -> list[dict[str, str]]:
    with (out / "manifest.csv").open() as file:
        return list(csv.DictReader(file))


def test_one_output_a_photo_with_all_its_faces(photos: Path, key_file: Path, tmp_path: Path) -> None:
    result = run_batch(BatchJob(photos, tmp_path / "out", SETTINGS, key_file=key_file), WHOLE)
    items = ledger_items(tmp_path / "out")
    assert (result.anonymized, result.reasons) == (4, {"no-face": 1, "verification": 1})
    assert set(items) == {"0.png", "1.png", "2.png"} | {
        f"Müller Anna/{name}.png" for name in ("two", "none", "refused")
    }
    two = items["Müller Anna/two.png"]
    assert len(two["synthesized"]) == 2  # type: ignore[arg-type]
    with Image.open(tmp_path / "out" / "images" / str(two["output"])) as picture:
        assert picture.size == (16, 4 + 32)
    report = (tmp_path / "out" / "REPORT.md").read_text()
    assert "1 of 4 photos show several synthesized faces; the statement holds of each of them alone" in report
    assert audit_release(tmp_path / "out").problems == ()


def test_a_face_that_cannot_be_made_is_covered_and_its_row_says_so(key_file: Path, tmp_path: Path) -> None:
    for number in range(3):
        save_photo(tmp_path / "in" / f"{number}.png", number)
    save_photo(tmp_path / "in" / "side.png", 3, fate=PROFILE)
    save_photo(tmp_path / "in" / "rare.png", 4)
    rows = [
        "image,subject,syndrome",
        *(f"{n}.png,s{n},common" for n in range(3)),
        "side.png,s3,common",
        "rare.png,s4,rare",
    ]
    (tmp_path / "people.csv").write_text("\n".join(rows) + "\n")
    settings = Settings(k=2, mechanism="k-same", output="photo", engine="serial")
    run_batch(
        BatchJob(tmp_path / "in", tmp_path / "out", settings, manifest=tmp_path / "people.csv", key_file=key_file),
        WHOLE,
    )
    items = ledger_items(tmp_path / "out")
    assert {name: item["face"] for name, item in items.items()} == {
        **{f"{n}.png": "synthesized" for n in range(3)},
        "side.png": "covered",
        "rare.png": "covered",
    }
    assert items["side.png"]["why"]["reason"] == "profile"  # type: ignore[index]
    assert items["rare.png"]["why"]["reason"] == "small-class"  # type: ignore[index]
    told = {(row["face"], row["syndrome"]) for row in shared(tmp_path / "out")}
    assert told == {("synthesized", "common"), ("covered", "")}
    report = (tmp_path / "out" / "REPORT.md").read_text()
    assert "5 photos of 5 subjects with 3 synthesized faces" in report
    assert "show several synthesized faces" not in report
    assert "in 2 of them the subject's face is covered" in report


def test_faces_alone_leave_the_same_photo_in_quarantine(key_file: Path, tmp_path: Path) -> None:
    for number in range(3):
        save_photo(tmp_path / "in" / f"{number}.png", number)
    save_photo(tmp_path / "in" / "side.png", 3, fate=PROFILE)
    faces = Settings(k=2, engine="serial")
    result = run_batch(BatchJob(tmp_path / "in", tmp_path / "out", faces, key_file=key_file), WHOLE)
    assert (result.anonymized, result.reasons) == (3, {"profile": 1})


def test_stopped_and_resumed_it_ends_with_the_same_bytes(
    photos: Path, key_file: Path, tmp_path: Path, contents: Contents
) -> None:
    run_batch(BatchJob(photos, tmp_path / "whole", SETTINGS, key_file=key_file), WHOLE)

    def stop(phase: str, done: int, _total: int) -> None:
        if (phase, done) == ("produce", 2):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_batch(BatchJob(photos, tmp_path / "cut", SETTINGS, key_file=key_file), WHOLE, progress=stop)
    before = len(list((tmp_path / "cut" / "images").rglob("*.png")))
    assert 0 < before < 4
    result = run_batch(BatchJob(photos, tmp_path / "cut", SETTINGS, key_file=key_file), WHOLE)
    assert result.anonymized + result.skipped == 4
    assert result.skipped == before
    assert contents(tmp_path / "cut") == contents(tmp_path / "whole")
    done = run_batch(BatchJob(photos, tmp_path / "cut", SETTINGS, key_file=key_file), WHOLE)
    assert (done.anonymized, done.skipped) == (0, 4)


def test_workers_give_the_same_bytes(photos: Path, key_file: Path, tmp_path: Path, contents: Contents) -> None:
    for engine in ("serial", "processes"):
        settings = Settings(k=2, output="photo", engine=engine, jobs=2)  # type: ignore[arg-type]
        run_batch(BatchJob(photos, tmp_path / engine, settings, key_file=key_file), WHOLE)
    assert contents(tmp_path / "serial") == contents(tmp_path / "processes")


def test_another_background_is_another_release(photos: Path, key_file: Path, tmp_path: Path) -> None:
    run_batch(BatchJob(photos, tmp_path / "out", SETTINGS, key_file=key_file), WHOLE)
    other = Settings(k=2, output="photo", background="grey", engine="serial")
    with pytest.raises(UsageError, match="settings"):
        run_batch(BatchJob(photos, tmp_path / "out", other, key_file=key_file), WHOLE)


def test_the_settings_of_faces_are_as_they_were() -> None:
    assert Settings(background="grey").digest() == Settings().digest() != Settings(output="photo").digest()
    assert Settings(output="photo").digest() != Settings(output="photo", background="blur").digest()
    assert not {"output", "background"} & set(Settings().relevant())
    with pytest.raises(UsageError, match=r"output.*background"):
        Settings(output="video", background="pink")  # type: ignore[arg-type]


@pytest.mark.parametrize(("background", "words"), [("keep", "27 %"), ("blur", "27 %"), ("grey", "position, size")])
def test_the_report_and_the_result_say_what_else_can_re_identify(
    background: str, words: str, photos: Path, key_file: Path, tmp_path: Path
) -> None:
    settings = Settings(k=2, output="photo", background=background, engine="serial")  # type: ignore[arg-type]
    result = run_batch(BatchJob(photos, tmp_path / "out", settings, key_file=key_file), WHOLE)
    for text in (result.guarantee, (tmp_path / "out" / "REPORT.md").read_text()):
        assert words in text
        assert "covers the synthesized faces only" in text


def test_a_release_of_faces_says_none_of_it(photos: Path, key_file: Path, tmp_path: Path) -> None:
    result = run_batch(BatchJob(photos, tmp_path / "out", Settings(k=2, engine="serial"), key_file=key_file), PIPELINE)
    assert "27 %" not in result.guarantee + (tmp_path / "out" / "REPORT.md").read_text()
    assert "face" not in shared(tmp_path / "out")[0]


def test_photos_in_doubt_are_listed_for_a_person(photos: Path, key_file: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    result = run_batch(BatchJob(photos, out, SETTINGS, key_file=key_file), WHOLE)
    with (out / "private" / "review.csv").open() as file:
        rows = list(csv.DictReader(file))
    two = ledger_items(out)["Müller Anna/two.png"]
    assert rows == [
        {
            "source": "Müller Anna/two.png",
            "output": f"images/{two['output']}",
            "why": "one sees a face",
            **dict(zip(("left", "top", "right", "bottom"), ("5", "6", "7", "8.0"), strict=True)),
        }
    ]
    assert two["text"] == [[1, 2, 3, 4]]
    assert result.review == 1
    promise = json.loads((out / "guarantee.json").read_text())
    assert promise["looked_through_by_a_person"] is False
    assert (promise["photos_to_review"], promise["photos_with_text_covered"]) == (1, 1)
    for text in ((out / "REPORT.md").read_text(), " ".join(result.cautions), " ".join(promise["cautions"])):
        assert "No person has looked through these outputs" in text
        assert "disagree about a face in 1 of 4" in text
        assert "covered in 1" in text


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (Settings(k=2, output="photo", text="keep", engine="serial"), "was kept as it is"),
        (Settings(k=2, output="photo", background="grey", engine="serial"), ""),
        (Settings(k=2, output="photo", engine="serial"), "was not looked for"),
    ],
    ids=["kept", "grey", "no reader"],
)
def test_the_report_says_what_became_of_text(
    settings: Settings, words: str, photos: Path, key_file: Path, tmp_path: Path
) -> None:
    def unread(_settings: Settings) -> Tools:
        return Tools(find, produce, lambda *work: replace(treat(*work), text=None))

    pipeline = Pipeline(unread, load_shape, weights_digest)
    result = run_batch(BatchJob(photos, tmp_path / "out", settings, key_file=key_file), pipeline)
    report = (tmp_path / "out" / "REPORT.md").read_text()
    assert words in report
    assert any(words in caution for caution in result.cautions)
    assert ("Text in the photos" in report) is bool(words)
    assert ("ganonym[text]" in report) is ("not looked for" in words)


def test_faces_alone_have_no_review(photos: Path, key_file: Path, tmp_path: Path) -> None:
    result = run_batch(BatchJob(photos, tmp_path / "out", Settings(k=2, engine="serial"), key_file=key_file), PIPELINE)
    assert (result.review, result.cautions) == (0, ())
    assert not (tmp_path / "out" / "private" / "review.csv").exists()
    assert "No person" not in (tmp_path / "out" / "REPORT.md").read_text()
