"""Whose face it is: words, boxes, and that nobody is chosen where two could be."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ganonym.subject_face import RIVAL, WORDS, choose_face, parse_choice
from ganonym.types import Box, Refusal

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
