"""`ganonym doctor`, `weights` and `config`: whether machine and weights are sound, settings of a run."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib import metadata
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.text import Text

from ganonym.configuration import explained
from ganonym.errors import EnvironmentFault
from ganonym.extras import MODULES, absent
from ganonym_cli import settings_options as option
from ganonym_cli.console import Output
from ganonym_cli.options import Json, Profile, Quiet, sources_of
from ganonym_cli.table import Table

if TYPE_CHECKING:
    from ganonym.weights import WeightsEntry


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
        "trained on iBUG 300-W, which excludes commercial use; judges, attackers and classifiers use it, "
        "what makes a release does not",
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
    from ganonym_cli.doctor import state

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


weights_app = typer.Typer(no_args_is_help=True, help="List, verify or accept the weights.")


def state(entry: WeightsEntry) -> str:
    """`ok`, `missing` or `altered`: the file against its digest in the manifest."""
    from ganonym.weights import checkpoints_folder, sha256_file

    path = checkpoints_folder() / entry.file
    if not path.is_file():
        return "missing"
    return "ok" if sha256_file(path) == entry.sha256 else "altered"


@weights_app.command("list")
def list_(as_json: Json = False, quiet: Quiet = False) -> None:
    """Name, size, licence and training data of each weights file."""
    from ganonym.weights import checkpoints_folder, read_manifest

    table = Table("name", "MiB", "licence", "trained on", "SHA-256", prose=["licence", "trained on"])
    entries = read_manifest()
    for entry in entries.values():
        path = checkpoints_folder() / entry.file
        size = f"{path.stat().st_size / 2**20:.1f}" if path.is_file() else "absent"
        table.add_row(entry.name, size, entry.licence, ", ".join(entry.trained_on), entry.sha256[:12])
    payload = {"folder": str(checkpoints_folder()), "weights": [asdict(entry) for entry in entries.values()]}
    Output(as_json, quiet).result(payload, table)


@weights_app.command()
def verify(as_json: Json = False, quiet: Quiet = False) -> None:
    """Compare every file with its digest; exit code 4 when one is missing or altered."""
    from ganonym.weights import read_manifest

    states = {name: state(entry) for name, entry in read_manifest().items()}
    table = Table("name", "state")
    for name, condition in states.items():
        table.add_row(name, condition)
    Output(as_json, quiet).result({"weights": states}, table)
    if set(states.values()) - {"ok"}:
        raise typer.Exit(4)


@weights_app.command()
def accept(
    name: Annotated[str, typer.Argument(help="Name in the manifest.", show_default=False)],
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Take the weights NAME as they are now, after you trained them yourself: writes their digest to the manifest."""
    from ganonym import weights

    digest = weights.accept(name)
    Output(as_json, quiet).result({"name": name, "sha256": digest}, f"{name}: {digest}")


config_app = typer.Typer(no_args_is_help=True, help="Show the settings of a run.")


@config_app.callback()
def config() -> None:
    """Show the settings of a run."""


@config_app.command()
def show(
    *,
    mechanism: option.Mechanism = None,
    policy: option.Policy = None,
    k: option.K = None,
    keep: option.Keep = None,
    small_classes: option.Small = None,
    link: option.Linked = None,
    epsilon: option.Epsilon = None,
    verify: option.Verify = None,
    i_understand: option.Understood = None,
    output: option.Picture = None,
    background: option.Surroundings = None,
    text: option.Text = None,
    subject_face: option.SubjectFace = None,
    resume: option.Resume = None,
    seed: option.RunSeed = None,
    jobs: option.RunJobs = None,
    profile: Profile = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Every setting that `ganonym anonymize` would use with these options, and where its value comes from."""
    given = option.said(
        mechanism=mechanism,
        policy=policy,
        k=k,
        keep=keep,
        small_classes=small_classes,
        link=link,
        epsilon=epsilon,
        verify=verify,
        i_understand=i_understand,
        output=output,
        background=background,
        text=text,
        subject_face=subject_face,
        resume=resume,
        seed=seed,
        jobs=jobs,
    )
    settings = explained(given, *sources_of(profile))
    table = Table("setting", "value", "from", "what it is", prose=["what it is"])
    for setting in settings:
        table.add_row(setting.name, _shown(setting.value), setting.source, setting.help)
    Output(as_json, quiet).result({"settings": [asdict(setting) for setting in settings]}, table)


def _shown(value: object) -> str:
    """As TOML writes it, so that it can be copied into a file of settings."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return f"[{', '.join(map(_shown, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{name} = {_shown(part)}' for name, part in value.items())}}}"
    return f'"{value}"' if isinstance(value, str) else str(value)
