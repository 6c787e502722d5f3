"""Tables as Excel, LibreOffice, SPSS and Windows write them, read where they are unambiguous.

Encodings: UTF-8, with or without a byte-order mark, and UTF-16 with one. A Windows code page is not guessed: from the
same bytes cp1250 and cp1252 read other names of people. Delimiters: comma, semicolon, tab or bar, found by the columns
that are looked for, or said by a first line `sep=;` as Excel has it.
"""

from __future__ import annotations

import csv
import difflib
import io
import re
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ganonym.errors import UsageError

DELIMITERS: Mapping[str, str] = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}

_AS_CSV = "Save it as CSV UTF-8 (Excel: Save as, CSV UTF-8; SPSS: Save as, CSV)."
_WORKBOOKS = ((b"PK\x03\x04", "a workbook"), (b"\xd0\xcf\x11\xe0", "a workbook"), (b"$FL", "an SPSS file"))
_MARKS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))
_SEPARATOR = re.compile(r'"?sep=(.)"?(?:\r\n?|\n|\Z)', re.IGNORECASE)
_COMMA_NUMBER = re.compile(r"(\d+),(\d+)")
_SYNONYMS: Mapping[str, str] = {
    "image": "file filename path filepath photo photograph picture pic img imageid imagefile imagename imagepath "
    "photoid source foto bild datei dateiname",
    "subject": "patient patientid person personid id pid subjectid participant participantid individual case caseid "
    "proband code pseudonym mrn name patnr patientnr fallnummer fall",
    "syndrome": "diagnosis disorder disease condition label class group gene",
    "sex": "gender",
    "age": "ageyears ageyear years ageinyears",
    "session": "visit date examination",
    "ethnicity": "ancestry race origin population",
    "expression": "emotion",
    "site": "centre center clinic hospital",
}


@dataclass(frozen=True, slots=True)
class Table:
    """The header in lower case, and each row that is not empty with the line on which it starts; cells as written.

    `delimiter` names what separates the cells: "comma", "semicolon", "tab" or "bar".
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[int, tuple[str, ...]], ...]
    delimiter: str


def read_table(path: Path, wanted: Sequence[str], what: str = "table") -> Table:
    """Read a table that should have some of the columns `wanted`; `what` it is appears in messages.

    Cells beyond the header are left out where they are empty, as Excel writes them. Raises UsageError: the file cannot
    be read, is a workbook, is in no known encoding, or its quotes are not closed.
    """
    text = read_text(path, what)
    said = _SEPARATOR.match(text)
    if said:
        table, fault = _parsed(text[said.end() :], said[1], before=1)
    else:
        tried = [_parsed(text, delimiter) for delimiter in DELIMITERS]
        table, fault = max(tried, key=lambda found: _fitness(found[0], found[1], wanted))
    if fault:
        raise UsageError(f"the {what} {path}, {fault}.", "Are its quotes closed?")
    return table


def read_lists(path: Path, expected: Collection[str], what: str = "list") -> list[list[str]]:
    """Lines of cells without a header, parted where most of them are among `expected`. Raises UsageError."""
    text = read_text(path, what)
    said = _SEPARATOR.match(text)
    delimiters = [said[1]] if said else list(DELIMITERS)
    tried = [_cells(text[said.end() if said else 0 :], delimiter) for delimiter in delimiters]
    lines, fault = max(
        tried, key=lambda found: sum(cell.strip() in expected for _, cells in found[0] for cell in cells)
    )
    if fault:
        raise UsageError(f"the {what} {path} cannot be read, {fault}.", "Are its quotes closed?")
    return [cells for _, cells in lines]


def read_text(path: Path, what: str = "table") -> str:
    """The text of a file in UTF-8, or in UTF-16 with a byte-order mark. Raises UsageError as `read_table` does."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UsageError(f"cannot read the {what} {path}: {error.strerror}.", "Check path and permissions.") from error
    kind = next((kind for magic, kind in _WORKBOOKS if data.startswith(magic)), None)
    if kind is not None:
        raise UsageError(f"the {what} {path} is {kind}, not CSV.", _AS_CSV)
    mark, encoding = next(((mark, name) for mark, name in _MARKS if data.startswith(mark)), (b"", "utf-8"))
    try:
        text = data[len(mark) :].decode(encoding)
    except UnicodeDecodeError as error:
        if encoding != "utf-8":
            raise UsageError(f"the {what} {path} is damaged UTF-16.", _AS_CSV) from error
        at = error.start + len(mark)
        place = f"line {data.count(10, 0, at) + 1}, byte 0x{data[at]:02x}"
        message = f"the {what} {path} is not UTF-8 ({place}): it seems to be in a Windows code page."
        raise UsageError(message, _AS_CSV) from error
    if "\0" in text:
        raise UsageError(f"the {what} {path} holds NUL: it seems to be UTF-16 without its byte-order mark.", _AS_CSV)
    return text.removesuffix("\x1a")  # DOS programs end a file with it


