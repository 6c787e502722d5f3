"""A second, more sensitive look for faces that a photo must not keep: small, turned, in profile."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from ganonym.faces.detect import DlibDetector, resize
from ganonym.faces.find import unturn
from ganonym.faces.landmarks import model_file
from ganonym.types import RGB, Box

SIDE = 640
"""Longer side at which dlib's network looks: it then sees faces of about a ninth of it, at 2 s a photo and core."""

UPRIGHT, TURNED = 0.1, 0.6
_FINE = DlibDetector(threshold=UPRIGHT, beside=UPRIGHT, every_size=True)
_COARSE = DlibDetector(sides=(960,), threshold=TURNED, beside=TURNED, every_size=True)


def second_look(rgb: RGB) -> list[Box]:
    """Boxes in photo pixels of everything that may be a face, overlapping ones included.

    dlib's HOG detector at its finest upright, and at the three other quarter turns; and dlib's detection network (King
    2015, max-margin object detection), which sees profiles. Faces below about 80 px of a photo 1920 px long, the backs
    of heads and faces that something hides are seen by neither.
    """
    boxes = list(_FINE.detect(rgb))
    for turns in (1, 2, 3):
        turned = np.ascontiguousarray(np.rot90(rgb, turns))
        boxes += [_unturned(box, turns, rgb.shape[:2]) for box in _COARSE.detect(turned)]
    return boxes + _by_network(rgb)


def _by_network(rgb: RGB) -> list[Box]:
    scale = min(SIDE / max(rgb.shape[:2]), 4.0)
    resized = resize(rgb, scale)
    sx, sy = rgb.shape[1] / resized.shape[1], rgb.shape[0] / resized.shape[0]
    found = [(each.rect, each.confidence) for each in _network()(resized, 0)]
    return [
        Box(r.left() * sx - 0.5, r.top() * sy - 0.5, (r.right() + 1) * sx - 0.5, (r.bottom() + 1) * sy - 0.5, score)
        for r, score in found
    ]


def _unturned(box: Box, turns: int, shape: tuple[int, ...]) -> Box:
    corners = unturn(np.array([[box.left, box.top], [box.right, box.bottom]]), turns, shape)
    (left, top), (right, bottom) = corners.min(axis=0).tolist(), corners.max(axis=0).tolist()
    return Box(left, top, right, bottom, box.score)


@cache
def _network() -> Any:
    import dlib

    return dlib.cnn_face_detection_model_v1(str(model_file("mmod_human_face_detector.dat")))
