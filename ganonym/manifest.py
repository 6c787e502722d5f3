"""The steward's CSV: who is on which photo. Read strictly, every wrong row reported at once, then matched to photos.

A row is a photo's by its path as it is, or moved by one folder, where that is unambiguous.
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Annotated, get_args

from ganonym.errors import UsageError
from ganonym.subjects import FaceChoice, parse_choice
from ganonym.tables import missing_column, near_misses, number, read_table
from ganonym.types import Sex

REQUIRED = ("image", "subject")
OPTIONAL = ("syndrome", "session", "sex", "age", "ethnicity", "expression", "site")
"""Columns about a subject or photo that may be told with it."""

COLUMNS = (*REQUIRED, *OPTIONAL, "face")
"""All that are read; `face` tells the tools where to look."""

_LISTED = 50
_DRIVE = re.compile(r"[A-Za-z]:(?=[/\\])")


@dataclass(frozen=True, slots=True)
class Row:
    """One row; None where a cell is empty. What stands beside a type is the column's description in the docs."""

    image: Annotated[str, "path of the photo, relative to the folder of photos"]
    subject: Annotated[str, "any identifier of the person; one person, one identifier"]
    syndrome: Annotated[str | None, "label within which groups are formed; released with the output"] = None
    session: Annotated[str | None, "when it was taken: photos of one session show the same clothes and light"] = None
    sex: Annotated[Sex | None, "female or male"] = None
    age: Annotated[float | None, "years"] = None
    ethnicity: Annotated[str | None, "a group, for rates by group"] = None
    expression: Annotated[str | None, "such as neutral or smiling: utility counts whether it is kept"] = None
    site: Annotated[str | None, "clinic or camera, for rates by group"] = None
    face: Annotated[
        FaceChoice | None,
        "which of several faces is the subject's: left, right, top, bottom, largest, smallest, or a box in pixels",
    ] = None


@dataclass(frozen=True, slots=True)
class Manifest:
    """The rows by image, whether there is a syndrome column, the columns that were ignored, and how it was read."""

    rows: Mapping[str, Row]
    labelled: bool
    ignored: tuple[str, ...]
    path: Path = Path("manifest.csv")
    delimiter: str = "comma"
    columns: tuple[str, ...] = REQUIRED

    @property
    def notes(self) -> tuple[str, ...]:
        """What the steward should know: columns that are not read, and which of them may be meant for one that is."""
        if not self.ignored:
            return ()
        note = f"manifest columns ignored: {', '.join(self.ignored)}"
        lacking = [name for name in OPTIONAL if name not in self.columns]
        likely = {name: near_misses(name, self.ignored) for name in lacking}
        guesses = [f"is {' or '.join(map(repr, near))} the {name}?" for name, near in likely.items() if near]
        return (f"{note} ({'; '.join(guesses)} rename it)" if guesses else note,)


def read_manifest(path: Path) -> Manifest:
    """Read a manifest: a table as `tables.read_table` takes it, text in NFC except image paths.

    Paths may be Windows' own (`C:\\photos\\a.jpg`) or absolute; `match` finds their photos.

    Raises UsageError naming the line of every fault: columns missing or doubled, cells missing or too many, image with
    `..`, an image twice, sex not female/male, age not 0 … 130, a face that is neither word nor box, control characters,
    one subject with two syndromes or sexes.
    """
    table = read_table(path, COLUMNS, "manifest")
    columns = table.columns
    faults: list[str] = []
    rows: dict[str, tuple[int, Row]] = {}
    faults += [f"line 1: {missing_column(name, columns)}" for name in REQUIRED if name not in columns]
    faults += [f"line 1: column {name!r} appears twice" for name in sorted(_repeated(columns))]
    if not faults:
        for line, cells in table.rows:
            _take(dict(zip(columns, cells, strict=False)), len(cells) - len(columns), line, rows, faults)
    faults += _contradictions(rows.values())
    if faults:
        more = [f"… and {len(faults) - _LISTED} more"] if len(faults) > _LISTED else []
        head = f"the manifest {path}, read as separated by {table.delimiter}, has {len(faults)} faults:"
        raise UsageError("\n  ".join([head, *faults[:_LISTED], *more]))
    ignored = tuple(name for name in columns if name not in COLUMNS)
    by_image = {image: row for image, (_, row) in rows.items()}
    return Manifest(by_image, "syndrome" in columns, ignored, path, table.delimiter, columns)


