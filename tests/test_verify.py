"""Planted leaks and failures: what is not a sound output must never leave `produce` or reach a folder."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageEnhance, ImageFilter

from ganonym.batch.job import BatchJob
from ganonym.batch.pipeline import Pipeline, Tools, default_pipeline
from ganonym.batch.run import run_batch
from ganonym.errors import PhotoError
from ganonym.faces.align import crop, similarity
from ganonym.faces.landmarks import DlibLandmarks
from ganonym.faces.shape import to_canvas
from ganonym.models import ATTEMPTS, Models, analyse, open_models, produce
from ganonym.phantom.cohort import phantom_cohort
from ganonym.settings import Settings
from ganonym.types import Box, FaceRecord, Points, PrivateFace
from ganonym.verify import Judge, Limits, problems

Pixels = NDArray[np.uint8]
Render = Callable[[PrivateFace], Pixels]

EYES_AND_MOUTH = (slice(36, 42), slice(42, 48), slice(48, 60))
PEOPLE = 4


@dataclass(frozen=True)
class Planted:
    """In the synthesizer's place: renders what it is told, and counts how often it was asked."""

    model: Any
    paint: Render
    attempts: list[int]

    def render(self, face: PrivateFace, attempt: int = 0) -> Pixels:
        self.attempts.append(attempt)
        return self.paint(face)


@pytest.fixture(scope="module")
def photos() -> list[Pixels]:
    return [photo.rgb for photo in phantom_cohort(PEOPLE, 1, seed=11)]


@pytest.fixture(scope="module")
def records(photos: list[Pixels], models: Models) -> list[FaceRecord]:
    return [analyse(rgb, f"{number}.png", models)[0] for number, rgb in enumerate(photos)]


def asked(models: Models) -> PrivateFace:
    """A face of the average shape: nobody's."""
    return PrivateFace(to_canvas(models.synthesizer.model.shape.mean), 2, None, None, seed=4)


def planted(models: Models, paint: Render) -> tuple[Models, list[int]]:
    attempts: list[int] = []
    stand_in: Any = Planted(models.synthesizer.model, paint, attempts)
    return replace(models, synthesizer=stand_in), attempts


def source_on_canvas(rgb: Pixels, record: FaceRecord, face: PrivateFace) -> Pixels:
    """The source's own pixels, moved so that eyes and mouth lie where they were asked for."""
    there = np.array([record.points[part].mean(axis=0) for part in EYES_AND_MOUTH])
    here = np.array([face.points[part].mean(axis=0) for part in EYES_AND_MOUTH])
    return np.ascontiguousarray(np.rint(crop(rgb, similarity(there, here), 256)).clip(0, 255).astype(np.uint8))


def exact(copy: Pixels) -> Pixels:
    return copy


def blurred(copy: Pixels) -> Pixels:
    return np.asarray(Image.fromarray(copy).filter(ImageFilter.GaussianBlur(4)))


def darkened(copy: Pixels) -> Pixels:
    return np.asarray(ImageEnhance.Brightness(Image.fromarray(copy)).enhance(0.6))


def recompressed(copy: Pixels) -> Pixels:
    buffer = io.BytesIO()
    Image.fromarray(copy).save(buffer, "JPEG", quality=30)
    return np.asarray(Image.open(buffer))


def bleached(copy: Pixels) -> Pixels:
    return (255 * np.sqrt(copy / 255)).astype(np.uint8)


def test_a_sound_output_passes_at_the_first_attempt(records: list[FaceRecord], models: Models) -> None:
    watched, attempts = planted(models, partial(models.synthesizer.render, attempt=0))
    rgb = produce(asked(models), records[0], watched)
    assert attempts == [0]
    assert np.array_equal(rgb, models.synthesizer.render(asked(models)))


@pytest.mark.parametrize("disguise", [exact, blurred, darkened, recompressed, bleached])
@pytest.mark.parametrize("person", range(PEOPLE))
def test_the_source_itself_is_refused_however_disguised(
    person: int, disguise: Callable[[Pixels], Pixels], photos: list[Pixels], records: list[FaceRecord], models: Models
) -> None:
    leak = disguise(source_on_canvas(photos[person], records[person], asked(models)))
    leaking, attempts = planted(models, lambda _face: leak)
    with pytest.raises(PhotoError, match="attempts") as refusal:
        produce(asked(models), records[person], leaking)
    assert refusal.value.reason == "verification"
    assert attempts == list(range(ATTEMPTS))


def test_the_planted_copy_is_refused_for_being_a_copy(
    photos: list[Pixels], records: list[FaceRecord], models: Models
) -> None:
    """Its landmarks fit: without the comparison with the source it would pass."""
    leak = source_on_canvas(photos[0], records[0], asked(models))
    lenient = replace(models.judge, limits=Limits(correlation=1.0))
    (fault,) = problems(leak, asked(models), records[0], models.judge)
    assert "correlates" in fault
    assert problems(leak, asked(models), records[0], lenient) == []


