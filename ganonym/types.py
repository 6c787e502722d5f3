"""The values that travel through the pipeline: plain frozen dataclasses, no behaviour beyond geometry.

Conventions, stated once: images are RGB uint8 arrays of shape (H, W, 3); points are float64 arrays of
shape (68, 2) in the iBUG-68 order, x to the right and y down, in pixels, with (0, 0) at the centre of the
top-left pixel. "Canvas" is the 256 x 256 frame in which faces are synthesized.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

RGB: TypeAlias = NDArray[np.uint8]
Points: TypeAlias = NDArray[np.float64]
Floats: TypeAlias = NDArray[np.float64]
Progress: TypeAlias = Callable[[str, int, int], None]
"""Is told (phase, done, total), the phase in a word or two; `done` starts anew when a phase is entered again."""

CANVAS = 256
LANDMARKS = 68
TONES = 6

Sex = Literal["female", "male"]


@dataclass(frozen=True, slots=True)
class Box:
    """A face rectangle in photo pixels, with the detector's score (higher is surer; scale is the detector's)."""

    left: float
    top: float
    right: float
    bottom: float
    score: float = 0.0

    @property
    def width(self) -> float:
        return self.right - self.left

    @property
    def height(self) -> float:
        return self.bottom - self.top

    @property
    def area(self) -> float:
        return max(self.width, 0.0) * max(self.height, 0.0)


@dataclass(frozen=True, slots=True)
class Face:
    """One located face: box and 68 landmarks in the photo's own pixels.

    `turns` counts the quarter turns (counter-clockwise, as `numpy.rot90`) after which the detector found it.
    """

    box: Box
    points: Points
    turns: int = 0


@dataclass(frozen=True, slots=True)
class Pose:
    """Head pose in degrees: yaw > 0 turns to image right, pitch > 0 up, roll > 0 clockwise in the image."""

    yaw: float
    pitch: float
    roll: float


@dataclass(frozen=True, slots=True)
class FaceRecord:
    """What analysis keeps of one face of one photo. Private: never leaves the machine.

    `index` counts the faces of the photo, the largest first. `shape` (68, 2) are the Procrustes-normalised landmarks.
    `tone` is the ITA skin-tone class 0 (very light) … 5 (dark). `thumbnail` is a (24, 24) uint8 grey image of the
    aligned face, kept only so that the verifier can prove that the output is not a copy. `descriptor` is dlib's
    128-D identity descriptor, present only with `--verify recognizer`. Faces of one photo with the same `person` are
    one person to the recognizer. `refusal` says why a face cannot be synthesized; it may be the subject's all the same.
    `row` (D,) are the face's coordinates in SD (`ganonym.faces.coordinates`), None where it shows no skin.
    """

    source: str
    index: int
    box: Box
    points: Points
    shape: Points
    pose: Pose
    tone: int
    thumbnail: NDArray[np.uint8]
    descriptor: Floats | None = None
    person: int = 0
    refusal: Refusal | None = None
    row: Floats | None = None


@dataclass(frozen=True, slots=True)
class PrivateFace:
    """All that synthesis ever sees of a subject: the information bottleneck of the whole system.

    `points` is the privatized shape on the canvas, (68, 2) pixels; `tone` the ITA class or None when dropped; `sex`
    and `age` only ever come from the steward's manifest (`age` in years, the middle of a ten-year band). `seed` is a
    keyed hash of the output's name, so it carries nothing of the photograph. `texture` (q,) are privatized texture
    coefficients in SD, without those of expression; where None, a texture is drawn from the seed for these points,
    tone, sex and age.
    """

    points: Points
    tone: int | None
    sex: Sex | None
    age: float | None
    seed: int
    texture: Floats | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """A photo or face that is withheld: a stable reason slug and a sentence for the steward."""

    reason: str
    detail: str


Substitution: TypeAlias = tuple[FaceRecord, PrivateFace | Refusal]
"""One face of a photo and what is to take its place; with a Refusal it is covered."""


@dataclass(frozen=True, slots=True)
class Doubt:
    """A place in a photo at which detectors disagree about a face, and what each says: for a person to look at."""

    box: Box
    why: str


@dataclass(frozen=True, slots=True)
class Photograph:
    """A finished photo: `synthesized` bounds of the new faces, `covered` of what was covered, in photo pixels.

    `covered_because` is None when the subject's face was synthesized. `text` are bounds of covered
    text, None when text was not looked for; `doubts` are for a person to look at.
    """

    rgb: RGB
    synthesized: tuple[Box, ...]
    covered: tuple[Box, ...]
    covered_because: Refusal | None
    text: tuple[Box, ...] | None = None
    doubts: tuple[Doubt, ...] = ()


JSON: TypeAlias = dict[str, Any]
"""An object as it was read from JSON: whoever reads a value checks it."""
Payload: TypeAlias = dict[str, object]
"""What is written as JSON and not read again here."""

LUMA = (0.299, 0.587, 0.114)
"""Weights of red, green and blue in luma (ITU-R BT.601)."""


def luma(rgb: NDArray[Any]) -> Floats:
    """Luma (…) in float64 of colours (…, 3), in their own range; nothing is rounded.

    >>> luma(np.array([[255, 255, 255], [255, 0, 0]], np.uint8)).round(3).tolist()
    [255.0, 76.245]
    """
    return np.asarray(rgb @ np.array(LUMA))