def missing_column(name: str, columns: Sequence[str]) -> str:
    """What to say of a column that is not there: which are, and which of them it may be.

    >>> missing_column("subject", ["image", "patient", "age"])
    "column 'subject' is missing; there are image, patient, age. Is it 'patient'? Rename it"
    """
    there = ", ".join(column for column in columns if column) or "none"
    meant = near_misses(name, columns)
    guess = f". Is it {' or '.join(map(repr, meant))}? Rename it" if meant else ""
    return f"column {name!r} is missing; there are {there}{guess}"


def near_misses(name: str, columns: Sequence[str]) -> list[str]:
    """Those of `columns` that people use, or mistype, for the column `name`."""
    plain = {column: re.sub(r"[\W_]", "", column.casefold()) for column in columns}
    synonyms = _SYNONYMS.get(name, "").split()
    equal = [column for column in columns if plain[column] in {name, *synonyms}]
    return equal or [column for column in columns if difflib.get_close_matches(plain[column], [name], cutoff=0.75)]


def number(text: str) -> float | None:
    """A number with a decimal point or comma; None for anything else.

    >>> number("1,5"), number("2.25"), number("two")
    (1.5, 2.25, None)
    """
    comma = _COMMA_NUMBER.fullmatch(text)
    try:
        return float(f"{comma[1]}.{comma[2]}" if comma else text)
    except ValueError:
        return None


def _cells(text: str, delimiter: str) -> tuple[list[tuple[int, list[str]]], str]:
    """Every row with the line on which it starts, as far as there are any, and what is wrong from there on."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    found: list[tuple[int, list[str]]] = []
    start = 1
    try:
        for cells in reader:
            found.append((start, cells))
            start = reader.line_num + 1
    except csv.Error as error:
        return found, f"line {start}: {error}"
    return found, ""


def _parsed(text: str, delimiter: str, before: int = 0) -> tuple[Table, str]:
    """The table as far as it can be read, and what is wrong from there on; `before`: lines in front of `text`."""
    lines, fault = _cells("\n" * before + text, delimiter)
    filled = [(line, cells) for line, cells in lines if any(cell.strip() for cell in cells)]
    columns = tuple(unicodedata.normalize("NFC", cell.strip()).lower() for cell in filled[0][1]) if filled else ()
    rows: list[tuple[int, tuple[str, ...]]] = []
    for line, cells in filled[1:]:
        while len(cells) > len(columns) and not cells[-1].strip():
            cells.pop()
        rows.append((line, tuple(cells)))
    while columns and not columns[-1] and all(len(cells) < len(columns) or not cells[-1].strip() for _, cells in rows):
        columns = columns[:-1]
        rows = [(line, cells[: len(columns)]) for line, cells in rows]
    return Table(columns, tuple(rows), DELIMITERS.get(delimiter, repr(delimiter))), fault


def _fitness(table: Table, fault: str, wanted: Sequence[str]) -> tuple[int, bool, int]:
    """How well a delimiter explains a text: columns found, rows as long as the header, number of columns."""
    even = not fault and all(len(cells) == len(table.columns) for _, cells in table.rows)
    return len({*table.columns} & {*wanted}), even, len(table.columns)
