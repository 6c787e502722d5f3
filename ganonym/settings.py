"""What the steward decides, as one object that checks itself; every problem is listed at once."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from typing import Annotated, Any, ClassVar, Literal, TypeAlias

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from ganonym.checked import Checked

Mechanism: TypeAlias = Literal["k-same", "codebook", "metric", "none"]
MechanismChoice: TypeAlias = Literal["auto", Mechanism]
ReleasePolicy: TypeAlias = Literal["public", "controlled", "internal"]
Link: TypeAlias = Literal["photo", "subject"]
SmallClasses: TypeAlias = Literal["class", "withhold", "merge"]
Verification: TypeAlias = Literal["default", "recognizer"]
OutputKind: TypeAlias = Literal["face", "photo"]
Background: TypeAlias = Literal["keep", "blur", "grey"]
FaceWord: TypeAlias = Literal["left", "right", "top", "bottom", "largest", "smallest"]
FaceRule: TypeAlias = Literal["only", FaceWord]
TextRule: TypeAlias = Literal["auto", "cover", "keep"]
Engine: TypeAlias = Literal["processes", "serial"]

K_OF_POLICY: dict[str, int] = {"public": 20, "controlled": 11, "internal": 5}
"""People in a group, by who gets the release; the policies of an assessment have the same names."""

SMALLEST_CLASS = 5
"""People of one label who may be a group by themselves although they are fewer than k."""

KEEPABLE = ("signs", "tone", "age", "sex", "expression")
RELEASABLE = ("session", "sex", "age", "ethnicity", "expression", "site")
_UNSEEN = frozenset({"policy", "jobs", "engine", "timeout", "resume"})  # change not one byte of the result beside k


def _distinct(*names: str) -> Callable[[tuple[str, ...]], tuple[str, ...]]:
    def check(values: tuple[str, ...]) -> tuple[str, ...]:
        if len({*values}) < len(values) or not {*values} <= {*names}:
            raise ValueError(f"must be distinct names out of {', '.join(names)}")
        return values

    return check


Weight: TypeAlias = Annotated[float, Field(gt=0, le=100)]


class Weights(Checked):
    """How much differences count when faces are grouped, in population SDs of each kept axis.

    What counts more is told apart better, at the cost of the rest. Raises UsageError.

    >>> Weights(tone=1.0)
    Weights(signs=1.0, tone=1.0, age=2.0, sex=2.2, expression=1.4)
    """

    what: ClassVar[str] = "weights"

    signs: Weight = 1.0
    tone: Weight = 2.5
    age: Weight = 2.0
    sex: Weight = 2.2
    expression: Weight = 1.4


class Settings(Checked):
    """What the steward decides. Raises UsageError listing everything that is wrong with the values.

    `mechanism` auto means k-same when there are enough people for a group, else codebook. Of k-same: `policy` says who
    gets the release, and thereby `k`, unless that is given; `keep` names the axes of a face that a group is chosen by
    and shows, `weights` how much each counts; a class of `small_classes` (fewer than k people) is a group by itself
    where it has SMALLEST_CLASS people, or is withheld, or merged with its nearest. `epsilon` and `directions` are of
    metric. With `link` photo nothing released tells which outputs are of one
    person; with subject a pseudonym does, and all photos of a subject have one identity, draw and surrogate. `release`
    are manifest columns copied into the shareable manifest beside the syndrome. `output` photo puts the faces back into
    their photographs, whose surroundings `background` keeps, blurs or greys; with face it says nothing. `subject_face`
    only: with a manifest, a photo in which two faces could be the subject's is withheld; other words say which of a
    photo's faces is. `text` in a photo is covered (auto: where the extra `text` is installed) or kept. `jobs` 0 means
    one per core; `timeout` is seconds per photo.

    The description of a field is the help of its option on the command line.

    >>> Settings().k, Settings(policy="internal").k, Settings(policy="internal", k=7).k
    (20, 5, 7)
    >>> Settings(k=5).digest() == Settings(k=5, jobs=3).digest() != Settings(k=6).digest()
    True
    """

    what: ClassVar[str] = "settings"

    mechanism: Annotated[MechanismChoice, Field(description="What protects the shape.")] = "auto"
    policy: Annotated[ReleasePolicy, Field(description="Who gets it: k is 20, 11 or 5.")] = "public"
    k: int = Field(
        default_factory=lambda said: K_OF_POLICY[said.get("policy", "public")],
        ge=2,
        le=100_000,
        description="People per group; wins over --policy.",
        json_schema_extra={"shown": "by policy"},
    )
    keep: Annotated[
        tuple[str, ...],
        AfterValidator(_distinct(*KEEPABLE)),
        Field(
            min_length=1,
            description="What of a face is kept, with commas.",
            json_schema_extra={"shown": ",".join(KEEPABLE)},
        ),
    ] = KEEPABLE
    weights: Annotated[Weights, Field(description="How much each kept axis counts in the grouping.")] = Weights()
    small_classes: Annotated[SmallClasses, Field(description="Classes of fewer than k.")] = "class"
    link: Annotated[Link, Field(description="What outputs of one person share; subject costs.")] = "photo"
    epsilon: Annotated[float, Field(gt=0, description="Of metric; see `ganonym plan`.")] = 1.0
    directions: Annotated[int, Field(ge=1, le=40, description="Of metric: identity directions that leave at all.")] = 8
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

    @field_validator("release")
    @classmethod
    def _unlinked(cls, value: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        if "session" in value and info.data.get("link") == "photo":
            raise ValueError("must not hold session with link photo: photos of one session are mostly of one person")
        return value

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


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
