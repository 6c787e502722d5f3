"""`ganonym weights` and `ganonym doctor` on a folder of weights with planted faults."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

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
