"""The manifest reader: every fault with its line, nothing else refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ganonym.errors import UsageError
from ganonym.manifest import read_manifest


def write(folder: Path, text: str | bytes) -> Path:
    path = folder / "manifest.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_a_full_row_with_bom_crlf_quotes_and_odd_columns(tmp_path: Path) -> None:
    head = "Image, subject,syndrome,session,sex,age,ethnicity,expression,site,licence\r\n"
    row = '"a/b, c.jpg",P1,Noonan,v1,F,34.5,x,neutral,Köln,CC0\r\n\r\n'
    table = read_manifest(write(tmp_path, b"\xef\xbb\xbf" + (head + row).encode()))
    (result,) = table.rows.values()
    assert (result.image, result.subject, result.syndrome, result.sex, result.age) == (
        "a/b, c.jpg",
        "P1",
        "Noonan",
        "female",
        34.5,
    )
    assert (result.session, result.ethnicity, result.expression, result.site) == ("v1", "x", "neutral", "Köln")
    assert table.labelled
    assert table.ignored == ("licence",)


def test_empty_cells_are_unknown(tmp_path: Path) -> None:
    table = read_manifest(write(tmp_path, "image,subject,sex,age\n./a.jpg,P1,,\n"))
    assert (table.rows["a.jpg"].sex, table.rows["a.jpg"].age, table.rows["a.jpg"].syndrome) == (None, None, None)
    assert not table.labelled


def test_all_faults_are_listed_with_their_lines(tmp_path: Path) -> None:
    text = (
        "image,subject,syndrome,sex,age\n"
        "a.jpg,P1,x,male,3\n"
        "../b.jpg,P2,x,male,3\n"
        "/,P3,x,male,3\n"
        "..\\e.jpg,P4,x,male,3\n"
        ",P5,x,male,3\n"
        "f.jpg,,x,male,3\n"
        "a.jpg,P1,x,male,3\n"
        "g.jpg,P7,x,unsure,3\n"
        "h.jpg,P8,x,male,old\n"
        "i.jpg,P9,x,male,nan\n"
        "j.jpg,P1,y,male,3\n"
        "k.jpg,P1,x,female,3\n"
        "l.jpg,P2,x\n"
        "m.jpg,P2,x,male,3,4\n"
        "n.jpg,P\x07,x,male,131\n"
        "s/../../o.jpg,P9,x,male,3\n"
    )
    with pytest.raises(UsageError) as caught:
        read_manifest(write(tmp_path, text))
    message = str(caught.value)
    expected = {
        3: "below the input folder", 4: "image is empty", 5: "below the input folder", 6: "image is empty",
        7: "subject is empty", 8: "already on line 2", 9: "neither female nor male", 10: "'old'", 11: "'nan'",
        12: "another syndrome than on line 2", 13: "another sex than on line 2", 14: "2 cells too few",
        15: "1 cells too many", 16: "control character", 17: "below the input folder",
    }  # fmt: skip
    lines = {int(line.split()[1].rstrip(":")): line for line in message.splitlines()[1:]}
    assert set(lines) == set(expected)
    for number, words in expected.items():
        assert words in message.split(f"line {number}:")[1].split("\n  line")[0], number
    assert "line 16: age '131'" in message


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "column 'image' is missing"),
        ("image,name\na,b\n", "column 'subject' is missing; there are image, name. Is it 'name'"),
        ("image;patient;age\na;b;3\n", "separated by semicolon.*column 'subject' is missing; there are image, patient"),
        ("image,subject,sex,Sex\na,b,,\n", "'sex' appears twice"),
        ('image,subject\na,"b\n', "line 2"),
        (b"image,subject\na,\xff\n", "not UTF-8"),
    ],
)
def test_malformed_files(tmp_path: Path, text: str | bytes, words: str) -> None:
    with pytest.raises(UsageError, match=f"(?s){words}"):
        read_manifest(write(tmp_path, text))


DIALECTS = {
    "Excel, German": "image;subject;sex;age\r\nfotos\\a.jpg;P1;f;1,5\r\nfotos\\b.jpg;P2;m;30\r\n".encode("utf-8-sig"),
    "Excel, Unicode text": "image\tsubject\tsex\tage\r\nfotos/a.jpg\tP1\tF\t1,5\r\nfotos/b.jpg\tP2\tM\t30\r\n".encode(
        "utf-16"
    ),
    "Excel, sep=": b'sep=,\r\nimage,subject,sex,age\r\nfotos/a.jpg,P1,f,"1,5"\r\nfotos/b.jpg,P2,m,30\r\n',
    "LibreOffice": b'"image","subject","sex","age"\n"fotos/a.jpg","P1","f",1.5\n"fotos/b.jpg","P2","m",30\n',
    "SPSS": b"\xef\xbb\xbfimage;subject;sex;age\r\nfotos/a.jpg;P1;f;1,50\r\nfotos/b.jpg;P2;m;30,00\r\n",
    "Windows": b"image,subject,sex,age\r\nD:\\fotos\\a.jpg,P1,f,1.5\r\nD:\\fotos\\b.jpg,P2,m,30\r\n",
    "a note of two lines": b'image,subject,sex,age,note\nfotos/a.jpg,P1,f,1.5,"seen\ntwice"\nfotos/b.jpg,P2,m,30,\n',
    "empty columns": b"image;subject;sex;age;;\nfotos/a.jpg;P1;f;1.5;;\nfotos/b.jpg;P2;m;30;;\n;;;;;\n",
}


@pytest.mark.parametrize("program", DIALECTS)
def test_a_manifest_of_any_program_reads_the_same(program: str, tmp_path: Path) -> None:
    rows = read_manifest(write(tmp_path, DIALECTS[program])).rows
    results = [(row.image, row.subject, row.sex, row.age) for row in rows.values()]
    assert results == [("fotos/a.jpg", "P1", "female", 1.5), ("fotos/b.jpg", "P2", "male", 30.0)]


def test_columns_that_may_be_meant_are_told(tmp_path: Path) -> None:
    table = read_manifest(write(tmp_path, "image,subject,diagnosis,licence\na.jpg,P1,Noonan,CC0\n"))
    assert table.notes == ("manifest columns ignored: diagnosis, licence (is 'diagnosis' the syndrome? rename it)",)
    assert read_manifest(write(tmp_path, "image,subject\na.jpg,P1\n")).notes == ()


def test_a_workbook_is_refused_with_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"a workbook, not CSV\. Save it as CSV UTF-8"):
        read_manifest(write(tmp_path, b"PK\x03\x04" + bytes(60)))


def test_absent_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot read the manifest"):
        read_manifest(tmp_path / "absent.csv")


@given(data=st.binary(max_size=300), head=st.sampled_from([b"image,subject,sex,age\n", b"sep=;\nimage;subject\n", b""]))
def test_whatever_the_bytes_only_a_usage_error(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, head: bytes
) -> None:
    path = write(tmp_path_factory.mktemp("fuzz"), head + data)
    try:
        table = read_manifest(path)
    except UsageError:
        return
    assert all(".." not in name.split("/") and not name.startswith("/") for name in table.rows)
