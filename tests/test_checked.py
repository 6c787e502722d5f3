"""Checked models: nothing is coerced, every mistake is told at once, and in words that the steward can use."""

from __future__ import annotations

import pickle
from typing import Annotated, ClassVar, Literal, Self

import pytest
from pydantic import BaseModel, Field, ValidationError, model_validator

from ganonym.checked import LONGEST, MOST, Checked, refusal
from ganonym.errors import UsageError


class Inner(Checked):
    share: Annotated[float, Field(gt=0, le=1)] = 0.5


class Outer(Checked):
    what: ClassVar[str] = "the outer"

    kind: Literal["a", "b"]
    count: int = 1
    inner: Inner = Inner()

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.kind == "b" and self.count > 3:
            raise ValueError("b counts to 3 only")
        return self


MISTAKES = [
    ({}, "the outer: kind is missing."),
    (
        {"kind": "c", "count": "4"},
        "the outer: kind must be 'a' or 'b', not 'c'; count must be a valid integer, not '4'.",
    ),
    ({"kind": "a", "count": True}, "the outer: count must be a valid integer, not True."),
    ({"kind": "b", "count": 4}, "the outer: b counts to 3 only."),
    ({"kind": "a", "size": 1}, "the outer: unknown size. Known are: kind, count, inner."),
]


@pytest.mark.parametrize(("values", "words"), MISTAKES)
def test_mistakes_are_told_in_words(values: dict[str, object], words: str) -> None:
    for build in (lambda: Outer(**values), lambda: Outer.model_validate(values)):  # type: ignore[arg-type]
        with pytest.raises(UsageError) as caught:
            build()
        assert str(caught.value) == words


def test_a_mistake_inside_a_part_is_one_of_the_part() -> None:
    with pytest.raises(UsageError, match=r"Inner: share must be less than or equal to 1, not 2\.0"):
        Outer.model_validate({"kind": "a", "inner": {"share": 2.0}})


def test_a_long_value_is_cut() -> None:
    with pytest.raises(UsageError) as caught:
        Outer(kind="x" * 10_000)  # type: ignore[arg-type]
    assert len(str(caught.value)) < 2 * LONGEST + 60


def test_changing_checks_again_and_leaves_the_first_as_it_was() -> None:
    first = Outer(kind="b")
    assert first.changed(count=3) == Outer(kind="b", count=3)
    assert first.count == 1
    for wrong in ({"count": 4}, {"inner": None}, {"colour": 1}):
        with pytest.raises(UsageError):
            first.changed(**wrong)


def test_it_goes_to_another_process_as_it_is_and_nothing_can_be_set() -> None:
    first = Outer(kind="a", inner=Inner(share=0.25))
    assert pickle.loads(pickle.dumps(first)) == first
    assert hash(first) == hash(first.changed())
    with pytest.raises(ValidationError):
        first.count = 2  # type: ignore[misc]


def test_other_models_are_told_of_in_the_same_words() -> None:
    class Plain(BaseModel):
        sizes: tuple[int, ...]

    with pytest.raises(ValidationError) as caught:
        Plain.model_validate({"sizes": [1, "two"]})
    told = refusal(caught.value, "sizes.toml", "Mend the file.")
    assert str(told).startswith("sizes.toml: sizes.1 must be a valid integer")
    assert str(told).endswith("not 'two'. Mend the file.")


def test_a_message_ends_after_thirty_mistakes() -> None:
    class Marks(BaseModel):
        values: tuple[int, ...]

    with pytest.raises(ValidationError) as caught:
        Marks(values=tuple("x" * 100))  # type: ignore[arg-type]
    told = str(refusal(caught.value, "marks"))
    assert told.count("must be a valid integer") == MOST
    assert told.endswith("; and 70 more.")
