"""Detection on one public-domain photo at many sizes and places, and on photos without a face."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image
from skimage import data

from ganonym.faces.detect import DlibDetector, resize
from ganonym.types import RGB, Box

ASTRONAUT: RGB = np.asarray(data.astronaut())
FACE = (175, 65, 275, 165)  # left, top, right, bottom of brows, nose and chin, set by hand


def holds(box: Box, scale: float = 1.0, slack: float = 15.0) -> bool:
    edges = np.array([box.left, box.top, box.right, box.bottom]) / scale
    return bool(np.abs(edges - FACE).max() < 2 * slack)


@pytest.mark.parametrize("scale", [0.5, 1.0, 2.0, 5.0])
def test_boxes_are_in_photo_pixels_at_any_size(scale: float) -> None:
    boxes = DlibDetector().detect(resize(ASTRONAUT, scale))
    assert len(boxes) == 1
    assert holds(boxes[0], scale)


def test_a_small_face_in_a_large_photo_is_found_by_finer_passes() -> None:
    rng = np.random.default_rng(0)
    wide = rng.normal(128.0, 4.0, (1400, 2000, 3)).clip(0, 255).astype(np.uint8)
    wide[600:1112, 900:1412] = ASTRONAUT
    assert DlibDetector(sides=(480,)).detect(wide) == []
    (box,) = DlibDetector().detect(wide)
    assert holds(Box(box.left - 900, box.top - 600, box.right - 900, box.bottom - 600))


def test_every_size_also_sees_the_small_face_behind_the_large_one() -> None:
    wide = np.full((1400, 2000, 3), 128, np.uint8)
    wide[:, :1400] = resize(np.ascontiguousarray(ASTRONAUT[:350, 50:400]), 4.0)
    wide[200:712, 1450:1962] = ASTRONAUT
    assert len(DlibDetector().detect(wide)) == 1
    assert len(DlibDetector(every_size=True).detect(wide)) == 2


def test_a_doubtful_box_beside_a_sure_one_is_dropped() -> None:
    pair = np.hstack([ASTRONAUT, np.asarray(Image.fromarray(ASTRONAUT).rotate(15))])
    assert len(DlibDetector(sides=(960,), beside=0.0).detect(pair)) == 3  # the third is a sleeve, at 0.05
    assert len(DlibDetector(sides=(960,)).detect(pair)) == 2


def test_surest_box_comes_first() -> None:
    pair = np.hstack([ASTRONAUT, np.asarray(Image.fromarray(ASTRONAUT).rotate(15))])
    scores = [box.score for box in DlibDetector().detect(pair)]
    assert len(scores) == 2
    assert scores == sorted(scores, reverse=True)


@pytest.mark.parametrize("name", ["chelsea", "coffee"])
def test_no_face_no_box(name: str) -> None:
    assert DlibDetector().detect(np.asarray(getattr(data, name)())) == []


@pytest.mark.parametrize("shape", [(1, 1), (1, 5000), (15, 400), (16, 16), (20, 6000)])
@pytest.mark.parametrize("value", [0, 255])
def test_slivers_hold_no_face(shape: tuple[int, int], value: int) -> None:
    assert DlibDetector().detect(np.full((*shape, 3), value, np.uint8)) == []


def test_resize_keeps_size_and_mean() -> None:
    small = resize(ASTRONAUT, 0.25)
    assert small.shape == (128, 128, 3)
    assert small.flags.c_contiguous
    assert abs(small.mean() - ASTRONAUT.mean()) < 0.5
    assert resize(ASTRONAUT, 1e-6).shape == (1, 1, 3)