@dataclass(frozen=True)
class Astray:
    """dlib's landmarks, all of them a fifth of the box aside: a judge whose own cut says nothing."""

    name: str = "astray"

    @property
    def weights_files(self) -> tuple[Path, ...]:
        return ()

    def locate(self, rgb: Pixels, box: Box) -> Points:
        return DlibLandmarks().locate(rgb, box) + 0.2 * box.width


@pytest.mark.parametrize("person", range(PEOPLE))
def test_a_copy_elsewhere_is_cut_by_the_makers_landmarks(
    person: int, photos: list[Pixels], records: list[FaceRecord], models: Models
) -> None:
    leak = np.roll(source_on_canvas(photos[person], records[person], asked(models)), (16, -16), axis=(0, 1))
    judge = replace(models.judge, landmarks=Astray())

    def likened(judge: Judge) -> list[str]:
        return [fault for fault in problems(leak, asked(models), records[person], judge) if "correlates" in fault]

    assert models.judge.maker == models.landmarks
    assert likened(replace(judge, maker=None)) == []
    assert len(likened(judge)) == 1


def blank(_face: PrivateFace) -> Pixels:
    return np.full((256, 256, 3), 128, np.uint8)


def noise(_face: PrivateFace) -> Pixels:
    return np.random.default_rng(0).integers(0, 256, (256, 256, 3), dtype=np.uint8)


@pytest.mark.parametrize("paint", [blank, noise])
def test_a_picture_without_a_face_is_refused(paint: Render, records: list[FaceRecord], models: Models) -> None:
    assert "shows 0 faces" in refusal_of(paint, records[0], models)


def test_two_faces_are_refused(records: list[FaceRecord], models: Models) -> None:
    def twins(face: PrivateFace) -> Pixels:
        half = Image.fromarray(models.synthesizer.render(face)).crop((32, 16, 224, 240)).resize((128, 149))
        sheet = Image.new("RGB", (256, 256), (128, 128, 128))
        sheet.paste(half, (0, 50))
        sheet.paste(half, (128, 50))
        return np.asarray(sheet)

    assert "shows 2 faces" in refusal_of(twins, records[0], models)


@pytest.mark.parametrize("move", [(0.0, 16.0), (14.0, 0.0)])
def test_a_face_at_other_landmarks_is_refused(
    move: tuple[float, float], records: list[FaceRecord], models: Models
) -> None:
    def displaced(face: PrivateFace) -> Pixels:
        return models.synthesizer.render(replace(face, points=face.points + move))

    assert "interocular distances off" in refusal_of(displaced, records[0], models)


def test_a_wider_face_than_asked_for_is_refused(records: list[FaceRecord], models: Models) -> None:
    def stretched(face: PrivateFace) -> Pixels:
        middle = face.points.mean(axis=0)
        return models.synthesizer.render(replace(face, points=(face.points - middle) * [1.18, 0.95] + middle))

    assert "interocular distances off" in refusal_of(stretched, records[0], models)


def test_the_whole_photo_is_refused(photos: list[Pixels], records: list[FaceRecord], models: Models) -> None:
    assert "shape (480, 480, 3)" in refusal_of(lambda _face: photos[0], records[0], models)


def test_the_recognizer_sees_half_a_source(photos: list[Pixels], models: Models) -> None:
    """A half-transparent source may pass the thumbnail; with the descriptor it does not."""
    strict = replace(models, recognizer=True)
    record = analyse(photos[0], "0.png", strict)[0]
    copy = source_on_canvas(photos[0], record, asked(models))
    mixed = np.rint(0.7 * copy + 0.3 * models.synthesizer.render(asked(models))).astype(np.uint8)
    assert "recognizer sees the source" in refusal_of(lambda _face: mixed, record, strict)


def refusal_of(paint: Render, record: FaceRecord, models: Models) -> str:
    failing, _ = planted(models, paint)
    with pytest.raises(PhotoError) as refusal:
        produce(asked(models), record, failing)
    assert refusal.value.reason == "verification"
    return str(refusal.value)


def leaking_tools(settings: Settings) -> Tools:
    """The real pipeline, but each source is rendered as itself."""
    models = open_models()
    seen: dict[str, Pixels] = {}

    def analyse_and_keep(rgb: Pixels, source: str) -> list[FaceRecord]:
        seen[source] = rgb
        return analyse(rgb, source, models)

    def leak(face: PrivateFace, record: FaceRecord) -> Pixels:
        leaking, _ = planted(models, partial(source_on_canvas, seen[record.source], record))
        return produce(face, record, leaking)

    return Tools(analyse_and_keep, leak)


def test_a_batch_whose_synthesizer_leaks_releases_nothing(photos: list[Pixels], tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for number, rgb in enumerate(photos):
        Image.fromarray(rgb).save(tmp_path / "in" / f"{number}.png")
    sound = default_pipeline()
    pipeline = Pipeline(leaking_tools, sound.load_shape_model, sound.weights_digest)
    result = run_batch(BatchJob(tmp_path / "in", tmp_path / "out", Settings(engine="serial")), pipeline)
    assert (result.anonymized, result.reasons, result.exit_code) == (0, {"verification": PEOPLE}, 1)
    assert [path for path in (tmp_path / "out" / "images").rglob("*") if path.is_file()] == []
