"""Whole photos with the real models, of people who do not exist: replaced, covered, refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from rapidocr import RapidOCR

from ganonym.errors import PhotoError
from ganonym.faces.find import find_faces
from ganonym.faces.shape import to_canvas
from ganonym.models import Models, analyse
from ganonym.phantom.cohort import phantom_cohort
from ganonym.photograph import ONE_ONLY, treat_photo
from ganonym.photos.text import text_outlines
from ganonym.synthesis.region import box_region
from ganonym.synthesis.synthesizer import Layers
from ganonym.types import RGB, Box, FaceRecord, PrivateFace, Refusal, Substitution
from ganonym.verify import DETAIL_LIMIT, detail_left, is_covered

Pixels = NDArray[np.uint8]
WITHHELD = Refusal("small-class", "too few")


def blind(_rgb: RGB) -> list[Box]:
    """No second look, where it is not what is tested: it takes seconds."""
    return []


@pytest.fixture(scope="module")
def portraits() -> list[Pixels]:
    return [photo.rgb for photo in phantom_cohort(3, 1, seed=21)]


@pytest.fixture(scope="module")
def pair(portraits: list[Pixels]) -> Pixels:
    """Two people side by side, and the second at two thirds of the size."""
    room = np.full((480, 820, 3), 150, np.uint8)
    room[:, :480] = portraits[0]
    smaller = portraits[1][::3, ::3].repeat(2, axis=0).repeat(2, axis=1)
    room[80:400, 490:810] = smaller[:320, :320]
    return room


def asked(models: Models, seed: int = 4) -> PrivateFace:
    return PrivateFace(to_canvas(models.synthesizer.model.shape.mean), 2, None, None, seed=seed)


def swaps(models: Models, rgb: Pixels) -> list[Substitution]:
    return [(record, asked(models, record.index)) for record in analyse(rgb, "a.png", models)]


def test_the_face_is_replaced_and_all_else_kept(portraits: list[Pixels], models: Models) -> None:
    done = treat_photo(portraits[0], swaps(models, portraits[0]), "a.png", models, "keep", blind)
    again = treat_photo(portraits[0], swaps(models, portraits[0]), "a.png", models, "keep", blind)
    assert np.array_equal(done.rgb, again.rgb)
    assert (len(done.synthesized), done.covered, done.covered_because) == (1, (), None)
    changed = np.any(done.rgb != portraits[0], axis=-1)
    assert 0.05 < changed.mean() < 0.6
    record = analyse(portraits[0], "a.png", models)[0]
    assert detail_left(done.rgb, portraits[0], record.points) < DETAIL_LIMIT
    assert detail_left(portraits[0] // 2, portraits[0], record.points) > 0.9
    assert len(find_faces(done.rgb, models.detector, models.landmarks)) == 1


def test_every_face_of_a_photo_is_replaced(pair: Pixels, models: Models) -> None:
    wanted = swaps(models, pair)
    assert len(wanted) == 2
    done = treat_photo(pair, wanted, "a.png", models, "keep", blind)
    assert (len(done.synthesized), done.covered) == (2, ())
    assert all(detail_left(done.rgb, pair, record.points) < DETAIL_LIMIT for record, _ in wanted)


@pytest.mark.parametrize("missing", ["refused", "not asked for"])
def test_a_face_without_output_is_covered(missing: str, pair: Pixels, models: Models) -> None:
    wanted = swaps(models, pair)
    second = wanted[1][0]
    wanted[1:] = [(second, WITHHELD)] if missing == "refused" else []
    done = treat_photo(pair, wanted, "a.png", models, "keep", blind)
    assert len(done.synthesized) == 1
    assert done.covered_because is None
    assert_covered(done.rgb, pair, second, models)


def test_a_withheld_largest_face_is_covered_and_the_result_says_so(pair: Pixels, models: Models) -> None:
    wanted = swaps(models, pair)
    wanted[0] = (wanted[0][0], WITHHELD)
    done = treat_photo(pair, wanted, "a.png", models, "keep", blind)
    assert done.covered_because == WITHHELD
    assert_covered(done.rgb, pair, wanted[0][0], models)


def test_a_covered_face_that_the_frame_cuts_is_no_reason_to_withhold_the_photo(
    portraits: list[Pixels], models: Models
) -> None:
    """Its other half is black in photo and output alike, as far as the aligned face reaches beyond the frame."""
    nose = round(float(analyse(portraits[1], "b.png", models)[0].points[33, 1]))
    room = np.full((len(portraits[0]), portraits[0].shape[1] + portraits[1].shape[1], 3), 120, np.uint8)
    room[:, : portraits[0].shape[1]] = portraits[0]
    room[len(room) - nose :, portraits[0].shape[1] :] = portraits[1][:nose]
    (whole, cut) = sorted(analyse(room, "a.png", models), key=lambda record: record.box.left)
    wanted = [(whole, asked(models)), (replace(cut, refusal=None), WITHHELD)]
    done = treat_photo(room, wanted, "a.png", models, "keep", blind)
    assert len(done.synthesized) == 1
    assert_covered(done.rgb, room, cut, models)
    assert not is_covered(room, room, cut, models.judge.limits)


def test_covers_are_as_large_as_what_is_seen_in_the_source(portraits: list[Pixels], models: Models) -> None:
    """A look at the output that takes a blot and all about it for a large face adds nothing."""
    source, stranger = portraits[0], Box(4.0, 4.0, 34.0, 34.0)

    def look(rgb: Pixels) -> list[Box]:
        return [stranger if np.array_equal(rgb, source) else Box(-181.0, -181.0, 219.0, 219.0)]

    done = treat_photo(source, swaps(models, source), "a.png", models, "keep", look)
    assert len(done.synthesized) == 1
    (cover,) = done.covered
    assert cover.left <= stranger.left < stranger.right <= cover.right < 60
    assert not np.array_equal(done.rgb[4:34, 4:34], source[4:34, 4:34]), "seen in the source alone, yet covered"


def test_a_photo_without_any_substitution_has_all_its_faces_covered(pair: Pixels, models: Models) -> None:
    done = treat_photo(pair, [], "a.png", models, "keep", blind)
    assert done.synthesized == ()
    assert done.covered_because is not None
    for record in analyse(pair, "a.png", models):
        assert_covered(done.rgb, pair, record, models)


def test_what_only_the_second_look_sees_is_covered(portraits: list[Pixels], models: Models) -> None:
    stranger = Box(10.0, 20.0, 70.0, 80.0)
    done = treat_photo(portraits[0], swaps(models, portraits[0]), "a.png", models, "keep", lambda _rgb: [stranger])
    hidden = np.zeros((480, 480), np.bool_)
    box_region(stranger, (480, 480)).paint(hidden)
    assert len(done.covered) == 1
    other = np.where(hidden[..., None], np.uint8(0), portraits[0])
    again = treat_photo(other, swaps(models, portraits[0]), "a.png", models, "keep", lambda _rgb: [stranger])
    assert np.array_equal(done.rgb, again.rgb)


def test_a_bystander_in_the_dark_is_covered_and_told_of(portraits: list[Pixels], models: Models) -> None:
    """dlib sees nothing of her at 5 % brightness: version 0.1 left her as she was."""
    room = np.full((480, 900, 3), 150, np.uint8)
    room[:, :480] = portraits[0]
    room[60:480, 480:] = np.rint(portraits[1][:420, 30:450] * 0.05)
    records = analyse(room, "a.png", models)
    assert len(records) == 1
    done = treat_photo(room, swaps(models, room), "a.png", models, "keep")
    lit = analyse(portraits[1], "b.png", models)[0].points + np.array([480 - 30, 60])
    assert detail_left(done.rgb, room, lit) < DETAIL_LIMIT < 0.99 < detail_left(room, room, lit)
    assert len(done.covered) >= 1
    assert any(doubt.why == ONE_ONLY and doubt.box.left > 480 for doubt in done.doubts)


def test_text_is_covered_but_on_the_new_face(portraits: list[Pixels], models: Models) -> None:
    name = np.array([[300.0, 440.0], [470.0, 440.0], [470.0, 470.0], [300.0, 470.0]])
    forehead = analyse(portraits[0], "a.png", models)[0].points[27] + np.array([[-9, -9], [9, -9], [9, 9], [-9, 9]])
    seen: list[Pixels] = []

    def read(rgb: RGB) -> list[NDArray[np.float64]]:
        seen.append(rgb)
        return [forehead, name] if np.array_equal(rgb, portraits[0]) else [forehead]

    wanted = swaps(models, portraits[0])
    done = treat_photo(portraits[0], wanted, "a.png", models, "keep", blind, read)
    assert len(seen) == 2, "the photo and the result are read"
    assert len(done.synthesized) == 1
    assert done.text is not None
    assert any(box.left < 300 and box.right > 470 for box in done.text)
    other = portraits[0].copy()
    other[440:471, 300:471] = 255 - other[440:471, 300:471]
    again = treat_photo(other, wanted, "a.png", models, "keep", blind, lambda _: [forehead, name])
    assert np.array_equal(done.rgb, again.rgb), "nothing of what is written stays"
    assert treat_photo(portraits[0], wanted, "a.png", models, "keep", blind).text is None


def test_text_that_only_the_result_shows_is_covered_too(portraits: list[Pixels], models: Models) -> None:
    late = np.array([[10.0, 10.0], [90.0, 10.0], [90.0, 30.0], [10.0, 30.0]])
    wanted = swaps(models, portraits[0])

    def read(rgb: RGB) -> list[NDArray[np.float64]]:
        return [] if np.array_equal(rgb, portraits[0]) else [late]

    done = treat_photo(portraits[0], wanted, "a.png", models, "keep", blind, read)
    assert done.text is not None
    assert len(done.text) == 1


def test_what_is_written_beside_a_face_cannot_be_read_afterwards(portraits: list[Pixels], models: Models) -> None:
    rgb = Image.fromarray(portraits[0])
    pen = ImageDraw.Draw(rgb)
    pen.text((10, 440), "Anna Muster 0123456", fill=(250, 250, 250), font=ImageFont.load_default(30))
    pen.text((10, 10), "12.03.2019", fill=(0, 0, 0), font=ImageFont.load_default(22))
    photo = np.asarray(rgb)
    engine = RapidOCR(params={"Global.log_level": "critical"})
    assert "0123456" in "".join(engine(photo[..., ::-1].copy()).txts)
    done = treat_photo(photo, swaps(models, photo), "a.png", models, "keep", blind, text_outlines)
    after = engine(done.rgb[..., ::-1].copy())
    (new,) = done.synthesized  # the reader takes a whole face for a character; the photo's text is not in there
    pieces = zip(after.txts, np.mean(after.boxes, axis=1), strict=True) if after.txts else ()
    left = "".join(text for text, (x, y) in pieces if not (new.left <= x <= new.right and new.top <= y <= new.bottom))
    assert not any(character.isdigit() for character in left)
    assert "Anna" not in left


def test_no_face_is_refused(models: Models) -> None:
    with pytest.raises(PhotoError) as refusal:
        treat_photo(np.full((300, 300, 3), 90, np.uint8), [], "wall.png", models, "keep", blind)
    assert refusal.value.reason == "no-face"
    assert "wall.png" in str(refusal.value)


@dataclass(frozen=True)
class Planted:
    """In the synthesizer's place: layers as they are painted."""

    model: Any
    paint: Callable[[PrivateFace, int], Layers]

    def layers(self, face: PrivateFace, attempt: int = 0) -> Layers:
        return self.paint(face, attempt)


