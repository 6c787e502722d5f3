"""Which faces of a photo are where faces are expected, and which are strangers."""

from __future__ import annotations

from collections.abc import Sequence

from ganonym.types import Box

_COVERED = 0.7


def stray_boxes(boxes: Sequence[Box], expected: Sequence[Box], covered: Sequence[Box]) -> list[Box]:
    """Those of `boxes` that neither coincide with an `expected` face nor lie in what is `covered`.

    To coincide is to have the middle within the other's box and at most twice its width; to lie in a cover is to share
    70 % of one's area with it.
    """
    return [
        box
        for box in boxes
        if not any(coincide(box, each) for each in expected) and not any(_inside(box, each) for each in covered)
    ]


def coincide(box: Box, face: Box) -> bool:
    """Whether `box` is the detector's box of the face whose landmarks fill `face`."""
    x, y = (box.left + box.right) / 2, (box.top + box.bottom) / 2
    ratio = box.width / max(face.width, 1e-9)
    return face.left <= x <= face.right and face.top - 0.2 * face.height <= y <= face.bottom and 0.5 <= ratio <= 2.0


def _inside(box: Box, cover: Box) -> bool:
    width = min(box.right, cover.right) - max(box.left, cover.left)
    height = min(box.bottom, cover.bottom) - max(box.top, cover.top)
    return max(width, 0.0) * max(height, 0.0) >= _COVERED * box.area
