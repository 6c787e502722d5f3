"""Weights on disk: found by name, verified by SHA-256 against `checkpoints/manifest.toml`; safetensors or ONNX only."""

from __future__ import annotations

import hashlib
import re
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from ganonym.errors import EnvironmentFault


@dataclass(frozen=True, slots=True)
class WeightsEntry:
    """One row of `checkpoints/manifest.toml`."""

    name: str
    file: str
    sha256: str
    licence: str
    trained_on: tuple[str, ...]


@cache
def checkpoints_folder() -> Path:
    """Folder of the bundled weights: inside the installed package, or the repository's own in a checkout."""
    packaged = Path(__file__).parent / "checkpoints"
    return packaged if packaged.is_dir() else Path(__file__).parents[1] / "checkpoints"


def read_manifest(folder: Path | None = None) -> dict[str, WeightsEntry]:
    """All weights that the manifest in `folder` names. Raises EnvironmentFault when it is absent or malformed."""
    path = (folder or checkpoints_folder()) / "manifest.toml"
    if not path.is_file():
        raise EnvironmentFault(f"no weights manifest at {path}.", "Reinstall ganonym, or train: ganonym train --help")
    try:
        with path.open("rb") as file:
            rows = tomllib.load(file)
        return {
            name: WeightsEntry(name, row["file"], row["sha256"], row["licence"], tuple(row["trained_on"]))
            for name, row in rows.items()
        }
    except (tomllib.TOMLDecodeError, KeyError, TypeError) as error:
        raise EnvironmentFault(
            f"{path} is malformed ({error!r}).", "Reinstall ganonym, or restore the file."
        ) from error


def sha256_file(path: Path) -> str:
    """Hex SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def verified_path(name: str, folder: Path | None = None) -> Path:
    """Path of the weights called `name`, after its digest was checked. Raises EnvironmentFault."""
    folder = folder or checkpoints_folder()
    entries = read_manifest(folder)
    if name not in entries:
        raise EnvironmentFault(f"no weights called {name!r}.", f"There are {', '.join(sorted(entries)) or 'none'}.")
    path = folder / entries[name].file
    if not path.is_file():
        raise EnvironmentFault(f"weights file {path} is missing.", f"Restore it, or train it: ganonym train {name}")
    digest = sha256_file(path)
    if digest != entries[name].sha256:
        raise EnvironmentFault(
            f"weights file {path} has SHA-256 {digest}, the manifest says {entries[name].sha256}.",
            "Restore the file; if you trained it yourself, run: ganonym weights accept " + name,
        )
    return path


def read_tensors(path: Path) -> tuple[dict[str, NDArray[np.generic]], dict[str, str]]:
    """Arrays and metadata of a safetensors file. Raises EnvironmentFault on anything else, pickles included."""
    try:
        with safe_open(path, framework="numpy") as file:
            return {key: file.get_tensor(key) for key in file.keys()}, dict(file.metadata() or {})  # noqa: SIM118
    except FileNotFoundError as error:
        raise EnvironmentFault(
            f"{path} is absent.", "Check the path, or train the weights: ganonym train --help"
        ) from error
    except (SafetensorError, OSError) as error:
        raise EnvironmentFault(f"{path} is not a safetensors file ({error}).", "Restore it, or train anew.") from error


def accept(name: str, folder: Path | None = None) -> str:
    """Write the digest that the file of the weights `name` has now into the manifest; returns it, hex.

    For weights made on this machine. Raises EnvironmentFault when there is no such row or file, or when the file is
    neither safetensors nor called .onnx.
    """
    folder = folder or checkpoints_folder()
    entries = read_manifest(folder)
    if name not in entries:
        raise EnvironmentFault(f"no weights called {name!r}; there are {', '.join(sorted(entries))}.")
    path = folder / entries[name].file
    if not path.is_file():
        raise EnvironmentFault(f"weights file {path} is missing.", f"Train it: ganonym train {name}")
    if path.suffix != ".onnx":
        read_tensors(path)
    digest = sha256_file(path)
    manifest = folder / "manifest.toml"
    text = manifest.read_text("utf-8")
    row = re.compile(rf'(\[{re.escape(name)}\][^\[]*?\bsha256\s*=\s*)"[0-9a-f]*"')
    changed, lines = row.subn(rf'\g<1>"{digest}"', text)
    if lines != 1:
        raise EnvironmentFault(f"{manifest} has no sha256 line under [{name}].", f'Write it: sha256 = "{digest}"')
    partial = manifest.with_name(f".{manifest.name}.partial")
    try:
        partial.write_text(changed, "utf-8")
        partial.replace(manifest)  # whole or not at all: without a manifest nothing works
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise EnvironmentFault(f"cannot write {manifest}: {error.strerror}.", "Check space and permissions.") from error
    return digest
