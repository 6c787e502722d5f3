"""Tables in every dialect read back equal; what is ambiguous is refused with what was found."""

from __future__ import annotations

import csv
import io
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ganonym.errors import UsageError
from ganonym.tables import DELIMITERS, missing_column, number, read_lists, read_table, read_text

WANTED = ("image", "subject", "age", "syndrome")
ENCODINGS = ("utf-8", "utf-8-sig", "utf-16")  # Python's utf-16 writes a byte-order mark
LINE_ENDS = ("\n", "\r\n", "\r")
# A code page would lose them; a lone surrogate is in no encoding; NUL is refused.
CELLS = st.text(st.characters(codec="utf-8", exclude_characters="\0\r"), max_size=12)


def saved(folder: Path, rows: list[list[str]], delimiter: str, encoding: str, said: bool, **how: Any) -> Path:
    text = io.StringIO(newline="")
    if said:
        text.write(f"sep={delimiter}{how.get('lineterminator', chr(10))}")
    csv.writer(text, delimiter=delimiter, **how).writerows(rows)
    path = folder / "table.csv"
    path.write_bytes(text.getvalue().encode(encoding))
    return path


@settings(max_examples=200, deadline=None)
@given(
    data=st.lists(st.tuples(CELLS, CELLS, CELLS), max_size=6),
    extra=st.sampled_from(["note", "a,b;c\td|e", "Größe", 'say "hi"']),
    delimiter=st.sampled_from(sorted(DELIMITERS)),
    encoding=st.sampled_from(ENCODINGS),
    line_end=st.sampled_from(LINE_ENDS),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    said=st.booleans(),
)
def test_a_table_reads_back_equal(
    data: list[tuple[str, str, str]],
    extra: str,
    delimiter: str,
    encoding: str,
    line_end: str,
    quoting: Any,
    said: bool,
) -> None:
    rows = [list(cells) for cells in data]
    quoting = csv.QUOTE_ALL if line_end == "\r" else quoting  # for the writer leaves a "\n" bare when lines end in "\r"
    with tempfile.TemporaryDirectory() as folder:
        header = ["Image", " subject", extra]
        path = saved(Path(folder), [header, *rows], delimiter, encoding, said, lineterminator=line_end, quoting=quoting)
        result = read_table(path, WANTED)
    assert result.columns == ("image", "subject", extra.lower())
    assert result.delimiter == DELIMITERS[delimiter]
    assert [list(cells) for _, cells in result.rows] == [cells for cells in rows if any(cell.strip() for cell in cells)]
    assert all(line > said for line, _ in result.rows)


def test_lines_are_those_on_which_rows_start(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text('sep=;\nimage;subject\na;"two\nlines"\n\nb;c\n')
    assert read_table(path, WANTED).rows == ((3, ("a", "two\nlines")), (6, ("b", "c")))


def test_what_excel_leaves_at_the_end_is_no_column(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("image;subject;;\na;b;;\nc;d;;;;\n;;;\n")
    result = read_table(path, WANTED)
    assert (result.columns, [cells for _, cells in result.rows]) == (("image", "subject"), [("a", "b"), ("c", "d")])
    path.write_text("image;subject;;\na;b;x;\n")
    assert read_table(path, WANTED).columns == ("image", "subject", "")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"PK\x03\x04" + bytes(30), "is a workbook"),
        (b"\xd0\xcf\x11\xe0" + bytes(30), "is a workbook"),
        (b"$FL2@(#)", "SPSS"),
        ("image,subject\na,Jörg\n".encode("cp1252"), "line 2, byte 0xf6"),
        ("image,subject\na,b\n".encode("utf-16-le"), "without its byte-order mark"),
        (b"\xff\xfea\0b", "damaged UTF-16"),
    ],
)
def test_what_is_no_text_is_refused_with_the_way_out(data: bytes, words: str, tmp_path: Path) -> None:
    path = tmp_path / "people.csv"
    path.write_bytes(data)
    with pytest.raises(UsageError, match=words) as caught:
        read_table(path, WANTED)
    assert "CSV UTF-8" in caught.value.remedy
    assert "people.csv" in caught.value.message


def test_quotes_that_are_not_closed(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text('image,subject\na,b\nc,"d\ne,f\n')
    with pytest.raises(UsageError, match="line 3"):
        read_table(tmp_path / "t.csv", WANTED)
    with pytest.raises(UsageError, match="cannot read"):
        read_text(tmp_path / "absent.csv")


@pytest.mark.parametrize(
    ("name", "columns", "guess"),
    [
        ("subject", ["image", "Patient-ID".lower(), "age"], "'patient-id'"),
        ("subject", ["image", "subjekt"], "'subjekt'"),
        ("image", ["filename", "patient"], "'filename'"),
        ("image", ["file", "photo", "subject"], "'file' or 'photo'"),
        ("subject", ["image", "height"], None),
    ],
)
def test_a_missing_column_names_near_misses(name: str, columns: list[str], guess: str | None) -> None:
    told = missing_column(name, columns)
    assert f"column {name!r} is missing; there are {', '.join(columns)}" in told
    assert (guess in told) if guess else ("Is it" not in told)


@given(st.integers(0, 130), st.integers(0, 99))
def test_numbers_with_point_or_comma(whole: int, part: int) -> None:
    assert number(f"{whole},{part:02}") == number(f"{whole}.{part:02}") == float(f"{whole}.{part:02}")
    for text in ("1,2,3", "1.000,5", "", "old", ",5"):
        assert number(text) is None


@pytest.mark.parametrize("delimiter", DELIMITERS)
def test_lists_without_a_header_are_parted_where_their_cells_are_known(delimiter: str, tmp_path: Path) -> None:
    ids = ["P,1", "P;2", "P\t3", "P|4"]
    path = saved(tmp_path, [ids[:2], ids[2:]], delimiter, "utf-16", said=False)
    assert read_lists(path, ids) == [ids[:2], ids[2:]]
    path = saved(tmp_path, [["1", "2"], ["# 1, 2; 3"]], delimiter, "utf-8", said=True)
    assert read_lists(path, ["1", "2"])[0] == ["1", "2"]
    path.write_text('1,"2\n')
    with pytest.raises(UsageError, match="quotes"):
        read_lists(path, ["1", "2"])
