"""One person under several spellings of an id, and the steward's word on which ids are really different people."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from itertools import combinations
from pathlib import Path

from ganonym.errors import UsageError
from ganonym.tables import read_lists

Distinct = frozenset[frozenset[str]]
"""Pairs of subject ids (of photos, where there is no manifest) that the steward says are different people."""

_MINUS = "\N{MINUS SIGN}\N{HYPHEN BULLET}\N{MODIFIER LETTER MINUS SIGN}"
_UNSEEN = "\N{COMBINING GRAPHEME JOINER}" + "".join(map(chr, (*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0))))
"""What no font shows, beside control and format characters: the joiner and variation selectors."""

_LISTED = 50


def canonical_id(subject: str) -> str:
    """What stays of a subject id when spelling is taken away: ids with equal results are taken for one person.

    Unicode NFKC and case folding; no white space and no invisible characters; every dash a hyphen; no leading zeros
    in a number, and no ".0" behind one that a spreadsheet wrote.

    >>> [canonical_id(each) for each in ("P–007", "p-7", "\\u200bP - 7", "7.0", "10")]
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
        if absent := [each for each in ids if each not in present]:
            raise UsageError(
                f"{path}, line {number}: {absent[0]!r} is no subject of this run.",
                "Write ids as the manifest does; without a manifest, photos as paths below the input folder.",
            )
        if len(set(ids)) < 2:
            raise UsageError(f"{path}, line {number} names one subject only.", "Name all who are different people.")
        pairs |= {frozenset(pair) for pair in combinations(sorted(set(ids)), 2)}
    return frozenset(pairs)
