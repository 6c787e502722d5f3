"""From findings to gates, and from gates to one word, one line and an exit code (protocol §3.8).

PASS where even the upper confidence bound keeps the limit, for every attacker: "each rate ≤ τ" is an intersection-union
test, so each bound at 5 % is enough. FAIL claims that an attacker works, and with many attackers one will by luck: the
exact tests are corrected by Holm. Between the two lies INCONCLUSIVE.

A failed control comes first: an instrument that does not work has neither acquitted nor convicted anybody. Exit codes:
0 for PASS, 3 ("a gate failed") for FAIL and, unless the policy accepts them, for INCONCLUSIVE and NOT EVALUATED: what
was not shown does not go out. No verdict says that pictures could be nobody's: it says what was tried.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from ganonym.errors import GuaranteeBroken
from ganonym.evaluate.findings import PROTOCOL, Control, Counts, Finding, Gate, GroupFinding, Inference, State, Utility
from ganonym.evaluate.metrics.strata import CONDITIONED
from ganonym.evaluate.protocol import ALL_PHOTOS, ANONYMIZED, OTHER_PHOTO, PARROT, REVERSAL, REVERSE, SAME_PHOTO
from ganonym.evaluate.verdict.policy import Judgement, Mode, Policy, RateRule, excesses, groups, rates

# "All photos" and the mock run also see the output of the very photo in the gallery; the stricter gate is theirs.
CROSS_PHOTO = (OTHER_PHOTO, ALL_PHOTOS, REVERSE, PARROT)
NEEDED_CONTROLS = ("C1", "C2", "C3", "C4")
LISTED = 5


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the gates look at.

    `faults` of integrity: files without partner, digests that differ, metadata left. `copies`: reasons of
    `pass_through`, None when not measured. `smallest_class`: subjects sharing released columns, None when not counted.
    `declared_k` and `statement` as in `Release`. `maybe_public`: an original may be public, as in a journal.
    """

    counts: Counts
    findings: Sequence[Finding]
    inferences: Sequence[Inference]
    groups: Sequence[GroupFinding]
    controls: Sequence[Control]
    utility: Sequence[Utility]
    faults: Sequence[str]
    copies: Sequence[str] | None
    smallest_class: int | None
    declared_k: float | None
    statement: str = ""
    maybe_public: bool = True


def gates(evidence: Evidence, policy: Policy) -> tuple[Gate, ...]:
    """Every gate of the protocol in order, those that the policy leaves out included, as NOT EVALUATED."""

    def gate(id_: str, name: str, mode: Mode, judged: Callable[[], Judgement]) -> Gate:
        if mode == "off":
            return _gate(id_, name, False, Judgement("NOT EVALUATED", "", "", "not part of this policy"))
        judgement = judged()
        required = mode == "required" or (mode == "required if public" and evidence.maybe_public)
        return _gate(id_, name, required and not judgement.inapplicable, judgement)

    found = evidence.findings
    return (
        gate("G0", "integrity", policy.integrity.mode, lambda: _integrity(evidence)),
        gate("G1", "controls", policy.controls.mode, lambda: _controls(evidence.controls)),
        gate("G2", "singling out", policy.singling_out.mode, lambda: _singling_out(evidence, policy.singling_out)),
        gate(
            "G2b",
            "singling out, same photo",
            policy.same_photo.mode,
            lambda: rates(_of(found, (SAME_PHOTO,)), policy.same_photo),
        ),
        gate("G3", "linkability", policy.linkability.mode, lambda: _linkability(evidence, policy.linkability)),
        gate(
            "G4",
            "reversal",
            policy.reversal.mode,
            lambda: rates(_of(found, _cross(evidence), reversal=True), policy.reversal),
        ),
        gate("G5", "inference", policy.inference.mode, lambda: _inference(evidence, policy)),
        gate(
            "G5b",
            "donors",
            policy.donors.mode,
            lambda: excesses(
                [inference for inference in evidence.inferences if inference.kind == "donor"], policy.donors.excess
            ),
        ),
        gate(
            "G6",
            "worst group",
            policy.groups.mode,
            lambda: groups(
                evidence.groups, policy.groups, policy.singling_out.rate, len({entry.attacker for entry in found})
            ),
        ),
        gate("G7", "metadata", policy.metadata.mode, lambda: _metadata(evidence, policy.metadata.smallest_class)),
        gate("G8", "declared guarantees", policy.guarantee.mode, lambda: _guarantee(evidence)),
        gate("U", "utility", policy.utility.mode, lambda: _utility(evidence.utility)),
    )


