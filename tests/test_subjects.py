"""One id in several spellings is one person, and nobody's face is chosen where two could be the subject's."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ganonym.errors import UsageError
from ganonym.subjects import (
    RIVAL,
    WORDS,
    canonical_id,
    choose_face,
    parse_choice,
    read_distinct,
    refuse_spelled_alike,
    spelled_alike,
)
from ganonym.types import Box, Refusal

SAME = [
    ("007", "7"),
    ("P-1", "p-1"),
    ("P-1", "P–1"),
    ("P-1", "P\N{MINUS SIGN}1"),
    ("P-1", "P\N{NON-BREAKING HYPHEN}1"),
    ("Ann\u200b", "Ann"),
    ("\ufeffAnn", "Ann"),
    ("An\u00adn", "Ann"),
    ("Ann  Lee", "Ann Lee"),
    ("Ann\u00a0Lee", "Ann Lee"),
    ("1", "1.0"),
    ("1", "1.00"),
    ("Ａ１", "a1"),
    ("Zoë", "Zoe\u0308"),
    ("STRASSE", "straße"),
    ("P007", "P7"),
    ("0", "000"),
    ("P.007", "P.7"),
    ("1", "1,0"),
    ("Ann", "A\N{COMBINING GRAPHEME JOINER}nn"),
    ("Ann", "An\N{VARIATION SELECTOR-16}n"),
]
DIFFERENT = [
    ("1", "10"),
    ("1", "11"),
    ("1-1", "11"),
    ("P1", "Q1"),
    ("1.5", "1.05"),
    ("1.1", "1.10"),
    ("A_1", "A1"),
    ("100", "1"),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_spellings_of_one_id(one: str, other: str) -> None:
    assert spelled_alike([one, other]) == [tuple(sorted((one, other)))]


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_other_ids(one: str, other: str) -> None:
    assert spelled_alike([one, other]) == []


@given(st.text(max_size=12))
def test_the_canonical_form_is_its_own(text: str) -> None:
    assert canonical_id(canonical_id(text)) == canonical_id(text)


@given(st.lists(st.integers(0, 10**6), unique=True, max_size=20), st.randoms(use_true_random=False))
def test_padding_case_dashes_and_spaces_never_part_one_person_nor_join_two(numbers: list[int], random: object) -> None:
    def spelled(number: int) -> str:
        choice = random.choice  # type: ignore[attr-defined]
        return (
            choice(["P", "p", " p", "\u200bP"]) + choice(["-", "–", "\u2011"]) + choice(["", "0", "00"]) + str(number)
        )

    assert len({canonical_id(spelled(number)) for number in numbers}) == len(numbers)
    assert all(canonical_id(spelled(number)) == canonical_id(f"P-{number}") for number in numbers)


def test_the_refusal_names_every_group_and_the_remedy() -> None:
    with pytest.raises(UsageError, match="--distinct") as caught:
        refuse_spelled_alike(["007", "7", "P-1", "p-1", "other"])
    assert "'007' and '7'" in str(caught.value)
    assert "'P-1' and 'p-1'" in str(caught.value)
    refuse_spelled_alike(["7", "other"])


def test_the_steward_s_word_parts_them(tmp_path: Path) -> None:
    word = tmp_path / "distinct.csv"
    word.write_text("# family 7\n007,7\n\n")
    distinct = read_distinct(word, ["007", "7", "07"])
    refuse_spelled_alike(["007", "7"], distinct)
    with pytest.raises(UsageError, match="'007' and '07' and '7'"):
        refuse_spelled_alike(["007", "7", "07"], distinct)


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("7,8\n", "'8' is no subject"),
        ("7\n", "one subject only"),
        ("7,7\n", "one subject only"),
        ('"7', "cannot be read"),
    ],
)
def test_a_word_that_cannot_be_meant_is_refused(tmp_path: Path, text: str, wrong: str) -> None:
    word = tmp_path / "distinct.csv"
    word.write_text(text)
    with pytest.raises(UsageError, match=wrong):
        read_distinct(word, ["7", "07"])
    with pytest.raises(UsageError, match="cannot read"):
        read_distinct(tmp_path / "absent.csv", ["7"])


PARENT, CHILD, POSTER = Box(50, 40, 150, 140), Box(220, 130, 280, 190), Box(5, 5, 25, 25)
ROOM = [PARENT, CHILD, POSTER]


@pytest.mark.parametrize(
    ("word", "chosen"),
    [("left", POSTER), ("right", CHILD), ("top", POSTER), ("bottom", CHILD), ("largest", PARENT), ("smallest", POSTER)],
)
def test_words_point_as_they_say(word: str, chosen: Box) -> None:
    place = choose_face(ROOM, parse_choice(word))
    assert not isinstance(place, Refusal)
    assert ROOM[place] is chosen


def test_every_word_is_tried_above() -> None:
    assert set(WORDS) == {"left", "right", "top", "bottom", "largest", "smallest"}


def test_a_parent_larger_than_the_child_is_not_taken_for_the_patient() -> None:
    refusal = choose_face(ROOM, None)
    assert isinstance(refusal, Refusal)
    assert refusal.reason == "several-faces"
    assert "220 130 280 190" in refusal.detail, "the boxes are there to be copied into the manifest"
    assert "column `face`" in refusal.detail


def test_a_much_smaller_face_is_nobody_s_rival() -> None:
    assert choose_face([PARENT, POSTER], None) == 0
    assert choose_face([POSTER, PARENT], None) == 1


@given(st.floats(1.0, 1000.0), st.floats(0.01, 1.0))
def test_half_the_width_is_enough(width: float, share: float) -> None:
    faces = [Box(0, 0, width, width), Box(0, 0, width * share, width)]
    refused = isinstance(choose_face(faces, None), Refusal)
    assert refused or share < 0.5
    assert not refused or share > 0.4
    assert refused == (faces[1].width >= RIVAL * faces[0].width)


def test_a_box_points_to_the_face_whose_middle_it_holds() -> None:
    assert choose_face(ROOM, parse_choice("200 100 300 200")) == 1
    assert choose_face(ROOM, parse_choice("0;0;300;300")) == 0, "nearest to the middle of the box"
    missing = choose_face(ROOM, parse_choice("300, 300, 400, 400"))
    assert isinstance(missing, Refusal)
    assert missing.reason == "no-such-face"


@pytest.mark.parametrize("text", ["middle", "1 2 3", "5 0 5 9", "9 0 5 9", "0 0 nan 4", "0 0 inf 4", "", "1 2 3 4 5"])
def test_what_is_neither_word_nor_box_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="box"):
        parse_choice(text)
