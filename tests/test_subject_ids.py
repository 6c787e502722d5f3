"""One person's id in several spellings is one; ids that differ in more than spelling stay several."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ganonym.errors import UsageError
from ganonym.subject_ids import canonical_id, read_distinct, refuse_spelled_alike, spelled_alike

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