def planted(models: Models, paint: Callable[[PrivateFace, int], Layers]) -> Models:
    stand_in: Any = Planted(models.synthesizer.model, paint)
    return replace(models, synthesizer=stand_in)


def test_a_broken_generator_covers_the_face(portraits: list[Pixels], models: Models) -> None:
    flat = np.full((256, 256, 3), 128, np.uint8)
    broken = planted(models, lambda _face, _attempt: Layers(flat, flat, flat[..., 0]))
    wanted = swaps(models, portraits[0])
    done = treat_photo(portraits[0], wanted, "a.png", broken, "keep", blind)
    assert done.synthesized == ()
    assert done.covered_because is not None
    assert done.covered_because.reason == "verification"
    assert_covered(done.rgb, portraits[0], wanted[0][0], models)


def test_a_mask_that_lets_nothing_through_is_noticed_in_the_photo(portraits: list[Pixels], models: Models) -> None:
    """The picture is sound, what is pasted is not: only the look at the photo itself can tell."""

    def transparent(face: PrivateFace, attempt: int) -> Layers:
        return replace(models.synthesizer.layers(face, attempt), mask=np.zeros((256, 256), np.uint8))

    wanted = swaps(models, portraits[0])
    done = treat_photo(portraits[0], wanted, "a.png", planted(models, transparent), "keep", blind)
    assert done.synthesized == ()
    assert_covered(done.rgb, portraits[0], wanted[0][0], models)


