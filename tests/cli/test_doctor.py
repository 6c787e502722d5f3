"""`ganonym weights` and `ganonym doctor` on a folder of weights with planted faults.

`config show` says what a run would use and why.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any, get_args, get_type_hints

import numpy as np
import pytest
from safetensors.numpy import save_file

from ganonym.baselines.methods import BaselineSettings
from ganonym.configuration import load_settings
from ganonym.settings import Settings
from ganonym_cli.anonymize import anonymize, baseline
from ganonym_cli.doctor import show

Run = Callable[..., "Ended"]  # noqa: F821  # of conftest.py


@pytest.fixture
def checkpoints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two sound weights files, `one` and `two`, where ganonym looks for its own."""
    text = "# kept\n"
    for number, name in enumerate(("one", "two")):
        file = tmp_path / f"{name}.safetensors"
        save_file({"values": np.full(3, number, np.float32)}, file)
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        text += f'\n[{name}]\nfile = "{file.name}"\nsha256 = "{digest}"\nlicence = "CC0"\ntrained_on = ["nobody"]\n'
    (tmp_path / "manifest.toml").write_text(text)
    monkeypatch.setattr("ganonym.weights.checkpoints_folder", lambda: tmp_path)
    return tmp_path


def test_sound_weights_verify(ganonym: Run, checkpoints: Path) -> None:
    ended = ganonym("weights", "verify", "--json")
    assert (ended.code, json.loads(ended.out)) == (0, {"weights": {"one": "ok", "two": "ok"}})


def test_altered_and_missing_weights_are_told_apart_and_end_with_4(ganonym: Run, checkpoints: Path) -> None:
    data = bytearray((checkpoints / "one.safetensors").read_bytes())
    data[-1] ^= 1
    (checkpoints / "one.safetensors").write_bytes(data)
    (checkpoints / "two.safetensors").unlink()
    ended = ganonym("weights", "verify", "--json")
    assert (ended.code, json.loads(ended.out)) == (4, {"weights": {"one": "altered", "two": "missing"}})
    assert ganonym("doctor", "--quiet").code == 4


def test_list_names_size_licence_and_training_data(ganonym: Run, checkpoints: Path) -> None:
    ended = ganonym("weights", "list")
    assert ended.code == 0
    assert all(word in ended.out for word in ("one", "two", "CC0", "nobody"))


def test_accept_changes_one_digest_and_nothing_else(ganonym: Run, checkpoints: Path) -> None:
    before = (checkpoints / "manifest.toml").read_text()
    old = hashlib.sha256((checkpoints / "two.safetensors").read_bytes()).hexdigest()
    save_file({"values": np.full(3, 7, np.float32)}, checkpoints / "two.safetensors")
    new = hashlib.sha256((checkpoints / "two.safetensors").read_bytes()).hexdigest()
    assert ganonym("weights", "verify").code == 4
    ended = ganonym("weights", "accept", "two", "--json")
    assert (ended.code, json.loads(ended.out)) == (0, {"name": "two", "sha256": new})
    assert (checkpoints / "manifest.toml").read_text() == before.replace(old, new)
    assert ganonym("weights", "verify").code == 0


def test_accept_refuses_what_is_not_safetensors(ganonym: Run, checkpoints: Path) -> None:
    (checkpoints / "one.safetensors").write_bytes(b"\x80\x04pickle")
    ended = ganonym("weights", "accept", "one")
    assert ended.code == 4
    assert "not a safetensors file" in ended.err


def test_accept_of_an_unknown_name_says_which_there_are(ganonym: Run, checkpoints: Path) -> None:
    ended = ganonym("weights", "accept", "three")
    assert ended.code == 4
    assert "one, two" in ended.err


def test_doctor_is_healthy_with_sound_weights_and_states_the_licence(ganonym: Run, checkpoints: Path) -> None:
    ended = ganonym("doctor", "--json")
    told = json.loads(ended.out)
    assert (ended.code, told["healthy"]) == (0, True)
    assert any("commercial" in finding["detail"] for finding in told["findings"])
    assert {finding["level"] for finding in told["findings"]} <= {"ok", "note"}


def test_doctor_without_dlibs_models_ends_with_4(
    ganonym: Run, checkpoints: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ganonym.faces.landmarks.find_spec", lambda _: None)
    ended = ganonym("doctor", "--json")
    assert ended.code == 4
    assert [f["what"] for f in json.loads(ended.out)["findings"] if f["level"] == "bad"] == ["dlib"]


OFFERED = {*Settings.model_fields} - {"weights", "directions", "release", "engine", "timeout"}
"""The others are for profiles and files of settings."""


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
    parameters = get_type_hints(command, include_extras=True)
    assert names == set(parameters) & (set(model.model_fields) - {"method"})  # type: ignore[attr-defined]
    for name in names:
        field, (kind, option) = model.model_fields[name], get_args(parameters[name])  # type: ignore[attr-defined]
        assert kind == (str if name == "keep" else field.annotation) | None
        assert option.help == field.description
        assert field.description, "every option has its help"


def test_commands_hand_on_what_was_said_and_nothing_else(ganonym: Run) -> None:
    lines = shown(ganonym, "-k", 5, "--keep", "signs, age", "--no-resume", "--subject-face", "left")
    said = {name: line["value"] for name, line in lines.items() if line["source"] == "command line"}
    assert said == {"k": 5, "keep": ["signs", "age"], "resume": False, "subject_face": "left"}
    assert list(lines) == list(Settings.model_fields)
    others = Settings(**said | {"keep": ("signs", "age")}).model_dump(mode="json")
    assert {name: line["value"] for name, line in lines.items()} == others


def test_the_strongest_source_is_named(ganonym: Run, tmp_path: Path) -> None:
    file = tmp_path / "ours.toml"
    file.write_text('k = 7\nkeep = ["tone", "sex"]\n')
    lines = shown(ganonym, "--profile", file, "-k", 11)
    assert (lines["k"]["value"], lines["k"]["source"]) == (11, "command line"), "also where it repeats the default"
    assert lines["keep"]["value"] == ["tone", "sex"]
    assert lines["keep"]["source"] == f"file {file}"
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
