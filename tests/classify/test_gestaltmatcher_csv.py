"""GestaltMatcher's tables and ganonym's manifest as cases: every column, every fault with its line, nothing dropped."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ganonym.classify.case import Case
from ganonym.classify.gestaltmatcher_csv import read_cases
from ganonym.classify.retrieval.protocol import published
from ganonym.errors import UsageError

COLUMNS = (
    "image_id",
    "patient_id",
    "filename",
    "gene_names",
    "disorder_names",
    "present_features",
    "absent_features",
    "age_year",
    "age_month",
    "gender",
    "ethnicity_category",
    "internal_syndrome_name",
)


def photos(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    (folder / "photos").mkdir(exist_ok=True)
    return folder / "photos"


def write(folder: Path, text: str, name: str = "table.csv") -> Path:
    path = folder / name
    path.write_bytes(text.encode())
    return path


def metadata(folder: Path, *rows: tuple[str, ...]) -> Path:
    return write(folder, "\r\n".join("\t".join(row) for row in (COLUMNS, *rows)) + "\r\n", "image_metadata_v1.1.0.tsv")


def test_metadata_in_full(tmp_path: Path) -> None:
    images = photos(tmp_path, "a.jpg", "17.png")
    terms = "HP:0000316; HP:0000343;HP:0000316"
    table = metadata(
        tmp_path,
        ("16", "p1", "a.jpg", "NSD1", "SOTOS; OTHER", terms, "HP:0000508", "4", "6", "Male", "European", "Sotos"),
        ("17", "p2", "", "", "KBG", "", "", "<NA>", "9", "unknown", "", "nan"),
    )
    one, other = read_cases(table, images)
    assert one == Case(
        "16",
        images / "a.jpg",
        "p1",
        "Sotos",
        "male",
        4.5,
        "European",
        ("HP:0000316", "HP:0000343"),
        ("HP:0000508",),
    )
    assert other == Case("17", images / "17.png", "p2", "KBG", None, 0.75)


def test_another_column_may_be_told_apart(tmp_path: Path) -> None:
    images = photos(tmp_path, "a.jpg", "b.jpg", "c.jpg")
    rows = (
        ("1", "p1", "a.jpg", "NSD1", "SOTOS", "", "", "", "", "", "", ""),
        ("2", "p2", "b.jpg", "", "SOTOS", "", "", "", "", "", "", ""),
    )
    assert [case.disorder for case in read_cases(metadata(tmp_path, *rows), images, " Gene_Names")] == ["NSD1", None]
    with pytest.raises(UsageError, match="no column 'karyotype'"):
        read_cases(metadata(tmp_path, *rows), images, "karyotype")
    twice = (*rows, ("3", "p1", "c.jpg", "EZH2", "SOTOS", "", "", "", "", "", "", ""))
    with pytest.raises(UsageError, match="line 4: subject 'p1' has another gene_names"):
        read_cases(metadata(tmp_path, *twice), images, "gene_names")


def test_who_is_unknown_in_another_column_has_no_class_and_nobody_is_known_and_unknown(tmp_path: Path) -> None:
    images = photos(tmp_path, "a.jpg")
    rows = [
        (str(n), person, "a.jpg", gene, "SOTOS", *[""] * 7)
        for n, (person, gene) in enumerate((("p1", " NSD1 "), ("p2", "<NA>"), ("p3", "unknown"), ("p3", "")))
    ]
    cases = read_cases(metadata(tmp_path, *rows), images, "gene_names")
    assert [case.disorder for case in cases] == ["NSD1", None, None, None]
    for patient, gene in (("p1", ""), ("p2", "EZH2")):
        more = (*rows, ("9", patient, "a.jpg", gene, "SOTOS", *[""] * 7))
        with pytest.raises(UsageError, match=f"line 6: subject '{patient}' has another gene_names"):
            read_cases(metadata(tmp_path, *more), images, "gene_names")


def test_a_sex_written_in_two_ways_is_one_class(tmp_path: Path) -> None:
    images = photos(tmp_path, "a.jpg", "b.jpg")
    table = write(tmp_path, "image,subject,sex\na.jpg,p,M\nb.jpg,p,male\n")
    assert [case.disorder for case in read_cases(table, images, "sex")] == ["male", "male"]


def test_split_lists_carry_their_part_and_number(tmp_path: Path) -> None:
    images = photos(tmp_path, "1_rot_aligned.jpg", "2.jpg", "2_rot_aligned.jpg", "3.png")
    rare = "image_id,subject,label,split\n1,p,5,0\n2,q,5,0\n1,p,5,1\n2,q,5,1\n"
    cases = read_cases(write(tmp_path, rare, "gmdb_rare_gallery_images_v1.1.0.csv"), images)
    assert [(case.image, case.subject, case.disorder, case.split) for case in cases] == [
        ("1", "p", "5", "gallery 0"),
        ("2", "q", "5", "gallery 0"),
        ("1", "p", "5", "gallery 1"),
        ("2", "q", "5", "gallery 1"),
    ]
    assert [case.path.name for case in cases[:2]] == ["1_rot_aligned.jpg", "2.jpg"]
    test = read_cases(
        write(tmp_path, "image_id,subject,label,split\n3,r,5,0\n3,r,5,1\n", "gmdb_rare_test_images_v1.1.0.csv"), images
    )
    plan = published([*cases, *test])
    assert [(entry.gallery.tolist(), entry.test.tolist()) for entry in plan.rare] == [([0, 1], [4]), ([2, 3], [5])]
    parts = {"train": "gmdb_train", "val": "gmdb_val", "gallery": "gmdb_frequent_gallery", "test": "gmdb_frequent_test"}
    for part, name in parts.items():
        table = write(tmp_path, "image_id,subject,label\n3,r,0\n", f"{name}_images_v1.0.3.csv")
        assert [case.split for case in read_cases(table, images)] == [part]
    assert [case.split for case in read_cases(write(tmp_path, "image_id,subject,label\n3,r,0\n"), images)] == [None]


def test_a_manifest_with_terms_splits_and_simulated_people(tmp_path: Path) -> None:
    images = photos(tmp_path, "A/1.png", "B/1.png")
    text = (
        "\ufeffImage,Subject,syndrome,sex,age,ethnicity,hpo,absent,split,simulated,shrink\r\n"
        "A/1.png,A,PHANTOM-WBS,F,55,x,HP:0003196;HP:0000581,HP:0000508,train,true,1.0\r\n"
        "./B/1.png,B,,,,,,,,,\r\n"
    )
    one, other = read_cases(write(tmp_path, text), images)
    assert one == Case(
        "A/1.png",
        images / "A/1.png",
        "A",
        "PHANTOM-WBS",
        "female",
        55.0,
        "x",
        ("HP:0003196", "HP:0000581"),
        ("HP:0000508",),
        "train",
        True,
    )
    assert other == Case("B/1.png", images / "B/1.png", "B")


def test_all_faults_of_metadata_with_their_lines(tmp_path: Path) -> None:
    images = photos(tmp_path, "a.jpg", "b.jpg")
    (tmp_path / "secret.jpg").write_bytes(b"")
    (images / "link.jpg").symlink_to(tmp_path / "secret.jpg")

    def row(image: str, patient: str, **cells: str) -> tuple[str, ...]:
        given = {"image_id": image, "patient_id": patient, "filename": "a.jpg", **cells}
        return tuple(given.get(name, "") for name in COLUMNS)

    table = metadata(
        tmp_path,
        row("1", "p1", gender="male"),
        row("2", "p2", filename="../secret.jpg"),
        row("3", "p3", filename="/etc/passwd"),
        row("4", "p4", filename="gone.jpg"),
        row("5", "p5", filename=""),
        row("6", "p6", gender="both"),
        row("7", "p7", age_year="old"),
        row("8", "p8", age_year="5", age_month="60"),
        row("9", "p9", present_features="HP:316"),
        row("10", "p10", present_features="HP:0000316", absent_features="HP:0000316"),
        row("1", "p1", gender="male"),
        row("12", "p1", gender="female"),
        row("", "p13"),
        row("14", ""),
        row("15", "p15", filename="link.jpg"),
        row("16", "p16", filename="sub\\a.jpg"),
        row("17", "p1\x07"),
        (*row("18", "p18"), "more"),
        row("../b", "p19", filename=""),
        row("20", "p20", age_year="-1"),
        row("21", "p21", age_month="nonsense"),
    )
    with pytest.raises(UsageError) as caught:
        read_cases(table, images)
    message = str(caught.value)
    expected = {
        3: "'../secret.jpg' must be a path below",
        4: "'/etc/passwd' must be a path below",
        5: "there is no file",
        6: "no picture of image_id '5'",
        7: "gender 'both'",
        8: "age_year 'old'",
        9: "age_month '60' is not a number from 0 to 11",
        10: "'HP:316' is not like",
        11: "HP:0000316 is both present and absent",
        12: "image '1' is already on line 2",
        13: "subject 'p1' has another sex than on line 2",
        14: "image_id is empty",
        15: "patient_id is empty",
        16: "'link.jpg' is a link to outside",
        17: "must be a path below",
        18: "patient_id holds a control character",
        19: "1 cells too many",
        20: "'../b' must be a path below",
        21: "age_year '-1'",
        22: "age_month 'nonsense'",
    }
    lines = message.splitlines()[1:]
    assert [int(line.split("line ")[1].split(":")[0]) for line in lines] == list(expected)
    for line, fault in zip(lines, expected.values(), strict=True):
        assert fault in line
    assert "20 faults" in message


def test_faults_of_manifests_and_lists(tmp_path: Path) -> None:
    images = photos(tmp_path, "a.png", "1.jpg")
    text = "image,subject,hpo,simulated\na.png,A,HP:1,\nb.png,B,,perhaps\n"
    with pytest.raises(UsageError) as caught:
        read_cases(write(tmp_path, text), images)
    for part in ("3 faults", "line 2: hpo 'HP:1'", "line 3: simulated 'perhaps'", "line 3: there is no file"):
        assert part in str(caught.value)
    with pytest.raises(UsageError, match=r"line 3: image 'a\.png' is already on line 2"):
        read_cases(write(tmp_path, "image,subject\na.png,A\na.png,A\n"), images)
    with pytest.raises(UsageError, match="line 2: label is empty"):
        read_cases(write(tmp_path, "image_id,subject,label\n1,p,\n"), images)
    with pytest.raises(UsageError, match=r"line 3: image '1' is already(.|\n)*another disorder"):
        read_cases(write(tmp_path, "image_id,subject,label\n1,p,1\n1,p,2\n"), images)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "has the columns none"),
        (b"id,label\n1,2\n", "has the columns id, label"),
        (b"image_id,subject,label,label\n1,2,3,4\n", "twice: label"),
        (b"image_id,subject,label\n\xff,p,1\n", "not UTF-8"),
        (b'image_id,subject,label\n1,"p,1\n', "line 2"),
    ],
)
def test_what_is_no_table(tmp_path: Path, text: bytes, message: str) -> None:
    path = tmp_path / "table.csv"
    path.write_bytes(text)
    with pytest.raises(UsageError, match=message):
        read_cases(path, photos(tmp_path))


def test_a_manifest_as_excel_and_windows_write_it_reads_the_same(tmp_path: Path) -> None:
    images = photos(tmp_path, "visit/a.jpg", "visit/b.heic")
    plain = write(tmp_path, "image,subject,syndrome,age\nvisit/a.jpg,p1,KBG,1.5\nvisit/b.heic,p2,NS,2\n", "plain.csv")
    excel = tmp_path / "excel.csv"
    rows = "image;subject;syndrome;age;\r\nvisit\\a.jpg;p1;KBG;1,5;\r\n.\\visit\\b.heic;p2;NS;2;\r\n"
    excel.write_bytes(f"sep=;\r\n{rows}".encode("utf-16"))
    assert read_cases(excel, images) == read_cases(plain, images)


def test_a_table_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot read"):
        read_cases(tmp_path / "none.csv", tmp_path)


@given(
    st.binary(max_size=120), st.sampled_from(["image,subject\n", "image_id,subject,label\n", "image_id\tpatient_id\n"])
)
def test_any_bytes_are_cases_or_a_usage_error(tmp_path_factory: pytest.TempPathFactory, tail: bytes, head: str) -> None:
    folder = tmp_path_factory.mktemp("any")
    path = folder / "table.csv"
    path.write_bytes(head.encode() + tail)
    try:
        cases = read_cases(path, folder)
    except UsageError:
        return
    assert cases == [] or all(case.path.is_file() for case in cases)


def test_ages_of_months_alone(tmp_path: Path) -> None:
    images = photos(tmp_path, "a.jpg")
    rows = [(str(n), f"p{n}", "a.jpg", "", "", "", "", year, month, "", "", "") for n, (year, month) in enumerate(AGES)]
    results = [case.age for case in read_cases(metadata(tmp_path, *rows), images)]
    np.testing.assert_allclose([np.nan if age is None else age for age in results], [0.0, 1.5, 2.25, 30.0, np.nan])


AGES = [("0", ""), ("", "18"), ("2", "3"), ("30", "NA"), ("", "")]
