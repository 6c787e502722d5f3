"""Which row of a manifest is which photo's: by the path as it is, or moved by one folder, where that is unambiguous."""

from __future__ import annotations

import difflib
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from ganonym.errors import UsageError
from ganonym.manifest import REQUIRED, Manifest, Row


@dataclass(frozen=True, slots=True)
class Match:
    """Rows by the photo's name in the table's order, `image` that name; rows without a photo; a note on moved paths."""

    rows: Mapping[str, Row]
    missing: tuple[Row, ...]
    note: str = ""


def match(table: Manifest, names: Iterable[str]) -> Match:
    """Find the photo of every row among `names`, relative POSIX paths.

    Paths are equal in NFC; failing that, but for letter case. Where not one path of the table is a photo's, they may
    have lost or gained folders in front: then a row names the photo whose whole path its own ends with, or all paths
    lack one and the same folder. What could be two photos' or two rows' is nobody's; after a move it voids the move.

    Raises UsageError where no row names a photo, with one row beside one photo.
    """
    photos = list(names)
    found = _unique(table.rows, photos, _form, _form)
    exact = len(found)
    found |= _unique(_left(table, found), _without(photos, found), _folded, _folded)
    note = "manifest paths read without regard to upper and lower case" if len(found) > exact else ""
    if not found:
        found, note = _moved(table, photos)
    if not found:
        raise UsageError(*_nothing(table, photos))
    names_of = {row.image: name for name, row in found.items()}
    listed = [(names_of[image], row) for image, row in table.rows.items() if image in names_of]
    rows = {name: replace(row, image=name) for name, row in listed}
    return Match(rows, tuple(_left(table, found).values()), note)


def _form(path: str) -> str:
    return unicodedata.normalize("NFC", path.replace("\\", "/"))


def _folded(path: str) -> str:
    return unicodedata.normalize("NFC", _form(path).casefold())


def _left(table: Manifest, found: Mapping[str, Row]) -> dict[str, Row]:
    used = {row.image for row in found.values()}
    return {image: row for image, row in table.rows.items() if image not in used}


def _without(photos: Sequence[str], found: Mapping[str, Row]) -> list[str]:
    return [name for name in photos if name not in found]


def _unique(
    rows: Mapping[str, Row], photos: Sequence[str], of_row: Callable[[str], str], of_photo: Callable[[str], str]
) -> dict[str, Row]:
    """Photos and rows whose keys are equal, and nobody else's."""
    by_row, by_photo = defaultdict[str, list[Row]](list), defaultdict[str, list[str]](list)
    for image, row in rows.items():
        by_row[of_row(image)].append(row)
    for name in photos:
        by_photo[of_photo(name)].append(name)
    return {
        named[0]: by_row[key][0] for key, named in by_photo.items() if len(named) == 1 and len(by_row.get(key, ())) == 1
    }


def _moved(table: Manifest, photos: Sequence[str]) -> tuple[dict[str, Row], str]:
    """Rows with more folders in front than photos have; else photos with one more folder in front than rows have."""
    by_photo = {_folded(name): name for name in photos}
    by_row = {_folded(image): row for image, row in table.rows.items()}
    fitting = [(by_photo[end], row) for path, row in by_row.items() for _, end in _ends(path) if end in by_photo]
    if fitting:
        note = "manifest paths read without the folders in front of them"
    else:
        deeper = [(front, path, end) for path in by_photo for front, end in _ends(path) if end in by_row]
        one = len({front for front, _, _ in deeper}) == 1
        fitting = [(by_photo[path], by_row[end]) for _, path, end in deeper] if one else []
        note = "manifest paths read as below a folder of the input"
    found = dict(fitting)
    alone = len(found) == len(fitting) == len({row.image for _, row in fitting})
    alike = len(by_photo) < len(photos) or len(by_row) < len(table.rows)
    return (found, note) if alone and not alike else ({}, "")


def _ends(path: str) -> Iterator[tuple[str, str]]:
    """The path without its first folder, without its first two, …, and what it was without.

    >>> list(_ends("a/b/c.jpg"))
    [('a', 'b/c.jpg'), ('a/b', 'c.jpg')]
    """
    parts = path.split("/")
    return (("/".join(parts[:start]), "/".join(parts[start:])) for start in range(1, len(parts)))


def _nothing(table: Manifest, photos: Sequence[str]) -> tuple[str, str]:
    """The message for a table of which no row fits, and the remedy."""
    row = next(iter(table.rows), None)
    read = f"read as separated by {table.delimiter}, with the columns {', '.join(table.columns)}"
    if row is None:
        return f"no row of the manifest {table.path} names a photo: it has none ({read}).", "Add a row for each photo."
    near = difflib.get_close_matches(row, photos, n=1, cutoff=0.0)
    beside = f"its first row has the image {row!r}, the nearest photo is {near[0]!r}" if near else "there is no photo"
    return (
        f"no row of the manifest {table.path} names a photo of the input folder: {beside} ({read}).",
        f"Needed are {' and '.join(REQUIRED)}; images are paths relative to the input folder.",
    )
