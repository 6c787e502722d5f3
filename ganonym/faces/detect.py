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

    @property
    def sure(self) -> float:
        """A score that no face reaches which is on its side or upside down."""
        ...

    def detect(self, rgb: RGB) -> list[Box]:
        """Boxes in photo pixels, surest first; they may reach past the border. Empty when there is no face."""
        ...


@dataclass(frozen=True, slots=True)
class DlibDetector:
    """dlib's frontal HOG + SVM detector (King 2009, Dalal & Triggs 2005); the score is the SVM margin.

    It sees faces of at least 80 px, so the photo is brought to each of `sides` (length of the longer side) in turn,
    enlarged at most `most_enlarged` times. One face as wide as `portrait` of that side ends the search; anything else
    found sends it straight to the finest side, where the others of a group are seen as well. `every_size` always goes
    there, at some fifteen times the cost, to see the small face behind a large one too.
    The surest face needs a score above `threshold`, others one above `beside`: on 687 portraits the surest scored at
    least 0.3, and what scores less beside it is a sleeve or a shadow. Upside-down faces were seen to score up to 0.5 as
    upright ones; of 669 upright portraits all but one score more than `sure`.
    """

    sides: tuple[int, ...] = (480, 960, 1920)
    threshold: float = 0.0
    beside: float = 0.25
    portrait: float = 0.18
    most_enlarged: float = 4.0
    every_size: bool = False
    sure: float = 0.6
    name: str = "dlib-hog"

    def detect(self, rgb: RGB) -> list[Box]:
        height, width = rgb.shape[:2]
        if min(height, width) < SMALLEST_SIDE:
            return []
        longer = max(height, width)
        sides = sorted({min(side, round(longer * self.most_enlarged)) for side in self.sides})
        if self.every_size:
            return self._at(rgb, sides[-1] / longer)
        for side in sides:
            boxes = self._at(rgb, side / longer)
            if len(boxes) == 1 and boxes[0].width >= self.portrait * longer:
                return boxes
            if boxes:
                finest = min(sides[-1], longer)  # enlarging would only add false alarms
                return boxes if finest <= side else self._at(rgb, finest / longer) or boxes
        return []

    def _at(self, rgb: RGB, scale: float) -> list[Box]:
        boxes = _detect_at(rgb, scale, self.threshold)
        return boxes[:1] + [box for box in boxes[1:] if box.score > self.beside]


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
