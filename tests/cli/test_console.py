"""Streams: results on stdout, remarks and bars on stderr, silence with --quiet."""

from __future__ import annotations

import json

import pytest

from ganonym.classify.progress import report
from ganonym_cli.console import Output


def test_json_is_one_object_on_stdout_and_remarks_go_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    output = Output(as_json=True)
    output.note("working [1/2]")
    with output.progress() as advance:
        advance("looking", 1, 2)
        advance("looking", 2, 2)
    output.result({"name": "Zoë", "rate": 0.5}, "a table")
    captured = capsys.readouterr()
    assert json.loads(captured.out) == {"name": "Zoë", "rate": 0.5}
    assert "working [1/2]" in captured.err
    assert "looking" in captured.err
    assert "2/2" in captured.err


def test_a_phase_that_is_entered_again_starts_anew_and_reports_from_within_are_shown(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with Output().progress():
        report("fit", 5, 5)
        report("fit", 1, 5)  # of the next fold
    told = capsys.readouterr().err
    assert "1/5" in told
    assert "-:--:--" in told, "nobody knows yet how long it will take: it is not finished"
    report("fit", 2, 5)
    assert capsys.readouterr().err == ""


def test_without_json_the_tables_go_to_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    Output().result({"hidden": 1}, "first", "[second]")
    assert capsys.readouterr().out.split() == ["first", "[second]"]


def test_quiet_prints_nothing_but_json_that_was_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    output = Output(quiet=True)
    output.note("remark")
    with output.progress() as advance:
        advance("looking", 1, 1)
    output.result({}, "table")
    captured = capsys.readouterr()
    assert captured.out + captured.err == ""
    Output(as_json=True, quiet=True).result({"a": 1}, "table")
    assert json.loads(capsys.readouterr().out) == {"a": 1}


def test_numbers_that_json_lacks_are_refused() -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        Output(as_json=True).result({"rate": float("nan")})
