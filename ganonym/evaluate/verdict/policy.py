"""What a steward demands of a release: limits of the gates (protocol §3.8), from a built-in policy or a TOML file.

`rates`, `excesses`, `groups`: bounds against these limits, the three-way decision behind the gates.
"""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ganonym.checked import refusal
from ganonym.errors import UsageError
from ganonym.evaluate.findings import Finding, GroupFinding, Inference, State
from ganonym.evaluate.metrics.strata import CONDITIONED
from ganonym.evaluate.protocol import cost
from ganonym.statistics.intervals import exceeds, holm

POLICIES = ("public", "controlled", "internal")

Mode: TypeAlias = Literal["required", "required if public", "report", "off"]
"""required: the release depends on it; required if public: where any original may be public; report: shown only."""

Share: TypeAlias = Annotated[float, Field(gt=0.0, le=1.0)]


class Rule(BaseModel):
    """Whether a gate counts."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    mode: Mode


class RateRule(Rule):
    """Upper bounds of the share of subjects named and of its advantage over chance; None: no limit."""

    rate: Share | None = None
    advantage: Share | None = None


class ExcessRule(Rule):
    """Upper bound of what is told beyond what is public anyway."""

    excess: Share


class InferenceRule(ExcessRule):
    """`attributes` that must be evaluated; with none named, all that could be are judged."""

    attributes: Annotated[tuple[str, ...], Field(strict=False)] = ()


class GroupRule(Rule):
    """`factor` times the limits of singling out, in groups of `smallest` subjects or more; what `small` ones mean."""

    factor: Annotated[float, Field(ge=1.0)]
    smallest: Annotated[int, Field(ge=2)]
    small: Literal["inconclusive", "report"]


class MetadataRule(Rule):
    """Subjects that share their released columns, at least."""

    smallest_class: Annotated[int, Field(ge=1)]


class Policy(BaseModel):
    """All limits. `inconclusive` and `not_evaluated` say whether such a verdict is accepted by the exit code.

    >>> strict = Policy.load("public")
    >>> strict.singling_out.rate, strict.inconclusive
    (0.09, 'refuse')
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    name: Annotated[str, Field(min_length=1, max_length=80)]
    valid_days: Annotated[int, Field(ge=1, le=3650)]
    inconclusive: Literal["refuse", "accept"]
    not_evaluated: Literal["refuse", "accept"]
    integrity: Rule
    controls: Rule
    singling_out: RateRule
    same_photo: RateRule
    linkability: RateRule
    reversal: RateRule
    inference: InferenceRule
    donors: ExcessRule
    groups: GroupRule
    metadata: MetadataRule
    guarantee: Rule
    utility: Rule

    @classmethod
    def load(cls, given: str | Path) -> Policy:
        """A built-in policy ("public", "controlled", "internal"), or a TOML file that alters one: see `load_policy`.

        Raises UsageError listing every unknown key and wrong value.

        >>> Policy.load("public").singling_out.rate
        0.09
        """
        return load_policy(given)

    def digest(self) -> str:
        """Hex SHA-256 over every limit."""
        text = json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()


def load_policy(given: str | Path) -> Policy:
    """A built-in policy by name, or a TOML file that says `base = "…"` and what differs from it.

    An altered policy never goes by a built-in name. Raises UsageError listing every unknown key and wrong value.
    """
    if given in POLICIES:
        return _checked(_built_in(str(given)), f"policy {given}")
    path = Path(given)
    if not path.is_file():
        raise UsageError(
            f"no policy called {str(given)!r}, and no such file.", f"There are: {', '.join(POLICIES)}; or a TOML file."
        )
    altered = _read(path)
    base = altered.pop("base", None)
    if base not in POLICIES:
        raise UsageError(f"{path} does not say what it alters.", f'Add: base = "{POLICIES[0]}" (or {POLICIES[1:]}).')
    name = altered.setdefault("name", f"{base}, altered by {path.name}")
    if name in POLICIES:
        raise UsageError(f"{path} calls itself {name}, a built-in policy.", "Give it a name of its own.")
    return _checked(_merged(_built_in(base), altered), str(path))


def _built_in(name: str) -> dict[str, Any]:
    return _read(Path(__file__).parent / "policies" / f"{name}.toml")


def _merged(base: dict[str, Any], altered: dict[str, Any]) -> dict[str, Any]:
    both = dict(base)
    for key, value in altered.items():
        section = base.get(key)
        both[key] = {**section, **value} if isinstance(section, dict) and isinstance(value, dict) else value
    return both


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read the policy {path}: {error}.", "It must be TOML in UTF-8.") from error


def _checked(values: dict[str, Any], where: str) -> Policy:
    try:
        return Policy.model_validate(values)
    except ValidationError as error:
        raise refusal(error, where, "Compare it with ganonym/evaluate/verdict/policies/*.toml.") from None


ALPHA = 0.05


@dataclass(frozen=True, slots=True)
class Judgement:
    """State of a gate, its limit, what decided it, and why. `inapplicable`: there is nothing to which it applies."""

    state: State
    limit: str
    found: str
    reason: str
    inapplicable: bool = False


