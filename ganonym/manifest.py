"""The steward's CSV: who is on which photo. Read strictly, every wrong row reported at once."""

from __future__ import annotations

import csv
import io
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import get_args

from ganonym.errors import UsageError
from ganonym.subject_face import FaceChoice, parse_choice
from ganonym.types import Sex

REQUIRED = ("image", "subject")
OPTIONAL = ("syndrome", "session", "sex", "age", "ethnicity", "expression", "site")
"""Columns about a subject or photo that may be told with it."""

COLUMNS = (*REQUIRED, *OPTIONAL, "face")
"""All that are read; `face` tells the tools where to look."""

_LISTED = 50


@dataclass(frozen=True, slots=True)
class Row:
    """One row: `image` relative POSIX path below IN, `subject` any identifier, `age` in years; None where empty.

    `face`: which of several faces is the subject's.
    """

    image: str
    subject: str
    syndrome: str | None = None
    session: str | None = None
    sex: Sex | None = None
    age: float | None = None
    ethnicity: str | None = None
    expression: str | None = None
    site: str | None = None
    face: FaceChoice | None = None


@dataclass(frozen=True, slots=True)
class Manifest:
    """The rows by image, whether there is a syndrome column, and the columns that were ignored."""

    rows: Mapping[str, Row]
    labelled: bool
    ignored: tuple[str, ...]


def read_manifest(path: Path) -> Manifest:
    """Read a manifest: UTF-8 CSV with a header, byte-order mark and CRLF allowed, text in NFC except image paths.

    Raises UsageError naming the line of every fault: columns missing or doubled, cells missing or too many, image
    absolute or outside the folder, an image twice, sex not female/male, age not 0 … 130, a face that is neither word
    nor box, control characters, one subject with two syndromes or sexes.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise UsageError(f"cannot read the manifest {path}: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"the manifest {path} is not UTF-8 (byte {error.start}).", "Save it as UTF-8.") from error
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    faults: list[str] = []
    rows: dict[str, tuple[int, Row]] = {}
    columns: list[str] = []
    try:
        columns = [name.strip().lower() for name in next(reader, [])]
        faults += [f"line 1: column {name!r} is missing" for name in REQUIRED if name not in columns]
        faults += [f"line 1: column {name!r} appears twice" for name in sorted(_repeated(columns))]
        if not faults:
            for cells in reader:
                if any(cell.strip() for cell in cells):
                    _take(
                        dict(zip(columns, cells, strict=False)),
                        len(cells) - len(columns),
                        reader.line_num,
                        rows,
                        faults,
                    )
    except csv.Error as error:
        faults.append(f"line {reader.line_num}: {error}")
    faults += _contradictions(rows.values())
    if faults:
        more = [f"… and {len(faults) - _LISTED} more"] if len(faults) > _LISTED else []
        raise UsageError("\n  ".join([f"the manifest {path} has {len(faults)} faults:", *faults[:_LISTED], *more]))
    ignored = tuple(name for name in columns if name not in COLUMNS)
    return Manifest({image: row for image, (_, row) in rows.items()}, "syndrome" in columns, ignored)


def _take(cells: dict[str, str], surplus: int, line: int, rows: dict[str, tuple[int, Row]], faults: list[str]) -> None:
    if surplus:
        faults.append(f"line {line}: {abs(surplus)} cells too {'many' if surplus > 0 else 'few'}")
        return
    value = {name: unicodedata.normalize("NFC", cells.get(name, "").strip()) for name in COLUMNS}
    image, wrong = cells["image"].strip(), []
    if not image:
        wrong.append("image is empty")
    elif image.startswith("/") or ".." in PurePosixPath(image).parts or "\\" in image:
        wrong.append(f"image {image!r} must be a path below the input folder, written with /")
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
    image = str(PurePosixPath(image))
    if image in rows:
        wrong.append(f"image {image!r} is already on line {rows[image][0]}")
    faults += [f"line {line}: {fault}" for fault in wrong]
    if not wrong:
        texts = {name: value[name] or None for name in ("syndrome", "session", "ethnicity", "expression", "site")}
        known: Sex | None = "female" if sex == "female" else "male" if sex == "male" else None
        rows[image] = (line, Row(image, value["subject"], sex=known, age=age, face=face, **texts))


def _age(text: str) -> float | None:
    try:
        years = float(text)
    except ValueError:
        return None
    return years if 0 <= years <= 130 else None


def _contradictions(rows: Iterable[tuple[int, Row]]) -> Iterator[str]:
    first: dict[str, tuple[int, Row]] = {}
    for line, row in rows:
        start, known = first.setdefault(row.subject, (line, row))
        for name in ("syndrome", "sex"):
            if getattr(row, name) != getattr(known, name):
                yield f"line {line}: subject {row.subject!r} has another {name} than on line {start}"


def _has_control(text: str) -> bool:
    return any(unicodedata.category(letter) == "Cc" for letter in text.strip())


def _repeated(names: list[str]) -> set[str]:
    return {name for name in names if name and names.count(name) > 1}
