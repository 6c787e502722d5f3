"""The baselines by name: which there are, what their options may be, and what a report has to say of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from ganonym.checked import Checked
from ganonym.settings import Engine, Settings

Method = Literal["blur", "pixelate", "blackout", "eyebar", "k-same-pixel", "composite"]
SCALED = ("blur", "pixelate")
FACE_ALONE = ("k-same-pixel", "composite")
WEAKEST, STRONGEST = 0.1, 4.0

NO_GUARANTEE = (
    "A baseline for comparison: it gives no guarantee whatsoever. Do not release it in place of `ganonym anonymize`"
)
ABOUT: dict[Method, str] = {
    "blur": "Gaussian blur of every face found, SD 0.1 face widths times strength, over the outline of the face and "
    "the ellipse around the detector's box. Networks trained on blurred faces recognise them (Newton et al. 2005; "
    "McPherson et al. 2016), and everything around the face stays",
    "pixelate": "mean colours in squares, 16 across every face found, their side times strength. Networks trained on "
    "pixelated faces recognise them (Newton et al. 2005; McPherson et al. 2016), and everything around the face stays",
    "blackout": "the outline of every face found filled black, from jaw to mean hairline. Nothing of the signs in the "
    "face is left, and hair, ears, clothing and background stay",
    "eyebar": "a black bar over both eyes of every face found, turned as they are. The rest of the face stays, by "
    "which recognizers still name its owner",
    "k-same-pixel": "k-Same on pixels (Newton et al. 2005): the largest face of a photo, aligned by its landmarks, "
    "becomes the mean picture of a group of at least k subjects that are neighbours in eigenface space. The bound of "
    "1/k that the paper proves for one picture a subject is not checked here; shapes are averaged unaligned, so the "
    "result has ghosts",
    "composite": "the population's mean texture for the subject's skin tone, warped onto the exact landmarks of the "
    "largest face of a photo. The shape is the subject's own, and it identifies",
}


class BaselineSettings(Checked):
    """What one run of a baseline does; `jobs` 0 means one process per core, `timeout` is seconds per photo.

    `strength` is of blur and pixelate, `k` of k-same-pixel. Raises UsageError where an option has no effect or no
    sensible value.

    >>> BaselineSettings(method="blackout", strength=2.0)
    Traceback (most recent call last):
    ganonym.errors.UsageError: baseline: blackout has no strength; only blur and pixelate have.
    """

    what: ClassVar[str] = "baseline"

    method: Annotated[Method, Field(description="What is done to the faces.")]
    strength: Annotated[
        float | None,
        Field(
            ge=WEAKEST,
            le=STRONGEST,
            description="blur, pixelate: scales the SD or the squares.",
            json_schema_extra={"shown": "1"},
        ),
    ] = None
    k: Annotated[
        int | None,
        Field(ge=2, le=100_000, description="k-same-pixel: subjects per group.", json_schema_extra={"shown": "11"}),
    ] = None
    jobs: Annotated[
        int, Field(ge=0, le=4096, description="Worker processes.", json_schema_extra={"shown": "all cores"})
    ] = 0
    engine: Engine = "processes"
    timeout: Annotated[float, Field(gt=0, description="Seconds that a photo may take.")] = 60.0
    resume: Annotated[bool, Field(description="--no-resume starts anew; the earlier release goes at the end.")] = True

    @model_validator(mode="after")
    def _has_effect(self) -> Self:
        if self.strength is not None and self.method not in SCALED:
            raise ValueError(f"{self.method} has no strength; only {' and '.join(SCALED)} have")
        if self.k is not None and self.method != "k-same-pixel":
            raise ValueError(f"{self.method} has no groups; only k-same-pixel takes -k")
        return self

    @property
    def scale(self) -> float:
        return 1.0 if self.strength is None else self.strength

    @property
    def group(self) -> int:
        """Least number of subjects in a group of k-same-pixel: 11 unless told."""
        return 11 if self.k is None else self.k

    def planning(self) -> Settings:
        """What inventory and engine need to know: for k-same-pixel the inventory refuses fewer than k subjects."""
        return Settings(
            mechanism="k-same" if self.method == "k-same-pixel" else "none",
            k=self.group,
            i_understand=True,
            jobs=self.jobs,
            engine=self.engine,
            timeout=self.timeout,
        )

    def relevant(self) -> dict[str, Any]:
        """The settings that change output bytes, ready for JSON."""
        return {
            "baseline": self.method,
            "strength": self.scale if self.method in SCALED else None,
            "k": self.group if self.method == "k-same-pixel" else None,
        }


def report_text(
    settings: BaselineSettings,
    pictures: int,
    faces: int,
    subjects: int,
    reasons: Mapping[str, int],
    notes: Sequence[str],
    made: str,
) -> str:
    """REPORT.md: how many `pictures` with how many `faces` of `subjects` came out, and why others did not.

    `made` names version and weights. The same arguments give the same bytes.
    """
    alone = settings.method in FACE_ALONE
    lines = [f"# Report of a ganonym baseline: {settings.method}", "", f"**{NO_GUARANTEE}.**", ""]
    kind = "faces" if alone else f"photos with {faces} filtered faces"
    lines += [f"{pictures} {kind} of {subjects} subjects were made; {sum(reasons.values())} are withheld."]
    if reasons:
        lines += ["", "| withheld because | count |", "|---|---|"]
        lines += [f"| {reason} | {count} |" for reason, count in reasons.items()]
    lines += ["", "## What was done", "", f"- {ABOUT[settings.method]}."]
    lines += [
        "- Other faces of a photo are left out with all of their pixels."
        if alone
        else "- Faces that the detector does not see stay as they are. Nothing was verified but that each face found "
        "was changed."
    ]
    lines += [f"- {note}" for note in notes]
    lines += [
        "- No file carries metadata; file names are keyed pseudonyms. `private/` and the key undo them.",
        f"- {made}",
    ]
    lines += ["", "| setting | value |", "|---|---|"]
    lines += [f"| {name} | {value} |" for name, value in settings.relevant().items() if value is not None]
    return "\n".join([*lines, ""])
