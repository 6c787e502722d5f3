"""From gates to one word, one line and an exit code.

A failed control comes first: an instrument that does not work has neither acquitted nor convicted anybody. Exit codes:
0 for PASS, 3 ("a gate failed") for FAIL and, unless the policy accepts them, for INCONCLUSIVE and NOT EVALUATED: what
was not shown does not go out. No verdict says that pictures could be nobody's: it says what was tried.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

from ganonym.errors import GuaranteeBroken
from ganonym.evaluate.assessment import PROTOCOL, Finding, Gate, State
from ganonym.evaluate.protocol import PARROT
from ganonym.evaluate.verdict.policy import Policy

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
        limited = "" if any(each.setting == PARROT for each in findings) else " (limited: no mock run)"
        gate = next((each for each in gates if each.id == "G2" and each.state == "PASS"), None)
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
