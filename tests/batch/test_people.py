"""k counts people: whatever makes several subjects of one person is found before anything is released."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tiny_pipeline import PIPELINE, save_photo

from ganonym.batch.job import BatchJob
from ganonym.batch.pipeline import Pipeline, Tools
from ganonym.batch.prepare import rehearse_batch
from ganonym.batch.run import run_batch
from ganonym.errors import UsageError
from ganonym.phantom.cohort import phantom_cohort
from ganonym.settings import Settings

SERIAL = Settings(engine="serial", k=2)


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photographs of four people who do not exist."""
    folder = tmp_path_factory.mktemp("people")
    for number, photo in enumerate(phantom_cohort(4, 1, seed=8)):
        Image.fromarray(photo.rgb).save(folder / f"{number}.png")
    return folder


@pytest.fixture
def cohort(people: Path, tmp_path: Path) -> Path:
    shutil.copytree(people, tmp_path / "in")
    return tmp_path / "in"


def subjects(out: Path) -> dict[str, str]:
    with (out / "private" / "keymap.csv").open() as file:
        return {row["source"]: row["subject"] for row in csv.DictReader(file)}


def again(photo: Path, how: str) -> Path:
    """One more file of the same picture."""
    copy = photo.with_name(f"{how}.jpg" if how == "encoded" else f"{how}.png")
    with Image.open(photo) as picture:
        width, height = picture.size
        changes: dict[str, Callable[[], Image.Image]] = {
            "copied": picture.copy,
            "encoded": picture.copy,
            "resized": lambda: picture.resize((width // 2, height // 2)),
            "mirrored": lambda: picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
            "darker": lambda: picture.point([round(value * 0.7) for value in range(256)] * 3),
        }
        changes[how]().save(copy, quality=60)
    if how == "copied":
        shutil.copy(photo, copy)
    return copy


@pytest.mark.parametrize("how", ["copied", "encoded", "resized", "mirrored", "darker"])
def test_one_picture_under_two_names_stops_the_run(cohort: Path, tmp_path: Path, how: str) -> None:
    copy = again(cohort / "1.png", how)
    with pytest.raises(UsageError, match="would count as several subjects") as caught:
        run_batch(BatchJob(cohort, tmp_path / "out", SERIAL))
    evidence = "the same file" if how == "copied" else "the same picture"
    assert f"{evidence}: '1.png', '{copy.name}'" in str(caught.value)
    assert not list((tmp_path / "out" / "images").rglob("*.png"))


def test_different_people_are_let_through_and_so_is_the_steward_s_word(cohort: Path, tmp_path: Path) -> None:
    assert run_batch(BatchJob(cohort, tmp_path / "plain", SERIAL)).anonymized == 4
    again(cohort / "1.png", "mirrored")
    word = tmp_path / "distinct.csv"
    word.write_text("1.png,mirrored.png\n")
    assert run_batch(BatchJob(cohort, tmp_path / "out", SERIAL, distinct=word)).anonymized == 5


def test_a_manifest_that_gives_copies_one_subject_is_right(cohort: Path, tmp_path: Path) -> None:
    again(cohort / "1.png", "encoded")
    rows = ["image,subject", *(f"{number}.png,P{number}" for number in range(4)), "encoded.jpg,P1"]
    table = tmp_path / "people.csv"
    table.write_text("\n".join(rows))
    run_batch(BatchJob(cohort, tmp_path / "out", SERIAL, manifest=table))
    assert len(set(subjects(tmp_path / "out").values())) == 4
    table.write_text("\n".join(rows).replace("encoded.jpg,P1", "encoded.jpg,P9"))
    with pytest.raises(UsageError, match=r"'1.png' \(P1\)"):
        run_batch(BatchJob(cohort, tmp_path / "other", SERIAL, manifest=table))


def test_where_k_does_not_count_the_steward_is_warned(cohort: Path, tmp_path: Path) -> None:
    again(cohort / "1.png", "encoded")
    settings = Settings(engine="serial", mechanism="codebook")
    result = run_batch(BatchJob(cohort, tmp_path / "out", settings))
    assert result.warnings == ("one person under several subjects, the same picture: '1.png', 'encoded.jpg'",)
    shared = (tmp_path / "out" / "REPORT.md").read_text() + (tmp_path / "out" / "manifest.csv").read_text()
    assert "encoded" not in shared, "names of photographs are not shared"


def test_a_collage_of_one_person_is_one_subject(cohort: Path, tmp_path: Path) -> None:
    with Image.open(cohort / "0.png") as picture:
        first = np.asarray(picture)
    Image.fromarray(np.hstack([first, first[:, ::-1]])).save(cohort / "0.png")
    result = run_batch(BatchJob(cohort, tmp_path / "out", SERIAL))
    assert result.anonymized == 5
    with (tmp_path / "out" / "private" / "keymap.csv").open() as file:
        outcome = sorted((row["source"], row["subject"]) for row in csv.DictReader(file))
    assert outcome == [("0.png", "0.png"), *((f"{number}.png", f"{number}.png") for number in range(4))]


def test_a_group_photo_without_manifest_shows_several_subjects(cohort: Path, tmp_path: Path) -> None:
    with Image.open(cohort / "0.png") as one, Image.open(cohort / "3.png") as other:
        Image.fromarray(np.hstack([np.asarray(one), np.asarray(other)])).save(cohort / "0.png")
    (cohort / "3.png").unlink()
    run_batch(BatchJob(cohort, tmp_path / "out", SERIAL))
    with (tmp_path / "out" / "private" / "keymap.csv").open() as file:
        results = {row["subject"] for row in csv.DictReader(file)}
    assert results == {"0.png", "0.png#2", "1.png", "2.png"}


def write_two_faces(folder: Path) -> Path:
    """Three photos; on the second, faces of like size; nobody is larger by half."""
    for number in range(3):
        save_photo(folder / "in" / f"{number}.png", number, faces=1 + (number == 1))
    table = folder / "people.csv"
    table.write_text("image,subject\n" + "".join(f"{number}.png,P{number}\n" for number in range(3)))
    return table


def test_with_a_manifest_other_people_are_neither_released_nor_counted(tmp_path: Path) -> None:
    table = write_two_faces(tmp_path)
    run_batch(BatchJob(tmp_path / "in", tmp_path / "out", SERIAL, manifest=table), PIPELINE)
    assert subjects(tmp_path / "out") == {f"{number}.png": f"P{number}" for number in range(3)}
    with pytest.raises(UsageError, match="k = 4"):
        run_batch(
            BatchJob(tmp_path / "in", tmp_path / "four", Settings(k=4, mechanism="k-same"), manifest=table), PIPELINE
        )


def test_a_photo_in_which_two_could_be_the_subject_is_withheld_unless_it_is_said_who(tmp_path: Path) -> None:
    table = write_two_faces(tmp_path)
    pipeline = Pipeline(like_sized, PIPELINE.load_shape_model, PIPELINE.weights_digest)
    result = run_batch(BatchJob(tmp_path / "in", tmp_path / "out", SERIAL, manifest=table), pipeline)
    assert result.reasons == {"several-faces": 1}
    said = table.read_text().replace("image,subject", "image,subject,face").replace("1.png,P1", "1.png,P1,right")
    table.write_text("\n".join(line if line.count(",") == 2 else line + "," for line in said.splitlines()))
    by_row = run_batch(BatchJob(tmp_path / "in", tmp_path / "row", SERIAL, manifest=table), pipeline)
    assert (by_row.anonymized, by_row.reasons) == (3, {})
    general = Settings(engine="serial", k=2, subject_face="largest")
    plain = write_two_faces(tmp_path)
    assert run_batch(BatchJob(tmp_path / "in", tmp_path / "all", general, manifest=plain), pipeline).anonymized == 3
    assert subjects(tmp_path / "row") == subjects(tmp_path / "all")


def like_sized(settings: Settings) -> Tools:
    """The tiny pipeline, but the second face is 0.6 times as wide as the first, and to its right."""
    from dataclasses import replace

    from ganonym.types import RGB, Box, FaceRecord

    tools = PIPELINE.load_tools(settings)

    def analyse(rgb: RGB, source: str) -> list[FaceRecord]:
        first, *others = tools.analyse(rgb, source)
        return [first, *(replace(face, box=Box(2, 0, 2.6, 0.6)) for face in others)]

    return replace(tools, analyse=analyse)


@pytest.mark.parametrize(("one", "other"), [("007", "7"), ("P-1", "p–1"), ("Ann\u200b", "Ann"), ("1", "1.0")])
def test_one_id_in_two_spellings_stops_the_run_before_any_photo_is_read(tmp_path: Path, one: str, other: str) -> None:
    for number in range(2):
        save_photo(tmp_path / "in" / f"{number}.png", number)
    table = tmp_path / "people.csv"
    table.write_text(f"image,subject\n0.png,{one}\n1.png,{other}\n", encoding="utf-8")
    with pytest.raises(UsageError, match="spelled in several ways"):
        run_batch(BatchJob(tmp_path / "in", tmp_path / "out", SERIAL, manifest=table), PIPELINE)
    assert not (tmp_path / "out").exists()
    word = tmp_path / "distinct.csv"
    word.write_text(f"{one},{other}\n", encoding="utf-8")
    assert (
        run_batch(
            BatchJob(tmp_path / "in", tmp_path / "out", SERIAL, manifest=table, distinct=word), PIPELINE
        ).anonymized
        == 2
    )


def test_a_rehearsal_refuses_what_the_run_would_and_writes_nothing(cohort: Path, tmp_path: Path) -> None:
    copy = again(cohort / "1.png", "mirrored")
    with pytest.raises(UsageError, match="would count as several subjects"):
        rehearse_batch(BatchJob(cohort, tmp_path / "out", SERIAL))
    assert not (tmp_path / "out").exists()
    copy.unlink()
    rehearsal = rehearse_batch(BatchJob(cohort, tmp_path / "out", SERIAL))
    assert (rehearsal.subjects, rehearsal.faces, rehearsal.reasons) == (4, 4, {})
    assert not (tmp_path / "out").exists()
    done = run_batch(BatchJob(cohort, tmp_path / "out", SERIAL))
    assert (done.anonymized, done.guarantee) == (4, rehearsal.release.guarantee.statement)


def test_a_rehearsal_counts_whom_the_run_withholds(tmp_path: Path) -> None:
    table = write_two_faces(tmp_path)
    pipeline = Pipeline(like_sized, PIPELINE.load_shape_model, PIPELINE.weights_digest)
    job = BatchJob(tmp_path / "in", tmp_path / "out", SERIAL, table)
    rehearsal = rehearse_batch(job, pipeline)
    assert rehearsal.reasons == run_batch(job, pipeline).reasons == {"several-faces": 1}
    assert rehearsal.subjects == 2


def test_who_is_taken_for_the_subject_because_of_their_size_is_told(tmp_path: Path) -> None:
    table = write_two_faces(tmp_path)
    result = run_batch(BatchJob(tmp_path / "in", tmp_path / "out", SERIAL, manifest=table), PIPELINE)
    (warning,) = result.warnings
    assert "'1.png': is the largest face the subject's?" in warning
    table.write_text("image,subject,face\n" + "".join(f"{number}.png,P{number},largest\n" for number in range(3)))
    assert run_batch(BatchJob(tmp_path / "in", tmp_path / "said", SERIAL, manifest=table), PIPELINE).warnings == ()
