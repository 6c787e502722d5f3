"""The information bottleneck, end to end: pixels changed, privatized conditioning equal → output bytes equal."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ganonym.models import Models, analyse, produce
from ganonym.phantom.cohort import phantom_cohort
from ganonym.pipeline import anonymize
from ganonym.settings import Settings
from ganonym.types import RGB, Box, Points, PrivateFace, Refusal

Photos = dict[str, RGB]


class InTurn:
    """A landmark model that answers with known points, one set a call: the pixels change, the shape stays."""

    name = "in turn"

    def __init__(self, points: list[Points]) -> None:
        self.points = list(points)

    def locate(self, _rgb: RGB, _box: Box) -> Points:
        return self.points.pop(0)


@pytest.fixture(scope="module")
def photos() -> Photos:
    return {photo.subject: photo.rgb for photo in phantom_cohort(4, 1, seed=21)}


@pytest.fixture(scope="module")
def points(photos: Photos, models: Models) -> list[Points]:
    return [analyse(rgb, name, models)[0].points for name, rgb in photos.items()]


def blotted(rgb: RGB) -> RGB:
    """Another backdrop, noise all over, a mark on the cheek, a watermark: things that a person can be known by."""
    changed = rgb.astype(float) + np.random.default_rng(3).normal(0.0, 6.0, rgb.shape)
    changed[:60] = [200.0, 30.0, 90.0]
    changed[:, :60] = [10.0, 220.0, 40.0]
    changed[270:285, 190:205] = [120.0, 20.0, 20.0]
    changed[440:, 300:] = 255 - changed[440:, 300:]
    return np.clip(changed, 0, 255).astype(np.uint8)


def pictures(outcomes: dict[str, RGB | Refusal]) -> dict[str, bytes]:
    assert not [outcome for outcome in outcomes.values() if isinstance(outcome, Refusal)]
    return {name: outcome.tobytes() for name, outcome in outcomes.items() if isinstance(outcome, np.ndarray)}


def run(photos: Photos, models: Models, seed: int = 1, attributes: tuple[str, ...] = ("tone",)) -> dict[str, bytes]:
    settings = Settings(mechanism="k-same", k=2, seed=seed, attributes=attributes)
    return pictures(anonymize(photos, settings, models=models))


def test_other_pixels_with_the_same_shape_and_tone_give_the_same_bytes(
    models: Models, photos: Photos, points: list[Points]
) -> None:
    changed = {name: blotted(rgb) for name, rgb in photos.items()}
    before = [analyse(rgb, name, models)[0] for name, rgb in photos.items()]
    pinned = replace(models, landmarks=InTurn(points))
    after = [analyse(rgb, name, pinned)[0] for name, rgb in changed.items()]
    same_tone = {one.source for one, other in zip(before, after, strict=True) if one.tone == other.tone}
    assert len(same_tone) >= 3
    assert all(not np.array_equal(one.thumbnail, other.thumbnail) for one, other in zip(before, after, strict=True))

    mixed = {name: changed[name] if name in same_tone else rgb for name, rgb in photos.items()}
    assert run(photos, replace(models, landmarks=InTurn(points))) == run(
        mixed, replace(models, landmarks=InTurn(points))
    )


def test_without_attributes_not_even_the_tone_passes(models: Models, photos: Photos, points: list[Points]) -> None:
    blue = {name: np.ascontiguousarray((rgb * 0.7).astype(np.uint8)[..., ::-1]) for name, rgb in photos.items()}
    first, second = (run(same, replace(models, landmarks=InTurn(points)), attributes=()) for same in (photos, blue))
    assert first == second


def test_a_forced_private_face_gives_the_same_bytes_whatever_photo_it_came_with(models: Models, photos: Photos) -> None:
    points = models.synthesizer.model.shape.mean * 480.0 + np.array([127.5, 142.0])
    face = PrivateFace(points, 2, None, None, 77)
    records = [analyse(rgb, name, models)[0] for name, rgb in photos.items()]
    assert len({produce(face, record, models).tobytes() for record in records}) == 1


def test_the_same_run_gives_the_same_bytes_and_another_seed_other_people(models: Models, photos: Photos) -> None:
    first, again, other = (run(photos, models, seed=seed) for seed in (1, 1, 2))
    assert first == again
    assert not set(first.values()) & set(other.values())


def test_a_photo_without_a_face_is_refused_and_never_returned(models: Models, photos: Photos) -> None:
    with_blank = {**photos, "blank": np.full((120, 120, 3), 128, np.uint8)}
    outcome = anonymize(with_blank, Settings(mechanism="k-same", k=2), models=models)["blank"]
    assert isinstance(outcome, Refusal)
    assert outcome.reason == "no-face"
