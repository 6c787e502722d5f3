"""A release of GestaltMatcher's: which table a folder is, where its photographs are, and what joins in."""

from __future__ import annotations

from pathlib import Path

import pytest

from ganonym.classify.case import Case
from ganonym.classify.gestaltmatcher_release import joined, lists_of, photos_of, read_data, table_of
from ganonym.errors import UsageError

ABOUT = "image_metadata_v1.1.0.tsv"
ROWS = (
    "image_id\tpatient_id\tpresent_features\tage_year\tage_month\tgender\tinternal_syndrome_id\tinternal_syndrome_name",
    "1\tp\tHP:0000316;HP:0000343\t3\t6\tmale\t7\tSotos",
    "2\tq\tHP:316\told\t\tboth\t8\tKabuki",
    "3\tr\t\t\t\t\t9\tKabuki",
)
LIST = "image_id,subject,label\n2,q,8\n1,p,7\n"
NAMES = "syndrome_id\tsyndrome_name\n7\tSotos syndrome\n8\tKabuki syndrome\n9\tKabuki syndrome\n"


def release(folder: Path, **tables: str) -> Path:
    (folder / "gmdb_images").mkdir(parents=True)
    (folder / "gmdb_metadata").mkdir()
    for name in ("1", "2", "3"):
        (folder / "gmdb_images" / f"{name}.jpg").write_bytes(b"")
    for name, text in tables.items():
        suffix = "csv" if name.startswith("gmdb_") and "images" in name else "tsv"
        (folder / "gmdb_metadata" / f"{name}_v1.1.0.{suffix}").write_text(text)
    return folder


def test_names_sex_age_and_terms_join_into_a_list_by_image(tmp_path: Path) -> None:
    """Upstream joins by position; rows in another order, and one too many, do not matter."""
    folder = release(tmp_path, image_metadata="\n".join(ROWS), gmdb_frequent_test_images=LIST, gmdb_syndromes=NAMES)
    table = folder / "gmdb_metadata" / "gmdb_frequent_test_images_v1.1.0.csv"
    told = read_data(table)
    photos = folder / "gmdb_images"
    # A number that shares its name stays told apart.
    kabuki = Case("2", photos / "2.jpg", "q", "Kabuki syndrome (8)", split="test")
    sotos = Case("1", photos / "1.jpg", "p", "Sotos syndrome", "male", 3.5, None, ("HP:0000316", "HP:0000343"))
    assert told.cases[0] == kabuki, "what means nothing is left empty"
    assert told.cases[1].present == sotos.present
    assert (told.cases[1].disorder, told.cases[1].sex, told.cases[1].age) == ("Sotos syndrome", "male", 3.5)
    assert [case.split for case in told.cases] == ["test", "test"]
    assert len(told.faults) == 3
    assert all("line 3" in fault for fault in told.faults)
    assert [case.disorder for case in read_data(table, label="gender").cases] == [None, "male"]
    with pytest.raises(UsageError, match="no column 'karyotype'"):
        read_data(table, label="karyotype")


def test_without_their_table_names_are_those_of_the_metadata_or_numbers_and_the_user_is_told(tmp_path: Path) -> None:
    folder = release(tmp_path / "one", image_metadata="\n".join(ROWS), gmdb_test_images=LIST)
    table = folder / "gmdb_metadata" / "gmdb_test_images_v1.1.0.csv"
    assert [case.disorder for case in read_data(table).cases] == ["Kabuki (8)", "Sotos"]
    folder = release(tmp_path / "two", gmdb_test_images=LIST)
    table = folder / "gmdb_metadata" / "gmdb_test_images_v1.1.0.csv"
    told = read_data(table)
    assert [case.disorder for case in told.cases] == ["8", "7"]
    assert "numbers for names" in told.notes[0]
    (table.parent / "gmdb_syndromes_v1.0.3.tsv").write_text(NAMES)
    assert [case.disorder for case in read_data(table).cases] == ["8", "7"], "another version numbers otherwise"


