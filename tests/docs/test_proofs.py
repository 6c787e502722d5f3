"""A mechanism that a steward gets without insisting has a proof, and the proof names the tests that hold it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest

from ganonym.errors import UsageError
from ganonym.release_plan import choose_mechanism
from ganonym.settings import Mechanism, Settings

ROOT = Path(__file__).resolve().parents[2]
PROOFS = {path.stem: path.read_text("utf-8") for path in (ROOT / "docs/proofs").glob("*.md")}
TESTS = set(
    re.findall(r"^def (test_\w+)", "\n".join(p.read_text() for p in (ROOT / "tests/privacy").glob("*.py")), re.M)
)


def insisted(mechanism: str) -> bool:
    """Whether a run with this mechanism is refused unless the steward insists."""
    try:
        Settings.model_validate({"mechanism": mechanism})
    except UsageError as refused:
        return "i_understand" in str(refused)
    return False


def test_a_mechanism_without_a_proof_must_be_insisted_on() -> None:
    assert {name for name in get_args(Mechanism) if not insisted(name)} == set(PROOFS)


@pytest.mark.parametrize("people", [3, 30])
@pytest.mark.parametrize("label", [None, "a syndrome"])
def test_what_is_chosen_for_a_steward_has_a_proof(people: int, label: str | None) -> None:
    chosen, _ = choose_mechanism(Settings(), dict.fromkeys(map(str, range(people)), label))
    assert chosen in PROOFS


@pytest.mark.parametrize("name", sorted(PROOFS))
def test_a_proof_has_a_theorem_its_limits_and_tests_that_exist(name: str) -> None:
    text = PROOFS[name]
    assert re.search(r"Theorem.*?\*Proof\.\*.*?∎", text, re.S)
    for limit in ("releases", "edraws", "loating point", "label"):
        assert limit in text
    named = set(re.findall(r"`(test_\w+)`", text))
    assert len(named) >= 4
    assert named - TESTS == set()
