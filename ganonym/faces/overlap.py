"""Which faces of a photo are where faces are expected, and which are strangers."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

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


def overlapping(boxes: Sequence[Box]) -> list[list[Box]]:
    """`boxes` in groups: two that share half of the smaller one's area are in one, and so on along chains.

    >>> [len(group) for group in overlapping([Box(0, 0, 10, 10), Box(90, 0, 99, 9), Box(1, 1, 12, 12)])]
    [2, 1]
    """
    groups: list[list[Box]] = []
    for box in boxes:
        near = [group for group in groups if any(shared(box, other) >= 0.5 for other in group)]
        groups = [group for group in groups if group not in near]
        groups.append([*(other for group in near for other in group), box])
    return sorted(groups, key=lambda group: boxes.index(group[0]))


def usual_box(boxes: Sequence[Box]) -> Box:
    """The median of each edge of boxes of one face, so that one that is far too large does not count; the best score.

    >>> usual_box([Box(0, 0, 10, 10), Box(1, 1, 11, 11), Box(-50, -50, 90, 90, 0.7)])
    Box(left=0.0, top=0.0, right=11.0, bottom=11.0, score=0.7)
    """
    return Box(
        left=float(median(box.left for box in boxes)),
        top=float(median(box.top for box in boxes)),
        right=float(median(box.right for box in boxes)),
        bottom=float(median(box.bottom for box in boxes)),
        score=max(box.score for box in boxes),
    )


def shared(a: Box, b: Box) -> float:
    """Shared area as a share of the smaller one's, so that a box inside another counts as the same."""
    width = min(a.right, b.right) - max(a.left, b.left)
    height = min(a.bottom, b.bottom) - max(a.top, b.top)
    return max(width, 0.0) * max(height, 0.0) / max(min(a.area, b.area), 1e-9)


def _inside(box: Box, cover: Box) -> bool:
    width = min(box.right, cover.right) - max(box.left, cover.left)
    height = min(box.bottom, cover.bottom) - max(box.top, cover.top)
    return max(width, 0.0) * max(height, 0.0) >= _COVERED * box.area