def rates(findings: Sequence[Finding], rule: RateRule) -> Judgement:
    """The worst of the findings against the rule; NOT EVALUATED without any, or without a limit."""
    rate = () if rule.rate is None else (f"≤ {rule.rate:g} of the subjects named",)
    advantage = () if rule.advantage is None else (f"advantage over chance ≤ {rule.advantage:g}",)
    limit = " and ".join((*rate, *advantage))
    judged = [(finding, _limit(finding, rule)) for finding in findings]
    limited = [(finding, most) for finding, most in judged if most is not None]
    if not limited:
        reason = "no limit is set" if findings else "no attacker was run in this setting"
        return Judgement("NOT EVALUATED", limit, "", reason)
    p_values = holm(
        [exceeds(finding.rank1.value * finding.rank1.n, finding.rank1.n, most) for finding, most in limited]
    )
    works = [finding for (finding, _), p in zip(limited, p_values, strict=True) if p <= ALPHA]
    worst, _ = max(limited, key=lambda pair: (pair[0].rank1.upper - pair[1], pair[0].rank1.value))
    found = f"{worst.attacker}, {worst.setting}: {worst.rank1.value:.3f}, at most {worst.rank1.upper:.3f}"
    if works:
        cheapest = min(works, key=lambda finding: (cost(finding.tier), -finding.rank1.value))
        reason = (
            f"{len(works)} of {len(limited)} attacks exceed the limit (Holm, 5 %), the cheapest: {cheapest.attacker} "
            f"(tier {cheapest.tier}), {cheapest.setting}, {cheapest.rank1.value:.3f}"
        )
        return Judgement("FAIL", limit, found, reason)
    if not all(_keeps(finding, rule) for finding, _ in limited):
        reason = f"the interval of {worst.attacker} reaches beyond the limit ({worst.rank1.n} subjects)"
        return Judgement("INCONCLUSIVE", limit, found, reason)
    return Judgement("PASS", limit, found, "")


def _limit(finding: Finding, rule: RateRule) -> float | None:
    """The share of subjects that may be named; None without a limit.

    Among people with the same released columns the rate is the table's doing; there only the advantage counts.
    """
    limits = []
    if rule.rate is not None and not finding.setting.endswith(CONDITIONED):
        limits.append(rule.rate)
    if rule.advantage is not None:
        limits.append(finding.chance + rule.advantage * (1.0 - finding.chance))
    return min(limits) if limits else None


def _keeps(finding: Finding, rule: RateRule) -> bool:
    """Whether even the upper bounds keep the limits. Written so that no number (NaN) keeps none."""
    rate = rule.rate is None or finding.setting.endswith(CONDITIONED) or finding.rank1.upper <= rule.rate
    return rate and (rule.advantage is None or finding.advantage_upper <= rule.advantage)


def excesses(inferences: Sequence[Inference], most: float) -> Judgement:
    """The worst excess over what is public anyway; FAIL where even the lower end of a 95 % interval is above the limit.

    Such ends lie too high by luck once in 40 times; with the handful of attributes there are, nothing is corrected.
    """
    limit = f"≤ {most:g} beyond what is public"
    if not inferences:
        return Judgement("NOT EVALUATED", limit, "", "nothing to infer was evaluated", inapplicable=True)
    worst = max(inferences, key=lambda inference: inference.excess_upper)
    found = f"{worst.name}: {worst.excess.value:+.3f}, at most {worst.excess_upper:+.3f}"
    sure = [inference.name for inference in inferences if inference.excess.low > most]
    if sure:
        return Judgement("FAIL", limit, found, f"told: {', '.join(sorted(sure))}")
    if not all(inference.excess_upper <= most for inference in inferences):
        return Judgement("INCONCLUSIVE", limit, found, f"the interval of {worst.name} reaches beyond the limit")
    return Judgement("PASS", limit, found, "")


def groups(found: Sequence[GroupFinding], rule: GroupRule, rate: float | None, attackers: int) -> Judgement:
    """The worst group against `rule.factor` × `rate`; each group's worst of `attackers` is allowed for."""
    if rate is None:
        return Judgement("NOT EVALUATED", "", "", "no limit is set")
    most = min(1.0, rule.factor * rate)
    limit = f"≤ {most:g} named in every group of {rule.smallest} subjects"
    if not found:
        return Judgement("NOT EVALUATED", limit, "", "the manifest names no groups", inapplicable=True)
    large = [(entry, entry.rank1) for entry in found if entry.subjects >= rule.smallest and entry.rank1 is not None]
    small = sorted({f"{entry.column} {entry.group}" for entry in found} - {f"{e.column} {e.group}" for e, _ in large})
    tail = f"too few to judge: {', '.join(small)}" if small else ""
    if not large:
        return Judgement("INCONCLUSIVE", limit, "", tail)
    p_values = holm([min(1.0, max(attackers, 1) * exceeds(r.value * r.n, r.n, most)) for _, r in large])
    worst, worst_rate = max(large, key=lambda pair: (pair[1].upper, pair[1].value))
    text = f"{worst.column} {worst.group}: {worst_rate.value:.3f}, at most {worst_rate.upper:.3f} by {worst.attacker}"
    if min(p_values) <= ALPHA:
        return Judgement("FAIL", limit, text, tail)
    if not all(rank1.upper <= most for _, rank1 in large):
        return Judgement("INCONCLUSIVE", limit, text, f"the interval reaches beyond the limit. {tail}".strip())
    if small and rule.small == "inconclusive":
        return Judgement("INCONCLUSIVE", limit, text, tail)
    return Judgement("PASS", limit, text, tail)
