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
from ganonym.types import LANDMARKS, RGB, Box, Points

_PREDICTOR = "shape_predictor_68_face_landmarks.dat"


class LandmarkModel(Protocol):
    """Locates the 68 points of iBUG 300-W (Sagonas et al. 2016) of an upright face."""

    @property
    def name(self) -> str: ...

    @property
    def weights_files(self) -> tuple[Path, ...]:
        """The files that it was learned into. Raises EnvironmentFault when one is missing."""
        ...

    def locate(self, rgb: RGB, box: Box) -> Points:
        """Points (68, 2) float64 in photo pixels; some may lie outside the photo where the face does."""
        ...


@dataclass(frozen=True, slots=True)
class DlibLandmarks:
    """dlib's ensemble of regression trees (Kazemi & Sullivan 2014), trained on 300-W: no commercial use.

    The detector's boxes sit on a coarse grid and the trees follow the box, so the points are the mean over `nudges`
    (shifts of the box in units of its size): that halves the jitter. Faces wider than `face_side` px are
    reduced to it first; measured on London, neither costs accuracy.
    """

    face_side: float = 300.0
    nudges: tuple[tuple[float, float], ...] = ((0.0, 0.0), (-0.03, 0.0), (0.03, 0.0), (0.0, -0.03), (0.0, 0.03))
    name: str = "dlib-68"

    @property
    def weights_files(self) -> tuple[Path, ...]:
        return (model_file(_PREDICTOR),)

    def locate(self, rgb: RGB, box: Box) -> Points:
        import dlib

        region, left, top = _surroundings(rgb, box)
        reduced = resize(region, min(1.0, self.face_side / max(box.width, 1.0)))
        per_pixel = np.array([reduced.shape[1] / region.shape[1], reduced.shape[0] / region.shape[0]])
        corner = (np.array([box.left - left, box.top - top]) + 0.5) * per_pixel
        size = np.array([box.width, box.height]) * per_pixel
        total = np.zeros((LANDMARKS, 2))
        for nudge in self.nudges:
            x, y = np.rint(corner + nudge * size).astype(int).tolist()
            found = _predictor()(reduced, dlib.rectangle(x, y, x + round(size[0]) - 1, y + round(size[1]) - 1))
            total += [(point.x, point.y) for point in found.parts()]
        points: Points = (total / len(self.nudges) + 0.5) / per_pixel - 0.5 + [left, top]
        return points


def _surroundings(rgb: RGB, box: Box) -> tuple[RGB, int, int]:
    """The part of `rgb` within half a box around `box`, and its left and top; all of `rgb` where they do not meet."""
    left, top = max(0, int(box.left - box.width / 2)), max(0, int(box.top - box.height / 2))
    part = rgb[top : max(0, int(box.bottom + box.height / 2)), left : max(0, int(box.right + box.width / 2))]
    return (part, left, top) if part.size else (rgb, 0, 0)


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

    return dlib.shape_predictor(str(model_file(_PREDICTOR)))
