"""The pipeline in memory, with the real models."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skimage.data
from numpy.typing import NDArray
from PIL import Image

from ganonym.batch.run import anonymize_folder
from ganonym.errors import UsageError
from ganonym.faces.shape import to_canvas
from ganonym.models import Models, analyse
from ganonym.phantom.cohort import phantom_cohort
from ganonym.phantom.photos import turned
from ganonym.pipeline import anonymize
from ganonym.pseudonym import output_name
from ganonym.settings import Settings
from ganonym.subjects import faces_to_release
from ganonym.types import Box, Points, Refusal
from ganonym.verify import DETAIL_LIMIT, detail_left

Pixels = NDArray[np.uint8]


@pytest.fixture(scope="module")
def photos() -> dict[str, Pixels]:
    """Eleven people, and a second photo of the first."""
    first = {f"{photo.subject}.png": photo.rgb for photo in phantom_cohort(11, 1, seed=21)}
    return first | {"again.png": next(p.rgb for p in phantom_cohort(1, 2, seed=21) if p.number == 2)}


def subjects_of(photos: Mapping[str, Pixels]) -> dict[str, str]:
    return {name: "phantom-0001" if name == "again.png" else name.removesuffix(".png") for name in photos}


def picture(outcome: Pixels | Refusal) -> Pixels:
    assert not isinstance(outcome, Refusal), outcome
    return outcome


def with_coffee(photos: Mapping[str, Pixels]) -> tuple[dict[str, Pixels], dict[str, str]]:
    return {**photos, "coffee": skimage.data.coffee()}, {**subjects_of(photos), "coffee": "cup"}


def run(
    photos: Mapping[str, Pixels], subjects: Mapping[str, str], seed: int, models: Models
) -> dict[str, Pixels | Refusal]:
    return anonymize(
        photos, Settings(mechanism="k-same", policy="controlled", seed=seed), subjects=subjects, models=models
    )


@pytest.fixture(scope="module")
def outcomes(photos: dict[str, Pixels], models: Models) -> dict[str, Pixels | Refusal]:
    return run(*with_coffee(photos), 5, models)


def test_k_same_answers_for_every_photo(photos: dict[str, Pixels], outcomes: dict[str, Pixels | Refusal]) -> None:
    assert set(outcomes) == {*photos, "coffee"}
    refused = {name: outcome for name, outcome in outcomes.items() if isinstance(outcome, Refusal)}
    reasons = {name: refusal.reason for name, refusal in refused.items()}
    assert reasons == {"coffee": "no-face", "again.png": "many-photos"}, "a second photo has no second group"
    assert "coffee" in refused["coffee"].detail
    pictures = [outcome for outcome in outcomes.values() if not isinstance(outcome, Refusal)]
    assert all((picture.shape, picture.dtype) == ((256, 256, 3), np.uint8) for picture in pictures)
    assert len({picture.tobytes() for picture in pictures}) == len(pictures)


def test_the_same_request_gives_the_same_pixels_and_another_seed_others(
    photos: dict[str, Pixels], outcomes: dict[str, Pixels | Refusal], models: Models
) -> None:
    again = run(*with_coffee(photos), 5, models)
    other = run(*with_coffee(photos), 6, models)
    for name in sorted({*photos} - {"again.png"}):
        assert np.array_equal(picture(outcomes[name]), picture(again[name]))
        assert not np.array_equal(picture(outcomes[name]), picture(other[name]))


def test_fewer_than_k_people_are_a_usage_error(photos: dict[str, Pixels], models: Models) -> None:
    few = dict(list(photos.items())[:3])
    with pytest.raises(UsageError, match="11"):
        run(few, subjects_of(few), 0, models)


def test_a_codebook_serves_a_single_photo(photos: dict[str, Pixels], models: Models) -> None:
    name, rgb = next(iter(photos.items()))
    outcome = anonymize({name: rgb}, Settings(mechanism="codebook"), models=models)[name]
    assert picture(outcome).shape == (256, 256, 3)


def test_memory_and_folder_give_the_same_bytes_for_the_same_key(
    photos: dict[str, Pixels], models: Models, tmp_path: Path
) -> None:
    """The batch is the oracle: its worker processes, names and analysis on disk change nothing."""
    people = dict(list(photos.items())[:11])
    key = bytes(range(32))
    (tmp_path / "in").mkdir()
    (tmp_path / "key").write_bytes(key)
    (tmp_path / "key").chmod(0o600)
    for name, rgb in people.items():
        Image.fromarray(rgb).save(tmp_path / "in" / name)
    settings = Settings(mechanism="k-same", k=11, seed=4, engine="serial")
    anonymize_folder(tmp_path / "in", tmp_path / "out", settings, key_file=tmp_path / "key")
    in_memory = anonymize(people, settings, models=models, key=key)
    for name, outcome in in_memory.items():
        with Image.open(tmp_path / "out" / "images" / output_name(key, name)) as image:
            assert np.array_equal(np.asarray(image), picture(outcome))


def test_a_sequence_comes_back_as_a_list_and_pil_images_as_their_pixels(
    photos: dict[str, Pixels], models: Models
) -> None:
    rgb = next(iter(photos.values()))
    settings = Settings(mechanism="codebook")
    lying = Image.fromarray(np.ascontiguousarray(np.rot90(rgb)))
    lying.getexif()[0x0112] = 6  # upright by a quarter turn, clockwise
    first, second = (anonymize([photo], settings, models=models) for photo in (rgb, lying))
    assert np.array_equal(picture(first[0]), picture(second[0]))


def test_a_whole_photo_keeps_its_size_and_loses_its_face(photos: dict[str, Pixels], models: Models) -> None:
    rgb = next(iter(photos.values()))
    settings = Settings(mechanism="codebook", output="photo", text="keep")
    (outcome,) = anonymize([rgb], settings, models=models)
    whole = picture(outcome)
    assert whole.shape == rgb.shape
    assert np.array_equal(whole[:20, :20], rgb[:20, :20]), "the surroundings are kept"
    face = analyse(rgb, "0", models)[0]
    assert detail_left(whole, rgb, face.points) < DETAIL_LIMIT
    (far,) = anonymize([Image.fromarray(rgb).resize((90, 90))], settings, models=models)
    assert isinstance(far, Refusal) or not np.array_equal(far, np.asarray(Image.fromarray(rgb).resize((90, 90))))


@pytest.mark.parametrize(
    ("wrong", "options", "words"),
    [
        (np.zeros((8, 8), np.uint8), {}, "uint8 \\(8, 8\\)"),
        (np.zeros((8, 8, 3)), {}, "float64"),
        ("a.jpg", {}, "is str"),
        (np.zeros((8, 8, 3), np.uint8), {"subjects": ["a", "b"]}, "1 photos and 2 subjects"),
        (np.zeros((8, 8, 3), np.uint8), {"labels": {"other": "x"}}, "`labels` says nothing of photo '0'"),
        (np.zeros((8, 8, 3), np.uint8), {"key": b"short"}, "5 bytes"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(wrong: Any, options: Any, words: str, models: Models) -> None:
    with pytest.raises(UsageError, match=words):
        anonymize([wrong], Settings(mechanism="codebook"), models=models, **options)


def test_nothing_but_shape_and_tone_reaches_the_output(photos: dict[str, Pixels], models: Models) -> None:
    """Pixels away from the face change; the analysis that counts stays, and so do the output's bytes."""
    name, rgb = next(iter(photos.items()))
    scribbled = rgb.copy()
    scribbled[:12], scribbled[-12:] = (255, 0, 0), (0, 0, 255)
    before, after = (analyse(pixels, name, models)[0] for pixels in (rgb, scribbled))
    assert not np.array_equal(rgb, scribbled)
    assert np.array_equal(before.shape, after.shape)
    assert before.tone == after.tone
    settings = Settings(mechanism="codebook")
    plain, painted = (anonymize({name: pixels}, settings, models=models)[name] for pixels in (rgb, scribbled))
    assert np.array_equal(picture(plain), picture(painted))


