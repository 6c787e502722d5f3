"""Beside a clear face the others are seen too: smaller ones by a closer look, turned ones by the second detector."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.data import astronaut, coffee

from ganonym.faces.everybody import find_everybody
from ganonym.faces.find import default_backends, find_faces
from ganonym.subjects import choose_face
from ganonym.types import RGB, Refusal

FACE: RGB = np.ascontiguousarray(astronaut()[:260, 80:360])


def beside(other: RGB) -> RGB:
    """The astronaut with somebody smaller to her right."""
    room = np.full((FACE.shape[0], FACE.shape[1] + other.shape[1], 3), 90, np.uint8)
    room[:, : FACE.shape[1]], room[: other.shape[0], FACE.shape[1] :] = FACE, other
    return room


def test_a_child_half_as_large_is_not_overlooked() -> None:
    photo = beside(FACE[::2, ::-2])
    assert len(find_faces(photo, *default_backends())) == 1, "the finder alone stops at the clear face"
    seen = find_everybody(photo, *default_backends())
    assert len(seen.faces) == 2
    assert seen.doubtful == ()
    assert seen.faces[1].points[:, 0].min() > FACE.shape[1] > seen.faces[0].points[:, 0].max()
    assert isinstance(choose_face([face.box for face in seen.faces], None), Refusal)


def test_who_hangs_upside_down_is_doubtful() -> None:
    photo = beside(FACE[::-1])
    seen = find_everybody(photo, *default_backends())
    assert (len(seen.faces), len(seen.doubtful)) == (1, 1)
    assert seen.doubtful[0].box.left > FACE.shape[1] - 10


@pytest.mark.parametrize("photo", [FACE, np.ascontiguousarray(astronaut())])
def test_one_person_alone_is_found_as_before(photo: RGB) -> None:
    (before,) = find_faces(photo, *default_backends())
    seen = find_everybody(photo, *default_backends())
    assert (len(seen.faces), seen.doubtful) == (1, ())
    assert np.array_equal(seen.faces[0].points, before.points)


def test_where_the_finder_sees_nobody_there_is_nobody() -> None:
    assert find_everybody(coffee(), *default_backends()).faces == ()
