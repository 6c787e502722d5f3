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

import numpy as np

from ganonym.classify.measurement.lengths import MEASUREMENTS, Spoiler
from ganonym.classify.measurement.norms import Score
from ganonym.faces.pose import estimate_pose
from ganonym.faces.shape import load_shape, normalize, split
from ganonym.types import Points, Pose, Refusal

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
        score = self.z(z)
        return score > self.above if self.above is not None else self.below is not None and score < self.below


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
        return tuple(dict.fromkeys(key for test in (*self.tests, *self.given) for key in test.measures))

    def strength(self, z: Mapping[str, float]) -> float:
        """How marked the sign is, in SD: the least of its tests, positive in the direction of the sign.

        `given` plays no part. Raises KeyError where a z-score lacks.

        >>> sign = next(sign for sign in signs() if sign.term == "Hypertelorism")
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


def suggest(scores: Mapping[str, Score], conditions: Conditions | None = None) -> list[Suggestion] | Refusal:
    """The signs whose criteria the z-scores of one face meet, the most reliable and marked first.

    A Refusal when the head is turned too far to conclude anything. A sign without all its z-scores is
    left out. What the photograph spoils (`conditions`) becomes a caveat and makes the reliability low;
    so do published norms, which are not of photographs.
    """
    refusal = None if conditions is None else conditions.refusal()
    if refusal is not None:
        return refusal
    z = {key: score.z for key, score in scores.items() if score.z is not None}
    spoilers = {} if conditions is None else conditions.spoilers()
    suggestions: list[tuple[float, Suggestion]] = []
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
            suggestions.append(
                (
                    sign.strength(z),
                    Suggestion(sign.hpo, sign.term, sign.tests[0].z(z), sign.measures, reliability, notes),
                )
            )
    suggestions.sort(key=lambda pair: (RELIABILITIES.index(pair[1].reliability), -pair[0]))
    return [suggestion for _, suggestion in suggestions]


def caveats_of(measures: Sequence[str], spoilers: Mapping[Spoiler, str]) -> tuple[str, ...]:
    """The sentences of those `spoilers` that any of the measures must not be read under."""
    spoiled = frozenset[Spoiler]().union(*(MEASUREMENTS[key].spoiled for key in measures))
    return tuple(text for name, text in spoilers.items() if name in spoiled)


def _sign(table: Mapping[str, Any]) -> Sign:
    tests, given = (
        tuple(Criterion(tuple(row["z"]), row.get("above"), row.get("below")) for row in table.get(name, ()))
        for name in ("tests", "given")
    )
    return Sign(table["hpo"], table["term"], tests, given, table["reliability"], table.get("note", ""))


YAW, YAW_REFUSED = 10.0, 15.0
PITCH, PITCH_REFUSED = 10.0, 20.0
"""Degrees. Pitch has the wider limits, because frontal faces of different people spread by 7° (`faces.pose`)."""
GAP = 0.15
"""Of the lips over the width of the mouth, from which on a mouth is open."""
SMILE = 1.0
"""SD of the shape model's first direction of expression, from which on a mouth smiles. A wide one at rest does too."""
LID_GAP = 0.12
"""Height over length of the palpebral fissures, below which an eye may be closed."""


@dataclass(frozen=True, slots=True)
class Conditions:
    """`pose` in degrees; `gap` of the lips over the mouth's width; `smile` in SD; `lids`: height over length."""

    pose: Pose
    gap: float
    smile: float
    lids: float

    def spoilers(self) -> dict[Spoiler, str]:
        """What makes measurements unreliable here, each with its sentence."""
        sentences: dict[Spoiler, str] = {}
        if abs(self.pose.yaw) > YAW:
            sentences["yaw"] = f"the head is turned by {abs(self.pose.yaw):.0f}°, which shortens widths"
        if abs(self.pose.pitch) > PITCH:
            sentences["pitch"] = f"the head is tilted by {abs(self.pose.pitch):.0f}°, which shortens heights"
        if self.gap > GAP:
            sentences["open mouth"] = "the mouth is open"
        if self.smile > SMILE:
            sentences["smile"] = "the mouth is as in a smile"
        if self.lids < LID_GAP:
            sentences["blink"] = "an eye may be closed"
        return sentences

    def refusal(self) -> Refusal | None:
        """Why nothing should be concluded from this photograph; None where it is frontal enough."""
        for name, angle, limit in (("turned", self.pose.yaw, YAW_REFUSED), ("tilted", self.pose.pitch, PITCH_REFUSED)):
            if abs(angle) > limit:
                return Refusal("pose", f"the head is {name} by {abs(angle):.0f}°; at most {limit:.0f}° are read")
        return None


def conditions(points: Points, pose: Pose | None = None) -> Conditions:
    """How landmarks (68, 2) were photographed; `pose` of the head in the photograph, by default estimated from them.

    Raises EnvironmentFault when the bundled shape model lacks, ValueError when the landmarks are no face.
    """
    model = load_shape()
    _, expression = split(normalize(points, model), model)

    def distance(one: int, other: int) -> float:
        return float(np.linalg.norm(points[one] - points[other]))

    eyes = (((37, 41), (38, 40), (36, 39)), ((43, 47), (44, 46), (42, 45)))
    lids = min((distance(*one) + distance(*two)) / 2 / max(distance(*across), 1e-9) for one, two, across in eyes)
    return Conditions(
        pose or estimate_pose(points),
        distance(62, 66) / max(distance(48, 54), 1e-9),
        float(expression[0] / model.expression_sd[0]),
        lids,
    )
