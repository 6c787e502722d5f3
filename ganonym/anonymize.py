"""The pipeline: photos → faces → privatized shapes → synthesized faces → verified outputs."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from ganonym.errors import PhotoError
from ganonym.faces.descriptor import describe, same_person
from ganonym.faces.detect import Detector, DlibDetector
from ganonym.faces.everybody import find_everybody
from ganonym.faces.find import default_backends
from ganonym.faces.landmarks import DlibLandmarks, LandmarkModel
from ganonym.faces.pose import estimate_pose
from ganonym.faces.shape import normalize
from ganonym.faces.thumbnail import face_thumbnail
from ganonym.faces.tone import ita_degrees, tone_class
from ganonym.privacy.attributes import coarsen
from ganonym.privacy.privatize import privatize
from ganonym.privacy.settings import PrivacySettings
from ganonym.privacy.subject import SubjectFace
from ganonym.subject_face import faces_to_release
from ganonym.synthesis.synthesizer import Synthesizer, load_synthesizer
from ganonym.types import CANVAS, RGB, Face, FaceRecord, Floats, PrivateFace, Refusal
from ganonym.verify import Limits, problems

SMALLEST_FACE = 40.0
LARGEST_YAW = 40.0
ATTEMPTS = 4


@dataclass(frozen=True, slots=True)
class Studio:
    """Loaded models and bounds. `recognizer` adds dlib's descriptor to analysis and verification.

    The judges look at outputs, whose faces are large and upright: one size and one pass are enough for them.
    """

    detector: Detector
    landmarks: LandmarkModel
    synthesizer: Synthesizer
    judge_detector: Detector = field(default_factory=lambda: DlibDetector(sides=(CANVAS,), most_enlarged=1.0))
    judge_landmarks: LandmarkModel = field(default_factory=lambda: DlibLandmarks(nudges=((0.0, 0.0),)))
    limits: Limits = field(default_factory=Limits)
    recognizer: bool = False


def open_studio(recognizer: bool = False) -> Studio:
    """Models that this machine has, with the bundled weights. Raises EnvironmentFault when something is missing."""
    return Studio(*default_backends(), load_synthesizer(), recognizer=recognizer)


def anonymize(
    photos: Mapping[str, RGB], subjects: Mapping[str, str], settings: PrivacySettings, seed: int, studio: Studio
) -> dict[str, RGB | Refusal]:
    """Anonymize the subject's face of each photo, in memory: the whole pipeline on one page.

    `photos` maps names to RGB arrays, `subjects` the same names to people; k-same needs at least k of them. Every
    photo comes back as a synthesized face (256, 256, 3) or as a Refusal, never as it was; one with two faces of like
    size is refused, because either could be the subject's. The batch does the same with files, processes, names and a
    ledger around it. Raises UsageError as `privatize` does.
    """
    outcomes: dict[str, RGB | Refusal] = {}
    records: dict[str, FaceRecord] = {}
    for name, rgb in photos.items():
        try:
            own = faces_to_release(analyse(rgb, name, studio), None, one_subject=True)
        except PhotoError as error:
            own = Refusal(error.reason, str(error))
        if isinstance(own, Refusal):
            outcomes[name] = own
        else:
            records[name] = own[0]
    people = [
        SubjectFace(
            subjects[name],
            record.shape,
            _seed(seed, f"face {name}"),
            _seed(seed, f"subject {subjects[name]}"),
            attributes=coarsen(record.tone, None, None, settings.attributes),
        )
        for name, record in records.items()
    ]
    private = privatize(people, studio.synthesizer.model.shape, settings, manifest=True)
    for person, points, kept, (name, record) in zip(
        people, private.faces, private.attributes, records.items(), strict=True
    ):
        if isinstance(points, Refusal):
            outcomes[name] = points
            continue
        try:
            outcomes[name] = produce(PrivateFace(points, kept.tone, None, None, person.seed), record, studio)
        except PhotoError as error:
            outcomes[name] = Refusal(error.reason, str(error))
    return outcomes


def analyse(rgb: RGB, source: str, studio: Studio) -> list[FaceRecord]:
    """Everything kept of the faces of one photo, largest first, and then those that are doubtful.

    A face that cannot be synthesized carries its refusal: "tiny" (under 40 px wide), "profile" (turned by more than
    40°), "no-skin", or "doubtful" (a second detector alone sees it). Raises PhotoError("no-face") where there is none.
    """
    seen = find_everybody(rgb, studio.detector, studio.landmarks)
    faces = (*seen.faces, *seen.doubtful)
    if not faces:
        raise PhotoError("no-face", f"{source!r} shows no face that can be found.", "Crop it closer, or leave it out.")
    descriptors = [describe(rgb, face.points) for face in faces] if studio.recognizer or len(faces) > 1 else []
    people = same_person(np.array(descriptors)) if len(faces) > 1 else [0]
    records = []
    for index, (face, person) in enumerate(zip(faces, people, strict=True)):
        refusal = _refusal(face, source)
        if index >= len(seen.faces):
            refusal = Refusal("doubtful", f"a face in {source!r} is seen by one of two detectors only.")
        descriptor = descriptors[index] if studio.recognizer else None
        records.append(_record(rgb, face, source, index, person, descriptor, refusal, studio))
    return records


def produce(face: PrivateFace, record: FaceRecord, studio: Studio) -> RGB:
    """Render `face` and verify it, with another surrogate when that fails; (256, 256, 3).

    Raises PhotoError("verification") after four attempts: unproven pixels are never returned.
    """
    wrong: list[str] = []
    for attempt in range(ATTEMPTS):
        rgb = studio.synthesizer.render(face, attempt)
        wrong = problems(rgb, face, record, studio.judge_detector, studio.judge_landmarks, studio.limits)
        if not wrong:
            return rgb
    raise PhotoError("verification", f"no output passed in {ATTEMPTS} attempts; the last: {'; '.join(wrong)}.")


def _seed(seed: int, purpose: str) -> int:
    """A 63-bit seed from the run's seed and a name, never from pixels."""
    return int.from_bytes(hashlib.sha256(f"{seed}:{purpose}".encode()).digest()[:8], "big") >> 1


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


def _record(
    rgb: RGB,
    face: Face,
    source: str,
    index: int,
    person: int,
    descriptor: Floats | None,
    refusal: Refusal | None,
    studio: Studio,
) -> FaceRecord:
    tone = 0
    try:
        tone = tone_class(ita_degrees(rgb, face.points))
    except PhotoError as error:
        refusal = refusal or Refusal(error.reason, str(error))
    return FaceRecord(
        source=source,
        index=index,
        box=face.box,
        points=face.points,
        shape=normalize(face.points, studio.synthesizer.model.shape),
        pose=estimate_pose(face.points),
        tone=tone,
        thumbnail=face_thumbnail(rgb, face.points),
        descriptor=descriptor,
        person=person,
        refusal=refusal,
    )
