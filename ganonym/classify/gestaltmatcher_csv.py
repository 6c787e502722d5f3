"""Tables of patients' photographs → cases: GestaltMatcher's split lists and metadata, and ganonym's own manifest.

Which one it is shows in the header. Read strictly, as the manifest is: every wrong row is reported at once, with its
line, and nothing is dropped.
"""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from ganonym.classify.case import Case
from ganonym.errors import UsageError
from ganonym.manifest import read_manifest
from ganonym.types import Sex

SPLIT = ("image_id", "subject", "label")
METADATA = ("image_id", "patient_id")
MANIFEST = ("image", "subject")
SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp")
# What GestaltMatcher's cropper appends: first the photograph itself, then turned upright, then the 112 px crop.
STEMS = ("", "_rot", "_rot_aligned")
_LISTED = 50
_MISSING = ("", "na", "n/a", "nan", "<na>", "none", "null", "unknown")
_TERM = re.compile(r"HP:\d{7}")
_ROLE = re.compile(r"gmdb_(?:frequent_|rare_)?(train|val|gallery|test)_images")
_SEXES: Mapping[str, Sex] = {"f": "female", "female": "female", "m": "male", "male": "male"}
_TRUE, _FALSE = ("true", "yes", "1"), ("", "false", "no", "0")

Cells = Mapping[str, str]


@dataclass(slots=True)
class _Row:
    """One row, its line, and what is wrong with it."""

    line: int
    cells: Cells
    wrong: list[str] = field(default_factory=list)

    def text(self, name: str) -> str:
        """The cell in NFC, "" where the column is missing, the cell empty or says that it is unknown."""
        text = unicodedata.normalize("NFC", self.cells.get(name, "").strip())
        return "" if text.lower() in _MISSING else text


def read_cases(table: Path, images: Path, label: str | None = None) -> list[Case]:
    """The cases of a table, in its order; `images` is the folder of the photographs.

    A ganonym manifest (CSV with `image`, `subject`, and `syndrome`, `sex`, `age`, `ethnicity`; beside them `hpo` and
    `absent`, terms "HP:0000316;HP:0000343", `split` and `simulated`, true or false); a split list of GestaltMatcher
    (CSV with `image_id`, `subject`, `label`, and `split`); or its metadata (TSV with `image_id`, `patient_id`, and
    `filename`, `internal_syndrome_name` or else `disorder_names`, `present_features`, `absent_features`, `age_year`,
    `age_month`, `gender`, `ethnicity_category`). Of a split list, `Case.split` is "train", "val", "gallery" or "test",
    as its name says (gmdb_rare_test_images_v1.1.0.csv), with the number in its column behind, "test 3": what
    `retrieval.protocol.published` reads. An image without file name is `image_id` with a suffix of pictures, as it is,
    or else as GestaltMatcher's cropper calls its results. `label`: the column to tell apart instead of disorders, such
    as the gene of one syndrome.

    Raises UsageError naming the line of every fault: columns missing or doubled, cells missing or too many, image twice
    (of one split), outside the folder or without file, terms that are none or both present and absent, sex, age,
    control characters, one subject with two disorders or sexes.
    """
    columns, rows = _rows(table)
    if set(MANIFEST) <= set(columns):
        cases = _manifest_cases(table, images, rows)
    elif set(SPLIT) <= set(columns):
        role = _ROLE.match(table.name)
        cases = _cases(rows, lambda row: _split_case(row, images, role.group(1) if role else ""))
    elif set(METADATA) <= set(columns):
        cases = _cases(rows, lambda row: _metadata_case(row, images))
    else:
        raise UsageError(
            f"{table} has the columns {', '.join(columns) or 'none'}.",
            f"Needed are {', '.join(MANIFEST)}, or of GestaltMatcher {', '.join(SPLIT)} or {', '.join(METADATA)}.",
        )
    _raise(table, rows)
    return cases if label is None else _relabelled(table, cases, columns, rows, label.strip().lower())


