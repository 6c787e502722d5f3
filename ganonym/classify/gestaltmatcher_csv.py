"""Tables of patients' photographs → cases: GestaltMatcher's split lists and metadata, and ganonym's own manifest.

Which one it is shows in the header. Read strictly, as the manifest is: every wrong row is reported at once, with its
line, and nothing is dropped.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from ganonym.classify.case import Case
from ganonym.classify.table_rows import Row, read_rows, refuse_faults
from ganonym.errors import UsageError
from ganonym.manifest import image_path, read_manifest
from ganonym.types import Sex

SPLIT = ("image_id", "subject", "label")
METADATA = ("image_id", "patient_id")
MANIFEST = ("image", "subject")
SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp", ".heic", ".heif", ".avif")
# What GestaltMatcher's cropper appends: first the photograph itself, then turned upright, then the 112 px crop.
STEMS = ("", "_rot", "_rot_aligned")
_TERM = re.compile(r"HP:\d{7}")
_ROLE = re.compile(r"gmdb_(?:frequent_|rare_)?(train|val|gallery|test)_images")
_SEXES: Mapping[str, Sex] = {"f": "female", "female": "female", "m": "male", "male": "male"}
_TRUE, _FALSE = ("true", "yes", "1"), ("", "false", "no", "0")


def read_cases(table: Path, images: Path, label: str | None = None) -> list[Case]:
    """The cases of a table, in its order; `images` is the folder of the photographs.

    A ganonym manifest: CSV with `image`, `subject`, and `syndrome`, `sex`, `age`, `ethnicity`, `face`; beside them
    `hpo` and `absent`, terms "HP:0000316;HP:0000343", `split`, and `simulated`, true or false. A split list of
    GestaltMatcher: CSV with `image_id`, `subject`, `label`, and `split`. Or its metadata: TSV with `image_id`,
    `patient_id`, and `filename`, `internal_syndrome_name` or else `disorder_names`, `present_features`,
    `absent_features`, `age_year`, `age_month`, `gender`, `ethnicity_category`. Of a split list, `Case.split` is
    "train", "val", "gallery" or "test", as its name says (gmdb_rare_test_images_v1.1.0.csv), with the number in its
    column behind, "test 3": what `retrieval.protocol.published` reads. An image without file name is `image_id` with a
    suffix of pictures, as it is, or else as GestaltMatcher's cropper calls its results. `label`: the column to tell
    apart instead of disorders, such as the gene of one syndrome.

    Raises UsageError naming the line of every fault: columns missing or doubled, cells missing or too many, image twice
    (of one split), outside the folder or without file, terms that are none or both present and absent, sex, age,
    control characters, one subject with two disorders or sexes.
    """
    columns, rows = read_rows(table)
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
    refuse_faults(table, rows, images)
    return cases if label is None else _relabelled(table, images, cases, columns, rows, label.strip().lower())


def _relabelled(
    table: Path, images: Path, cases: Sequence[Case], columns: Sequence[str], rows: Sequence[Row], label: str
) -> list[Case]:
    if label not in columns:
        raise UsageError(f"{table} has no column {label!r}.", f"It has {', '.join(columns)}.")
    # Sexes are written in several ways; `cases` have one.
    values = [
        case.sex or "" if label in ("sex", "gender") else row.text(label) for case, row in zip(cases, rows, strict=True)
    ]
    values_of: dict[str, str] = {}
    for case, row, value in zip(cases, rows, values, strict=True):
        if values_of.setdefault(case.subject, value) != value:
            row.wrong.append(f"subject {case.subject!r} has another {label} than before")
    refuse_faults(table, rows, images)
    return [replace(case, disorder=value or None) for case, value in zip(cases, values, strict=True)]


def read_about(table: Path, images: Collection[str], label: str | None = None) -> tuple[dict[str, Case], list[str]]:
    """What GestaltMatcher's metadata say of `images`, by image, and what could not be read of it, with its line.

    Files are not looked for, disorders are those of column `label` where one is given, and a sex, age or term that
    means nothing is left empty: a list says all that must be right. Raises UsageError for a table without the columns.
    """
    columns, rows = read_rows(table)
    lacking = [name for name in (*METADATA, *([label] if label else [])) if name not in columns]
    if lacking:
        raise UsageError(f"{table} has no column {lacking[0]!r}.", f"It has {', '.join(columns)}.")
    cases: dict[str, Case] = {}
    faults = []
    for row in rows:
        if row.text("image_id") in images:
            case = _metadata_case(row, None)
            value = case.sex if label in ("sex", "gender") else row.text(label) if label else case.disorder
            cases.setdefault(case.image, replace(case, disorder=value or None))
            faults += [f"line {row.line}: {fault}" for fault in row.wrong]
    return cases, faults


def _cases(rows: Sequence[Row], read: Callable[[Row], Case]) -> list[Case]:
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
        first, other = people.setdefault(case.subject, (row.line, case))
        for name in ("disorder", "sex"):
            if getattr(case, name) != getattr(other, name):
                row.wrong.append(f"subject {case.subject!r} has another {name} than on line {first}")
        cases.append(case)
    return cases


def _split_case(row: Row, images: Path, role: str) -> Case:
    image, number = row.needed("image_id"), row.text("split")
    split = f"{role} {number}".strip() or None
    return Case(image, _find(row, images, image), row.needed("subject"), row.needed("label"), split=split)


def _metadata_case(row: Row, images: Path | None) -> Case:
    """Without `images` the file is not looked for."""
    image, name = row.needed("image_id"), row.text("filename")
    present, absent = _terms(row, "present_features", "absent_features")
    return Case(
        image,
        Path(name or image) if images is None else _named(row, images, name, image),
        row.needed("patient_id"),
        row.text("internal_syndrome_name") or row.text("disorder_names") or None,
        sex=_sex(row),
        age=_age(row),
        ancestry=row.text("ethnicity_category") or None,
        present=present,
        absent=absent,
    )


def _manifest_cases(table: Path, images: Path, rows: Sequence[Row]) -> list[Case]:
    """What ganonym's own reader makes of the manifest, and the columns of its cases that it leaves aside."""
    manifest = read_manifest(table).rows  # it raises its faults, all at once, before ours
    cases = []
    for row in rows:
        own = manifest[image_path(row.cells["image"])]
        simulated = row.text("simulated").lower()
        present, absent = _terms(row, "hpo", "absent")
        if simulated not in _TRUE + _FALSE:
            row.wrong.append(f"simulated {simulated!r} is neither true nor false")
        cases.append(
            Case(
                own.image,
                _inside(row, images, own.image),
                own.subject,
                own.syndrome,
                own.sex,
                own.age,
                own.ethnicity,
                split=row.text("split") or None,
                simulated=simulated in _TRUE,
                present=present,
                absent=absent,
                face=own.face,
            )
        )
    return cases


