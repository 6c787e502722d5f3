"""A table of cases row by row: its columns, each row with its line, and every fault of it reported at once."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ganonym.errors import UsageError
from ganonym.tables import read_table

CASE_COLUMNS = ("image", "image_id", "subject", "patient_id", "label")
"""By which the delimiter of a table of cases is found; each kind of table has two or three of them."""

_LISTED = 50
_MISSING = ("", "na", "n/a", "nan", "<na>", "none", "null", "unknown")


@dataclass(slots=True)
class Row:
    """One row, its line, what is wrong with it, and whether it is its photograph that is not there."""

    line: int
    cells: Mapping[str, str]
    wrong: list[str] = field(default_factory=list)
    lost: bool = False

    def text(self, name: str) -> str:
        """The cell in NFC, "" where the column is missing, the cell empty or says that it is unknown."""
        text = unicodedata.normalize("NFC", self.cells.get(name, "").strip())
        return "" if text.lower() in _MISSING else text

    def needed(self, name: str) -> str:
        """The cell, of which an empty one is a fault."""
        text = self.text(name)
        if not text:
            self.wrong.append(f"{name} is empty")
        return text


def read_rows(table: Path, wanted: Sequence[str] = CASE_COLUMNS) -> tuple[list[str], list[Row]]:
    """The columns, in lower case, and the rows of a table in any dialect of `ganonym.tables`, told by columns `wanted`.

    Raises UsageError for what cannot be read or has a column twice; a row's own faults are in the row.
    """
    content = read_table(table, wanted)
    columns = list(content.columns)
    twice = sorted({name for name in columns if name and columns.count(name) > 1})
    if twice:
        raise UsageError(f"the table {table}, line 1: columns appear twice: {', '.join(twice)}.")
    rows: list[Row] = []
    for line, cells in content.rows:
        row = Row(line, dict(zip(columns, cells, strict=False)))
        surplus = len(cells) - len(columns)
        if surplus:
            row.wrong.append(f"{abs(surplus)} cells too {'many' if surplus > 0 else 'few'}")
        row.wrong += [f"{name} holds a control character" for name, cell in row.cells.items() if _control(cell)]
        rows.append(row)
    return columns, rows


def read_pairs(table: Path, key: str, value: str) -> dict[str, str]:
    """What column `value` says of each `key`, where both are there: the names of numbered disorders."""
    rows = read_rows(table, (key, value))[1]
    return {row.text(key): row.text(value) for row in rows if row.text(key) and row.text(value)}


def refuse_faults(table: Path, rows: Sequence[Row], images: Path) -> None:
    """Raises UsageError listing every fault of the rows with its line, and where photographs were looked for."""
    faults = [f"line {row.line}: {fault}" for row in rows for fault in row.wrong]
    if not faults:
        return
    more = [f"… and {len(faults) - _LISTED} more"] if len(faults) > _LISTED else []
    remedy = f"Photographs were looked for in {images}: give their folder with --images."
    raise UsageError(
        "\n  ".join([f"the table {table} has {len(faults)} faults:", *faults[:_LISTED], *more]),
        remedy if any(row.lost for row in rows) else "",
    )


def _control(text: str) -> bool:
    return any(unicodedata.category(letter) == "Cc" for letter in text.strip())
