"""Pose against projections of the head model turned by SciPy, and against turned photos."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from scipy.spatial.transform import Rotation

from ganonym.faces.detect import DlibDetector
from ganonym.faces.find import find_faces
from ganonym.faces.landmarks import DlibLandmarks
from ganonym.faces.pose import _HEAD, _POSE_LANDMARKS, estimate_pose
from ganonym.types import RGB, Points


def project(yaw: float, pitch: float, roll: float, distance: float = 0.0) -> Points:
    """Landmarks of the head turned by the angles, under weak perspective or from `distance` (cm) in perspective."""
    turn = Rotation.from_euler("xyz", [-pitch, -yaw, roll], degrees=True)
    turned = turn.apply(_HEAD - _HEAD.mean(axis=0))
    depth = 1.0 + turned[:, 2:] / distance if distance else 1.0
    points = np.zeros((68, 2))
    points[list(_POSE_LANDMARKS)] = 20.0 * turned[:, :2] / depth + [300.0, 400.0]
    return points


@given(st.floats(-60.0, 60.0), st.floats(-60.0, 60.0), st.floats(-179.0, 179.0))
def test_known_angles_come_back(yaw: float, pitch: float, roll: float) -> None:
    pose = estimate_pose(project(yaw, pitch, roll))
    np.testing.assert_allclose([pose.yaw, pose.pitch, pose.roll], [yaw, pitch, roll], atol=1e-6)


@pytest.mark.parametrize(("yaw", "pitch"), [(0, 0), (20, 0), (-20, 10), (0, -20), (35, 15)])
def test_perspective_from_a_metre_costs_little(yaw: float, pitch: float) -> None:
    pose = estimate_pose(project(yaw, pitch, 5.0, distance=100.0))
    assert abs(pose.yaw - yaw) < 2.0
    assert abs(pose.pitch - pitch) < 4.0
    assert abs(pose.roll - 5.0) < 2.0


def test_signs_are_those_of_the_type() -> None:
    nose, eyes = slice(8, 10), slice(4, 8)
    seen = list(_POSE_LANDMARKS)

    def nose_ahead(points: Points) -> Points:
        return points[seen][nose].mean(axis=0) - points[seen][eyes].mean(axis=0)

    straight = nose_ahead(project(0.0, 0.0, 0.0))
    assert nose_ahead(project(20.0, 0.0, 0.0))[0] > straight[0]
    assert nose_ahead(project(0.0, 20.0, 0.0))[1] < straight[1]
    eye_line = project(0.0, 0.0, 20.0)[[36, 45]]
    assert eye_line[1, 1] > eye_line[0, 1]


def test_a_turned_photo_reports_its_roll(lisa_folder: Path) -> None:
    photo = Image.open(lisa_folder / "60cm.jpg").convert("RGB")

    def roll(turned: Image.Image) -> float:
        rgb: RGB = np.asarray(turned)
        return estimate_pose(find_faces(rgb, DlibDetector(), DlibLandmarks())[0].points).roll

    straight = roll(photo)
    for degrees in (-15, 15):
        turned = photo.rotate(-degrees, Image.Resampling.BICUBIC)
        assert abs(roll(turned) - straight - degrees) < 2.0
    assert abs(roll(photo.transpose(Image.Transpose.ROTATE_270)) - straight - 90.0) < 1.0
