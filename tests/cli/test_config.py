"""Options come from the settings' own fields, and `config show` says what a run would use and why."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any, get_args

import pytest

from ganonym.baselines.methods import BaselineSettings
from ganonym.settings import Settings, load_settings
from ganonym_cli.anonymize import anonymize, baseline
from ganonym_cli.doctor import show
from ganonym_cli.options import ANONYMIZE

Run = Callable[..., "Ended"]  # noqa: F821  # of conftest.py
OFFERED = {name for names in ANONYMIZE.values() for name in names}


def shown(ganonym: Run, *arguments: object) -> dict[str, dict[str, Any]]:
    ended = ganonym("config", "show", *arguments, "--json")
    assert ended.code == 0, ended.err
    return {line["name"]: line for line in json.loads(ended.out)["settings"]}


@pytest.mark.parametrize(
    ("command", "model", "names"),
    [
        (anonymize, Settings, OFFERED),
        (show, Settings, OFFERED),
        (baseline, BaselineSettings, {"strength", "k", "resume", "jobs"}),
    ],
)
def test_options_are_the_fields_of_the_model(command: Callable[..., None], model: type, names: set[str]) -> None:
    parameters = inspect.signature(command).parameters
    assert names <= set(parameters)
    for name in names:
        field, (kind, option) = model.model_fields[name], get_args(parameters[name].annotation)  # type: ignore[attr-defined]
        assert kind == field.annotation | None
        assert option.help == field.description
        assert field.description, "every option has its help"


def test_commands_hand_on_what_was_said_and_nothing_else(ganonym: Run) -> None:
    lines = shown(ganonym, "-k", 5, "--consistent", "--no-resume", "--subject-face", "left")
    said = {name: line["value"] for name, line in lines.items() if line["source"] == "command line"}
    assert said == {"k": 5, "consistent": True, "resume": False, "subject_face": "left"}
    assert list(lines) == list(Settings.model_fields)
    others = Settings(**said).model_dump(mode="json")
    assert {name: line["value"] for name, line in lines.items()} == others


def test_the_strongest_source_is_named(ganonym: Run, tmp_path: Path) -> None:
    file = tmp_path / "ours.toml"
    file.write_text('k = 7\nattributes = ["tone", "sex"]\n')
    lines = shown(ganonym, "--profile", file, "-k", 11)
    assert (lines["k"]["value"], lines["k"]["source"]) == (11, "command line"), "also where it repeats the default"
    assert lines["attributes"]["value"] == ["tone", "sex"]
    assert lines["attributes"]["source"] == f"file {file}"
    assert lines["seed"]["source"] == "default"
    strict = shown(ganonym, "--profile", "strict")
    assert strict["verify"]["source"] == "profile strict"


def test_what_a_run_refuses_is_refused_here(ganonym: Run) -> None:
    for arguments, words in (
        (("--epsilon", 2), "--epsilon does nothing"),
        (("--mechanism", "none"), "--i-understand"),
        (("--profile", "lax"), "no profile called 'lax'"),
        (("--mechanism", "metric", "--epsilon", "nan"), "epsilon must be"),
    ):
        ended = ganonym("config", "show", *arguments)
        assert (ended.code, ended.out) == (2, "")
        assert words in ended.err


def test_the_table_can_be_copied_into_a_file(ganonym: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    ended = ganonym("config", "show", "--profile", "research")
    rows = [[cell.strip() for cell in line.split("│")[1:4]] for line in ended.out.splitlines() if line.startswith("│")]
    file = tmp_path / "copied.toml"
    file.write_text("".join(f"{name} = {value}\n" for name, value, _ in rows if name))
    assert load_settings(file=file) == load_settings(profile="research")


def test_version(ganonym: Run) -> None:
    ended = ganonym("--version")
    assert (ended.code, ended.out) == (0, f"ganonym {version('ganonym')}\n")
