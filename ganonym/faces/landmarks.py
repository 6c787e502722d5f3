"""Landmarks: a photo and a face box in, the 68 iBUG points out."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from ganonym.errors import EnvironmentFault
from ganonym.faces.detect import resize
from ganonym.types import RGB, Box, Points


class LandmarkModel(Protocol):
    """Locates the 68 points of iBUG 300-W (Sagonas et al. 2016) of an upright face."""

    @property
    def name(self) -> str: ...

    def locate(self, rgb: RGB, box: Box) -> Points:
        """Points (68, 2) float64 in photo pixels; some may lie outside the photo where the face does."""
        ...


@dataclass(frozen=True, slots=True)
class DlibLandmarks:
    """dlib's ensemble of regression trees (Kazemi & Sullivan 2014), trained on 300-W: no commercial use.

    The trees compare single pixels, so a large face is first reduced to `face_side` px, which also removes noise.
    """

    face_side: int = 240
    name: str = "dlib-68"

    def locate(self, rgb: RGB, box: Box) -> Points:
        scale = min(1.0, self.face_side / max(box.width, 1.0))
        resized = resize(rgb, scale)
        sx, sy = resized.shape[1] / rgb.shape[1], resized.shape[0] / rgb.shape[0]
        left, top = round((box.left + 0.5) * sx), round((box.top + 0.5) * sy)
        right, bottom = round((box.right + 0.5) * sx) - 1, round((box.bottom + 0.5) * sy) - 1
        import dlib

        found = _predictor()(resized, dlib.rectangle(left, top, right, bottom))
        points = np.array([(p.x, p.y) for p in found.parts()], dtype=np.float64)
        in_photo: Points = (points + 0.5) / [sx, sy] - 0.5
        return in_photo


def model_file(name: str) -> Path:
    """Path of a model file of the package `face_recognition_models`. Raises EnvironmentFault.

    Found without importing the package, because its import needs the long gone `pkg_resources`.
    """
    spec = find_spec("face_recognition_models")
    if spec is None or spec.origin is None:
        raise EnvironmentFault("dlib's model files are absent.", "Install them: pip install face_recognition_models")
    path = Path(spec.origin).parent / "models" / name
    if not path.is_file():
        raise EnvironmentFault(
            f"{path} is missing.", "Reinstall: pip install --force-reinstall face_recognition_models"
        )
    return path


@cache
def _predictor() -> Any:
    import dlib

    return dlib.shape_predictor(str(model_file("shape_predictor_68_face_landmarks.dat")))
