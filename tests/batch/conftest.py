"""Photo folders for the tiny pipeline, and a digest of everything a run leaves."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # spawned workers inherit it and import tiny_pipeline from here

from tiny_pipeline import save_photo


@pytest.fixture
def quick_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory where there is one, for tests with thousands of fsyncs."""
    memory = Path("/dev/shm")
    if not os.access(memory, os.W_OK):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        yield Path(folder)


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    path = tmp_path / "key"
    path.write_bytes(bytes(range(32)))
    path.chmod(0o600)
    return path


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Six photos of six people in two folders; one has two faces, one none, one fails its verification."""
    folder = tmp_path / "in"
    for number in range(3):
        save_photo(folder / f"{number}.png", number)
    save_photo(folder / "Müller Anna" / "two.png", 3, faces=2)
    save_photo(folder / "Müller Anna" / "none.png", 4, faces=0)
    save_photo(folder / "Müller Anna" / "refused.png", 5, later=204)
    return folder


@pytest.fixture
def contents() -> Callable[[Path], dict[str, bytes]]:
    """All files below a folder with their bytes, except the lock and the analysis cache."""

    def read(folder: Path) -> dict[str, bytes]:
        names = ("private/lock", "private/analysis.jsonl")
        files = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()}
        return {name: path.read_bytes() for name, path in files.items() if name not in names}

    return read