def _relabelled(
    table: Path, cases: Sequence[Case], columns: Sequence[str], rows: Sequence[_Row], label: str
) -> list[Case]:
    if label not in columns:
        raise UsageError(f"{table} has no column {label!r}.", f"It has {', '.join(columns)}.")
    # Sexes are written in several ways; `cases` have one.
    values = [
        case.sex or "" if label in ("sex", "gender") else row.text(label) for case, row in zip(cases, rows, strict=True)
    ]
    known: dict[str, str] = {}
    for case, row, value in zip(cases, rows, values, strict=True):
        if known.setdefault(case.subject, value) != value:
            row.wrong.append(f"subject {case.subject!r} has another {label} than before")
    _raise(table, rows)
    return [replace(case, disorder=value or None) for case, value in zip(cases, values, strict=True)]


def with_metadata(cases: Sequence[Case], metadata: Sequence[Case]) -> list[Case]:
    """`cases` of split lists with all that `metadata` says of their images; subject, label and split are the lists'.

    Raises UsageError naming every image without metadata.
    """
    known = {case.image: case for case in metadata}
    absent = sorted({case.image for case in cases} - set(known))
    if absent:
        raise UsageError(f"{len(absent)} images have no metadata: {', '.join(absent[:_LISTED])}.")
    return [
        replace(known[case.image], path=case.path, subject=case.subject, disorder=case.disorder, split=case.split)
        for case in cases
    ]


def _rows(table: Path) -> tuple[list[str], list[_Row]]:
    try:
        text = table.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise UsageError(f"cannot read the table {table}: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"the table {table} is not UTF-8 (byte {error.start}).", "Save it as UTF-8.") from error
    head = text.partition("\n")[0]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter="\t" if "\t" in head else ",", strict=True)
    rows: list[_Row] = []
    columns: list[str] = []
    try:
        columns = [name.strip().lower() for name in next(reader, [])]
        twice = sorted({name for name in columns if name and columns.count(name) > 1})
        if twice:
            raise UsageError(f"the table {table}, line 1: columns appear twice: {', '.join(twice)}.")
        for cells in reader:
            if any(cell.strip() for cell in cells):
                row = _Row(reader.line_num, dict(zip(columns, cells, strict=False)))
                surplus = len(cells) - len(columns)
                if surplus:
                    row.wrong.append(f"{abs(surplus)} cells too {'many' if surplus > 0 else 'few'}")
                row.wrong += [f"{name} holds a control character" for name, cell in row.cells.items() if _control(cell)]
                rows.append(row)
    except csv.Error as error:
        rows.append(_Row(reader.line_num, {}, [str(error)]))
    return columns, rows


def _cases(rows: Sequence[_Row], read: Callable[[_Row], Case]) -> list[Case]:
    cases = []
    seen: dict[tuple[str, str | None], int] = {}
    people: dict[str, tuple[int, Case]] = {}
    for row in rows:
        if row.wrong:
            continue
        case = read(row)
        start = seen.setdefault((case.image, case.split), row.line)
        if start != row.line:
            row.wrong.append(f"image {case.image!r} is already on line {start}")
        first, known = people.setdefault(case.subject, (row.line, case))
        for name in ("disorder", "sex"):
            if getattr(case, name) != getattr(known, name):
                row.wrong.append(f"subject {case.subject!r} has another {name} than on line {first}")
        cases.append(case)
    return cases


def _split_case(row: _Row, images: Path, role: str) -> Case:
    image, number = _needed(row, "image_id"), row.text("split")
    split = f"{role} {number}".strip() or None
    return Case(image, _find(row, images, image), _needed(row, "subject"), _needed(row, "label"), split=split)


def _metadata_case(row: _Row, images: Path) -> Case:
    image, name = _needed(row, "image_id"), row.text("filename")
    present, absent = _terms(row, "present_features", "absent_features")
    return Case(
        image,
        _inside(row, images, name) if name else _find(row, images, image),
        _needed(row, "patient_id"),
        row.text("internal_syndrome_name") or row.text("disorder_names") or None,
        sex=_sex(row),
        age=_age(row),
        ancestry=row.text("ethnicity_category") or None,
        present=present,
        absent=absent,
    )


