"""Beside a clear face the others are seen too: smaller ones by a closer look, turned ones by the second detector."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.data import astronaut, chelsea, coffee

from ganonym.faces.blazeface import BlazeFaceDetector
from ganonym.faces.detect import Detector
from ganonym.faces.everybody import find_everybody
from ganonym.faces.find import find_faces, free_backends, judge_backends
from ganonym.faces.landmarks import LandmarkModel
from ganonym.faces.mesh import MeshLandmarks
from ganonym.subjects import choose_face
from ganonym.types import RGB, Refusal

FACE: RGB = np.ascontiguousarray(astronaut()[:260, 80:360])


def beside(other: RGB) -> RGB:
    """The astronaut with somebody smaller to her right."""
    room = np.full((FACE.shape[0], FACE.shape[1] + other.shape[1], 3), 90, np.uint8)
    room[:, : FACE.shape[1]], room[: other.shape[0], FACE.shape[1] :] = FACE, other
    return room


def test_a_child_half_as_large_is_found_at_once() -> None:
    seen = find_everybody(beside(FACE[::2, ::-2]), *free_backends())
    assert (len(seen.faces), seen.doubtful) == (2, ())
    assert seen.faces[1].points[:, 0].min() > FACE.shape[1] > seen.faces[0].points[:, 0].max()
    assert isinstance(choose_face([face.box for face in seen.faces], None), Refusal)


def test_a_child_whom_the_finder_overlooks_is_found_on_a_closer_look() -> None:
    """dlib as the finder, BlazeFace as the second detector."""
    photo = beside(FACE[::2, ::-2])
    assert len(find_faces(photo, *judge_backends())) == 1, "the finder alone stops at the clear face"
    seen = find_everybody(photo, *judge_backends())
    assert len(seen.faces) == 2
    assert seen.doubtful == ()
    assert seen.faces[1].points[:, 0].min() > FACE.shape[1] > seen.faces[0].points[:, 0].max()


def test_whom_only_the_second_detector_sees_is_doubtful() -> None:
    seen = find_everybody(beside(FACE[::-1]), *judge_backends())
    assert (len(seen.faces), len(seen.doubtful)) == (1, 1)
    assert seen.doubtful[0].box.left > FACE.shape[1] - 10
    wary = BlazeFaceDetector(threshold=0.9, tiled=0.99)  # overlooks the child, whom dlib sees
    seen = find_everybody(beside(FACE[::2, ::-2]), wary, MeshLandmarks())
    assert (len(seen.faces), len(seen.doubtful)) == (1, 1)
    assert seen.doubtful[0].points[:, 0].min() > FACE.shape[1]


def test_who_hangs_upside_down_is_not_overlooked() -> None:
    seen = find_everybody(beside(FACE[::-1]), *free_backends())
    assert len((*seen.faces, *seen.doubtful)) == 2


@pytest.mark.parametrize("backends", [free_backends(), judge_backends()], ids=["free", "dlib"])
@pytest.mark.parametrize("photo", [FACE, np.ascontiguousarray(astronaut())])
def test_one_person_alone_is_found_as_before(photo: RGB, backends: tuple[Detector, LandmarkModel]) -> None:
    (before,) = find_faces(photo, *backends)
    seen = find_everybody(photo, *backends)
    assert (len(seen.faces), seen.doubtful) == (1, ())
    assert np.array_equal(seen.faces[0].points, before.points)


@pytest.mark.parametrize("backends", [free_backends(), judge_backends()], ids=["free", "dlib"])
@pytest.mark.parametrize("photo", [coffee(), chelsea()])
def test_where_the_finder_sees_nobody_there_is_nobody(photo: RGB, backends: tuple[Detector, LandmarkModel]) -> None:
    assert find_everybody(photo, *backends).faces == ()
