"""Comparing assessments: ranks only where intervals separate, never over different originals without a word."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from invented import invented, use

from ganonym.errors import UsageError
from ganonym.evaluate.compare import Comparison, compare
from ganonym.evaluate.report.drawing import beside
from ganonym.evaluate.report.files import write_assessment
from ganonym.evaluate.report.pages import comparison_page, to_csv, write_comparison
from ganonym.evaluate.report.wording import privacy_class
from ganonym_cli.app import main

RUNS = {
    "none": invented(30.0, 0.97),
    "k = 5": invented(1.5, 0.95),
    "k = 11": invented(1.0, 0.93),
    "coarse": invented(1.0, 0.60),
}


def test_ranks_are_told_only_where_intervals_separate() -> None:
    result = compare(RUNS)
    places = {entry.name: (entry.privacy_place.best, entry.privacy_place.last) for entry in result.runs}
    assert places == {"none": (4, 4), "k = 5": (1, 3), "k = 11": (1, 3), "coarse": (1, 3)}


def test_a_frame_holds_a_row_of_every_run_in_order() -> None:
    result = compare(RUNS)
    frame = result.to_frame().set_index("name")
    assert frame.index.tolist() == [run.name for run in result.runs]
    assert frame.loc["none", "risk"] == RUNS["none"].worst.rank1.value
    assert frame.loc["none", "risk_upper"] == RUNS["none"].worst.rank1.upper
    assert frame.loc["coarse", ["utility_low", "utility", "utility_high"]].is_monotonic_increasing
    alike = compare({"a": RUNS["none"].model_copy(update={"utility": ()}), "b": RUNS["k = 5"]}).to_frame()
    assert alike["utility"].isna().all()


def test_a_finding_prints_as_one_line() -> None:
    worst = RUNS["none"].worst
    assert str(worst).startswith(f"{worst.attacker}, {worst.setting}: {worst.rank1.value:.3f} [")
    assert str(worst).endswith(f"] of {worst.rank1.n} subjects named, chance {worst.chance:.3f}")
    assert "crowds=" in repr(worst)


def test_utility_is_ranked_within_a_privacy_class() -> None:
    result = compare(RUNS)
    places = {entry.name: entry.utility_place for entry in result.runs}
    classes = {entry.name: entry.privacy_class for entry in result.runs}
    assert classes == {"k = 11": 0.09, "coarse": 0.09, "k = 5": 0.20, "none": 1.0} or classes["k = 5"] == 0.09
    assert places["none"] is not None
    assert (places["none"].best, places["none"].last) == (1, 1), "alone in its class, however useful others are"
    assert places["coarse"] is not None
    assert places["coarse"].best == places["coarse"].last == sum(label == 0.09 for label in classes.values())


@settings(max_examples=20)
@given(st.lists(st.tuples(st.sampled_from([0.5, 1, 2, 5, 10, 30]), st.floats(0.2, 0.97)), min_size=2, max_size=4))
def test_ranks_agree_with_counting(drawn: list[tuple[float, float]]) -> None:
    result = compare({f"run {i}": invented(leak, useful) for i, (leak, useful) in enumerate(drawn)})
    for run in result.runs:
        assert run.privacy_class == privacy_class(run.risk.upper)
        assert run.privacy_place.best == 1 + sum(other.risk.high < run.risk.low for other in result.runs)
        assert run.privacy_place.last == len(drawn) - sum(other.risk.low > run.risk.high for other in result.runs)
    upper = [run.privacy_class for run in result.runs]
    assert upper == sorted(upper)


def test_different_originals_are_refused() -> None:
    other = invented(provenance=invented().provenance.model_copy(update={"originals": "0" * 64}))
    with pytest.raises(UsageError, match="different originals"):
        compare({"a": invented(), "b": other})
    result = compare({"a": invented(), "b": other}, different_data=True)
    assert result.same_data is False
    assert "different originals" in comparison_page(result)


def test_measures_must_be_shared() -> None:
    bare = invented(utility=(use("pose", "yaw error in degrees", 0.8, 2.0, None),))
    assert compare({"a": invented(), "b": bare}).measure == "yaw error in degrees"
    assert compare({"a": invented(), "b": invented(utility=())}).measure is None
    assert compare({"a": invented(), "b": invented()}).measure == "macro top-1, trained on released"
    with pytest.raises(UsageError, match="does not measure 'AUC'"):
        compare(RUNS, "AUC")


@pytest.mark.parametrize("few", [{}, {"a": invented()}])
def test_one_run_is_no_comparison(few: dict[str, object]) -> None:
    with pytest.raises(UsageError, match="nothing to compare"):
        compare(few)  # type: ignore[arg-type]


def test_other_attackers_are_noted() -> None:
    fewer = invented(findings=invented().findings[:3])
    assert any("same attackers" in note for note in compare({"a": invented(), "b": fewer}).notes)
    assert compare({"a": invented(), "b": invented()}).notes == ()


def test_files(tmp_path: Path) -> None:
    comparison = compare(RUNS)
    lines = [["k = 5", "k = 11"]]
    first = {entry.name: entry.read_bytes() for entry in write_comparison(tmp_path / "a", comparison, lines)}
    again = {entry.name: entry.read_bytes() for entry in write_comparison(tmp_path / "b", comparison, lines)}
    assert first == again
    assert set(first) == {"comparison.html", "comparison.csv", "comparison.json", "tradeoff.svg"}
    rows = list(csv.DictReader(io.StringIO(first["comparison.csv"].decode())))
    assert [row["name"] for row in rows] == [entry.name for entry in comparison.runs]
    assert float(rows[-1]["rank1_upper"]) == comparison.runs[-1].risk.upper
    assert Comparison.model_validate_json(first["comparison.json"]) == comparison
    svg = ElementTree.fromstring(first["tradeoff.svg"])
    assert svg.tag.endswith("svg")
    words = " ".join(entry for entry in svg.itertext())
    assert all(name in words for name in RUNS)
    assert "prefers-color-scheme:dark" in words
    assert b"<dc:date" not in first["tradeoff.svg"]


def test_without_a_shared_measure_there_is_no_figure(tmp_path: Path) -> None:
    files = write_comparison(tmp_path, compare({"a": invented(), "b": invented(utility=())}))
    assert "tradeoff.svg" not in {file.name for file in files}
    assert to_csv(compare({"a": invented(), "b": invented(utility=())})).splitlines()[1].endswith(",,,,")


@given(st.lists(st.tuples(st.floats(0, 300), st.floats(0, 220)), min_size=1, max_size=9))
def test_names_stay_clear_of_each_other(points: list[tuple[float, float]]) -> None:
    names = ["k-same, k = 11"] * len(points)
    boxes = []
    for (x, y), (dx, dy) in zip(points, beside(points, names, 300, 220), strict=True):
        wide = 5.7 * len(names[0])
        left = x + dx if dx > 0 else x + dx - wide
        if (dx, dy) != (8, 0):  # where nothing is free
            boxes.append((left, y + dy - 6.5, left + wide, y + dy + 6.5))
    for index, a in enumerate(boxes):
        assert a[0] >= -1e-9 and a[2] <= 300 + 1e-9  # noqa: PT018
        for b in boxes[index + 1 :]:
            assert min(a[2], b[2]) - max(a[0], b[0]) < 1e-9 or min(a[3], b[3]) - max(a[1], b[1]) < 1e-9


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    capsys.readouterr()
    with pytest.raises(SystemExit) as stop:
        main([str(argument) for argument in arguments])
    told = capsys.readouterr()
    return int(stop.value.code or 0), told.out, told.err


def test_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("blur", "ours"):
        write_assessment(tmp_path / name / "assessment.json", invented(30.0 if name == "blur" else 1.0))
    code, out, _ = run(capsys, "compare", tmp_path / "blur", tmp_path / "ours", "--out", tmp_path / "out", "--json")
    assert code == 0
    told = json.loads(out)
    assert [entry["name"] for entry in told["runs"]] == ["ours", "blur"]
    assert all(Path(file).is_file() for file in told["files"])
    code, out, _ = run(capsys, "compare", tmp_path / "blur", tmp_path / "ours", "--out", tmp_path / "out")
    assert code == 0
    assert "comparison.html" in "".join(out.split())


def test_command_refuses(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_assessment(tmp_path / "a" / "assessment.json", invented())
    for folders, said in (
        ((tmp_path / "a",), "nothing to compare"),
        ((tmp_path / "a", tmp_path / "a"), "named twice"),
        ((tmp_path / "a", tmp_path / "b"), "cannot read"),
    ):
        code, out, err = run(capsys, "compare", *folders, "--out", tmp_path / "out")
        assert (code, out) == (2, "")
        assert said in err
    assert not (tmp_path / "out").exists()
