"""Settings of a batch: defaults < profile < TOML file < command line, every problem listed at once."""

from __future__ import annotations

import hashlib
import json
import os
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, TypeAlias, get_args

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from ganonym.checked import Checked
from ganonym.errors import UsageError

Profile: TypeAlias = Literal["research", "strict"]
Mechanism: TypeAlias = Literal["k-same", "codebook", "metric", "none"]
MechanismChoice: TypeAlias = Literal["auto", Mechanism]
Dispersal: TypeAlias = Literal["photo", "subject", "none"]
SmallClasses: TypeAlias = Literal["withhold", "merge"]
AttributeSource: TypeAlias = Literal["group", "subject"]
Verification: TypeAlias = Literal["default", "recognizer"]
OutputKind: TypeAlias = Literal["face", "photo"]
Background: TypeAlias = Literal["keep", "blur", "grey"]
FaceWord: TypeAlias = Literal["left", "right", "top", "bottom", "largest", "smallest"]
FaceRule: TypeAlias = Literal["only", FaceWord]
TextRule: TypeAlias = Literal["auto", "cover", "keep"]
Engine: TypeAlias = Literal["processes", "serial"]

PROFILES: tuple[Profile, ...] = get_args(Profile)
ATTRIBUTES = ("tone", "sex", "age")
RELEASABLE = ("session", "sex", "age", "ethnicity", "expression", "site")
_MECHANISMS: dict[str, tuple[Mechanism, ...]] = {
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


def _distinct(*names: str) -> Callable[[tuple[str, ...]], tuple[str, ...]]:
    def check(values: tuple[str, ...]) -> tuple[str, ...]:
        if len({*values}) < len(values) or not {*values} <= {*names}:
            raise ValueError(f"must be distinct names out of {', '.join(names)}")
        return values

    return check


class Settings(Checked):
    """What the steward decides. Raises UsageError listing everything that is wrong with the values.

    `mechanism` auto means k-same when a class has at least `k` subjects, else codebook; `epsilon` and `directions` are
    of metric. `attributes` may reach the synthesizer; with k-same they are `attributes_from` a random member of the
    subject's group (from the subject with all others, and in whole photos, whose necks must match). `release` are
    manifest columns copied into the shareable manifest beside the syndrome. `consistent` gives all photos of a subject
    the same surrogate. `output` photo puts the faces back into their photographs, whose surroundings `background`
    keeps, blurs or greys; with face it says nothing. `subject_face` only: with a manifest, a photo in which two faces
    could be the subject's is withheld; other words say which of a photo's faces is. `text` in a photo is covered (auto:
    where the extra `text` is installed) or kept. `jobs` 0 means one per core; `timeout` is seconds per photo.

    The description of a field is the help of its option on the command line.

    >>> Settings(k=5).digest() == Settings(k=5, jobs=3).digest() != Settings(k=6).digest()
    True
    """

    what: ClassVar[str] = "settings"

    mechanism: Annotated[MechanismChoice, Field(description="What protects the shape.")] = "auto"
    k: Annotated[int, Field(ge=2, le=100_000, description="Subjects per group.")] = 11
    epsilon: Annotated[float, Field(gt=0, description="Of metric; see `ganonym plan`.")] = 1.0
    directions: Annotated[int, Field(ge=1, le=40, description="Of metric: identity directions that leave at all.")] = 8
    disperse: Annotated[Dispersal, Field(description="One random draw per photo or subject.")] = "photo"
    small_classes: Annotated[SmallClasses, Field(description="Classes of fewer than k.")] = "withhold"
    consistent: Annotated[bool, Field(description="One surrogate for all photos of a subject.")] = False
    attributes: Annotated[
        tuple[str, ...],
        AfterValidator(_distinct(*ATTRIBUTES)),
        Field(description="What may reach the synthesizer beside the shape."),
    ] = ("tone",)
    attributes_from: Annotated[AttributeSource, Field(description="Of k-same: whose skin tone is shown.")] = "group"
    release: Annotated[
        tuple[str, ...],
        AfterValidator(_distinct(*RELEASABLE)),
        Field(description="Manifest columns that are released beside the syndrome."),
    ] = ()
    seed: Annotated[int, Field(ge=0, le=2**63 - 1, description="Same seed, same bytes.")] = 0
    verify: Annotated[Verification, Field(description="Add dlib's recognizer.")] = "default"
    i_understand: Annotated[
        bool, Field(validate_default=True, description="For mechanism none: it protects nobody.")
    ] = False
    output: Annotated[OutputKind, Field(description="Faces alone, or set into the photos.")] = "face"
    background: Annotated[Background, Field(description="Of --output photo: all but the faces.")] = "keep"
    subject_face: Annotated[
        FaceRule,
        Field(description="Which of several faces is the subject's; the manifest's column `face` comes first."),
    ] = "only"
    text: Annotated[
        TextRule,
        Field(description="Of --output photo: names, dates; auto covers it where the extra `text` is installed."),
    ] = "auto"
    jobs: Annotated[
        int, Field(ge=0, le=4096, description="Worker processes.", json_schema_extra={"shown": "all cores"})
    ] = 0
    engine: Annotated[Engine, Field(description="Where photos are treated: in worker processes or in this one.")] = (
        "processes"
    )
    timeout: Annotated[float, Field(gt=0, description="Seconds that a photo may take.")] = 240.0
    resume: Annotated[bool, Field(description="--no-resume starts anew; the earlier release goes at the end.")] = True

    @field_validator("i_understand")
    @classmethod
    def _insists(cls, value: bool, info: ValidationInfo) -> bool:
        if info.data.get("mechanism") == "none" and not value:
            raise ValueError("must be true (--i-understand) for mechanism none, which protects nobody")
        return value

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
        return self.model_dump(exclude={*unseen})

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
    for said in _sources(given, file, profile).values():
        values |= said
    settings = Settings.model_validate(
        {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}
    )
    idle = [reason for name in _given(given) if (reason := _idle(name, settings))]
    if idle:
        raise UsageError("; ".join(idle) + ".", "Leave it out." if len(idle) == 1 else "Leave them out.")
    return settings


@dataclass(frozen=True, slots=True)
class Explained:
    """A setting as a run would use it, where its value comes from, and what it is about."""

    name: str
    value: Any
    source: str
    help: str


def explained(
    given: Mapping[str, object | None] | None = None, file: Path | None = None, profile: str | None = None
) -> list[Explained]:
    """Every setting in the model's order with its source: default, profile NAME, file PATH or command line.

    The strongest that says it is the source, even where it repeats the default. Raises UsageError as `load_settings`.

    >>> [(line.value, line.source) for line in explained({"k": 5}, profile="strict") if line.name in ("k", "verify")]
    [(5, 'command line'), ('recognizer', 'profile strict')]
    """
    settings = load_settings(given, file, profile)
    origin = {name: source for source, said in _sources(given, file, profile).items() for name in said}
    return [
        Explained(name, getattr(settings, name), origin.get(name, "default"), field.description or "")
        for name, field in Settings.model_fields.items()
    ]


def _given(values: Mapping[str, object | None] | None) -> dict[str, Any]:
    return {_field(name): value for name, value in (values or {}).items() if value is not None}


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

    >>> unused({"k": 20, "attributes_from": "group", "disperse": "none", "seed": None}, "codebook")
    ['--attributes-from']
    """
    return [
        _option(name) for name in _given(given) if name != "k" and mechanism not in _MECHANISMS.get(name, (mechanism,))
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
