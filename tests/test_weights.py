"""Weights are read only when their digest is the manifest's, and only as safetensors."""

from __future__ import annotations

import hashlib
import pickle
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from ganonym.errors import EnvironmentFault
from ganonym.faces.appearance import load_appearance
from ganonym.synthesis.synthesizer import load_synthesizer
from ganonym.weights import accept, checkpoints_folder, read_manifest, read_tensors, verified_path


class Harmful:
    """Unpickling it would create a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (self.path,))


def row(name: str, file: Path, digest: str) -> str:
    return f'[{name}]\nfile = "{file.name}"\nsha256 = "{digest}"\nlicence = "CC0"\ntrained_on = ["nobody"]\n'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    file = tmp_path / "one.safetensors"
    save_file({"values": np.arange(3, dtype=np.float32)}, file, metadata={"kind": "test"})
    (tmp_path / "manifest.toml").write_text(row("one", file, hashlib.sha256(file.read_bytes()).hexdigest()))
    return tmp_path


def test_sound_weights_are_found_and_read(folder: Path) -> None:
    arrays, metadata = read_tensors(verified_path("one", folder))
    assert metadata == {"kind": "test"}
    assert arrays["values"].tolist() == [0, 1, 2]
    assert read_manifest(folder)["one"].trained_on == ("nobody",)


@pytest.mark.parametrize("place", [0, 20, -1])
def test_one_altered_bit_is_found(folder: Path, place: int) -> None:
    data = bytearray((folder / "one.safetensors").read_bytes())
    data[place] ^= 1
    (folder / "one.safetensors").write_bytes(data)
    with pytest.raises(EnvironmentFault, match="SHA-256") as fault:
        verified_path("one", folder)
    assert "ganonym weights accept one" in fault.value.remedy


def test_a_missing_file_says_how_to_make_it(folder: Path) -> None:
    (folder / "one.safetensors").unlink()
    with pytest.raises(EnvironmentFault, match="missing") as fault:
        verified_path("one", folder)
    assert "ganonym train one" in fault.value.remedy


def test_an_unknown_name_says_which_there_are(folder: Path) -> None:
    with pytest.raises(EnvironmentFault, match="no weights called 'two'") as fault:
        verified_path("two", folder)
    assert "one" in fault.value.remedy


def test_a_pickle_in_disguise_is_never_executed(folder: Path) -> None:
    file = folder / "one.safetensors"
    file.write_bytes(pickle.dumps(Harmful(folder / "executed")))
    pickle.loads(file.read_bytes())  # the plant works
    assert (folder / "executed").exists()
    (folder / "executed").unlink()
    (folder / "manifest.toml").write_text(row("one", file, hashlib.sha256(file.read_bytes()).hexdigest()))
    path = verified_path("one", folder)
    for read in (read_tensors, load_appearance, load_synthesizer):
        with pytest.raises(EnvironmentFault, match="not a safetensors file"):
            read(path)
    with pytest.raises(EnvironmentFault, match="not a safetensors file"):
        accept("one", folder)
    assert not (folder / "executed").exists()


def test_the_digest_of_a_converted_network_is_accepted(folder: Path) -> None:
    file = folder / "net.onnx"
    file.write_bytes(b"converted anew")
    (folder / "manifest.toml").write_text(row("net", file, "0" * 64))
    assert accept("net", folder) == hashlib.sha256(b"converted anew").hexdigest()
    assert verified_path("net", folder) == file


@pytest.mark.parametrize("content", [b"", b"\x00" * 8, b"\xff" * 64])
def test_what_is_no_safetensors_file_says_so(folder: Path, content: bytes) -> None:
    (folder / "one.safetensors").write_bytes(content)
    for read in (read_tensors, load_synthesizer):
        with pytest.raises(EnvironmentFault, match="not a safetensors file"):
            read(folder / "one.safetensors")


def test_weights_of_another_network_are_refused(folder: Path) -> None:
    with pytest.raises(EnvironmentFault, match="not of this generator") as fault:
        load_synthesizer(folder / "one.safetensors")
    assert "ganonym train generator" in fault.value.remedy


def test_an_absent_path_or_a_folder_is_refused(folder: Path) -> None:
    for read in (read_tensors, load_appearance, load_synthesizer):
        with pytest.raises(EnvironmentFault, match="absent"):
            read(folder / "absent.safetensors")
        with pytest.raises(EnvironmentFault, match="not a safetensors file"):
            read(folder)


@pytest.mark.parametrize("text", ["[one", '[one]\nfile = "one.safetensors"\n', "one = 3\n"])
def test_a_malformed_manifest_is_refused(folder: Path, text: str) -> None:
    (folder / "manifest.toml").write_text(text)
    with pytest.raises(EnvironmentFault, match="malformed") as fault:
        read_manifest(folder)
    assert fault.value.remedy


def test_no_manifest_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFault, match="no weights manifest") as fault:
        verified_path("one", tmp_path)
    assert "ganonym train" in fault.value.remedy


def test_every_bundled_file_verifies_is_small_and_is_in_the_manifest() -> None:
    entries = read_manifest()
    assert {"appearance", "generator"} <= set(entries)
    files = {verified_path(name) for name in entries}
    assert files == {path for kind in ("*.safetensors", "*.onnx") for path in checkpoints_folder().glob(kind)}
    assert max(file.stat().st_size for file in files) <= 16 * 2**20
    assert sum(file.stat().st_size for file in files) <= 64 * 2**20
    ours = [entry for entry in entries.values() if entry.licence != "Apache-2.0"]
    assert all(set(entry.trained_on) <= {"london", "synthetic", "generated", "emotions"} for entry in ours)
    assert {entry.name for entry in entries.values()} - {entry.name for entry in ours} == {
        "blazeface_short",
        "blazeface_full",
        "face_mesh",
    }
