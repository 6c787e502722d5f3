"""Loaded models, and what they do with one photo (`analyse`) and one face (`produce`)."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ganonym.errors import PhotoError
from ganonym.faces.aligned import face_thumbnail
from ganonym.faces.coordinates import read_texture, row_of
from ganonym.faces.descriptor import describe, same_person
from ganonym.faces.detect import Detector, DlibDetector
from ganonym.faces.everybody import find_everybody
from ganonym.faces.find import default_backends
from ganonym.faces.landmarks import DlibLandmarks, LandmarkModel
from ganonym.faces.pose import estimate_pose
from ganonym.faces.shape import normalize
from ganonym.faces.tone import ita_degrees, tone_class
from ganonym.synthesis.synthesizer import Synthesizer, load_synthesizer
from ganonym.types import CANVAS, RGB, Face, FaceRecord, PrivateFace, Refusal
from ganonym.verify import Judge, problems

SMALLEST_FACE = 40.0
LARGEST_YAW = 36.0
"""Degrees. Of 56 photographed heads, turned in depth by `benchmarks/turned_heads.py`, one of those turned by 30° is
refused, 14 % at 35°, 84 % at 40°, all but one at 44° and all that are found at 50°.
"""
ATTEMPTS = 4


def default_judge() -> Judge:
    """dlib. Outputs show large and upright faces, so one size and one pass are enough for them."""
    detector, landmarks = DlibDetector(sides=(CANVAS,), most_enlarged=1.0), DlibLandmarks(nudges=((0.0, 0.0),))
    return Judge(detector, landmarks, maker=default_backends()[1])


@dataclass(frozen=True, slots=True)
class Models:
    """What finds faces, what draws new ones, and the judge of what was drawn.

    With `recognizer`, analysis keeps dlib's descriptor of each face and verification compares it with the output's.
    """

    detector: Detector
    landmarks: LandmarkModel
    synthesizer: Synthesizer
    judge: Judge = field(default_factory=default_judge)
    recognizer: bool = False


def open_models(recognizer: bool = False) -> Models:
    """The models of this machine with the bundled weights. Raises EnvironmentFault when something is missing."""
    return Models(*default_backends(), load_synthesizer(), recognizer=recognizer)


def analyse(rgb: RGB, source: str, models: Models) -> list[FaceRecord]:
    """Everything that is kept of the faces of one photo, largest first, then those that are doubtful.

    A face that cannot be synthesized carries its refusal: "tiny" (under 40 px wide), "profile" (turned by more than
    36°), "no-skin", or "doubtful" (seen by a second detector only). Raises PhotoError("no-face") where there is none.
    """
    seen = find_everybody(rgb, models.detector, models.landmarks)
    faces = (*seen.faces, *seen.doubtful)
    if not faces:
        raise PhotoError("no-face", f"{source!r} shows no face that can be found.", "Crop it closer, or leave it out.")
    descriptors = [describe(rgb, face.points) for face in faces] if models.recognizer or len(faces) > 1 else []
    people = same_person(np.array(descriptors)) if len(faces) > 1 else [0]
    model, records = models.synthesizer.model, []
    for index, (face, person) in enumerate(zip(faces, people, strict=True)):
        tone, refusal = _tone(rgb, face)
        refusal = _refusal(face, source) or refusal
        if index >= len(seen.faces):
            refusal = Refusal("doubtful", f"a face in {source!r} is seen by one of two detectors only.")
        shape = normalize(face.points, model.shape)
        records.append(
            FaceRecord(
                source=source,
                index=index,
                box=face.box,
                points=face.points,
                shape=shape,
                pose=estimate_pose(face.points),
                tone=tone,
                thumbnail=face_thumbnail(rgb, face.points),
                descriptor=descriptors[index] if models.recognizer else None,
                person=person,
                refusal=refusal,
                row=None if refusal else row_of(shape, read_texture(rgb, face.points, model), model),
            )
        )
    return records


def produce(face: PrivateFace, record: FaceRecord, models: Models) -> RGB:
    """Draw `face` and verify the picture, with another surrogate when that fails; (256, 256, 3).

    Raises PhotoError("verification") after four attempts: unproven pixels are never returned.
    """
    wrong: list[str] = []
    for attempt in range(ATTEMPTS):
        rgb = models.synthesizer.render(face, attempt)
        wrong = problems(rgb, face, record, models.judge)
        if not wrong:
            return rgb
    raise PhotoError("verification", f"no output passed in {ATTEMPTS} attempts; the last: {'; '.join(wrong)}.")


def _refusal(face: Face, source: str) -> Refusal | None:
    """Why a face cannot be synthesized, whatever is on it."""
    if face.box.width < SMALLEST_FACE:
        return Refusal(
            "tiny", f"the face in {source!r} is {face.box.width:.0f} px wide; {SMALLEST_FACE:.0f} are needed."
        )
    yaw = estimate_pose(face.points).yaw
    if abs(yaw) > LARGEST_YAW:
        return Refusal("profile", f"the face in {source!r} is turned by {yaw:.1f}°; at most {LARGEST_YAW:.0f}° work.")
    return None


def _tone(rgb: RGB, face: Face) -> tuple[int, Refusal | None]:
    """Class of the skin tone; 0 and the refusal where no skin shows."""
    try:
        return tone_class(ita_degrees(rgb, face.points)), None
    except PhotoError as error:
        return 0, Refusal(error.reason, str(error))
