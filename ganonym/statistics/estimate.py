"""A number with its interval, as it is written to JSON."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import BaseModel, ConfigDict

FEW = 10
"""A rate of fewer people than this says little, whatever its value: one more patient moves it by a tenth."""


class Model(BaseModel):
    """Immutable; unknown fields are errors, so that a reader of another version finds out."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Rate(Model):
    """Share of `n` subjects with its exact interval (Clopper and Pearson 1934) and one-sided upper bound."""

    value: float
    low: float
    high: float
    upper: float
    n: int


class Estimate(Model):
    """A value with its interval by bootstrap over subjects."""

    value: float
    low: float
    high: float


def few(subjects: Iterable[str]) -> bool:
    """Whether these are fewer than ten different people, so that a rate of theirs needs a warning.

    >>> few(["a", "b", "a"]), few(map(str, range(10)))
    (True, False)
    """
    return len(set(subjects)) < FEW