def _manifest_cases(table: Path, images: Path, rows: Sequence[_Row]) -> list[Case]:
    """What ganonym's own reader makes of the manifest, and the columns of its cases that it leaves aside."""
    known = read_manifest(table).rows  # it raises its faults, all at once, before ours
    cases = []
    for row in rows:
        found = known[str(PurePosixPath(row.cells["image"].strip()))]
        simulated = row.text("simulated").lower()
        present, absent = _terms(row, "hpo", "absent")
        if simulated not in _TRUE + _FALSE:
            row.wrong.append(f"simulated {simulated!r} is neither true nor false")
        cases.append(
            Case(
                found.image,
                _inside(row, images, found.image),
                found.subject,
                found.syndrome,
                found.sex,
                found.age,
                found.ethnicity,
                split=row.text("split") or None,
                simulated=simulated in _TRUE,
                present=present,
                absent=absent,
            )
        )
    return cases


def _needed(row: _Row, name: str) -> str:
    text = row.text(name)
    if not text:
        row.wrong.append(f"{name} is empty")
    return text


def _terms(row: _Row, present: str, absent: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    found = []
    for name in (present, absent):
        terms = [term.strip() for term in re.split("[;,]", row.text(name)) if term.strip()]
        row.wrong += [f"{name} {term!r} is not like HP:0000316" for term in terms if not _TERM.fullmatch(term)]
        found.append(tuple(dict.fromkeys(terms)))
    row.wrong += [f"{term} is both present and absent" for term in found[0] if term in found[1]]
    return found[0], found[1]


def _sex(row: _Row) -> Sex | None:
    text = row.text("gender")
    if text and text.lower() not in _SEXES:
        row.wrong.append(f"gender {text!r} is neither female nor male; leave it empty if unknown")
    return _SEXES.get(text.lower())


def _age(row: _Row) -> float | None:
    """Years and months as years. Months of a known year are 0 … 11: more could be the whole age, told twice."""
    parts: dict[str, float] = {}
    for name, most in (("age_year", 130.0), ("age_month", 11.999 if row.text("age_year") else 1560.0)):
        text = row.text(name)
        try:
            number = float(text) if text else None
        except ValueError:
            number = -1.0
        if number is not None and not 0 <= number <= most:
            row.wrong.append(f"{name} {text!r} is not a number from 0 to {int(most)}")
        elif number is not None:
            parts[name] = number
    return parts.get("age_year", 0.0) + parts.get("age_month", 0.0) / 12 if parts else None


def _find(row: _Row, images: Path, image: str) -> Path:
    """The file of `image_id`: itself where it has a suffix, else the first that exists of those it may be called."""
    if image and PurePosixPath(image).suffix.lower() not in SUFFIXES and not _outside(image):
        names = [f"{image}{stem}{suffix}" for stem in STEMS for suffix in SUFFIXES]
        name = next((name for name in names if (images / name).is_file()), None)
        if name is None:
            row.wrong.append(f"{images} has no picture of image_id {image!r}, such as {names[0]!r}")
            return images / image
        return _inside(row, images, name)
    return _inside(row, images, image)


def _inside(row: _Row, images: Path, name: str) -> Path:
    """`name` below the folder, links followed, or a fault."""
    path = images / name
    if _outside(name):
        row.wrong.append(f"image {name!r} must be a path below the folder of images, written with /")
    elif name and not path.is_file():
        row.wrong.append(f"there is no file {str(path)!r}")
    elif name and not path.resolve().is_relative_to(images.resolve()):
        row.wrong.append(f"image {name!r} is a link to outside the folder of images")
    return path


def _outside(name: str) -> bool:
    return name.startswith("/") or ".." in PurePosixPath(name).parts or "\\" in name


def _control(text: str) -> bool:
    return any(unicodedata.category(letter) == "Cc" for letter in text.strip())


def _raise(table: Path, rows: Sequence[_Row]) -> None:
    faults = [f"line {row.line}: {fault}" for row in rows for fault in row.wrong]
    if faults:
        more = [f"… and {len(faults) - _LISTED} more"] if len(faults) > _LISTED else []
        raise UsageError("\n  ".join([f"the table {table} has {len(faults)} faults:", *faults[:_LISTED], *more]))
