"""The information bottleneck, end to end: pixels changed, coordinates equal → output bytes equal."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ganonym import models as stage
from ganonym.faces.coordinates import COMPONENTS
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


FRAME = 160


def framed(rgb: RGB, colour: tuple[int, int, int]) -> RGB:
    """The photo in a wide frame: what is there is no part of a face, nor of the hair by which light is estimated."""
    whole = np.empty((rgb.shape[0] + 2 * FRAME, rgb.shape[1] + 2 * FRAME, 3), np.uint8)
    whole[:] = colour
    whole[FRAME:-FRAME, FRAME:-FRAME] = rgb
    return whole


def pictures(outcomes: dict[str, RGB | Refusal]) -> dict[str, bytes]:
    assert not [outcome for outcome in outcomes.values() if isinstance(outcome, Refusal)]
    return {name: outcome.tobytes() for name, outcome in outcomes.items() if isinstance(outcome, np.ndarray)}


def run(photos: Photos, models: Models, seed: int = 1) -> dict[str, bytes]:
    return pictures(anonymize(photos, Settings(mechanism="k-same", k=2, seed=seed), models=models))


def test_what_surrounds_a_face_changes_no_byte(models: Models, photos: Photos, points: list[Points]) -> None:
    colours = ((200, 30, 90), (20, 60, 30))
    first, second = ({name: framed(rgb, colour) for name, rgb in photos.items()} for colour in colours)
    pinned = [replace(models, landmarks=InTurn([own + FRAME for own in points])) for _ in range(4)]
    before = [analyse(rgb, name, pinned[0])[0] for name, rgb in first.items()]
    after = [analyse(rgb, name, pinned[1])[0] for name, rgb in second.items()]
    for one, other in zip(before, after, strict=True):
        assert one.row is not None
        assert other.row is not None
        assert one.row.tobytes() == other.row.tobytes()
    assert run(first, pinned[2]) == run(second, pinned[3])


def test_other_pixels_with_the_same_coordinates_give_the_same_bytes(
    models: Models, photos: Photos, points: list[Points], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a photograph nothing but its row goes into an output."""
    changed = {name: blotted(rgb) for name, rgb in photos.items()}
    before = [analyse(rgb, name, models)[0] for name, rgb in photos.items()]
    pinned = replace(models, landmarks=InTurn(points))
    after = [analyse(rgb, name, pinned)[0] for name, rgb in changed.items()]
    assert all(not np.array_equal(one.thumbnail, other.thumbnail) for one, other in zip(before, after, strict=True))
    assert all(not np.array_equal(one.row, other.row) for one, other in zip(before, after, strict=True))

    first = run(photos, replace(models, landmarks=InTurn(points)))
    assert first != run(changed, replace(models, landmarks=InTurn(points))), "what the row says does come through"
    rows = [record.row for record in before]
    monkeypatch.setattr(stage, "row_of", lambda *_: rows.pop(0))
    assert first == run(changed, replace(models, landmarks=InTurn(points)))
    assert not rows


def test_a_forced_private_face_gives_the_same_bytes_whatever_photo_it_came_with(models: Models, photos: Photos) -> None:
    points = models.synthesizer.model.shape.mean * 480.0 + np.array([127.5, 142.0])
    face = PrivateFace(points, None, None, None, 77, np.linspace(-1.0, 1.0, COMPONENTS))
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
