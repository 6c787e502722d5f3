"""Which of a photo's faces is the subject's: the only one, or the one that the steward's words or box point to."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Literal, TypeAlias, get_args

from ganonym.types import Box, FaceRecord, Refusal

FaceWord = Literal["left", "right", "top", "bottom", "largest", "smallest"]
FaceChoice: TypeAlias = FaceWord | Box
"""A word, or a box in pixels of the upright photo; `left` is the left of the picture."""

WORDS: tuple[FaceWord, ...] = get_args(FaceWord)

RIVAL = 0.45
"""A second face at least this share as wide as the widest could be the subject's too: half, less a tenth by which the
boxes of detectors err.
"""

_HOW = "say which is the subject's: manifest column `face` (left, right, top, bottom, largest, smallest or a box)"
_KEYS: dict[FaceWord, Callable[[Box], float]] = {
    "left": lambda box: box.left + box.right,
    "right": lambda box: -box.left - box.right,
    "top": lambda box: box.top + box.bottom,
    "bottom": lambda box: -box.top - box.bottom,
    "largest": lambda box: -box.area,
    "smallest": lambda box: box.area,
}


def parse_choice(text: str) -> FaceChoice:
    """A choice as manifests write it: one of `WORDS`, or four numbers `left top right bottom` in pixels.

    Raises ValueError with what is wrong.

    >>> parse_choice("Left"), parse_choice("10, 20, 110, 140.5")
    ('left', Box(left=10.0, top=20.0, right=110.0, bottom=140.5, score=0.0))
    """
    word = next((word for word in WORDS if word == text.strip().lower()), None)
    if word is not None:
        return word
    try:
        left, top, right, bottom = (float(part) for part in re.split(r"[\s,;]+", text.strip()))
    except ValueError:
        raise ValueError(
            f"{text!r} is neither {', '.join(WORDS)} nor a box of four numbers: left top right bottom"
        ) from None
    if not (left < right < float("inf") and top < bottom < float("inf")):
        raise ValueError(f"the box {text!r} is empty; its numbers are left, top, right and bottom")
    return Box(left, top, right, bottom)


def faces_to_release(
    records: Sequence[FaceRecord], choice: FaceChoice | None, one_subject: bool
) -> list[FaceRecord] | Refusal:
    """Which of a photo's faces (`records`, the largest first, doubtful ones last) are released, or why none is.

    With `one_subject` exactly one, the subject's, as `choice` or its size tells; other people are left out. Otherwise
    all that can be synthesized, if the largest can.
    """
    if not one_subject:
        return records[0].refusal or [record for record in records if record.refusal is None]
    place = choose_face([record.box for record in records], choice)
    if isinstance(place, Refusal):
        return place
    return records[place].refusal or [records[place]]


def choose_face(boxes: Sequence[Box], choice: FaceChoice | None) -> int | Refusal:
    """Which of the faces with these boxes (at least one) is the subject's: its place, or why nobody can know.

    Without a choice there must be one face only, or one about twice as wide as any other: a parent who holds the
    child is often the larger of the two. A box points to the face whose middle lies in it, the nearest to its own
    middle where there are several. Refusals: "several-faces", "no-such-face".

    >>> parent, child = Box(0, 0, 90, 90), Box(100, 0, 150, 50)
    >>> choose_face([parent, child], None).reason, choose_face([parent, child], "right")
    ('several-faces', 1)
    """
    if isinstance(choice, Box):
        inside = [place for place, box in enumerate(boxes) if _holds(choice, box)]
        if not inside:
            detail = f"no face has its middle in the box {_corners(choice)}; there are {_listed(boxes)}"
            return Refusal("no-such-face", detail)
        return min(inside, key=lambda place: _apart(choice, boxes[place]))
    if choice is not None:
        return min(range(len(boxes)), key=lambda place: _KEYS[choice](boxes[place]))
    widths = [box.width for box in boxes]
    widest = max(range(len(boxes)), key=lambda place: widths[place])
    rivals = [place for place, width in enumerate(widths) if place != widest and width >= RIVAL * widths[widest]]
    if rivals:
        return Refusal("several-faces", f"{len(rivals) + 1} faces could be the subject's ({_listed(boxes)}); {_HOW}")
    return widest


def _holds(outer: Box, box: Box) -> bool:
    x, y = _middle(box)
    return outer.left <= x <= outer.right and outer.top <= y <= outer.bottom


def _apart(one: Box, other: Box) -> float:
    (x, y), (u, v) = _middle(one), _middle(other)
    return (x - u) ** 2 + (y - v) ** 2


def _middle(box: Box) -> tuple[float, float]:
    return (box.left + box.right) / 2, (box.top + box.bottom) / 2


def _listed(boxes: Sequence[Box]) -> str:
    return "; ".join(_corners(box) for box in boxes)


def _corners(box: Box) -> str:
    return f"{box.left:.0f} {box.top:.0f} {box.right:.0f} {box.bottom:.0f}"