def test_a_table_of_names_with_other_columns_is_no_table_of_names(tmp_path: Path) -> None:
    foreign = NAMES.replace("syndrome_id\tsyndrome_name", "number\ttitle")
    folder = release(tmp_path / "one", image_metadata="\n".join(ROWS), gmdb_test_images=LIST, gmdb_syndromes=foreign)
    table = folder / "gmdb_metadata" / "gmdb_test_images_v1.1.0.csv"
    told = read_data(table)
    assert [case.disorder for case in told.cases] == ["Kabuki (8)", "Sotos"]
    assert f"names are those of {ABOUT}" in told.notes[0]
    folder = release(tmp_path / "two", gmdb_test_images=LIST, gmdb_syndromes=foreign)
    table = folder / "gmdb_metadata" / "gmdb_test_images_v1.1.0.csv"
    with pytest.raises(UsageError, match=r"gmdb_syndromes_v1\.1\.0\.tsv has the columns number, title;") as caught:
        read_data(table)
    assert "syndrome_id, syndrome_name" in caught.value.message
    nameless = "\n".join(row.rpartition("\t")[0] for row in ROWS)
    folder = release(tmp_path / "three", image_metadata=nameless, gmdb_test_images=LIST, gmdb_syndromes=foreign)
    with pytest.raises(UsageError, match="needed are internal_syndrome_id, internal_syndrome_name"):
        read_data(folder / "gmdb_metadata" / "gmdb_test_images_v1.1.0.csv")


def test_an_image_without_metadata_is_named() -> None:
    cases = [Case("1", Path("1.jpg"), "p", "7"), Case("2", Path("2.jpg"), "q", "8")]
    with pytest.raises(UsageError, match=r"1 images have no metadata: 2\."):
        joined(cases, {"1": Case("1", Path("x"), "other", "z", age=1.0)})
    result = joined(cases[:1], {"1": Case("1", Path("x"), "other", "z", age=1.0)})
    assert result == [Case("1", Path("1.jpg"), "p", "7", age=1.0)]


def test_which_table_a_folder_is(tmp_path: Path) -> None:
    folder = release(tmp_path / "one", image_metadata="\n".join(ROWS), gmdb_test_images=LIST, gmdb_syndromes=NAMES)
    tables = folder / "gmdb_metadata"
    assert table_of(folder) == table_of(tables) == tables / ABOUT
    assert table_of(tables / ABOUT) == tables / ABOUT
    assert lists_of(folder) == [tables / ABOUT], "a test without its gallery is no split"
    (tables / "gmdb_train_images_v1.1.0.csv").write_text(LIST)
    assert [path.name.split("_")[1] for path in lists_of(folder)] == ["train", "test"]
    (tables / "gmdb_rare_test_images_v1.0.3.csv").write_text(LIST)
    with pytest.raises(UsageError, match=r"tables of v1\.0\.3, v1\.1\.0"):
        lists_of(folder)
    (tables / "image_metadata_v1.0.3.tsv").write_text("\n".join(ROWS))
    with pytest.raises(UsageError, match="2 of them"):
        table_of(folder)
    with pytest.raises(UsageError, match="found nothing"):
        table_of(tmp_path)


def test_where_photographs_are_looked_for(tmp_path: Path) -> None:
    folder = release(tmp_path, image_metadata="\n".join(ROWS))
    table = folder / "gmdb_metadata" / ABOUT
    assert photos_of(table) == folder / "gmdb_images"
    (folder / "gmdb_images").rename(folder / "gmdb_align")
    assert photos_of(table) == folder / "gmdb_align"
    (folder / "gmdb_align").rename(folder / "faces")
    assert photos_of(table) == table.parent
    with pytest.raises(UsageError, match=r"looked for in .*gmdb_metadata: give their folder with --images"):
        read_data(table)
    other = tmp_path / "people.csv"
    (tmp_path / "photos").mkdir()
    assert photos_of(other) == tmp_path / "photos"


def test_a_photograph_is_called_by_its_file_name_or_else_its_number(tmp_path: Path) -> None:
    folder = release(tmp_path)
    table = folder / "gmdb_metadata" / ABOUT
    table.write_text("image_id\tpatient_id\tfilename\n1\tp\tupload.jpg\n2\tq\t3.jpg\n")
    assert [case.path.name for case in read_data(table).cases] == ["1.jpg", "3.jpg"]
