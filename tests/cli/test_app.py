"""The way in and every way out: start-up time, help, exit codes, what goes to which stream."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest
from typer.testing import CliRunner

from ganonym.errors import EnvironmentFault, PhotoError, UsageError
from ganonym_cli import app as cli

HEAVY = {"torch", "dlib", "numpy", "scipy", "PIL", "kornia", "safetensors", "pebble", "sklearn"}
Run = Callable[..., "Ended"]  # noqa: F821  # of conftest.py


def start(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "ganonym_cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=os.environ | environment)


def raising(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    """Make `ganonym weights list` meet `error`."""

    def fail(folder: Path | None = None) -> NoReturn:
        raise error

    monkeypatch.setattr("ganonym.weights.read_manifest", fail)


def test_help_imports_nothing_heavy() -> None:
    """What start-up takes is measured in benchmarks/start_up.py; this is what keeps it short."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "ganonym_cli", "--help"], capture_output=True, text=True, check=True
    )
    names = {line.rpartition("|")[2].strip().split(".")[0] for line in done.stderr.splitlines()}
    assert {"typer", "ganonym_cli"} <= names, "the list is read rightly"
    assert names & HEAVY == set()


COMMANDS = (
    "demo", "anonymize", "verify", "assess", "baseline", "sweep", "compare", "plan", "measure", "phantom", "classify",
    "train", "weights", "config", "doctor",
)  # fmt: skip


def test_help_fits_80_columns_and_names_every_command() -> None:
    result = CliRunner().invoke(cli.app, ["--help"], env={"COLUMNS": "80", "NO_COLOR": "1"})
    assert result.exit_code == 0
    assert max(map(len, result.stdout.splitlines())) <= 80
    for name in COMMANDS:
        assert f"│ {name} " in result.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command: str) -> None:
    result = CliRunner().invoke(cli.app, [command, "--help"], env={"COLUMNS": "80"})
    assert result.exit_code == 0
    assert "--help" in result.stdout


@pytest.mark.parametrize("arguments", [["nonsense"], ["weights", "list", "--nonsense"], ["weights", "accept"]])
def test_wrong_usage_is_2(ganonym: Run, arguments: list[str]) -> None:
    ended = ganonym(*arguments)
    assert (ended.code, ended.out) == (2, "")
    assert "Usage: ganonym" in ended.err


def test_no_arguments_show_help_and_end_with_2() -> None:
    done = start()
    assert done.returncode == 2
    assert "anonymize" in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (PhotoError("truncated", "The file ends early.", "Scan it again."), 1),
        (UsageError("The file ends early.", "Scan it again."), 2),
        (EnvironmentFault("The file ends early.", "Scan it again."), 4),
    ],
)
def test_our_errors_keep_their_code_message_and_remedy(
    ganonym: Run, monkeypatch: pytest.MonkeyPatch, error: Exception, code: int
) -> None:
    raising(monkeypatch, error)
    ended = ganonym("weights", "list")
    assert (ended.code, ended.out, ended.err) == (code, "", "ganonym: The file ends early. Scan it again.\n")
    told = json.loads(ganonym("weights", "list", "--json").out)
    assert told == {"exit_code": code, "error": "The file ends early.", "remedy": "Scan it again."}


def test_a_bug_is_70_without_its_text_unless_debugging(ganonym: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    raising(monkeypatch, ValueError("patient-0042.jpg"))
    monkeypatch.delenv("GANONYM_DEBUG", raising=False)
    ended = ganonym("weights", "list")
    assert ended.code == 70
    assert "ValueError" in ended.err
    assert "patient-0042" not in ended.err + ended.out
    assert "Traceback" not in ended.err
    monkeypatch.setenv("GANONYM_DEBUG", "1")
    ended = ganonym("weights", "list")
    assert ended.code == 70
    assert "Traceback" in ended.err


def test_interruption_is_130(ganonym: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    raising(monkeypatch, KeyboardInterrupt())
    assert ganonym("weights", "list").code == 130


def test_usage_errors_with_json_still_print_one_object(ganonym: Run) -> None:
    ended = ganonym("weights", "accept", "--json")
    assert ended.code == 2
    assert json.loads(ended.out)["exit_code"] == 2
