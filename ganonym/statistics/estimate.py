"""A number with its interval, as it is written to JSON."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


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
