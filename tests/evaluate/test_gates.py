"""Gates and verdict: each can pass, fail and stay open, and nothing passes for want of evidence."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ganonym.evaluate.findings import GroupFinding, Utility
from ganonym.evaluate.metrics.strata import CONDITIONED
from ganonym.evaluate.protocol import ALL_PHOTOS, ANONYMIZED, OTHER_PHOTO, PARROT, REVERSE, SAME_PHOTO
from ganonym.evaluate.verdict.gates import Evidence, exit_code, gates, headline, verdict
from ganonym.evaluate.verdict.policy import Policy, load_policy
from ganonym.statistics.intervals import proportion, rate

from .clean_evidence import BUILT_IN, CLEAN, COUNTS, DAY, PUBLIC, altered, by_id, control, finding, inference


def test_clean_evidence_passes_every_gate() -> None:
    result = by_id(CLEAN)
    assert {gate.id: gate.state for gate in result.values() if gate.blocks} == dict.fromkeys(
        ["G0", "G1", "G2", "G2b", "G3", "G4", "G5", "G5b", "G6", "G7", "G8"], "PASS"
    )
    assert (result["U"].state, result["U"].blocks) == ("NOT EVALUATED", False)
    assert verdict(tuple(result.values())) == "PASS"


@pytest.mark.parametrize("setting", [OTHER_PHOTO, ALL_PHOTOS, REVERSE, PARROT])
def test_the_worst_attack_decides_over_all_others(setting: str) -> None:
    result = by_id(replace(CLEAN, findings=(*CLEAN.findings, finding(60, setting=setting, attacker="strong"))))
    assert result["G2"].state == "FAIL"
    assert "strong" in result["G2"].found
    assert verdict(tuple(result.values())) == "FAIL"


def test_limits_are_kept_by_bounds_not_by_values() -> None:
    """200 subjects, τ .09 and .05 over chance .005: 4 hits are bounded by .045, 5 by .052, 6 by .0586 > .0548."""
    for hits, state in ((4, "PASS"), (5, "PASS"), (6, "INCONCLUSIVE"), (25, "FAIL")):
        assert by_id(replace(CLEAN, findings=(*CLEAN.findings, finding(hits))))["G2"].state == state
    only_rate = altered(singling_out={"advantage": None})
    for hits, state in ((10, "PASS"), (12, "INCONCLUSIVE"), (25, "INCONCLUSIVE"), (33, "FAIL")):
        result = replace(CLEAN, findings=(finding(hits),))
        assert by_id(result, only_rate)["G2"].state == state
        assert (proportion(hits, 200, 0.90).high <= 0.09) == (state == "PASS")


def test_many_attackers_make_no_claim_by_luck() -> None:
    """One attacker with 27 of 200 is significantly above .09; one of 20 is not (Holm)."""
    only_rate = altered(singling_out={"advantage": None})
    alone = replace(CLEAN, findings=(finding(27),))
    crowd = replace(CLEAN, findings=(finding(27), *(finding(10, attacker=f"a{n}") for n in range(19))))
    assert by_id(alone, only_rate)["G2"].state == "FAIL"
    assert by_id(crowd, only_rate)["G2"].state == "INCONCLUSIVE"


@settings(max_examples=20)
@given(st.lists(st.integers(0, 200), min_size=1, max_size=6), st.integers(0, 200))
def test_another_attacker_never_makes_it_pass(hits: list[int], more: int) -> None:
    before = by_id(replace(CLEAN, findings=[finding(hit) for hit in hits]))["G2"].state
    after = by_id(replace(CLEAN, findings=[finding(hit) for hit in [*hits, more]]))["G2"].state
    assert not (before != "PASS" and after == "PASS")


def test_same_photo_counts_where_originals_may_be_public() -> None:
    leaking = replace(CLEAN, findings=(*CLEAN.findings, finding(150, setting=SAME_PHOTO)), declared_k=None)
    assert (by_id(leaking)["G2b"].state, by_id(leaking)["G2b"].blocks) == ("FAIL", True)
    kept = by_id(replace(leaking, maybe_public=False))
    assert (kept["G2b"].state, kept["G2b"].blocks) == ("FAIL", False)
    assert verdict(tuple(kept.values())) == "PASS"


def test_with_one_photo_each_the_same_photo_attack_stands_in() -> None:
    single = COUNTS.model_copy(update={"repeated_subjects": 0})
    result = replace(CLEAN, counts=single, findings=(finding(50, setting=SAME_PHOTO),), maybe_public=False)
    assert by_id(result)["G2"].state == "FAIL"
    assert (by_id(result)["G3"].state, by_id(result)["G3"].blocks) == ("NOT EVALUATED", False)


def test_linkability_is_judged_by_advantage() -> None:
    for hits, state in ((10, "PASS"), (18, "INCONCLUSIVE"), (60, "FAIL")):
        result = replace(CLEAN, findings=(*CLEAN.findings, finding(hits, setting=ANONYMIZED)))
        assert by_id(result)["G3"].state == state
    high_chance = finding(1000, n=2000, setting=ANONYMIZED, chance=0.5)
    assert by_id(replace(CLEAN, findings=(high_chance,)))["G3"].state == "PASS"
    always = finding(1, n=1, setting=ANONYMIZED, chance=1.0 - 1e-16, advantage=0.0, advantage_upper=1.0)
    assert by_id(replace(CLEAN, findings=(always.model_copy(update={"chance": 1.0}),)))["G3"].state == "INCONCLUSIVE"


def test_reversal_has_its_own_gate() -> None:
    result = by_id(replace(CLEAN, findings=(*CLEAN.findings, finding(60, tier="R"))))
    assert (result["G4"].state, result["G2"].state) == ("FAIL", "PASS")
    same = by_id(replace(CLEAN, findings=(*CLEAN.findings, finding(60, tier="R", setting=SAME_PHOTO))))
    assert same["G2b"].state == "FAIL"
    without = by_id(replace(CLEAN, findings=[entry for entry in CLEAN.findings if entry.tier != "R"]))
    assert (without["G4"].state, without["G4"].blocks) == ("NOT EVALUATED", True)


def test_among_equals_only_the_advantage_counts() -> None:
    narrowed = finding(100, setting=OTHER_PHOTO + CONDITIONED, chance=0.5)
    tight = narrowed.model_copy(update={"advantage_upper": 0.04})
    assert by_id(replace(CLEAN, findings=(*CLEAN.findings, tight)))["G2"].state == "PASS"
    told = finding(150, setting=OTHER_PHOTO + CONDITIONED, chance=0.5)
    assert by_id(replace(CLEAN, findings=(*CLEAN.findings, told)))["G2"].state == "FAIL"


@pytest.mark.parametrize(
    ("change", "gate", "state"),
    [
        ({"findings": ()}, "G2", "NOT EVALUATED"),
        ({"copies": None}, "G0", "NOT EVALUATED"),
        ({"copies": ("a.png: the original",)}, "G0", "FAIL"),
        ({"faults": ("a.png holds GPS",)}, "G0", "FAIL"),
        ({"smallest_class": None}, "G7", "NOT EVALUATED"),
        ({"smallest_class": 10}, "G7", "FAIL"),
        ({"controls": ()}, "G1", "INCONCLUSIVE"),
        ({"controls": CLEAN.controls[1:]}, "G1", "INCONCLUSIVE"),
        ({"controls": (*CLEAN.controls, control("C3b", False))}, "G1", "INCONCLUSIVE"),
        ({"controls": (*CLEAN.controls, control("C2b", None))}, "G1", "INCONCLUSIVE"),
        ({"controls": (*CLEAN.controls, control("C5", False, blocks=False))}, "G1", "PASS"),
        ({"inferences": (inference("sex", 0.09),)}, "G5", "INCONCLUSIVE"),
        ({"inferences": (inference("sex", 0.3), inference("age", 0.0))}, "G5", "FAIL"),
        ({"inferences": (inference("set", 0.3, "donor"),)}, "G5b", "FAIL"),
    ],
)
def test_evidence_that_is_missing_or_bad_blocks(change: dict[str, Any], gate: str, state: str) -> None:
    evidence = replace(CLEAN, **change)
    assert (by_id(evidence)[gate].state, by_id(evidence)[gate].blocks) == (state, True)
    assert verdict(gates(evidence, PUBLIC)) == state


def test_no_number_keeps_no_limit() -> None:
    nan = float("nan")
    broken = inference("sex", 0.0).model_copy(update={"excess_upper": nan})
    assert by_id(replace(CLEAN, inferences=(broken,)))["G5"].state == "INCONCLUSIVE"
    lost = finding(1).model_copy(update={"rank1": rate(1, 200).model_copy(update={"upper": nan})})
    assert by_id(replace(CLEAN, findings=(*CLEAN.findings, lost)))["G2"].state == "INCONCLUSIVE"


def test_the_built_in_policy_reports_attributes_without_gating_them() -> None:
    told = by_id(replace(CLEAN, inferences=(inference("sex", 0.3),)), BUILT_IN)
    assert (told["G5"].state, told["G5"].blocks) == ("FAIL", False)
    assert verdict(tuple(told.values())) == "PASS"


def test_attributes_that_the_policy_names_must_be_evaluated() -> None:
    named = altered(inference={"attributes": ("sex", "age")})
    assert (by_id(CLEAN, named)["G5"].state, by_id(CLEAN, named)["G5"].blocks) == ("NOT EVALUATED", True)
    assert "age" in by_id(CLEAN, named)["G5"].reason
    both = replace(CLEAN, inferences=(inference("sex", 0.0), inference("age", 0.0), inference("other", 0.5)))
    assert by_id(both, named)["G5"].state == "PASS"


def test_groups_at_twice_the_limit() -> None:
    def group(subjects: int, hits: int | None) -> GroupFinding:
        result = None if hits is None else rate(hits, subjects)
        return GroupFinding(
            column="sex", group=str(subjects), subjects=subjects, setting=OTHER_PHOTO, attacker="x", rank1=result
        )

    for hits, state in ((2, "PASS"), (8, "INCONCLUSIVE"), (30, "FAIL")):
        assert by_id(replace(CLEAN, groups=(group(40, hits),)))["G6"].state == state
    assert by_id(replace(CLEAN, groups=(group(40, 2), group(12, None))))["G6"].state == "INCONCLUSIVE"
    assert by_id(replace(CLEAN, groups=(group(12, None),)), altered(groups={"small": "report"}))["G6"].state == (
        "INCONCLUSIVE"
    )
    relaxed = by_id(replace(CLEAN, groups=(group(40, 2), group(12, None))), altered(groups={"small": "report"}))["G6"]
    assert (relaxed.state, "sex 12" in relaxed.reason) == ("PASS", True)
    assert by_id(replace(CLEAN, groups=()))["G6"].blocks is False


def test_a_declared_k_is_falsified_by_single_guesses_only() -> None:
    assert by_id(replace(CLEAN, findings=(finding(40, setting=SAME_PHOTO),)))["G8"].state == "FAIL"
    assert by_id(replace(CLEAN, findings=(finding(22, setting=SAME_PHOTO),)))["G8"].state == "PASS"
    many_guesses = finding(40, trials=800)
    result = by_id(replace(CLEAN, findings=(finding(1), many_guesses)))["G8"]
    assert result.state == "PASS"
    assert (by_id(replace(CLEAN, declared_k=None))["G8"].blocks) is False
    assert by_id(replace(CLEAN, findings=(many_guesses,)))["G8"].state == "NOT EVALUATED"


def test_utility_is_told_and_does_not_block() -> None:
    def measure(decision: Any) -> Utility:
        return Utility(
            family="syndrome",
            name="top-1",
            original=None,
            released=None,
            difference=None,
            margin=0.05,
            decision=decision,
        )

    for decision, state in (
        ("kept", "PASS"),
        ("undecided", "INCONCLUSIVE"),
        ("lost", "FAIL"),
        ("reported", "NOT EVALUATED"),
    ):
        gate = by_id(replace(CLEAN, utility=(measure(decision),)))["U"]
        assert (gate.state, gate.blocks) == (state, False)


def test_policies_leave_gates_out_by_name() -> None:
    result = by_id(CLEAN, load_policy("internal"))
    assert [result[name].state for name in ("G3", "G6", "G7")] == ["NOT EVALUATED"] * 3
    assert result["G0"].blocks is False
    leaky = replace(CLEAN, findings=(*CLEAN.findings, finding(46)), declared_k=None)
    assert verdict(gates(leaky, PUBLIC)) == "FAIL"
    assert verdict(gates(leaky, load_policy("controlled"))) == "INCONCLUSIVE"


def told(evidence: Evidence, policy: Policy = PUBLIC) -> str:
    return headline(gates(evidence, policy), evidence.findings, policy, DAY)


def test_a_failed_control_is_the_first_line_even_where_a_gate_failed() -> None:
    evidence = replace(CLEAN, controls=(control("C1", False), *CLEAN.controls[1:]), copies=("a.png: same",))
    line = told(evidence)
    assert verdict(gates(evidence, PUBLIC)) == "INCONCLUSIVE"
    assert line.startswith("INCONCLUSIVE")
    assert "controls" in line
    assert "C1" in line
    assert "G0" in line


def test_what_the_first_line_says() -> None:
    assert told(CLEAN).startswith(
        "PASS under policy public: no tested attack exceeded the limit (≤ 0.09 of the subjects"
    )
    assert "2030-01-02" in told(CLEAN)
    unmocked = replace(CLEAN, findings=[entry for entry in CLEAN.findings if entry.setting != PARROT])
    assert told(unmocked).startswith("PASS (limited: no mock run)")
    assert told(replace(CLEAN, smallest_class=3)).startswith("FAIL under policy public: G7 metadata: smallest class 3")
    assert told(replace(CLEAN, smallest_class=None)).startswith("NOT EVALUATED")
    assert told(replace(CLEAN, findings=(*CLEAN.findings, finding(7)))).startswith("INCONCLUSIVE")
    for evidence in (CLEAN, unmocked, replace(CLEAN, copies=("a",)), replace(CLEAN, controls=())):
        words = told(evidence).lower()
        assert "anonymous" not in words
        assert "gdpr" not in words


def test_exit_codes_follow_the_policy() -> None:
    lenient = PUBLIC.model_copy(update={"inconclusive": "accept"})
    assert [exit_code(state, lenient) for state in ("PASS", "FAIL", "INCONCLUSIVE", "NOT EVALUATED")] == [0, 3, 0, 3]
    assert verdict(()) == "NOT EVALUATED"
