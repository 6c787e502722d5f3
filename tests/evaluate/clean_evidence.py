"""Evidence of 200 people against which nothing speaks, to be changed in one place by each test."""

from __future__ import annotations

from datetime import date
from typing import Any

from ganonym.evaluate.findings import Control, Counts, Finding, Gate, GroupFinding, Inference
from ganonym.evaluate.protocol import ALL_PHOTOS, ANONYMIZED, OTHER_PHOTO, PARROT, REVERSE, SAME_PHOTO
from ganonym.evaluate.verdict.gates import Evidence, gates
from ganonym.evaluate.verdict.policy import Policy, load_policy
from ganonym.statistics.intervals import Estimate, rate

BUILT_IN = load_policy("public")
# As a steward sets it who lists what must not be told.
PUBLIC = BUILT_IN.model_copy(update={"inference": BUILT_IN.inference.model_copy(update={"mode": "required"})})
COUNTS = Counts(
    photos=400, subjects=200, repeated_subjects=200, released=400, withheld=0, faces_in_originals=400,
    faces_in_released=400,
)  # fmt: skip
DAY = date(2030, 1, 2)


def finding(hits: float, n: int = 200, setting: str = OTHER_PHOTO, chance: float = 0.005, **more: Any) -> Finding:
    named = rate(hits, n)
    values: dict[str, Any] = dict(
        attacker="dlib", tier="T1", setting=setting, subjects=n, trials=n, gallery=n, failures=0, rank1=named,
        chance=chance, chance_low=0.0, chance_high=0.02, p_value=0.5, advantage=(named.value - chance) / (1 - chance),
        advantage_upper=(named.upper - chance) / (1 - chance), cmc=(named.value,), tar=(), auc=0.5, eer=0.5,
        d_prime=0.0, det=(), bits_mean=0.0, bits_worst=0.0, crowds=(),
    )  # fmt: skip
    return Finding(**(values | more))


def control(name: str, holds: bool | None = True, blocks: bool = True) -> Control:
    return Control(id=name, name="a check", holds=holds, value=None, needed="", detail="a detail", blocks=blocks)


def inference(name: str, value: float, kind: Any = "attribute") -> Inference:
    excess = Estimate(value=value, low=value - 0.04, high=value + 0.04)
    return Inference(
        kind=kind, name=name, subjects=200, value=excess, control=0.5, excess=excess, excess_upper=value + 0.03
    )


ALL = (OTHER_PHOTO, SAME_PHOTO, ALL_PHOTOS, ANONYMIZED, REVERSE, PARROT)
CLEAN = Evidence(
    counts=COUNTS,
    findings=(*(finding(1, setting=entry) for entry in ALL), finding(1, tier="R", attacker="restored")),
    inferences=(inference("sex", 0.0), inference("donors", 0.0, "donor")),
    groups=(
        GroupFinding(column="sex", group="f", subjects=100, setting=OTHER_PHOTO, attacker="x", rank1=rate(1, 100)),
    ),
    controls=tuple(control(name) for name in ("C1", "C2", "C3", "C4")),
    utility=(),
    faults=(),
    copies=(),
    smallest_class=11,
    declared_k=11,
    statement="≤ 1/11.",
)


def by_id(evidence: Evidence, policy: Policy = PUBLIC) -> dict[str, Gate]:
    return {gate.id: gate for gate in gates(evidence, policy)}


def altered(**sections: dict[str, Any]) -> Policy:
    return PUBLIC.model_copy(
        update={name: getattr(PUBLIC, name).model_copy(update=values) for name, values in sections.items()}
    )