def _gate(id_: str, name: str, blocks: bool, judgement: Judgement) -> Gate:
    return Gate(
        id=id_,
        name=name,
        state=judgement.state,
        blocks=blocks,
        limit=judgement.limit,
        found=judgement.found,
        reason=judgement.reason,
    )


def _of(findings: Sequence[Finding], settings: Sequence[str], reversal: bool | None = None) -> list[Finding]:
    """Findings in the settings and in the same narrowed by released columns; with or without reversal, or both."""
    return [
        finding
        for finding in findings
        if finding.setting.removesuffix(CONDITIONED) in settings
        and (reversal is None or (finding.tier == REVERSAL) is reversal)
    ]


def _cross(evidence: Evidence) -> tuple[str, ...]:
    """With one photo a subject, the same photo is the only attack, and the harder one to withstand."""
    return CROSS_PHOTO if evidence.counts.repeated_subjects else (SAME_PHOTO, *CROSS_PHOTO)


def _integrity(evidence: Evidence) -> Judgement:
    wrong = [*evidence.faults, *(evidence.copies or ())]
    limit = "no fault, no output that still is the original"
    if wrong:
        more = f" and {len(wrong) - LISTED} more" if len(wrong) > LISTED else ""
        return Judgement("FAIL", limit, f"{len(wrong)} faults", "; ".join(wrong[:LISTED]) + more)
    if evidence.copies is None:
        return Judgement("NOT EVALUATED", limit, "", "outputs were not compared with their originals")
    return Judgement("PASS", limit, "none", "")


def _controls(controls: Sequence[Control]) -> Judgement:
    limit = "every blocking control holds"
    failed = [control for control in controls if control.blocks and not control.holds]
    if failed:
        reasons = [f"{control.id} {control.name}: {control.detail}" for control in failed]
        return Judgement("INCONCLUSIVE", limit, f"{len(failed)} do not hold", "; ".join(reasons))
    missing = [name for name in NEEDED_CONTROLS if not any(control.id.startswith(name) for control in controls)]
    if missing:
        return Judgement("INCONCLUSIVE", limit, "", f"not run: {', '.join(missing)}")
    return Judgement("PASS", limit, f"{len(controls)} controls", "")


def _singling_out(evidence: Evidence, rule: RateRule) -> Judgement:
    return rates(_of(evidence.findings, _cross(evidence), reversal=False), rule)


def _linkability(evidence: Evidence, rule: RateRule) -> Judgement:
    if not evidence.counts.repeated_subjects:
        return Judgement("NOT EVALUATED", "", "", "no subject has two photos to link", inapplicable=True)
    return rates(_of(evidence.findings, (ANONYMIZED,)), rule)


def _inference(evidence: Evidence, policy: Policy) -> Judgement:
    found = [inference for inference in evidence.inferences if inference.kind == "attribute"]
    named = policy.inference.attributes
    missing = sorted(set(named) - {entry.name for entry in found})
    judged = excesses([entry for entry in found if not named or entry.name in named], policy.inference.excess)
    if missing and judged.state != "FAIL":
        reason = f"not evaluated: {', '.join(missing)}"
        return Judgement("NOT EVALUATED", judged.limit, judged.found, reason)
    return judged


def _metadata(evidence: Evidence, smallest: int) -> Judgement:
    limit = f"at least {smallest} subjects share their released columns"
    if evidence.smallest_class is None:
        return Judgement("NOT EVALUATED", limit, "", "released columns were not counted")
    state: State = "PASS" if evidence.smallest_class >= smallest else "FAIL"
    reason = "" if state == "PASS" else "the table alone singles somebody out: release fewer or coarser columns"
    return Judgement(state, limit, f"smallest class {evidence.smallest_class}", reason)


