"""`ganonym plan`: the table, the JSON and what it refuses."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from ganonym.batch.cohort import CohortPlan
from ganonym.faces.kept import kept_space
from ganonym.phantom.cohort import phantom_cohort
from ganonym.photos.encode import encode_png
from ganonym.privacy.forecast import Cohort, forecast_cohort, rate_distortion
from ganonym.statistics.intervals import proportion
from ganonym_cli.cohort import cohort_tables

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


def test_plan_shows_a_table_of_which_80_columns_cut_nothing(ganonym: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    ended = ganonym("plan", "--subjects", 40)
    assert ended.code == 0
    assert "40 virtual people" in ended.out
    assert str(proportion(0, 40, 0.90).high)[:5] in ended.out
    assert "…" not in ended.out
    lines = ended.out.splitlines()
    assert max(map(len, lines)) <= 80
    for whole in ("k-same, k = 11", "none (exact shapes)", "singling out, same photo", "40 subjects can pass"):
        assert any(whole in line for line in lines), whole
    assert all(line.count("[") == line.count("]") for line in lines), "an interval is broken"


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


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two photographs each of three people who do not exist; the first is entered under two ids."""
    folder = tmp_path_factory.mktemp("cohort")
    rows = ["image,subject"]
    for photo in phantom_cohort(3, 2, seed=8):
        name = f"{photo.subject}-{photo.number}.png"
        (folder / "photos").mkdir(exist_ok=True)
        (folder / "photos" / name).write_bytes(encode_png(photo.rgb))
        second_id = photo.subject.endswith("1") and photo.number == 2
        rows.append(f"{name},{'stranger' if second_id else photo.subject}")
    (folder / "people.csv").write_text("\n".join(rows))
    return folder


def test_the_audit_finds_one_person_under_two_ids(ganonym: Run, cohort: Path, tmp_path: Path) -> None:
    command = ("plan", cohort / "photos", "--manifest", cohort / "people.csv", "-k", "2", "--codes", "16", "--jobs", 1)
    ended = ganonym(*command, "--json")
    told = json.loads(ended.out)
    assert (ended.code, told["subjects"], told["compared"]) == (0, 4, 6)
    assert [suspect["subjects"] for suspect in told["suspects"]] == [["phantom-0001", "stranger"]]
    assert told["suspects"][0]["distance"] < 0.45
    shown = " ".join(ganonym(*command).out.split())
    assert "stranger" in shown
    assert (told["cohort"]["k"], told["cohort"]["people"], told["cohort"]["groups"]) == (20, 4, 0)
    assert "k-same with k = 20 cannot release these 4 people. Instead:" in shown
    assert "pool with another site: 16 more people make a group" in shown
    assert [(line["people"], line["k"]) for line in told["curve"]] == [(2, 2), (4, 2)]
    word = tmp_path / "distinct.csv"
    word.write_text("phantom-0001,stranger\n")
    assert json.loads(ganonym(*command, "--distinct", word, "--json").out)["suspects"] == []
    assert sorted(path.name for path in cohort.iterdir()) == ["people.csv", "photos"], "nothing is written"


def test_a_cohorts_tables_fit_and_name_whom_it_cannot_serve(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    rng = np.random.default_rng(1)
    rows = np.stack([np.r_[rng.normal(1.0, 0.3, 40), np.full(6, -2.0)], rng.standard_normal(46)], axis=1)
    flat = {"axes": np.eye(2), "weights": np.ones(2), "mean": np.zeros(2), "covariance": np.eye(2)}
    space = replace(kept_space(), names=("tone", "sign 1"), **flat)
    bands = {"tone": ["light"] * 40 + ["dark"] * 6}
    cohort = Cohort(rows, [str(number) for number in range(46)], None, bands)
    forecast, curve = forecast_cohort(cohort, space, 11), rate_distortion(cohort, space, (5, 11))
    text = io.StringIO()
    Console(file=text, width=80).print(*cohort_tables(CohortPlan("photo", forecast, curve, {"no-face": 2})), sep="\n")
    shown = text.getvalue()
    assert max(map(len, shown.splitlines())) <= 80
    said = " ".join(shown.split())
    assert f"46 of 46 photos in {forecast.groups} groups of at least 11 people" in said
    assert f"at most {forecast.bits:.1f} bits" in said
    assert "No usable face: no-face 2." in said
    assert f"{forecast.unserved[0].shift:.1f} SD lighter" in said
    assert "For tone dark, who are off the most:" in said
    assert "weights = { tone = 1.0 }" in said
    served = forecast_cohort(Cohort(rows[:40], cohort.owners[:40]), space, 11)
    text = io.StringIO()
    Console(file=text, width=80).print(*cohort_tables(CohortPlan("subject", served, (), {})))
    assert "No tone and no age is so rare" in text.getvalue()
    assert "40 of 40 people in" in text.getvalue()
    assert "Expression is outside of that" in text.getvalue()


def test_an_audit_needs_photographs_and_a_manifest(ganonym: Run, cohort: Path) -> None:
    assert ganonym("plan").code == 2
    assert "--manifest" in ganonym("plan", cohort / "photos").err
    assert "Name their folder" in ganonym("plan", "--manifest", cohort / "people.csv").err
    assert "photographs: --keep" in ganonym("plan", "--subjects", 40, "--keep", "signs").err
