"""Subjects: which ids are one person, which the steward says are not, and which of a photo's faces is the subject's."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from itertools import combinations
from pathlib import Path
from typing import TypeAlias, get_args

from ganonym.errors import UsageError
from ganonym.settings import FaceWord
from ganonym.tables import read_lists
from ganonym.types import Box, FaceRecord, Refusal

Distinct = frozenset[frozenset[str]]
"""Pairs of subject ids (of photos, where there is no manifest) that the steward says are different people."""

_MINUS = "\N{MINUS SIGN}\N{HYPHEN BULLET}\N{MODIFIER LETTER MINUS SIGN}"
_UNSEEN = "\N{COMBINING GRAPHEME JOINER}" + "".join(map(chr, (*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0))))
"""What no font shows, beside control and format characters: the joiner and variation selectors."""

_LISTED = 50

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


def canonical_id(subject: str) -> str:
    """What stays of a subject id when spelling is taken away: ids with equal results are taken for one person.

    Unicode NFKC and case folding; no white space and no invisible characters; every dash a hyphen; no leading zeros
    in a number, and no ".0" behind one that a spreadsheet wrote.

    >>> [canonical_id(subject) for subject in ("P–007", "p-7", "\\u200bP - 7", "7.0", "10")]
    ['p-7', 'p-7', 'p-7', '7', '10']
    """
    text = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", subject).casefold())
    kept = [
        "-" if unicodedata.category(letter) == "Pd" or letter in _MINUS else letter
        for letter in text
        if not letter.isspace() and unicodedata.category(letter) not in {"Cf", "Cc"} and letter not in _UNSEEN
    ]
    # Once more: what stood between two letters may have kept them from composing.
    text = unicodedata.normalize("NFKC", "".join(kept))
    plain = re.sub(r"(?<!\d)(?<!\d[.,])0+(?=\d)", "", text)
    return re.sub(r"^(\d+)[.,]0+$", r"\1", plain)


def spelled_alike(subjects: Iterable[str], distinct: Distinct = frozenset()) -> list[tuple[str, ...]]:
    """Groups of different ids with one canonical form, but for pairs that are `distinct`; sorted.

    >>> spelled_alike(["7", "007", "8"]), spelled_alike(["7", "007"], frozenset({frozenset({"7", "007"})}))
    ([('007', '7')], [])
    """
    groups: dict[str, list[str]] = {}
    for subject in sorted(set(subjects)):
        groups.setdefault(canonical_id(subject), []).append(subject)
    return [
        tuple(group)
        for group in groups.values()
        if any(is_doubtful(*pair, distinct) for pair in combinations(group, 2))
    ]


def is_doubtful(one: str, other: str, distinct: Distinct) -> bool:
    """Whether two ids may be one person's: they differ, and the steward has not said that the people do."""
    return one != other and frozenset({one, other}) not in distinct


def refuse_spelled_alike(subjects: Iterable[str], distinct: Distinct = frozenset()) -> None:
    """Raises UsageError naming every group of `spelled_alike`."""
    groups = spelled_alike(subjects, distinct)
    if groups:
        lines = [" and ".join(map(repr, group)) for group in groups[:_LISTED]]
        more = [f"… and {len(groups) - _LISTED} more"] if len(groups) > _LISTED else []
        raise UsageError(
            "\n  ".join([f"{len(groups)} subjects are spelled in several ways, and would count twice:", *lines, *more])
            + "\n",
            "Spell each in one way. Different people? Then --distinct FILE, a CSV with their ids in a line.",
        )


def read_distinct(path: Path | None, subjects: Iterable[str]) -> Distinct:
    """The pairs of a CSV without header, each line the ids of people who are all different; none without a path.

    Lines that begin with # are remarks. Raises UsageError: file unreadable, a line with one id only, an id that is not
    among `subjects`.
    """
    if path is None:
        return frozenset()
    present = set(subjects)
    lines = read_lists(path, present, "list of different people")
    pairs: set[frozenset[str]] = set()
    for number, cells in enumerate(lines, start=1):
        ids = [unicodedata.normalize("NFC", cell.strip()) for cell in cells if cell.strip()]
        if not ids or ids[0].startswith("#"):
            continue
        if absent := [subject for subject in ids if subject not in present]:
            raise UsageError(
                f"{path}, line {number}: {absent[0]!r} is no subject of this run.",
                "Write ids as the manifest does; without a manifest, photos as paths below the input folder.",
            )
        if len(set(ids)) < 2:
            raise UsageError(f"{path}, line {number} names one subject only.", "Name all who are different people.")
        pairs |= {frozenset(pair) for pair in combinations(sorted(set(ids)), 2)}
    return frozenset(pairs)


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
