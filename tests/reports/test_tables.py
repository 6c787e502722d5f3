"""Assessments and comparisons on a terminal of 80 columns: nothing cut, names and intervals on one line."""

from __future__ import annotations

import re

import pytest
from invented import invented, use

from ganonym.evaluate.compare import compare
from ganonym_cli.assess import table_of, tables_of
from ganonym_cli.console import Output

LONG = "Intellectual developmental disorder with dysmorphic facies"


def test_nothing_is_cut_at_eighty_columns(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    result = invented(utility=[use("syndrome", LONG, 0.97, 0.93, 0.05)])
    runs = {"k-same, k = 11": invented(), f"runs/{LONG}/report": invented(1.5, 0.95)}
    Output().result({}, *tables_of(result), table_of(compare(runs)))
    out = capsys.readouterr().out
    assert "…" not in out
    assert max(map(len, out.splitlines())) <= 80
    lines = out.splitlines()
    for name in (f"syndrome: {LONG}", *runs, "all files paired, no metadata, no pass-through", "Same-photo attack"):
        assert any(name in line for line in lines), name
    for line in lines:
        assert line.count("[") == len(re.findall(r"\[[-+]?[\d.]+, [-+]?[\d.]+\]", line)), line