@dataclass(frozen=True)
class Heads:
    """Detector and landmark model of a scene that is known: heads of the average shape, turned by so many degrees."""

    points: tuple[Points, ...]
    name: str = "known"
    sure: float = 0.6

    def detect(self, rgb: Pixels) -> list[Box]:
        del rgb
        return [Box(*point.min(axis=0), *point.max(axis=0), 1.0 - n / 10) for n, point in enumerate(self.points)]

    def locate(self, rgb: Pixels, box: Box) -> Points:
        del rgb
        return min(self.points, key=lambda point: abs(point[:, 0].min() - box.left))


def scene(models: Models, *heads: tuple[float, float, float]) -> Models:
    """Heads of (yaw in degrees, width as a share of the canvas's, shift to the right in px)."""
    mean = to_canvas(models.synthesizer.model.shape.mean)
    backend = Heads(tuple(turned(mean, yaw, 0.0) * scale + [shift, 0.0] for yaw, scale, shift in heads))
    return replace(models, detector=backend, landmarks=backend)


ROOM = np.full((400, 800, 3), 128, np.uint8)


@pytest.mark.parametrize("yaw", [-60.0, 60.0])
def test_a_profile_is_refused(yaw: float, models: Models) -> None:
    (record,) = analyse(ROOM, "side.jpg", scene(models, (yaw, 1.0, 0.0)))
    assert record.refusal is not None
    assert record.refusal.reason == "profile"
    assert "turned by" in record.refusal.detail


@pytest.mark.parametrize("yaw", [-30.0, 0.0, 30.0])
def test_a_head_turned_a_little_is_not(yaw: float, models: Models) -> None:
    (record,) = analyse(ROOM, "front.jpg", scene(models, (yaw, 1.0, 0.0)))
    assert record.pose.yaw == pytest.approx(yaw, abs=10.0)


def test_a_face_of_a_few_pixels_is_refused(models: Models) -> None:
    (record,) = analyse(ROOM, "far.jpg", scene(models, (0.0, 0.15, 0.0)))
    assert record.refusal is not None
    assert record.refusal.reason == "tiny"
    assert "px wide" in record.refusal.detail


def test_faces_that_cannot_be_synthesized_are_found_and_say_why(models: Models) -> None:
    people = scene(models, (0.0, 1.0, 0.0), (60.0, 0.9, 260.0), (0.0, 0.15, 500.0), (10.0, 0.7, 560.0))
    records = analyse(ROOM, "group.jpg", people)
    assert [record.box.area for record in records] == sorted((record.box.area for record in records), reverse=True)
    reasons = {round(record.box.left): record.refusal.reason if record.refusal else None for record in records}
    assert sorted(map(str, reasons.values())) == ["None", "None", "profile", "tiny"]
    assert [record.index for record in records] == [0, 1, 2, 3]
    released = faces_to_release(records, None, one_subject=False)
    assert isinstance(released, list)
    assert [record.refusal for record in released] == [None, None]
