"""GestaltMatcher's data as they are published: a folder gmdb_metadata with the tables, beside it the photographs.

    gmdb_metadata/image_metadata_v1.1.0.tsv      patient, disorder, sex, age, ancestry and HPO terms of each photograph
    gmdb_metadata/gmdb_syndromes_v1.1.0.tsv      the name of each numbered disorder
    gmdb_metadata/gmdb_frequent_gallery_images_v1.1.0.csv, … _frequent_test_ …, … _rare_gallery_ …, … _rare_test_ …
    gmdb_images/, or gmdb_rot/ and gmdb_align/, what its cropper makes of them

Split lists know disorders by number only: the other two tables join in, those of the same version.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ganonym.classify.case import Case
from ganonym.classify.gestaltmatcher_csv import MANIFEST, SPLIT, read_about, read_cases
from ganonym.classify.table_rows import read_pairs, read_rows
from ganonym.errors import UsageError

TABLES = "gmdb_metadata"
PHOTOS = ("gmdb_images", "gmdb_rot", "gmdb_align")
ABOUT, NAMES = "image_metadata", "gmdb_syndromes"
# Of frequent disorders the gallery, or else what was learned from; then their test; then both of the rare ones.
_LISTS = (("gmdb_frequent_gallery", "gmdb_train"), ("gmdb_frequent_test", "gmdb_test"))
_RARE = ("gmdb_rare_gallery", "gmdb_rare_test")
_NAMED = ("syndrome_id", "syndrome_name")
_NAMED_ABOUT = ("internal_syndrome_id", "internal_syndrome_name")
_SUFFIXES = (".tsv", ".csv")
_VERSION = re.compile(r"_(v\d[\w.]*)\.\w+$")


@dataclass(frozen=True, slots=True)
class TableCases:
    """`cases`, where their photographs were looked for, and what the user should hear of the tables."""

    cases: list[Case]
    images: Path
    notes: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()


def photos_of(table: Path) -> Path:
    """Where the photographs of a table are: "photos" or GestaltMatcher's folder beside it, or else its own folder.

    Beside a table in gmdb_metadata is beside that folder.
    """
    near = [table.parent / name for name in ("photos", *PHOTOS)]
    if table.parent.resolve().name == TABLES:
        near += [table.parent.resolve().parent / name for name in PHOTOS]
    return next((folder for folder in near if folder.is_dir()), table.parent)


def table_of(data: Path) -> Path:
    """The table that `data` is, or the metadata of all photographs in the release that it is the folder of.

    Raises UsageError naming what was looked for in a folder that is no release, or holds several versions.
    """
    if not data.is_dir():
        return data
    folder = _tables(data)
    tables = _files(folder, ABOUT)
    if len(tables) != 1:
        told = f"{len(tables)} of them: {', '.join(path.name for path in tables)}" if tables else "nothing"
        raise UsageError(
            f"{data} is a folder. Looked for GestaltMatcher's {TABLES}/{ABOUT}….tsv in it, and found {told}.",
            "Give the table itself, and with --images the folder of its photographs.",
        )
    return tables[0]


def lists_of(data: Path) -> list[Path]:
    """The published gallery and test lists of the release in `data`, or else what `table_of` says.

    Raises UsageError as `table_of` does, and when there are lists of several versions.
    """
    if not data.is_dir():
        return [data]
    folder = _tables(data)
    places = [next((path for name in names for path in _files(folder, f"{name}_images")), None) for names in _LISTS]
    places += [next(iter(_files(folder, f"{name}_images")), None) for name in _RARE]
    pairs = [pair for pair in (places[:2], places[2:]) if None not in pair]
    lists = [path for pair in pairs for path in pair if path is not None]
    versions = sorted({_version(path) for path in _files(folder, "gmdb_")})
    if len(versions) > 1:
        raise UsageError(f"{folder} holds tables of {', '.join(versions)}.", "Give those of one, each with --data.")
    return lists or [table_of(data)]


def read_data(table: Path, images: Path | None = None, label: str | None = None) -> TableCases:
    """The cases of a table as `gestaltmatcher_csv.read_cases`; a split list's with names, sex, age and HPO terms.

    `images` None looks where `photos_of` says. Raises UsageError as `read_cases` does, and for a table of
    names that has none, where the metadata have none either.
    """
    folder = images or photos_of(table)
    columns = set(read_rows(table)[0])
    if not set(SPLIT) <= columns or set(MANIFEST) <= columns:
        return TableCases(read_cases(table, folder, label), folder)
    about, names = _beside(table, ABOUT), _beside(table, NAMES)
    column = None if label is None else label.strip().lower()
    foreign = column is not None and column not in columns and about is not None
    cases = read_cases(table, folder, None if foreign else label)
    notes, faults = [], []
    if column is None:
        source, known_names, told = _names(names, about)
        notes += told
        cases, told = _named(cases, known_names, source)
        notes += told
    if about is not None:
        about_image, wrong = read_about(about, {case.image for case in cases}, column if foreign else None)
        faults += [f"{about.name}, left empty: {fault}" for fault in wrong]
        cases = joined(cases, about_image, with_disorder=foreign)
        notes.append(f"{about.name} says more of {len({case.image for case in cases} & set(about_image))} photographs")
    return TableCases(cases, folder, tuple(notes), tuple(faults))


def joined(cases: Sequence[Case], about_image: Mapping[str, Case], with_disorder: bool = False) -> list[Case]:
    """`cases` of split lists with all that `about_image` says of them; subject, label and split are the lists'.

    `with_disorder` takes that of `about_image`, too. Raises UsageError naming every image that it does not have.
    """
    absent = sorted({case.image for case in cases} - set(about_image))
    if absent:
        more = f" … and {len(absent) - 20} more" if len(absent) > 20 else ""
        raise UsageError(
            f"{len(absent)} images have no metadata: {', '.join(absent[:20])}{more}.",
            f"Put the {ABOUT} of the same version beside the list, or none.",
        )
    return [
        replace(
            about_image[case.image],
            path=case.path,
            subject=case.subject,
            disorder=about_image[case.image].disorder if with_disorder else case.disorder,
            split=case.split,
        )
        for case in cases
    ]


def _named(cases: list[Case], names: Mapping[str, str], source: Path | None) -> tuple[list[Case], list[str]]:
    """Numbers of disorders as names; two numbers of one name stay apart, and a number without a name stays as it is."""
    numbers = {case.disorder for case in cases if case.disorder is not None}
    if not names or source is None:
        return cases, [f"no {NAMES} beside the list: its {len(numbers)} disorders have numbers for names"]
    times = Counter(names.values())
    shown = {key: f"{name} ({key})" if times[name] > 1 else name for key, name in names.items()}
    nameless = sorted(numbers - set(shown))
    told = [f"{source.name} has no name of {', '.join(nameless[:20])}"] if nameless else []
    return [
        replace(case, disorder=None if case.disorder is None else shown.get(case.disorder, case.disorder))
        for case in cases
    ], told


def _names(names: Path | None, about: Path | None) -> tuple[Path | None, dict[str, str], list[str]]:
    """The table that names disorders, its names by number, and a word on a table that should and does not.

    Raises UsageError where there is such a table, and no other in its place.
    """
    tables = ((names, _NAMED), (about, _NAMED_ABOUT))
    there = [(table, pair) for table, pair in tables if table is not None]
    for table, pair in there:
        if set(pair) <= set(read_rows(table, pair)[0]):
            foreign = f"{NAMES} has not the columns {' and '.join(_NAMED)}: names are those of {table.name}"
            return table, read_pairs(table, *pair), [foreign] if table is about and names is not None else []
    if names is None:
        return about, {}, []
    faults = [
        f"{table} has the columns {', '.join(read_rows(table, pair)[0]) or 'none'}; needed are {', '.join(pair)}."
        for table, pair in there
    ]
    raise UsageError(
        "\n  ".join(["no table has names of disorders:", *faults]),
        f"Name its columns so, or take {names.name} away: then disorders have numbers for names.",
    )


def _beside(table: Path, stem: str) -> Path | None:
    """The table called `stem` of the same version, in the folder of `table`; of any, where there is one only."""
    tables = _files(table.parent, stem)
    same = [path for path in tables if _version(path) == _version(table)]
    return next(iter(same or (tables if len(tables) == 1 and not _version(table) else [])), None)


def _tables(data: Path) -> Path:
    return data / TABLES if (data / TABLES).is_dir() else data


def _files(folder: Path, stem: str) -> list[Path]:
    paths: Iterable[Path] = folder.glob(f"{stem}*")
    return sorted(path for path in paths if path.suffix.lower() in _SUFFIXES and path.is_file())


def _version(path: Path) -> str:
    match = _VERSION.search(path.name)
    return match.group(1) if match else ""
