"""Sweeps: which settings are run, what a failed one costs, and the whole command with an invented assessor."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
import typer
from invented import invented
from typer.testing import CliRunner

from ganonym.errors import UsageError
from ganonym.evaluate.assessment import Assessment
from ganonym_cli.phantom import write_people
from ganonym_cli.sweep import Setting, command, lines_of, run_settings, settings_of


def names(**changes: object) -> list[str]:
    given = {
        "mechanisms": ["k-same", "metric", "codebook"], "k": [2, 11], "epsilon": [0.5], "baselines": ["blur", "eyebar"],
        "seed": 0, "jobs": 1,
    }  # fmt: skip
    return [each.name for each in settings_of(Path("in"), Path("m.csv"), **(given | changes))]  # type: ignore[arg-type]


def test_every_value_and_every_baseline_is_a_setting() -> None:
    assert names() == ["k-same-k2", "k-same-k11", "metric-e0.5", "codebook", "blur", "eyebar"]
    assert names(mechanisms=["k-same"], baselines=[]) == ["k-same-k2", "k-same-k11"]


@pytest.mark.parametrize("wrong", [{"k": [1]}, {"epsilon": [0.0]}, {"baselines": ["magic"]}, {"mechanisms": ["none"]}])
def test_wrong_values_are_told_before_any_work(wrong: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        names(**wrong)


def test_only_methods_with_several_settings_are_joined() -> None:
    rows = [Setting(name, method, lambda _out, _tell: 1) for name, method in (("a2", "a"), ("b", "b"), ("a5", "a"))]
    assert lines_of(rows) == [["a2", "a5"]]


def test_one_failure_does_not_cost_the_others(tmp_path: Path) -> None:
    rows = [Setting(name, name, lambda _out, _tell: 1) for name in ("first", "broken", "last")]
    told: list[str] = []

    def run_one(setting: Setting, folder: Path) -> Assessment:
        assert folder == tmp_path / "runs" / setting.name
        if setting.name == "broken":
            raise UsageError("nothing was released.")
        return invented()

    assert list(run_settings(rows, tmp_path, run_one, told.append)) == ["first", "last"]
    assert told == ["broken is left out: nothing was released."]


def test_the_command_releases_assesses_and_compares(tmp_path: Path) -> None:
    manifest = write_people(tmp_path / "photos", 3, 1, 0, lambda *_: None)
    seen: list[str] = []

    def assess(originals: Path, release: Path, rows: Path, out: Path, **options: object) -> Assessment:
        assert (originals, rows) == (tmp_path / "photos", manifest)
        assert {name: options[name] for name in ("policy", "title", "seed", "jobs")} == {
            "policy": "internal", "title": out.name, "seed": 3, "jobs": 1
        }  # fmt: skip
        seen.append(out.name)
        assert list((release / "images").rglob("*.png")), "something was released"
        return invented(random.Random(out.name).uniform(0.5, 30.0))

    app = typer.Typer()
    app.command()(command(assess))
    arguments = [str(tmp_path / "photos"), "--manifest", str(manifest), "--out", str(tmp_path / "out"), "-k", "2"]
    ended = CliRunner().invoke(
        app, [*arguments, "--baselines", "blur", "--jobs", "1", "--seed", "3", "--policy", "internal", "--json"]
    )
    assert ended.exit_code == 0, (ended.output, ended.exception)
    told = json.loads(ended.stdout)
    assert seen == ["k-same-k2", "blur"]
    assert sorted(each["name"] for each in told["runs"]) == sorted(seen)
    assert told["left_out"] == []
    assert (tmp_path / "out" / "tradeoff.svg").is_file()
