"""`ganonym plan`: the table, the JSON and what it refuses."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from ganonym.statistics.exact import proportion

Run = Callable[..., "Ended"]  # noqa: F821  # of conftest.py


def test_plan_lists_every_budget_with_its_declared_and_found_rates(ganonym: Run) -> None:
    ended = ganonym("plan", "--subjects", 60, "-k", "5,99", "--codes", "16", "--epsilon", "0.5,2", "--json")
    assert ended.code == 0
    told = json.loads(ended.out)
    assert list(told["mechanisms"]) == [
        "k-same, k = 5", "codebook, 16 codes", "metric, ε = 0.5", "metric, ε = 2", "none (exact shapes)",
    ]  # fmt: skip
    assert told["simulated"] is True
    assert told["least_provable"] == pytest.approx(1 - 0.05 ** (1 / 60))
    assert told["mechanisms"]["k-same, k = 5"]["declared"] == pytest.approx(1 / 5)
    assert told["mechanisms"]["none (exact shapes)"]["named"]["value"] == 1.0
    assert told["mechanisms"]["metric, ε = 2"]["named"]["low"] <= told["mechanisms"]["metric, ε = 2"]["declared"]


def test_plan_shows_a_table(ganonym: Run) -> None:
    ended = ganonym("plan", "--subjects", 40)
    assert ended.code == 0
    assert "40 virtual people" in ended.out
    assert str(proportion(0, 40, 0.90).high)[:5] in ended.out


@pytest.mark.parametrize("arguments", [["--epsilon", "much"], ["--epsilon", "0"], ["-k", "1"]])
def test_plan_refuses_what_is_no_budget(ganonym: Run, arguments: list[str]) -> None:
    ended = ganonym("plan", "--subjects", 40, *arguments)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith("ganonym: ")


def test_plan_says_which_gates_so_few_subjects_can_pass(ganonym: Run) -> None:
    options = ("-k", "5", "--codes", "16", "--epsilon", "1")
    told = json.loads(ganonym("plan", "--subjects", 60, *options, "--json").out)
    gates = {(each["policy"], each["gate"]): each for each in told["gates"]}
    controlled = gates["controlled", "singling out"]
    assert (controlled["limit"], controlled["allowed"], controlled["needed"]) == (0.2, 6, 37)
    assert controlled["passes"] > 0.99
    public = gates["public", "singling out"]
    assert public["allowed"] == 0  # the advantage of .05 over chance 1/60 is the narrower limit
    assert public["limit"] == pytest.approx(1 / 60 + 0.05 * 59 / 60)
    assert public["passes"] == pytest.approx((59 / 60) ** 60)
    assert ("internal", "linkability") not in gates
    shown = ganonym("plan", "--subjects", 20, *options).out
    assert "Which gates 20 subjects can pass" in shown
    assert "cannot pass" in shown
