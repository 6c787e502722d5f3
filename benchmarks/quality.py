"""Does the generator improve on its own input? `python benchmarks/quality.py` compares it with the plain surrogate.

On sampled faces (no training photograph's landmarks): landmark error of what dlib finds to what was requested, faces
found, and the energy of each spatial band inside the face beside that of real photographs, where these are present.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from faces import virtual_faces

from ganonym.faces.align import crop, similarity
from ganonym.faces.find import default_backends, find_faces
from ganonym.faces.shape import normalize, to_canvas
from ganonym.photos.decode import read_photo
from ganonym.synthesis.synthesizer import load_synthesizer, plain_surrogate
from ganonym.types import CANVAS, RGB, Floats, Points

DATA = Path(os.environ.get("GANONYM_DATA", Path(__file__).parents[2] / "shared" / "data"))
COUNT = 120


def bands(rgb: RGB, points: Points) -> Floats:
    """Mean absolute value of four octave bands (finest first) of luma inside eyes-to-mouth, in grey levels."""
    (left, top), (right, bottom) = points[17:60].min(axis=0).astype(int), points[17:60].max(axis=0).astype(int)
    level = rgb.astype(np.float64) @ [0.299, 0.587, 0.114]
    level = level[top : top + (bottom - top) // 16 * 16, left : left + (right - left) // 16 * 16]
    found = []
    for _ in range(4):
        height, width = level.shape
        coarse = level.reshape(height // 2, 2, width // 2, 2).mean(axis=(1, 3))
        found.append(np.abs(level - coarse.repeat(2, axis=0).repeat(2, axis=1)).mean())
        level = coarse
    return np.array(found)


def describe(name: str, pictures: Sequence[RGB], requested: Sequence[Points]) -> None:
    """Print one row: faces found, landmark error in interocular distances, band energies."""
    detector, landmarks = default_backends()
    errors = []
    for rgb, points in zip(pictures, requested, strict=True):
        if faces := find_faces(rgb, detector, landmarks):
            interocular = np.linalg.norm(points[36:42].mean(axis=0) - points[42:48].mean(axis=0))
            errors.append(np.linalg.norm(faces[0].points - points, axis=1).mean() / interocular)
    energy = np.mean([bands(rgb, points) for rgb, points in zip(pictures, requested, strict=True)], axis=0)
    print(
        f"{name:12} found {len(errors)}/{len(pictures)}  landmark error mean {np.mean(errors):.4f} "
        f"95th {np.quantile(errors, 0.95):.4f}  bands {' '.join(f'{value:.2f}' for value in energy)}"
    )


def real_photographs() -> tuple[list[RGB], list[Points]]:
    """Training-set photographs on the canvas, with their own landmarks."""
    detector, landmarks = default_backends()
    shape = load_synthesizer().model.shape
    pictures, requested = [], []
    for path in sorted((DATA / "london").glob("*.jpg"))[:COUNT] if DATA.is_dir() else []:
        rgb, _ = read_photo(DATA / "london", path.name)
        points = find_faces(rgb, detector, landmarks)[0].points
        target = to_canvas(normalize(points, shape))
        pictures.append(crop(rgb, similarity(points, target), CANVAS))
        requested.append(target)
    return pictures, requested


def main() -> None:
    synthesizer = load_synthesizer()
    faces = virtual_faces(COUNT, synthesizer, seed=5)
    points = [face.points for face in faces]
    describe("surrogate", [plain_surrogate(face, synthesizer.model) for face in faces], points)
    describe("generator", [synthesizer.render(face) for face in faces], points)
    pictures, requested = real_photographs()
    if pictures:
        describe("photographs", pictures, requested)


if __name__ == "__main__":
    main()
