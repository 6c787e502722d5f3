"""Settings as a run is told them: defaults < profile < TOML file < command line, and what has no effect is refused."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

from ganonym.checked import Checked
from ganonym.errors import UsageError
from ganonym.settings import Mechanism, Settings

Profile: TypeAlias = Literal["research", "strict"]

PROFILES: tuple[Profile, ...] = get_args(Profile)
_MECHANISMS: dict[str, tuple[Mechanism, ...]] = {
    "policy": ("k-same",),
    "k": ("k-same",),
    "keep": ("k-same", "codebook", "metric"),
    "weights": ("k-same",),
    "small_classes": ("k-same",),
    "epsilon": ("metric",),
    "directions": ("metric",),
    "i_understand": ("none",),
}
"""Settings that not every mechanism uses, and those that do."""


def load_settings(
    given: Mapping[str, object | None] | None = None, file: Path | None = None, profile: str | None = None
) -> Settings:
    """Settings from a profile's name, a TOML file and explicit values, the later winning; None means not given.

    Keys may use dashes or underscores. Profiles and files may set what their mechanism does not use, for they serve
    several; a value of `given` that does nothing is a mistake: `epsilon` without metric, `background` of faces. With
    mechanism auto all that concerns k-same is of use, since it may be chosen. A policy overrules a `k` that a weaker
    source gave. Raises UsageError on a value without effect, unknown keys, wrong values or an unreadable file.

    >>> load_settings({"mechanism": "codebook", "k": 20})
    Traceback (most recent call last):
    ganonym.errors.UsageError: -k does nothing: it is of mechanism k-same, not of codebook. Leave it out.
    """
    values = {name: value for name, (value, _) in _strongest(given, file, profile).items()}
    settings = Settings.model_validate(
        {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
    )
    own = _given(given)
    idle = [reason for name in own if (reason := _idle(name, settings))]
    idle += ["--policy does nothing beside -k"] * ({"policy", "k"} <= own.keys())
    if idle:
        raise UsageError("; ".join(idle) + ".", "Leave it out." if len(idle) == 1 else "Leave them out.")
    return settings


@dataclass(frozen=True, slots=True)
class Explained:
    """A setting as a run would use it, in plain values, where its value comes from, and what it is about."""

    name: str
    value: Any
    source: str
    help: str


def explained(
    given: Mapping[str, object | None] | None = None, file: Path | None = None, profile: str | None = None
) -> list[Explained]:
    """Every setting in the model's order with its source: default, profile NAME, file PATH or command line.

    The strongest that says it is the source, even where it repeats the default; of a `k` that nobody gave it is the
    policy. Raises UsageError as `load_settings`.

    >>> [(line.value, line.source) for line in explained({"k": 5}, profile="strict") if line.name in ("k", "verify")]
    [(5, 'command line'), ('recognizer', 'profile strict')]
    """
    settings = load_settings(given, file, profile)
    origin = {name: source for name, (_, source) in _strongest(given, file, profile).items()}
    origin = {"k": f"policy {settings.policy}"} | origin
    return [
        Explained(name, _plain(getattr(settings, name)), origin.get(name, "default"), field.description or "")
        for name, field in Settings.model_fields.items()
    ]


def _plain(value: object) -> object:
    return value.model_dump() if isinstance(value, Checked) else value


def _given(values: Mapping[str, object | None] | None) -> dict[str, Any]:
    return {_field(name): value for name, value in (values or {}).items() if value is not None}


def _strongest(
    given: Mapping[str, object | None] | None, file: Path | None, profile: str | None
) -> dict[str, tuple[Any, str]]:
    """Every value that is said, with the strongest source that says it; no `k` that is weaker than the policy."""
    values: dict[str, tuple[Any, str]] = {}
    for source, said in _sources(given, file, profile).items():
        if "policy" in said:
            values.pop("k", None)
        values |= {name: (value, source) for name, value in said.items()}
    return values


def _sources(
    given: Mapping[str, object | None] | None, file: Path | None, profile: str | None
) -> dict[str, dict[str, Any]]:
    """What profile, file and command line say, under their names in words, the weaker first."""
    sources = {}
    if profile is not None:
        if profile not in PROFILES:
            raise UsageError(f"no profile called {profile!r}.", f"There are: {', '.join(PROFILES)}.")
        sources[f"profile {profile}"] = _read_toml(Path(__file__).parent / "profiles" / f"{profile}.toml")
    if file is not None:
        sources[f"file {file}"] = _read_toml(file)
    return sources | {"command line": _given(given)}


def unused(given: Mapping[str, object | None], mechanism: str) -> list[str]:
    """Options out of `given` that came to nothing when auto chose `mechanism`. That `k` did not reach is no such case.

    >>> unused({"k": 20, "small_classes": "merge", "link": "subject", "seed": None}, "codebook")
    ['--small-classes']
    """
    return [
        _option(name)
        for name in _given(given)
        if name not in ("k", "policy") and mechanism not in _MECHANISMS.get(name, (mechanism,))
    ]


def _idle(name: str, settings: Settings) -> str | None:
    """Why a setting has no effect beside the others, None when it has one."""
    users, chosen = _MECHANISMS.get(name), settings.mechanism
    if users is not None and not {*users} & ({"k-same", "codebook"} if chosen == "auto" else {chosen}):
        return f"{_option(name)} does nothing: it is of mechanism {' and '.join(users)}, not of {chosen}"
    if name in ("background", "text") and settings.output != "photo":
        return f"{_option(name)} does nothing: it is of --output photo"
    if name == "text" and settings.background == "grey":
        return f"{_option(name)} does nothing with --background grey, which leaves no text"
    if name == "jobs" and settings.engine == "serial":
        return f"{_option(name)} does nothing with engine serial"
    return None


def _option(name: str) -> str:
    return "-k" if name == "k" else f"--{name.replace('_', '-')}"


def _field(name: str) -> str:
    return name.replace("-", "_")


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            return {_field(name): value for name, value in tomllib.load(file).items()}
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read settings from {path}: {error}.") from error
