"""What ships: built wheel and sdist hold code, weights and cards, and nothing else."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = ["ganonym", "train", "cli", "checkpoints", "pyproject.toml", "hatch_build.py", "README.md", "LICENSE"]
PACKAGES = r"(ganonym|ganonym_train|ganonym_cli)"
WHEEL = re.compile(
    rf"{PACKAGES}/([a-z0-9_]+/)*([a-z0-9_]+\.py|py\.typed|[a-z0-9_-]+\.toml|[a-z]+\.html\.j2)"
    r"|ganonym/checkpoints/(manifest\.toml|[\w./-]+\.(safetensors|onnx)|[\w./-]+\.md)"
    r"|ganonym-[\d.a-z]+\.dist-info/(METADATA|WHEEL|RECORD|entry_points\.txt|licenses/LICENSE)"
)
SDIST = re.compile(
    r"ganonym-[\d.a-z]+/((ganonym|train/ganonym_train|cli/ganonym_cli)/([a-z0-9_]+/)*([a-z0-9_]+\.py|py\.typed|[a-z0-9_-]+\.toml|[a-z]+\.html\.j2)"
    r"|checkpoints/(manifest\.toml|[\w./-]+\.(safetensors|onnx)|[\w./-]+\.md)"
    r"|hatch_build\.py|pyproject\.toml|README\.md|LICENSE|PKG-INFO|\.gitignore)"
)
STRAYS = ["patient.jpg", "scan.tif", "key", "keymap.csv", "ledger.jsonl", "old.pth", "stray.onnx", "secret.pem"]


def copy_sources(target: Path) -> Path:
    for name in SOURCES:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, target / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            target.mkdir(exist_ok=True)
            shutil.copy(source, target / name)
    return target


def build(project: Path, out: Path) -> tuple[dict[str, bytes], dict[str, bytes]]:
    """Contents of the wheel (built from the sdist, as an installer would) and of the sdist."""
    run = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(project)]
    done = subprocess.run(run, capture_output=True, text=True, env=os.environ | {"SOURCE_DATE_EPOCH": "1700000000"})
    assert done.returncode == 0, done.stdout + done.stderr
    with zipfile.ZipFile(next(out.glob("*.whl"))) as wheel:
        in_wheel = {name: wheel.read(name) for name in wheel.namelist()}
    with tarfile.open(next(out.glob("*.tar.gz"))) as sdist:
        in_sdist = {m.name: file.read() for m in sdist.getmembers() if m.isfile() and (file := sdist.extractfile(m))}
    return in_wheel, in_sdist


@pytest.fixture(scope="module")
def artefacts(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, bytes], dict[str, bytes]]:
    """Both artefacts, built from a copy of the sources in which stray files lie everywhere."""
    folder = tmp_path_factory.mktemp("distribution")
    project = copy_sources(folder / "project")
    for place in ("", "ganonym", "ganonym/faces", "train/ganonym_train", "cli/ganonym_cli", "checkpoints"):
        for stray in STRAYS:
            (project / place / stray).write_bytes(b"\x00")
    return build(project, folder / "dist")


def test_wheel_holds_code_and_weights_only(artefacts: tuple[dict[str, bytes], dict[str, bytes]]) -> None:
    assert [name for name in artefacts[0] if not WHEEL.fullmatch(name)] == []


def test_sdist_holds_code_and_weights_only(artefacts: tuple[dict[str, bytes], dict[str, bytes]]) -> None:
    assert [name for name in artefacts[1] if not SDIST.fullmatch(name)] == []


def test_strays_in_the_checkpoints_folder_stay_out(artefacts: tuple[dict[str, bytes], dict[str, bytes]]) -> None:
    assert [name for contents in artefacts for name in contents if Path(name).name in STRAYS] == []


def test_wheel_is_complete(artefacts: tuple[dict[str, bytes], dict[str, bytes]]) -> None:
    wheel, _ = artefacts
    for package in ("ganonym", "train/ganonym_train", "cli/ganonym_cli"):
        for path in [path for kind in ("*.py", "*.toml", "*.j2") for path in (ROOT / package).rglob(kind)]:
            assert path.relative_to((ROOT / package).parent).as_posix() in wheel
        assert f"{Path(package).name}/py.typed" in wheel


def test_weights_ship_with_their_digests(artefacts: tuple[dict[str, bytes], dict[str, bytes]]) -> None:
    wheel, _ = artefacts
    rows = tomllib.loads(wheel["ganonym/checkpoints/manifest.toml"].decode())
    assert rows
    for row in rows.values():
        data = wheel[f"ganonym/checkpoints/{row['file']}"]
        assert hashlib.sha256(data).hexdigest() == row["sha256"]
        assert len(data) <= 16 * 2**20
    assert any(name.startswith("ganonym/checkpoints/") and name.endswith(".md") for name in wheel)


@pytest.mark.parametrize("change", [lambda data: data + b"!", lambda _: b""], ids=["altered", "emptied"])
def test_altered_weights_stop_the_build(tmp_path: Path, change: Callable[[bytes], bytes]) -> None:
    project = copy_sources(tmp_path / "project")
    weights = project / "checkpoints" / "planted.safetensors"
    digest = hashlib.sha256(b"planted").hexdigest()
    weights.write_bytes(change(b"planted"))
    (project / "checkpoints" / "manifest.toml").write_text(
        f'[planted]\nfile = "planted.safetensors"\nsha256 = "{digest}"\nlicence = "CC0"\ntrained_on = []\n'
    )
    run = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path / "dist"), str(project)]
    done = subprocess.run(run, capture_output=True, text=True)
    assert done.returncode != 0
    assert "ganonym weights accept planted" in done.stdout + done.stderr
