"""Settings of a batch: defaults < profile < TOML file < command line, every problem listed at once."""

from __future__ import annotations

import hashlib
import json
import os
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal

from ganonym.errors import UsageError
from ganonym.subject_face import WORDS, FaceWord

PROFILES = ("research", "strict")
ATTRIBUTES = ("tone", "sex", "age")
RELEASABLE = ("session", "sex", "age", "ethnicity", "expression", "site")
Background = Literal["keep", "blur", "grey"]
_MECHANISMS: dict[str, tuple[str, ...]] = {
    "k": ("k-same",),
    "small_classes": ("k-same",),
    "attributes_from": ("k-same",),
    "epsilon": ("metric",),
    "directions": ("metric",),
    "disperse": ("k-same", "codebook", "metric"),
    "i_understand": ("none",),
}
"""Settings that not every mechanism uses, and those that do."""
_UNSEEN = frozenset({"jobs", "engine", "timeout", "resume"})  # change how the work is done, not one byte of the result


@dataclass(frozen=True, slots=True)
class Settings:
    """What the steward decides. Raises UsageError listing everything that is wrong with the values.

    `mechanism` auto means k-same when a class has at least `k` subjects, else codebook; `epsilon` and `directions` are
    of metric. `attributes` may reach the synthesizer; with k-same they are `attributes_from` a random member of the
    subject's group (from the subject with all others, and in whole photos, whose necks must match). `release` are
    manifest columns copied into the shareable manifest beside the syndrome. `consistent` gives all photos of a subject
    the same surrogate. `output` photo puts the faces back into their photographs, whose surroundings `background`
    keeps, blurs or greys; with face it says nothing. `subject_face` only: with a manifest, a photo in which two faces
    could be the subject's is withheld; other words say which of a photo's faces is. `text` in a photo is covered (auto:
    where the extra `text` is installed) or kept. `jobs` 0 means one per core; `timeout` is seconds per photo.

    >>> Settings(k=5).digest() == Settings(k=5, jobs=3).digest() != Settings(k=6).digest()
    True
    """

    mechanism: Literal["auto", "k-same", "codebook", "metric", "none"] = "auto"
    k: int = 11
    epsilon: float = 1.0
    directions: int = 8
    disperse: Literal["photo", "subject", "none"] = "photo"
    small_classes: Literal["withhold", "merge"] = "withhold"
    consistent: bool = False
    attributes: tuple[str, ...] = ("tone",)
    attributes_from: Literal["group", "subject"] = "group"
    release: tuple[str, ...] = ()
    seed: int = 0
    verify: Literal["default", "recognizer"] = "default"
    i_understand: bool = False
    output: Literal["face", "photo"] = "face"
    background: Background = "keep"
    subject_face: Literal["only"] | FaceWord = "only"
    text: Literal["auto", "cover", "keep"] = "auto"
    jobs: int = 0
    engine: Literal["processes", "serial"] = "processes"
    timeout: float = 240.0
    resume: bool = True

    def __post_init__(self) -> None:
        wrong = [
            f"{name} must be {expected}, not {getattr(self, name)!r}"
            for name, (expected, holds) in _CHECKS.items()
            if not holds(getattr(self, name))
        ]
        if self.mechanism == "none" and self.i_understand is not True:
            wrong.append("mechanism none protects nobody; say i_understand (--i-understand) to use it")
        if wrong:
            raise UsageError("settings: " + "; ".join(wrong) + ".")

    @property
    def workers(self) -> int:
        """Number of worker processes, at least 1."""
        return self.jobs or _cores()

    @property
    def threads(self) -> int:
        """Threads each worker may use for arithmetic, at least 1."""
        return max(1, _cores() // self.workers)

    @property
    def covers_text(self) -> bool:
        """Whether text in photos is to be looked for, where the machine can: grey backgrounds show none anyway."""
        return self.output == "photo" and self.background != "grey" and self.text != "keep"

    def relevant(self) -> dict[str, Any]:
        """The settings that change output bytes, ready for JSON."""
        unseen = _UNSEEN if self.output == "photo" else _UNSEEN | {"output", "background", "text"}
        return {name: value for name, value in asdict(self).items() if name not in unseen}

    def digest(self) -> str:
        """Hex SHA-256 over the settings that change output bytes."""
        text = json.dumps(self.relevant(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()


def load_settings(
    given: Mapping[str, object | None] | None = None, file: Path | None = None, profile: str | None = None
) -> Settings:
    """Settings from a profile's name, a TOML file and explicit values, the later winning; None means not given.

    Keys may use dashes or underscores. Profiles and files may set what their mechanism does not use, for they serve
    several; a value of `given` that does nothing is a mistake: `epsilon` without metric, `background` of faces. With
    mechanism auto all that concerns k-same is of use, since it may be chosen. Raises UsageError on such a value,
    unknown keys, wrong values or an unreadable file.

    >>> load_settings({"mechanism": "codebook", "k": 20})
    Traceback (most recent call last):
    ganonym.errors.UsageError: -k does nothing: it is of mechanism k-same, not of codebook. Leave it out.
    """
    values: dict[str, Any] = {}
    if profile is not None:
        if profile not in PROFILES:
            raise UsageError(f"no profile called {profile!r}.", f"There are: {', '.join(PROFILES)}.")
        values |= _read_toml(Path(__file__).parent / "profiles" / f"{profile}.toml")
    if file is not None:
        values |= _read_toml(file)
    values |= {_field(name): value for name, value in (given or {}).items() if value is not None}
    known = [field.name for field in fields(Settings)]
    unknown = sorted(set(values) - set(known))
    if unknown:
        raise UsageError(f"settings: unknown {', '.join(unknown)}.", f"Known are: {', '.join(known)}.")
    arguments: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in values.items()
    }
    settings = Settings(**arguments)
    named = [_field(name) for name, value in (given or {}).items() if value is not None]
    idle = [reason for name in named if (reason := _idle(name, settings))]
    if idle:
        raise UsageError("; ".join(idle) + ".", "Leave it out." if len(idle) == 1 else "Leave them out.")
    return settings


def unused(given: Mapping[str, object | None], mechanism: str) -> list[str]:
    """Options out of `given` that came to nothing when auto chose `mechanism`. That `k` did not reach is no such case.

    >>> unused({"k": 20, "attributes_from": "group", "disperse": "none", "seed": None}, "codebook")
    ['--attributes-from']
    """
    named = (_field(name) for name, value in given.items() if value is not None)
    return [_option(name) for name in named if name != "k" and mechanism not in _MECHANISMS.get(name, (mechanism,))]


def _idle(name: str, settings: Settings) -> str | None:
    """Why a setting has no effect beside the others, None when it has one."""
    users, chosen = _MECHANISMS.get(name), settings.mechanism
    if users is not None and not {*users} & ({"k-same", "codebook"} if chosen == "auto" else {chosen}):
        return f"{_option(name)} does nothing: it is of mechanism {' and '.join(users)}, not of {chosen}"
    if name in ("background", "text") and settings.output != "photo":
        return f"{_option(name)} does nothing: it is of --output photo"
    if name == "text" and settings.background == "grey":
        return f"{_option(name)} does nothing with --background grey, which leaves no text"
    if name == "attributes_from" and settings.output == "photo":
        return f"{_option(name)} does nothing with --output photo, where necks must match"
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


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


_Check = tuple[str, Callable[[Any], bool]]


def _choice(*options: str) -> _Check:
    return f"one of {', '.join(options)}", lambda value: isinstance(value, str) and value in options


def _several(*options: str) -> _Check:
    return (
        f"distinct names out of {', '.join(options)}",
        lambda value: isinstance(value, tuple) and len(set(map(str, value))) == len(value) and set(value) <= {*options},
    )


def _whole(low: int, high: int) -> _Check:
    return f"a whole number from {low} to {high}", lambda value: type(value) is int and low <= value <= high


def _above_0(what: str) -> _Check:
    return f"{what} above 0", lambda value: type(value) in (int, float) and 0 < value < float("inf")


_FLAG: _Check = ("true or false", lambda value: isinstance(value, bool))

_CHECKS: dict[str, _Check] = {
    "mechanism": _choice("auto", "k-same", "codebook", "metric", "none"),
    "k": _whole(2, 100_000),
    "epsilon": _above_0("a number"),
    "directions": _whole(1, 40),
    "disperse": _choice("photo", "subject", "none"),
    "small_classes": _choice("withhold", "merge"),
    "consistent": _FLAG,
    "attributes": _several(*ATTRIBUTES),
    "attributes_from": _choice("group", "subject"),
    "release": _several(*RELEASABLE),
    "seed": _whole(0, 2**63 - 1),
    "verify": _choice("default", "recognizer"),
    "i_understand": _FLAG,
    "output": _choice("face", "photo"),
    "background": _choice("keep", "blur", "grey"),
    "subject_face": _choice("only", *WORDS),
    "text": _choice("auto", "cover", "keep"),
    "jobs": _whole(0, 4096),
    "engine": _choice("processes", "serial"),
    "timeout": _above_0("seconds"),
    "resume": _FLAG,
}