def test_a_second_attempt_may_succeed(portraits: list[Pixels], models: Models) -> None:
    def late(face: PrivateFace, attempt: int) -> Layers:
        layers = models.synthesizer.layers(face, attempt)
        return layers if attempt == 2 else replace(layers, mask=np.zeros((256, 256), np.uint8))

    done = treat_photo(portraits[0], swaps(models, portraits[0]), "a.png", planted(models, late), "keep", blind)
    assert len(done.synthesized) == 1


def test_a_source_that_stays_is_refused(
    portraits: list[Pixels], models: Models, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A composition that erases nothing: no photo leaves."""
    monkeypatch.setattr("ganonym.photograph.compose_photo", lambda rgb, *_: rgb)
    with pytest.raises(PhotoError) as refusal:
        treat_photo(portraits[0], swaps(models, portraits[0]), "a.png", models, "keep", blind)
    assert refusal.value.reason == "verification"


@pytest.mark.parametrize("background", ["blur", "grey"])
def test_other_backgrounds_pass_the_same_checks(background: Any, pair: Pixels, models: Models) -> None:
    done = treat_photo(pair, swaps(models, pair), "a.png", models, background, blind)
    assert len(done.synthesized) >= 1
    assert done.rgb.shape == pair.shape


def assert_covered(rgb: Pixels, source: Pixels, record: FaceRecord, models: Models) -> None:
    """No finder sees the face, and nothing fine is left of it."""
    boxes = [face.box for face in find_faces(rgb, models.detector, models.landmarks)]
    middle = record.points.mean(axis=0)
    assert not any(box.left < middle[0] < box.right and box.top < middle[1] < box.bottom for box in boxes)
    x0, y0 = np.maximum(np.rint(record.points.min(axis=0)).astype(int), 1)
    x1, y1 = np.rint(record.points.max(axis=0)).astype(int)
    steps = np.abs(np.diff(rgb[y0:y1, x0:x1].astype(float), axis=1))
    assert np.percentile(steps, 99) < 6
    assert abs(detail_left(rgb, source, record.points)) < DETAIL_LIMIT
