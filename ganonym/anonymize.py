"""The pipeline: photos → faces → privatized shapes → synthesized faces → verified outputs."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from ganonym.errors import PhotoError
from ganonym.faces.descriptor import describe
from ganonym.faces.detect import Detector, DlibDetector
from ganonym.faces.find import default_backends, find_faces
from ganonym.faces.landmarks import DlibLandmarks, LandmarkModel
from ganonym.faces.pose import estimate_pose
from ganonym.faces.shape import normalize
from ganonym.faces.thumbnail import face_thumbnail
from ganonym.faces.tone import ita_degrees, tone_class
from ganonym.privacy.attributes import coarsen
from ganonym.privacy.privatize import privatize
from ganonym.privacy.settings import PrivacySettings
from ganonym.privacy.subject import SubjectFace
from ganonym.synthesis.synthesizer import Synthesizer, load_synthesizer
from ganonym.types import CANVAS, RGB, Face, FaceRecord, PrivateFace, Refusal
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
    """Anonymize the largest face of each photo, in memory: the whole pipeline on one page.

    `photos` maps names to RGB arrays, `subjects` the same names to people; k-same needs at least k of them. Every
    photo comes back as a synthesized face (256, 256, 3) or as a Refusal, never as it was. The batch does the same
    with files, processes, names and a ledger around it. Raises UsageError as `privatize` does.
    """
    outcomes: dict[str, RGB | Refusal] = {}
    records: dict[str, FaceRecord] = {}
    for name, rgb in photos.items():
        try:
            records[name] = analyse(rgb, name, studio)[0]
        except PhotoError as error:
            outcomes[name] = Refusal(error.reason, str(error))
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
    """Everything kept of the faces of one photo, largest first.

    A smaller face beside it that cannot be treated is left out, and with it all of its pixels. Raises PhotoError
    "no-face", "tiny" (under 40 px wide) or "profile" (turned by more than 40°) when that is so of the largest face.
    """
    faces = find_faces(rgb, studio.detector, studio.landmarks)
    if not faces:
        raise PhotoError("no-face", f"{source!r} shows no face that can be found.", "Crop it closer, or leave it out.")
    _require_treatable(faces[0], source)
    return [
        _record(rgb, face, source, index, studio) for index, face in enumerate(faces) if not index or _treatable(face)
    ]


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


def _treatable(face: Face) -> bool:
    return face.box.width >= SMALLEST_FACE and abs(estimate_pose(face.points).yaw) <= LARGEST_YAW


def _require_treatable(face: Face, source: str) -> None:
    if face.box.width < SMALLEST_FACE:
        raise PhotoError(
            "tiny", f"the face in {source!r} is {face.box.width:.0f} px wide; {SMALLEST_FACE:.0f} are needed."
        )
    yaw = estimate_pose(face.points).yaw
    if abs(yaw) > LARGEST_YAW:
        raise PhotoError("profile", f"the face in {source!r} is turned by {yaw:.1f}°; at most {LARGEST_YAW:.0f}° work.")


def _record(rgb: RGB, face: Face, source: str, index: int, studio: Studio) -> FaceRecord:
    return FaceRecord(
        source=source,
        index=index,
        box=face.box,
        points=face.points,
        shape=normalize(face.points, studio.synthesizer.model.shape),
        pose=estimate_pose(face.points),
        tone=tone_class(ita_degrees(rgb, face.points)),
        thumbnail=face_thumbnail(rgb, face.points),
        descriptor=describe(rgb, face.points) if studio.recognizer else None,
    )