def image_path(cell: str) -> str:
    r"""The cell of an image as a relative POSIX path: without drive, leading slashes and backslashes.

    >>> image_path(r"C:\photos\a.jpg"), image_path("./a.jpg"), image_path("/data/a.jpg")
    ('photos/a.jpg', 'a.jpg', 'data/a.jpg')
    """
    text = _DRIVE.sub("", cell.strip(), count=1).replace("\\", "/").lstrip("/")
    return str(PurePosixPath(text)) if text else ""


def _take(cells: dict[str, str], surplus: int, line: int, rows: dict[str, tuple[int, Row]], faults: list[str]) -> None:
    if surplus:
        faults.append(f"line {line}: {abs(surplus)} cells too {'many' if surplus > 0 else 'few'}")
        return
    value = {name: unicodedata.normalize("NFC", cells.get(name, "").strip()) for name in COLUMNS}
    image, wrong = image_path(cells["image"]), []
    if image in {"", "."}:
        wrong.append("image is empty")
    elif ".." in PurePosixPath(image).parts:
        wrong.append(f"image {image!r} must be a path below the input folder, without ..")
    if not value["subject"]:
        wrong.append("subject is empty")
    wrong += [f"{name} holds a control character" for name in value if _has_control(cells.get(name, ""))]
    sex = {"f": "female", "m": "male"}.get(value["sex"].lower(), value["sex"].lower())
    if sex and sex not in get_args(Sex):
        wrong.append(f"sex {value['sex']!r} is neither female nor male; leave it empty if unknown")
    age = _age(value["age"])
    if value["age"] and age is None:
        wrong.append(f"age {value['age']!r} is not a number of years from 0 to 130")
    face: FaceChoice | None = None
    try:
        face = parse_choice(value["face"]) if value["face"] else None
    except ValueError as error:
        wrong.append(f"face {error}")
    if image in rows:
        wrong.append(f"image {image!r} is already on line {rows[image][0]}")
    faults += [f"line {line}: {fault}" for fault in wrong]
    if not wrong:
        texts = {name: value[name] or None for name in ("syndrome", "session", "ethnicity", "expression", "site")}
        given: Sex | None = "female" if sex == "female" else "male" if sex == "male" else None
        rows[image] = (line, Row(image, value["subject"], sex=given, age=age, face=face, **texts))


def _age(text: str) -> float | None:
    years = number(text)
    return years if years is not None and 0 <= years <= 130 else None


def _contradictions(rows: Iterable[tuple[int, Row]]) -> Iterator[str]:
    first: dict[str, tuple[int, Row]] = {}
    for line, row in rows:
        start, earlier = first.setdefault(row.subject, (line, row))
        for name in ("syndrome", "sex"):
            if getattr(row, name) != getattr(earlier, name):
                yield f"line {line}: subject {row.subject!r} has another {name} than on line {start}"


def _has_control(text: str) -> bool:
    return any(unicodedata.category(letter) == "Cc" for letter in text.strip())


def _repeated(names: tuple[str, ...]) -> set[str]:
    return {name for name in names if name and names.count(name) > 1}


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
    pairs = _unique(table.rows, photos, _form, _form)
    exact = len(pairs)
    pairs |= _unique(_left(table, pairs), _without(photos, pairs), _folded, _folded)
    note = "manifest paths read without regard to upper and lower case" if len(pairs) > exact else ""
    if not pairs:
        pairs, note = _moved(table, photos)
    if not pairs:
        raise UsageError(*_nothing(table, photos))
    names_of = {row.image: name for name, row in pairs.items()}
    listed = [(names_of[image], row) for image, row in table.rows.items() if image in names_of]
    rows = {name: replace(row, image=name) for name, row in listed}
    return Match(rows, tuple(_left(table, pairs).values()), note)


def _form(path: str) -> str:
    return unicodedata.normalize("NFC", path.replace("\\", "/"))


def _folded(path: str) -> str:
    return unicodedata.normalize("NFC", _form(path).casefold())


def _left(table: Manifest, pairs: Mapping[str, Row]) -> dict[str, Row]:
    used = {row.image for row in pairs.values()}
    return {image: row for image, row in table.rows.items() if image not in used}


def _without(photos: Sequence[str], pairs: Mapping[str, Row]) -> list[str]:
    return [name for name in photos if name not in pairs]


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
    pairs = dict(fitting)
    alone = len(pairs) == len(fitting) == len({row.image for _, row in fitting})
    alike = len(by_photo) < len(photos) or len(by_row) < len(table.rows)
    return (pairs, note) if alone and not alike else ({}, "")


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
