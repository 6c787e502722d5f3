"""Sweeps: which methods are run, what a failed one costs, and the whole command on virtual people."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from ganonym.errors import PhotoError, UsageError
from ganonym.evaluate.api import curves_of, sweep
from ganonym.evaluate.assessment import Assessment
from ganonym.phantom.cohort import phantom_cohort
from ganonym.phantom.write import write_people
from ganonym.settings import Settings
from ganonym.types import RGB
from ganonym_cli.app import main
from ganonym_cli.sweep import baselines_of, methods_of


def test_every_value_and_every_baseline_is_a_method() -> None:
    methods = methods_of(["k-same", "metric", "codebook"], [2, 11], [0.5], seed=3)
    assert list(methods) == ["k-same-k2", "k-same-k11", "metric-e0.5", "codebook"]
    results = {
        name: (method.mechanism, method.k, method.seed)
        for name, method in methods.items()
        if isinstance(method, Settings)
    }
    assert results["k-same-k2"] == ("k-same", 2, 3)
    assert results["codebook"][0] == "codebook"
    assert list(baselines_of("blur,eyebar,blur", 1)) == ["blur", "eyebar"]
    assert baselines_of("", 1) == {}


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: methods_of(["k-same"], [1], []),
        lambda: methods_of(["metric"], [], [0.0]),
        lambda: methods_of(["none"], [], []),
        lambda: baselines_of("magic", 1),
    ],
)
def test_wrong_values_are_told_before_any_work(wrong: object) -> None:
    with pytest.raises(UsageError):
        wrong()  # type: ignore[operator]


def test_only_methods_with_several_settings_are_joined() -> None:
    methods = methods_of(["k-same", "codebook"], [2, 5], []) | baselines_of("blur", 1) | {"mine": lambda rgb: rgb}
    assert curves_of(methods) == [["k-same-k2", "k-same-k5"]]


def test_one_failure_does_not_cost_the_others_and_none_is_silent(tmp_path: Path) -> None:
    taken = list(phantom_cohort(3, 2, seed=1))
    photos, people = [photo.rgb for photo in taken], [photo.subject for photo in taken]

    def withheld(_rgb: RGB) -> RGB:
        raise PhotoError("refused", "nothing is given away.")

    def wrong(_rgb: RGB) -> RGB:
        return np.zeros((3, 3))  # type: ignore[return-value]

    methods = {"copy": lambda rgb: rgb, "wrong": wrong, "black": np.zeros_like}
    comparison = sweep(photos, people, methods, policy="internal", out=tmp_path / "out")
    assert {run.name for run in comparison.runs} == {"copy", "black"}
    assert any("wrong is left out: the output of" in note for note in comparison.notes)
    assert comparison.same_data
    assert Assessment.load(tmp_path / "out" / "runs" / "copy").worst is not None
    with pytest.raises(UsageError, match="wrong is left out"):
        sweep(photos, people, {"wrong": wrong, "withheld": withheld}, policy="internal")


def test_the_command_releases_assesses_and_compares(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    manifest = write_people(tmp_path / "photos", 4, 1, 0, lambda *_: None)
    out = tmp_path / "out"
    arguments = [str(tmp_path / "photos"), "--manifest", str(manifest), "--out", str(out), "-k", "2"]
    with pytest.raises(SystemExit) as ended:
        main(
            ["sweep", *arguments, "--baselines", "blur", "--jobs", "1", "--seed", "3", "--policy", "internal", "--json"]
        )
    printed = capsys.readouterr()
    assert ended.value.code == 0, printed.err
    told = json.loads(printed.out)
    assert sorted(run["name"] for run in told["runs"]) == ["blur", "k-same-k2"]
    assert told["left_out"] == []
    assert all(Path(file).is_file() for file in told["files"])
    assert len(told["files"]) == len(list(out.glob("*.*")))
    for name in ("blur", "k-same-k2"):
        result = Assessment.load(out / "runs" / name)
        assert (result.title, result.policy, result.provenance.seed) == (name, "internal", 3)
        assert list((out / "runs" / name / "release" / "images").rglob("*.png")), "something was released"
