"""A second, more sensitive look for faces that a photo must not keep: small, turned, dark, hidden, cut by the frame."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
from PIL import Image
from scipy.ndimage import uniform_filter

from ganonym.faces.blazeface import BlazeFaceDetector, blazeface_boxes
from ganonym.faces.detect import Detector, DlibDetector, resize
from ganonym.faces.landmarks import model_file
from ganonym.faces.overlap import coincide
from ganonym.types import RGB, Box

SIDE = 640
"""Longer side at which dlib's network looks: it then sees faces of about a ninth of it, at 2 s a photo and core."""

UPRIGHT = 0.1
_FINE = DlibDetector(threshold=UPRIGHT, beside=UPRIGHT, every_size=True)

WHOLE, TURNED, TILED, TILED_TURNED = 0.4, 0.6, 0.6, 0.7
"""Bounds on BlazeFace's probability: the more often it looks, the surer it must be (`benchmarks/bystanders.py`)."""

FINEST = 320
"""Side in photo pixels of the smallest tiles: faces in them are seen from about 20 px on."""

LEVELLED_SIDE, LEVEL = 1280, 55.0
DOUBTFUL = 0.2
"""BlazeFace's least probability on the whole photo that is shown to a person."""


def second_look(rgb: RGB) -> list[Box]:
    """Boxes in photo pixels of everything that may be a face, overlapping ones included.

    dlib's HOG detector at its finest; dlib's detection network (King 2015, max-margin object detection), which sees
    profiles; and BlazeFace on the photo, on ever smaller tiles, at all four quarter turns, stretched, and with its
    light levelled.
    Backs of heads and faces below about 20 px are seen by none.
    """
    return [*_FINE.detect(rgb), *_by_network(rgb), *_by_blazeface(rgb)]


def perhaps_faces(rgb: RGB) -> list[Box]:
    """Boxes of what BlazeFace takes for a face at a score too low to cover it: worth a person's look."""
    return [box for box in blazeface_boxes(rgb, DOUBTFUL) if box.score < WHOLE]


def unconfirmed(rgb: RGB, boxes: Sequence[Box], detector: Detector) -> list[Box]:
    """Those of `boxes`, faces that `detector` found, at which no detector of another family sees one: perhaps no faces.

    Beside dlib that is BlazeFace; beside BlazeFace dlib's HOG, and its network, which takes long, where HOG sees none.
    """
    rest = list(boxes)
    looks = (_FINE.detect, _by_network) if isinstance(detector, BlazeFaceDetector) else (_by_blazeface,)
    for look in looks:
        seen = look(rgb) if rest else []
        rest = [box for box in rest if not any(coincide(other, box) for other in seen)]
    return rest


def levelled(rgb: RGB) -> RGB:
    """`rgb` with brightness and contrast brought to one level everywhere: what lies in the dark or in glare shows.

    Mean and spread of the grey values are those of squares a quarter of the longer side wide.
    """
    colours = rgb.astype(np.float32)
    grey, side = colours.mean(axis=-1), max(rgb.shape[:2]) // 4 + 1
    mean = uniform_filter(grey, side)
    spread = np.sqrt(np.maximum(uniform_filter((grey - mean) ** 2, side), 1.0))
    level: RGB = ((colours - mean[..., None]) / spread[..., None] * LEVEL + 128).clip(0, 255).astype(np.uint8)
    return level


def _by_blazeface(rgb: RGB) -> list[Box]:
    tiles = _tiles(max(rgb.shape[:2]))
    found = [*blazeface_boxes(rgb, WHOLE), *blazeface_boxes(rgb, TURNED, turns=(1, 2, 3))]
    if tiles:
        found += blazeface_boxes(rgb, TILED, tiles)
        found += blazeface_boxes(rgb, TILED_TURNED, tiles[:2], (1, 2, 3))
    small = resize(rgb, min(LEVELLED_SIDE / max(rgb.shape[:2]), 1.0))
    level = levelled(small)
    lit = blazeface_boxes(level, TURNED) + (blazeface_boxes(level, TILED, tiles[:2]) if tiles else [])
    lit += blazeface_boxes(level, TILED_TURNED, turns=(1, 2, 3))
    found += [_scaled(box, rgb.shape[1] / level.shape[1], rgb.shape[0] / level.shape[0]) for box in lit]
    # Stretching widens the boxes of faces that are as they should be: where those are known, it adds nothing.
    return found + [box for box in _stretched(small, rgb.shape) if not any(_meet(box, other) for other in found)]


def _stretched(rgb: RGB, shape: tuple[int, ...]) -> list[Box]:
    """Faces of a squeezed or a flattened photo, seen at twice its width or height; in pixels of the one of `shape`."""
    boxes = []
    for wide, high in ((2, 1), (1, 2)):
        view = np.asarray(Image.fromarray(rgb).resize((rgb.shape[1] * wide, rgb.shape[0] * high)))
        x, y = shape[1] / view.shape[1], shape[0] / view.shape[0]
        boxes += [_scaled(box, x, y) for box in blazeface_boxes(view, TILED, (1, 2))]
    return boxes


def _meet(a: Box, b: Box) -> bool:
    """Whether the middle of one box lies in the other."""
    return _holds(a, b) or _holds(b, a)


def _holds(a: Box, b: Box) -> bool:
    return a.left <= (b.left + b.right) / 2 <= a.right and a.top <= (b.top + b.bottom) / 2 <= a.bottom


def _scaled(box: Box, x: float, y: float) -> Box:
    (left, right), (top, bottom) = np.array([[box.left, box.right], [box.top, box.bottom]]) + 0.5
    return Box(left * x - 0.5, top * y - 0.5, right * x - 0.5, bottom * y - 0.5, box.score)


def _tiles(longer: int) -> tuple[int, ...]:
    """How often to divide a photo of which the longer side has so many pixels.

    >>> _tiles(400), _tiles(900), _tiles(6000)
    ((), (2, 3), (2, 3, 6, 12, 24))
    """
    return tuple(count for count in (2, 3, 6, 12, 24) if 1.5 * longer / count >= FINEST)


def _by_network(rgb: RGB) -> list[Box]:
    scale = min(SIDE / max(rgb.shape[:2]), 4.0)
    resized = resize(rgb, scale)
    sx, sy = rgb.shape[1] / resized.shape[1], rgb.shape[0] / resized.shape[0]
    found = [(each.rect, each.confidence) for each in _network()(resized, 0)]
    return [
        Box(r.left() * sx - 0.5, r.top() * sy - 0.5, (r.right() + 1) * sx - 0.5, (r.bottom() + 1) * sy - 0.5, score)
        for r, score in found
    ]


@cache
def _network() -> Any:
    import dlib

    return dlib.cnn_face_detection_model_v1(str(model_file("mmod_human_face_detector.dat")))
