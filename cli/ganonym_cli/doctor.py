"""`ganonym doctor`: whether this machine has what ganonym needs, and the licences that bind you."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib import metadata
from typing import Literal

import typer
from rich.text import Text

from ganonym.errors import EnvironmentFault
from ganonym.extras import MODULES, absent
from ganonym_cli.console import Output
from ganonym_cli.options import Json, Quiet
from ganonym_cli.table import Table

Level = Literal["ok", "note", "bad"]
COLOURS = {"ok": "green", "note": "yellow", "bad": "bold red"}
PACKAGES = (
    *("numpy", "scipy", "scikit-learn", "pillow", "pillow-heif", "torch", "safetensors", "onnxruntime", "dlib-bin"),
    *("face_recognition_models", "pebble", "pydantic", "tomli-w", "typer", "rich"),
)
"""What ganonym needs whatever it does."""

DLIB_MODELS = ("shape_predictor_68_face_landmarks.dat", "dlib_face_recognition_resnet_model_v1.dat")
LICENCES = (
    (
        "dlib 68-point predictor",
        "trained on iBUG 300-W, which excludes commercial use; for that, bring another backend",
    ),
    ("London set", "part of the weights' training data: CC-BY 4.0, credit DeBruine & Jones (2017)"),
)


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report; `bad` means that ganonym cannot work."""

    level: Level
    what: str
    detail: str


def doctor(as_json: Json = False, quiet: Quiet = False) -> None:
    """Check versions, models, weights and licences; exit code 4 when something essential is missing."""
    findings = [*_python(), *_packages(), *_torch(), *_dlib(), *_weights(), *_licences()]
    table = Table("", "what", "detail", title="ganonym doctor", prose=["detail"])
    for finding in findings:
        table.add_row(Text(finding.level, style=COLOURS[finding.level]), finding.what, finding.detail)
    bad = any(finding.level == "bad" for finding in findings)
    Output(as_json, quiet).result({"healthy": not bad, "findings": [asdict(finding) for finding in findings]}, table)
    if bad:
        raise typer.Exit(4)


def _python() -> Iterator[Finding]:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    yield Finding("ok", "ganonym", _version("ganonym") or "not installed, run from a checkout")
    yield Finding("ok", "machine", f"Python {platform.python_version()}, {platform.system()}, {cores} cores")


def _packages() -> Iterator[Finding]:
    missing = [name for name in PACKAGES if _version(name) is None]
    if missing:
        yield Finding("bad", "packages", f"missing {', '.join(missing)}: make setup")
    else:
        yield Finding("ok", "packages", ", ".join(f"{name} {_version(name)}" for name in PACKAGES))
    for extra, modules in MODULES.items():
        if missing := absent(extra):
            yield Finding("note", f"extra {extra}", f"without {', '.join(missing)}: pip install 'ganonym[{extra}]'")
        else:
            yield Finding("ok", f"extra {extra}", ", ".join(modules))


def _torch() -> Iterator[Finding]:
    try:
        import torch
    except (ImportError, OSError) as error:
        yield Finding("bad", "torch", f"does not load: {error}")
    else:
        build = f"CUDA {torch.version.cuda} build" if torch.version.cuda else "CPU build"
        device = "a CUDA device" if torch.cuda.is_available() else "the CPU"
        yield Finding("ok", "torch", f"{build}, runs on {device}, {torch.get_num_threads()} threads")


def _dlib() -> Iterator[Finding]:
    try:
        import dlib

        from ganonym.faces.landmarks import model_file

        names = [model_file(name).name for name in DLIB_MODELS]
    except (ImportError, OSError) as error:
        yield Finding("bad", "dlib", f"does not load: {error}")
    except EnvironmentFault as fault:
        yield Finding("bad", "dlib", str(fault))
    else:
        yield Finding("ok", "dlib", f"{dlib.__version__}, {', '.join(names)}")


def _weights() -> Iterator[Finding]:
    from ganonym.weights import read_manifest
    from ganonym_cli.weights import state

    try:
        entries = read_manifest()
    except EnvironmentFault as fault:
        yield Finding("bad", "weights", str(fault))
        return
    for name, entry in entries.items():
        condition = state(entry)
        source = f", trained on {', '.join(entry.trained_on)}" if entry.trained_on else ""
        yield Finding("ok" if condition == "ok" else "bad", f"weights {name}", f"{condition}, {entry.licence}{source}")


def _licences() -> Iterator[Finding]:
    for what, detail in LICENCES:
        yield Finding("note", what, detail)


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