def _terms(row: Row, present: str, absent: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    parts = []
    for name in (present, absent):
        terms = [term.strip() for term in re.split("[;,]", row.text(name)) if term.strip()]
        row.wrong += [f"{name} {term!r} is not like HP:0000316" for term in terms if not _TERM.fullmatch(term)]
        parts.append(tuple(dict.fromkeys(terms)))
    both = {term for term in parts[0] if term in parts[1]}
    row.wrong += [f"{term} is both present and absent" for term in parts[0] if term in both]
    valid, lacking = (tuple(term for term in part if _TERM.fullmatch(term) and term not in both) for part in parts)
    return valid, lacking


def _sex(row: Row) -> Sex | None:
    text = row.text("gender")
    if text and text.lower() not in _SEXES:
        row.wrong.append(f"gender {text!r} is neither female nor male; leave it empty if unknown")
    return _SEXES.get(text.lower())


def _age(row: Row) -> float | None:
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


def _named(row: Row, images: Path, name: str, image: str) -> Path:
    """The file called `name`; releases call it by `image` where the metadata say what it was called once."""
    by_name = name and (_outside(name) or (images / name).is_file() or _called(images, image) is None)
    return _inside(row, images, name) if by_name else _find(row, images, image)


def _called(images: Path, image: str) -> str | None:
    """The first file that exists of those that `image` may be called."""
    if not image or _outside(image):
        return None
    return next((name for name in _possible(image) if (images / name).is_file()), None)


def _possible(image: str) -> list[str]:
    return [f"{image}{stem}{suffix}" for stem in STEMS for suffix in SUFFIXES]


def _find(row: Row, images: Path, image: str) -> Path:
    """The file of `image_id`: itself where it has a suffix, else the first that exists of those it may be called."""
    if image and PurePosixPath(image).suffix.lower() not in SUFFIXES and not _outside(image):
        name = _called(images, image)
        if name is None:
            row.wrong.append(f"{images} has no picture of image_id {image!r}, such as {_possible(image)[0]!r}")
            row.lost = True
            return images / image
        return _inside(row, images, name)
    return _inside(row, images, image)


def _inside(row: Row, images: Path, name: str) -> Path:
    """`name` below the folder, links followed, or a fault."""
    path = images / name
    if _outside(name):
        row.wrong.append(f"image {name!r} must be a path below the folder of images, written with /")
    elif name and not path.is_file():
        row.wrong.append(f"there is no file {str(path)!r}")
        row.lost = True
    elif name and not path.resolve().is_relative_to(images.resolve()):
        row.wrong.append(f"image {name!r} is a link to outside the folder of images")
    return path


def _outside(name: str) -> bool:
    return name.startswith("/") or ".." in PurePosixPath(name).parts or "\\" in name
