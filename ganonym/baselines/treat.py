"""One photo of a folder by one baseline: what a worker process does."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from ganonym.baselines.filters import filter_photo
from ganonym.baselines.made_faces import align_face, composite
from ganonym.baselines.methods import BaselineSettings
from ganonym.errors import PhotoError
from ganonym.faces.appearance import load_appearance
from ganonym.faces.detect import Detector
from ganonym.faces.find import default_backends, find_faces
from ganonym.faces.landmarks import LandmarkModel
from ganonym.faces.pose import estimate_pose
from ganonym.faces.tone import ita_degrees, tone_class
from ganonym.photos.decode import read_photo
from ganonym.types import RGB, Face


@dataclass(frozen=True, slots=True)
class Treatment:
    """The photo `root/name` whose bytes had the SHA-256 `digest`.

    Where a method makes a face of its own, the largest face must be `smallest` px wide and turned by at most
    `largest_yaw` degrees; filters take every face there is.
    """

    root: Path
    name: str
    digest: str
    settings: BaselineSettings
    smallest: float
    largest_yaw: float


def load_models() -> None:
    """Load what a worker needs, so that its absence shows before the first photo. Raises EnvironmentFault."""
    _backends()
    load_appearance()


def treat(treatment: Treatment) -> tuple[RGB, int]:
    """The picture that a filter or `composite` makes of a photo, and how many of its faces were treated.

    Raises PhotoError: whatever `read_photo` raises, "changed", "no-face", those of `filter_photo`; for a composite
    "tiny", "profile", "no-skin", "landmarks".
    """
    method, model = treatment.settings.method, load_appearance()
    if method == "composite":
        rgb, face = _largest(treatment)
        tone = tone_class(ita_degrees(rgb, face.points))
        try:
            return composite(face.points, tone, model), 1
        except ValueError as error:
            raise PhotoError("landmarks", f"the landmarks of the face are unusable: {error}.") from error
    if method == "k-same-pixel":
        raise ValueError("k-same-pixel treats all photos together: see `aligned`")
    rgb, faces = _look(treatment)
    return filter_photo(rgb, faces, method, model, treatment.settings.scale), len(faces)


def aligned(treatment: Treatment) -> RGB:
    """The largest face on the canvas (256, 256, 3), as k-same-pixel averages it; raises PhotoError as `treat` does."""
    rgb, face = _largest(treatment)
    try:
        return align_face(rgb, face.points, load_appearance().shape.mean)
    except ValueError as error:
        raise PhotoError("landmarks", f"the landmarks of the face are unusable: {error}.") from error


def _look(treatment: Treatment) -> tuple[RGB, list[Face]]:
    rgb, digest = read_photo(treatment.root, treatment.name)
    if digest != treatment.digest:
        raise PhotoError("changed", f"{treatment.name!r} changed during the run.", "Run again when it is still.")
    faces = find_faces(rgb, *_backends())
    if not faces:
        raise PhotoError(
            "no-face", f"{treatment.name!r} shows no face that can be found.", "Crop it closer, or leave it out."
        )
    return rgb, faces


def _largest(treatment: Treatment) -> tuple[RGB, Face]:
    rgb, faces = _look(treatment)
    if faces[0].box.width < treatment.smallest:
        raise PhotoError("tiny", f"the face in {treatment.name!r} is under {treatment.smallest:.0f} px wide.")
    if abs(estimate_pose(faces[0].points).yaw) > treatment.largest_yaw:
        raise PhotoError(
            "profile", f"the face in {treatment.name!r} is turned by more than {treatment.largest_yaw:.0f}°."
        )
    return rgb, faces[0]


@cache
def _backends() -> tuple[Detector, LandmarkModel]:
    return default_backends()
