"""Face detection: a photo in, boxes out."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol

import numpy as np
from PIL import Image

from ganonym.types import RGB, Box

SMALLEST_SIDE = 16
"""Photos with a side below this many pixels hold no face that anything here could use."""


class Detector(Protocol):
    """Finds upright faces of any size."""

    @property
    def name(self) -> str: ...

    def detect(self, rgb: RGB) -> list[Box]:
        """Boxes in photo pixels, surest first; they may reach past the border. Empty when there is no face."""
        ...


@dataclass(frozen=True, slots=True)
class DlibDetector:
    """dlib's frontal HOG + SVM detector (King 2009, Dalal & Triggs 2005); the score is the SVM margin.

    It sees faces of at least 80 px, so the photo is brought to each of `sides` (length of the longer side) in turn
    until a face is found; enlarging stops at `most_enlarged` times. With `every_size` the search goes straight to the
    finest side, at some fifteen times the cost, so that small faces in the background are found as well as large ones.
    """

    sides: tuple[int, ...] = (480, 960, 1920)
    threshold: float = 0.0
    most_enlarged: float = 4.0
    every_size: bool = False
    name: str = "dlib-hog"

    def detect(self, rgb: RGB) -> list[Box]:
        height, width = rgb.shape[:2]
        if min(height, width) < SMALLEST_SIDE:
            return []
        longer = max(height, width)
        tried = set[int]()
        for side in self.sides[-1:] if self.every_size else self.sides:
            side = min(side, round(longer * self.most_enlarged))
            if side in tried:
                continue
            tried.add(side)
            if boxes := _detect_at(rgb, side / longer, self.threshold):
                return boxes
        return []


def _detect_at(rgb: RGB, scale: float, threshold: float) -> list[Box]:
    resized = resize(rgb, scale)
    rectangles, scores, _ = _hog().run(resized, 0, threshold)
    sx, sy = rgb.shape[1] / resized.shape[1], rgb.shape[0] / resized.shape[0]
    # dlib's right and bottom are the last pixels inside; ours are edges, and (0, 0) is a pixel's centre.
    boxes = [
        Box(r.left() * sx - 0.5, r.top() * sy - 0.5, (r.right() + 1) * sx - 0.5, (r.bottom() + 1) * sy - 0.5, score)
        for r, score in zip(rectangles, scores, strict=True)
    ]
    return sorted(boxes, key=lambda box: -box.score)


def resize(rgb: RGB, scale: float) -> RGB:
    """`rgb` at `scale` times its size, low-passed where it shrinks, contiguous; at least 1 x 1."""
    height, width = rgb.shape[:2]
    size = max(1, round(width * scale)), max(1, round(height * scale))
    if size == (width, height):
        return np.ascontiguousarray(rgb)
    return np.asarray(Image.fromarray(rgb).resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0))


@cache
def _hog() -> Any:
    import dlib

    return dlib.get_frontal_face_detector()
