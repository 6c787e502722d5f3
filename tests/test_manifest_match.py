"""Rows find their photos through drive letters, folders and letter case, and never another person's."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ganonym.errors import UsageError
from ganonym.manifest import Manifest, Row, image_path, match

NAMES = ("a/one.jpg", "a/two.jpg", "b/one.jpg")
PART = st.text(st.characters(codec="ascii", categories=("Ll", "Nd")), min_size=1, max_size=4)
PATHS = st.lists(
    st.lists(PART, min_size=1, max_size=3).map(lambda parts: "/".join(parts) + ".jpg"),
    min_size=1,
    max_size=8,
    unique=True,
)
# As Windows, LibreOffice and people write the path of a photograph.
SPELLINGS = {
    "as it is": lambda name: name,
    "below the folder": lambda name: f"./{name}",
    "backslashes": lambda name: name.replace("/", "\\"),
    "drive": lambda name: "C:\\Users\\x\\photos\\" + name.replace("/", "\\"),
    "share": lambda name: "\\\\nas\\clinic\\" + name.replace("/", "\\"),
    "absolute": lambda name: f"/home/x/photos/{name}",
    "folder": lambda name: f"photos/{name}",
    "suffix in capitals": lambda name: name.replace(".jpg", ".JPG"),
    "folder and capitals": lambda name: f"PHOTOS/{name}".upper(),
}


def table(*images: str) -> Manifest:
    return Manifest({image_path(image): Row(image_path(image), f"of {image}") for image in images}, False, ())


def subjects(found_in: Manifest, names: tuple[str, ...] | list[str]) -> dict[str, str]:
    result = match(found_in, names)
    assert all(row.image == name for name, row in result.rows.items())
    return {name: row.subject for name, row in result.rows.items()}


@pytest.mark.parametrize("how", SPELLINGS)
def test_every_spelling_finds_its_photo(how: str) -> None:
    images = [SPELLINGS[how](name) for name in NAMES]
    assert subjects(table(*images), NAMES) == {name: f"of {image}" for name, image in zip(NAMES, images, strict=True)}


@given(PATHS, st.sampled_from(sorted(SPELLINGS)))
def test_a_photo_gets_its_own_row_or_none(names: list[str], how: str) -> None:
    spelled = {SPELLINGS[how](name): name for name in names}
    try:
        result = subjects(table(*spelled), names)
    except UsageError:  # ambiguous: "a/b.jpg" beside "b.jpg"
        assert how not in {"as it is", "below the folder", "backslashes", "suffix in capitals"}
        return
    assert all(spelled[subject.removeprefix("of ")] == name for name, subject in result.items())


def test_photos_one_folder_deeper_than_their_rows() -> None:
    assert subjects(table("one.jpg", "two.jpg"), ["all/one.jpg", "all/two.jpg", "other/three.jpg"]) == {
        "all/one.jpg": "of one.jpg",
        "all/two.jpg": "of two.jpg",
    }


@pytest.mark.parametrize(
    ("images", "names"),
    [
        (["P1/face.jpg"], ["P2/face.jpg"]),  # another patient's
        (["P1/face.jpg", "P2/face.jpg"], ["face.jpg"]),  # whose?
        (["x/a/face.jpg"], ["a/face.jpg", "face.jpg"]),  # which?
        (["face.jpg"], ["P1/face.jpg", "P2/face.jpg"]),
        (["face.jpg", "side.jpg"], ["P1/face.jpg", "P2/side.jpg"]),
        (["a.jpg"], ["b.jpg"]),
    ],
)
def test_what_could_be_another_persons_is_not_taken(images: list[str], names: list[str]) -> None:
    with pytest.raises(UsageError, match="no row of the manifest") as caught:
        match(table(*images), names)
    assert repr(images[0]) in caught.value.message
    assert any(repr(name) in caught.value.message for name in names)
    assert "comma" in caught.value.message


def test_where_one_path_fits_no_other_is_moved() -> None:
    result = match(table("one.jpg", "old/two.jpg"), ["one.jpg", "two.jpg"])
    assert list(result.rows) == ["one.jpg"]
    assert [row.image for row in result.missing] == ["old/two.jpg"]
    assert result.note == ""


def test_letter_case_only_where_it_is_one_file() -> None:
    assert subjects(table("A.JPG", "b.jpg"), ["a.jpg", "b.jpg"]) == {"a.jpg": "of A.JPG", "b.jpg": "of b.jpg"}
    assert subjects(table("A.jpg", "a.jpg", "c.jpg"), ["a.jpg", "c.jpg"]) == {"a.jpg": "of a.jpg", "c.jpg": "of c.jpg"}
    assert subjects(table("A.JPG", "A.jpg", "c.jpg"), ["a.jpg", "c.jpg"]) == {"c.jpg": "of c.jpg"}
    umlaut = unicodedata.normalize("NFD", "zoë.jpg")
    assert subjects(table("ZOË.JPG"), [umlaut]) == {umlaut: "of ZOË.JPG"}


def test_rows_keep_the_order_of_the_table() -> None:
    assert list(match(table("c.jpg", "a.jpg", "b.jpg"), ["a.jpg", "b.jpg", "c.jpg"]).rows) == [
        "c.jpg",
        "a.jpg",
        "b.jpg",
    ]


def test_a_backslash_that_is_part_of_a_name() -> None:
    assert subjects(table("a\\b.png"), ["a\\b.png"]) == {"a\\b.png": "of a\\b.png"}
