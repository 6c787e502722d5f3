"""The mesh beside MediaPipe itself, under every shift, size and roll, and its 68 points beside others' places."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage.data import astronaut

from ganonym.errors import EnvironmentFault
from ganonym.faces import mesh
from ganonym.faces.blazeface import blazeface_boxes
from ganonym.faces.detect import resize
from ganonym.faces.landmark_network import MIRROR
from ganonym.faces.landmarks import DlibLandmarks
from ganonym.faces.mesh import IBUG, MeshLandmarks, find_mesh, ibug_points, outputs
from ganonym.onnx_session import open_network
from ganonym.photos.decode import read_photo
from ganonym.types import RGB, Box, Points
from ganonym.weights import verified_path
from ganonym_train.landmark_sources import held_out, manual_points

from .mesh_reference import REFERENCE, pictures

PHOTO: RGB = np.ascontiguousarray(astronaut())
BOX = Box(177.6, 82.9, 272.9, 178.2)
EYES = 61.0
"""Distance of the outer eye corners in PHOTO, in pixels."""


@pytest.fixture(scope="module")
def face() -> mesh.MeshFace:
    return find_mesh(PHOTO, BOX)


def worst(one: Points, other: Points) -> float:
    """Largest distance between points, over that of the outer eye corners."""
    return float(np.linalg.norm(one[:, :2] - other[:, :2], axis=1).max()) / EYES


@pytest.mark.parametrize("name", pictures())
def test_the_network_answers_as_mediapipe(name: str) -> None:
    points, presence = outputs(pictures()[name])
    with np.load(REFERENCE, allow_pickle=False) as kept:
        assert np.abs(points - kept[name]).max() < 1e-3
        assert presence == pytest.approx(1 / (1 + np.exp(-kept[f"{name}: presence"].astype(float))), abs=1e-4)


def test_presence_tells_a_face_from_none(face: mesh.MeshFace) -> None:
    assert face.presence > 0.99
    assert find_mesh(PHOTO, Box(330, 330, 430, 430)).presence < 0.01


def test_the_first_look_leaves_little_to_the_next(face: mesh.MeshFace) -> None:
    assert worst(find_mesh(PHOTO, BOX, looks=0).points, face.points) < 0.1
    assert worst(find_mesh(PHOTO, BOX, looks=3).points, face.points) < 0.02


@pytest.mark.parametrize("shift", [(-0.1, 0.0), (0.08, 0.08), (0.0, -0.1)])
@pytest.mark.parametrize("size", [0.85, 1.2])
def test_a_box_that_is_off_gives_the_same_face(shift: tuple[float, float], size: float, face: mesh.MeshFace) -> None:
    x, y = (BOX.left + BOX.right) / 2 + shift[0] * BOX.width, (BOX.top + BOX.bottom) / 2 + shift[1] * BOX.height
    half = size * BOX.width / 2
    result = find_mesh(PHOTO, Box(x - half, y - half, x + half, y + half))
    assert worst(result.points, face.points) < 0.04


@pytest.mark.parametrize("degrees", [-40, -20, 25])
def test_points_turn_with_the_photo(degrees: float, face: mesh.MeshFace) -> None:
    turned = np.asarray(Image.fromarray(PHOTO).rotate(degrees, Image.Resampling.BICUBIC))
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    linear, middle = np.array([[cos, sin], [-sin, cos]]), np.array([255.5, 255.5])
    x, y = linear @ (np.array([225.0, 130.0]) - middle) + middle
    result = find_mesh(turned, Box(x - 48, y - 48, x + 48, y + 48))
    assert worst(result.points, (face.points[:, :2] - middle) @ linear.T + middle) < 0.06


def test_points_grow_with_the_photo(face: mesh.MeshFace) -> None:
    large = resize(PHOTO, 2.5)
    edges = (np.array([BOX.left, BOX.top, BOX.right, BOX.bottom]) + 0.5) * 2.5 - 0.5
    points = find_mesh(large, Box(*edges.tolist())).points
    assert worst((points[:, :2] + 0.5) / 2.5 - 0.5, face.points) < 0.045
    assert np.abs(points[:, 2] / 2.5 - face.points[:, 2]).max() / EYES < 0.05


def test_the_named_parts_lie_where_they_should(face: mesh.MeshFace) -> None:
    points = face.points
    for iris, lids in ((mesh.LEFT_IRIS, mesh.LEFT_LIDS), (mesh.RIGHT_IRIS, mesh.RIGHT_LIDS)):
        low, high = points[list(lids), :2].min(axis=0), points[list(lids), :2].max(axis=0)
        assert (low <= points[iris[0], :2]).all()
        assert (points[iris[0], :2] <= high).all()
        rim = np.linalg.norm(points[list(iris[1:]), :2] - points[iris[0], :2], axis=1)
        assert rim.max() < 1.5 * rim.min()
    for brow, lids in ((mesh.LEFT_BROW, mesh.LEFT_LIDS), (mesh.RIGHT_BROW, mesh.RIGHT_LIDS)):
        assert points[list(brow), 1].max() < points[list(lids), 1].min()
    assert points[4, 2] == points[:, 2].min(), "the tip of the nose is nearest"
    assert points[[33, 263], 0].tolist() == sorted(points[[33, 263], 0]), "image left first"


def test_the_68_lie_near_those_of_an_independent_model(face: mesh.MeshFace) -> None:
    """dlib's trees know nothing of the mesh: a wrong index would be a part of the face away."""
    points, others = ibug_points(face.points), DlibLandmarks().locate(PHOTO, BOX)
    apart = np.linalg.norm(points - others, axis=1) / EYES
    assert apart[17:].max() < 0.15
    assert apart[:17].max() < 0.3
    assert apart.mean() < 0.07


def test_the_map_is_one_to_one_and_mirrors() -> None:
    """The mesh is symmetric: mirrored iBUG points are mirrored mesh points, so that no side is measured otherwise."""
    mirrored = find_mesh(
        np.ascontiguousarray(PHOTO[:, ::-1]), Box(511 - BOX.right, BOX.top, 511 - BOX.left, BOX.bottom)
    )
    straight = find_mesh(PHOTO, BOX)
    there = straight.points[list(IBUG), :2]
    back = mirrored.points[list(IBUG), :2][MIRROR] * [-1, 1] + [511, 0]
    assert len(set(IBUG)) == 68
    assert worst(there, back) < 0.12
    assert np.linalg.norm(there - back, axis=1).mean() / EYES < 0.03


def test_london_hand_set_points(london_folder: Path) -> None:
    """People whose points no training saw: as near as dlib comes, which `benchmarks/landmarks.py` compares in full."""
    manual = manual_points(london_folder.parent)
    errors = []
    for subject in sorted(held_out(set(manual)))[::3]:
        rgb, _ = read_photo(london_folder, f"{subject.removeprefix('london-')}_neutral.jpg")
        result, truth = MeshLandmarks().locate(rgb, blazeface_boxes(rgb)[0]), manual[subject]
        errors.append(np.nanmean(np.linalg.norm(result - truth, axis=1)) / np.linalg.norm(truth[36] - truth[45]))
    assert np.mean(errors) < 0.032
    assert max(errors) < 0.06


def test_altered_weights_are_refused(tmp_path: Path) -> None:
    altered = tmp_path / "face_mesh.onnx"
    altered.write_bytes(verified_path("face_mesh").read_bytes()[:-1])
    with pytest.raises(EnvironmentFault, match="SHA-256"):
        open_network(altered, "0" * 64)