def _guarantee(evidence: Evidence) -> Judgement:
    """1/k bounds one guess about a subject: only findings with one trial a subject can contradict it."""
    if evidence.declared_k is None:
        return Judgement("NOT EVALUATED", "", "", "nothing is declared", inapplicable=True)
    limit = f"nobody names more than 1/{evidence.declared_k:g} of the subjects"
    single = [
        finding
        for finding in _of(evidence.findings, (SAME_PHOTO, *CROSS_PHOTO))
        if finding.trials == finding.subjects and not finding.setting.endswith(CONDITIONED)
    ]
    judged = rates(single, RateRule(mode="required", rate=min(1.0, 1.0 / evidence.declared_k)))
    if judged.state == "FAIL":
        return Judgement("FAIL", limit, judged.found, f"falsified: {evidence.statement} {judged.reason}".strip())
    if judged.state == "NOT EVALUATED":
        return Judgement("NOT EVALUATED", limit, "", judged.reason)
    return Judgement("PASS", limit, judged.found, "not falsified")


def _utility(utility: Sequence[Utility]) -> Judgement:
    counted = {name: sum(row.decision == name for row in utility) for name in ("kept", "undecided", "lost")}
    if not any(counted.values()):
        return Judgement("NOT EVALUATED", "", "", "no measure with a margin")
    state: State = "FAIL" if counted["lost"] else "INCONCLUSIVE" if counted["undecided"] else "PASS"
    lost = ", ".join(f"{row.family} {row.name}" for row in utility if row.decision == "lost")
    found = ", ".join(f"{count} {name}" for name, count in counted.items() if count)
    return Judgement(state, "every measure with a margin is kept", found, f"lost: {lost}" if lost else "")


CONTROLS = "G1"


def verdict(gates: Sequence[Gate]) -> State:
    """The worst state of the gates that block; NOT EVALUATED when none does."""
    blocking = {gate.state for gate in gates if gate.blocks}
    if _controls_failed(gates):
        return "INCONCLUSIVE"
    order: tuple[State, ...] = ("FAIL", "INCONCLUSIVE", "NOT EVALUATED", "PASS")
    return next((state for state in order if state in blocking), "NOT EVALUATED")


def headline(gates: Sequence[Gate], findings: Sequence[Finding], policy: Policy, valid_until: date) -> str:
    """The first line of every report."""
    state = verdict(gates)
    opening = f"{state} under policy {policy.name}: "
    if _controls_failed(gates):
        reason = next(gate.reason for gate in gates if gate.id == CONTROLS)
        besides = [gate.id for gate in gates if gate.blocks and gate.state == "FAIL"]
        more = f" Gates that failed besides: {', '.join(besides)}." if besides else ""
        return f"{opening}the assessment's own controls do not hold, so nothing below is proof. {reason}.{more}"
    if state == "PASS":
        limited = "" if any(finding.setting == PARROT for finding in findings) else " (limited: no mock run)"
        gate = next((candidate for candidate in gates if candidate.id == "G2" and candidate.state == "PASS"), None)
        told = f"no tested attack exceeded the limit ({gate.limit})" if gate else "no gate that blocks failed"
        worst = f"; worst: {gate.found}" if gate else ""
        until = f"Valid until {valid_until.isoformat()} for attacks of {PROTOCOL}."
        return f"PASS{limited} under policy {policy.name}: {told}{worst}. {until}"
    deciding = [gate for gate in gates if gate.blocks and gate.state == state]
    if not deciding:
        return f"{opening}no gate of this policy blocks."
    first = deciding[0]
    told = "; ".join(text for text in (first.found, first.reason) if text)
    others = f" Also: {', '.join(gate.id for gate in deciding[1:])}." if len(deciding) > 1 else ""
    return f"{opening}{first.id} {first.name}: {told}.{others}"


def exit_code(state: State, policy: Policy) -> int:
    """0 or 3, see above.

    >>> from ganonym.evaluate.verdict.policy import load_policy
    >>> [exit_code(state, load_policy("public")) for state in ("PASS", "FAIL", "INCONCLUSIVE", "NOT EVALUATED")]
    [0, 3, 3, 3]
    """
    accepted = {"PASS"}
    if policy.inconclusive == "accept":
        accepted.add("INCONCLUSIVE")
    if policy.not_evaluated == "accept":
        accepted.add("NOT EVALUATED")
    return 0 if state in accepted else GuaranteeBroken.exit_code


def valid_until(assessed_on: date, policy: Policy) -> date:
    """Attacks get better: the day on which the verdict expires."""
    return assessed_on + timedelta(days=policy.valid_days)


def _controls_failed(gates: Sequence[Gate]) -> bool:
    return any(gate.id == CONTROLS and gate.blocks and gate.state != "PASS" for gate in gates)
