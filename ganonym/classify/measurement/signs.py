"""From z-scores of measurements to terms of the Human Phenotype Ontology, as suggestions for a clinician to judge.

No term is a diagnosis and no syndrome is named. The criteria are in `signs.toml`.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

from ganonym.classify.measurement.norms import Score
from ganonym.classify.measurement.table import MEASUREMENTS, Spoiler
from ganonym.classify.measurement.view import View
from ganonym.types import Refusal

Reliability: TypeAlias = Literal["good", "medium", "low"]
RELIABILITIES: tuple[Reliability, ...] = get_args(Reliability)
_RULES = Path(__file__).with_name("signs.toml")


@dataclass(frozen=True, slots=True)
class Criterion:
    """The mean z-score of `measures` is `above` or `below` a limit; one of the two is None."""

    measures: tuple[str, ...]
    above: float | None = None
    below: float | None = None

    def z(self, z: Mapping[str, float]) -> float:
        """The mean z-score. Raises KeyError where one lacks."""
        return sum(z[measure] for measure in self.measures) / len(self.measures)

    def holds(self, z: Mapping[str, float]) -> bool:
        found = self.z(z)
        return found > self.above if self.above is not None else self.below is not None and found < self.below


@dataclass(frozen=True, slots=True)
class Sign:
    """The criterion of one term: all of `tests` and all of `given` hold. `note` where it is not the ontology's."""

    hpo: str
    term: str
    tests: tuple[Criterion, ...]
    given: tuple[Criterion, ...]
    reliability: Reliability
    note: str = ""

    @property
    def measures(self) -> tuple[str, ...]:
        """What has to be measured for it."""
        return tuple(dict.fromkeys(each for test in (*self.tests, *self.given) for each in test.measures))

    def strength(self, z: Mapping[str, float]) -> float:
        """How marked the sign is, in SD: the least of its tests, positive in the direction of the sign.

        `given` plays no part. Raises KeyError where a z-score lacks.

        >>> sign = next(each for each in signs() if each.term == "Hypertelorism")
        >>> sign.strength({"IPD": 3.0, "ENEN": 2.5})
        2.5
        """
        return min(test.z(z) * (1.0 if test.above is not None else -1.0) for test in self.tests)


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A term that the measurements suggest: its `z` as the first test has it, and what speaks against reading it."""

    hpo: str
    term: str
    z: float
    measures: tuple[str, ...]
    reliability: Reliability
    caveats: tuple[str, ...]


@cache
def signs() -> tuple[Sign, ...]:
    """All signs that frontal landmarks carry, in the order of `signs.toml`."""
    return tuple(_sign(table) for table in tomllib.loads(_RULES.read_text(encoding="utf-8"))["sign"])


def suggest(scores: Mapping[str, Score], view: View | None = None) -> list[Suggestion] | Refusal:
    """The signs whose criteria the z-scores of one face meet, the most reliable and marked first.

    A Refusal when the head is turned too far to conclude anything. A sign without all its z-scores is left out
    (`unjudged` names them). What the photograph spoils (`view`) becomes a caveat and makes the reliability low; so do
    published norms, which are not of photographs.
    """
    refusal = None if view is None else view.refusal()
    if refusal is not None:
        return refusal
    z = {key: each.z for key, each in scores.items() if each.z is not None}
    spoilers = {} if view is None else view.spoilers()
    found: list[tuple[float, Suggestion]] = []
    for sign in signs():
        if any(key not in z for key in sign.measures):
            continue
        if all(test.holds(z) for test in (*sign.tests, *sign.given)):
            caveats = caveats_of(sign.measures, spoilers)
            foreign = any((norm := scores[key].norm) is not None and norm.n is None for key in sign.measures)
            if foreign:
                caveats = (*caveats, "published norms are not of landmarks in photographs")
            reliability = "low" if caveats else sign.reliability
            notes = (*caveats, sign.note) if sign.note else caveats
            found.append(
                (
                    sign.strength(z),
                    Suggestion(sign.hpo, sign.term, sign.tests[0].z(z), sign.measures, reliability, notes),
                )
            )
    found.sort(key=lambda each: (RELIABILITIES.index(each[1].reliability), -each[0]))
    return [each for _, each in found]


def caveats_of(measures: Sequence[str], spoilers: Mapping[Spoiler, str]) -> tuple[str, ...]:
    """The sentences of those `spoilers` that any of the measures must not be read under."""
    spoiled = frozenset[Spoiler]().union(*(MEASUREMENTS[key].spoiled for key in measures))
    return tuple(text for name, text in spoilers.items() if name in spoiled)


def unjudged(scores: Mapping[str, Score]) -> tuple[Sign, ...]:
    """Signs that cannot be judged because a z-score that they need is lacking."""
    return tuple(sign for sign in signs() if any(key not in scores or scores[key].z is None for key in sign.measures))


def _sign(table: Mapping[str, Any]) -> Sign:
    tests, given = (
        tuple(Criterion(tuple(each["z"]), each.get("above"), each.get("below")) for each in table.get(name, ()))
        for name in ("tests", "given")
    )
    return Sign(table["hpo"], table["term"], tests, given, table["reliability"], table.get("note", ""))
