"""What nobody has looked at: the photos in which detectors disagree, for a person, and the sentences that say so."""

from __future__ import annotations

from collections.abc import Sequence

from ganonym.settings import Settings
from ganonym.types import JSON

COLUMNS = ("source", "output", "why", "left", "top", "right", "bottom")
NOBODY = "No person has looked through these outputs"
NOT_LOOKED_FOR = (
    "Text in the photos (names, dates, record numbers) was not looked for, because nothing on this machine finds it; "
    "pip install 'ganonym[text]' and run again into a new folder, or look for it yourself"
)
KEPT = "Text in the photos (names, dates, record numbers) was kept as it is, as the settings ask"


def review_rows(released: Sequence[JSON]) -> list[tuple[object, ...]]:
    """A row of COLUMNS for every place in the photos of `released` (ledger lines) at which detectors disagree."""
    return [
        (entry["source"], f"images/{entry['output']}", *doubt)
        for entry in released
        for doubt in entry.get("doubts", ())
    ]


def photos_to_review(released: Sequence[JSON]) -> int:
    """How many photos have such a place."""
    return sum(bool(entry.get("doubts")) for entry in released)


def covered_text(released: Sequence[JSON]) -> int:
    """How many photos have text that was covered."""
    return sum(bool(entry.get("text")) for entry in released)


def cautions(settings: Settings, released: Sequence[JSON]) -> tuple[str, ...]:
    """What a release of whole photos has to say besides its guarantee, a sentence each; none for faces alone."""
    if settings.output != "photo":
        return ()
    count = photos_to_review(released)
    seen = (
        f"{NOBODY}; detectors disagree about a face in {count} of {len(released)} (private/review.csv says where), and "
        "all of them can miss one"
    )
    return tuple(filter(None, (seen, _of_text(settings, released))))


def _of_text(settings: Settings, released: Sequence[JSON]) -> str:
    if settings.background == "grey":
        return ""
    if settings.text == "keep":
        return KEPT
    if any(entry.get("text") is None for entry in released):
        return NOT_LOOKED_FOR
    return (
        f"Text was looked for in all {len(released)} photos and covered in {covered_text(released)}; letters of less "
        "than about 10 px, faint ones and handwriting can be missed"
    )
