"""MediaPipe's face mesh (Kartynnik et al. 2019, attention mesh Grishchenko et al. 2020): 478 points in depth, and 68.

The network is Google's, converted to ONNX by `ganonym_train.mediapipe_models`. Unlike dlib's predictor it may be used
for everything. The 68 iBUG points are a fixed choice of its points, moved by the mean displacement that lies between
what the mesh and the shape model mean by a place (`ganonym_train.mesh_offset`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from ganonym.faces.align import apply, crop, invert, similarity
from ganonym.onnx_session import open_network
from ganonym.types import RGB, Box, Floats, Points
from ganonym.weights import read_manifest, read_tensors, verified_path

INPUT = 192
MESH_POINTS = 478
MARGIN = 1.5
"""The crop's side over the longer side of the box, or of the bounds of the points: MediaPipe's own."""

# Image left first, as everywhere: the person's right eye is the left one.
OUTER_CANTHI = (33, 263)
LEFT_IRIS, RIGHT_IRIS = (468, 469, 470, 471, 472), (473, 474, 475, 476, 477)  # the pupil's centre, then its rim
LEFT_LIDS = (33, 246, 161, 160, 159, 158, 157, 173, 133, 155, 154, 153, 145, 144, 163, 7)
RIGHT_LIDS = (263, 466, 388, 387, 386, 385, 384, 398, 362, 382, 381, 380, 374, 373, 390, 249)
"""Rims of the lids: outer canthus, upper lid, inner canthus, lower lid."""
LEFT_BROW = (70, 63, 105, 66, 107, 55, 65, 52, 53, 46)
RIGHT_BROW = (300, 293, 334, 296, 336, 285, 295, 282, 283, 276)
"""Outlines of the brows: the upper edge from the temple inwards, and the lower one back."""

IBUG: tuple[int, ...] = (
    127, 234, 93, 58, 172, 136, 149, 148, 152, 377, 378, 365, 397, 288, 323, 454, 356,  # jaw
    70, 63, 105, 66, 107, 336, 296, 334, 293, 300,  # brows
    168, 197, 5, 4, 75, 97, 2, 326, 305,  # nose
    33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380,  # lids
    61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181,  # outer lips
    78, 82, 13, 312, 308, 317, 14, 87,  # inner lips
)  # fmt: skip
"""The mesh's point for each of the 68: on London's hand-set points, the one that wanders least from it."""


@dataclass(frozen=True, slots=True)
class MeshFace:
    """`points` (478, 3) in photo pixels, z in the same unit, smaller towards the camera, 0 at the head's middle.

    `presence` in 0…1 is the network's probability that the crop shows a face at all.
    """

    points: Floats
    presence: float


@dataclass(frozen=True, slots=True)
class MeshLandmarks:
    """The mesh as a LandmarkModel: a look at the detector's box, then `looks` at the face set upright.

    Raises EnvironmentFault from `locate` when the weights are missing or altered.
    """

    looks: int = 2
    name: str = "mesh-68"

    @property
    def weights_files(self) -> tuple[Path, ...]:
        return verified_path("face_mesh"), verified_path("mesh_offset")

    def locate(self, rgb: RGB, box: Box) -> Points:
        return ibug_points(find_mesh(rgb, box, self.looks).points)


def find_mesh(rgb: RGB, box: Box, looks: int = 2) -> MeshFace:
    """The mesh of the face that a detector found in `box`, upright give or take 45°: the last of `mesh_looks`.

    Raises EnvironmentFault when the weights are missing or altered.
    """
    return next(islice(mesh_looks(rgb, box), looks, None))


def mesh_looks(rgb: RGB, box: Box) -> Iterator[MeshFace]:
    """Look after look at the face that a detector found in `box`, without end.

    The second and further looks are at a crop around the points of the one before, its eyes level: they halve what is
    left of the box's jitter, and undo a roll.
    """
    centre = np.array([(box.left + box.right) / 2, (box.top + box.bottom) / 2])
    face = look(rgb, _frame(centre, max(box.width, box.height), 0.0))
    while True:
        yield face
        face = look(rgb, level_frame(face.points))


def look(rgb: RGB, matrix: Floats) -> MeshFace:
    """The mesh in the 192 px crop that `matrix` (2, 3), photo to crop, cuts."""
    points, presence = outputs(crop(rgb, matrix, INPUT))
    plane = apply(invert(matrix), points[:, :2] - 0.5)  # the network counts from the corner of a pixel
    depth = points[:, 2] / np.sqrt(np.linalg.det(matrix[:, :2]))
    return MeshFace(np.column_stack([plane, depth]), presence)


def outputs(picture: RGB) -> tuple[Floats, float]:
    """What the network answers to `picture` (192, 192, 3): points (478, 3) in its pixels, and the presence in 0…1."""
    points, presence = _answer(picture.tobytes())
    return points.copy(), presence


@lru_cache(maxsize=64)
def _answer(content: bytes) -> tuple[Floats, float]:
    """`outputs` of the picture with these bytes. Kept, because a landmark model looks where the detector has looked."""
    picture = np.frombuffer(content, dtype=np.uint8).reshape(INPUT, INPUT, 3)
    session = _session()
    values = np.ascontiguousarray(picture.transpose(2, 0, 1)[None], dtype=np.float32) / np.float32(255)
    points, presence = session.run(None, {session.get_inputs()[0].name: values})
    return points[0].astype(np.float64), float(1.0 / (1.0 + np.exp(-float(presence[0]))))


def level_frame(points: Floats) -> Floats:
    """Matrix (2, 3) from the photo to the crop in which the outer canthi of `points` (478, 2 or 3) are level."""
    plane = points[:, :2]
    x, y = (plane[OUTER_CANTHI[1]] - plane[OUTER_CANTHI[0]]).tolist()
    low, high = plane.min(axis=0), plane.max(axis=0)
    return _frame((low + high) / 2, float((high - low).max()), float(np.arctan2(y, x)))


def ibug_points(points: Floats) -> Points:
    """The 68 iBUG points (68, 2) of a mesh (478, 2 or 3), where the bundled shape model expects them.

    Raises EnvironmentFault when the table of displacements is missing or altered.
    """
    chosen = points[list(IBUG), :2]
    mean, offset = _offset()
    matrix = similarity(chosen, mean)
    return apply(invert(matrix), apply(matrix, chosen) + offset)


def _frame(centre: Floats, side: float, angle: float) -> Floats:
    """Matrix (2, 3) to the crop around a square of `side` px, turned by `angle` (clockwise in the image, radians).

    Size, place and angle are rounded (to 1/16 of an octave, 1/32 of the side, 2°): what hardly changes the box or the
    last look's points, such as a pixel far from the face, changes nothing.
    """
    side = float(2.0 ** (np.round(16 * np.log2(max(MARGIN * side, 1.0))) / 16))
    centre = np.round(centre / side * 32) / 32 * side
    angle = float(np.radians(np.round(np.degrees(angle) / 2) * 2))
    cos, sin = INPUT / side * np.cos(angle), INPUT / side * np.sin(angle)
    linear = np.array([[cos, sin], [-sin, cos]])
    return np.column_stack([linear, (INPUT - 1) / 2 - linear @ centre])


@cache
def _session() -> Any:
    return open_network(verified_path("face_mesh"), read_manifest()["face_mesh"].sha256)


@cache
def _offset() -> tuple[Points, Points]:
    """The mean shape, and the displacement of each point in its frame; each (68, 2)."""
    arrays, _ = read_tensors(verified_path("mesh_offset"))
    return arrays["mean"].astype(np.float64), arrays["offset"].astype(np.float64)
