"""The second look on faces that are hard to find, of a public photograph and of people who do not exist."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image
from skimage import data

from ganonym.faces.find import default_backends, find_faces, free_backends, judge_backends
from ganonym.faces.obstacles import OBSTACLES, bounds
from ganonym.faces.overlap import coincide
from ganonym.faces.second_look import (
    _by_blazeface,
    _tiles,
    levelled,
    perhaps_faces,
    second_look,
    unconfirmed,
)
from ganonym.phantom.cohort import phantom_cohort
from ganonym.synthesis.region import box_region
from ganonym.types import RGB, Box, Points

BACKENDS = default_backends()


@pytest.fixture(scope="module")
def people() -> list[tuple[RGB, Points]]:
    """Photos with the landmarks of their one face."""
    astronaut = np.asarray(Image.fromarray(data.astronaut()[:400]).resize((819, 640)))
    photos = [astronaut, *(photo.rgb for photo in phantom_cohort(1, 1, seed=33))]
    return [(rgb, find_faces(rgb, *BACKENDS)[0].points) for rgb in photos]


def is_covered(boxes: list[Box], truth: Box, size: tuple[int, int]) -> bool:
    """Whether what is covered for `boxes` hides the face, those larger than four faces left aside."""
    hidden = np.zeros(size, np.bool_)
    for box in boxes:
        if box.area <= 4 * truth.area:
            box_region(box, size).paint(hidden)
    rows = slice(max(round(truth.top), 0), round(truth.bottom) + 1)
    return bool(hidden[rows, max(round(truth.left), 0) : round(truth.right) + 1].mean() > 0.9)


@pytest.mark.parametrize("name", OBSTACLES)
def test_blazeface_finds_what_hides(name: str, people: list[tuple[RGB, Points]]) -> None:
    for rgb, points in people:
        hidden, truth = OBSTACLES[name](rgb, points)
        assert is_covered(_by_blazeface(hidden), truth, hidden.shape[:2])


def test_the_second_look_finds_what_dlib_misses(people: list[tuple[RGB, Points]]) -> None:
    rgb, points = people[1]
    hidden, truth = OBSTACLES["5 % brightness"](rgb, points)
    assert is_covered(second_look(hidden), truth, hidden.shape[:2])


def test_obstacles_say_where_the_face_is() -> None:
    """A white square for a face in a black photo: whatever is done to it, it stays within its bounds."""
    black = np.zeros((200, 160, 3), np.uint8)
    y, x = np.mgrid[60:140:9j, 50:110:8j]
    points = np.column_stack([x.ravel(), y.ravel()])[:68]
    black[60:141, 50:111] = 255
    for name in ("as it is", "squeezed 2.4 x", "flattened 2.4 x", "6 x smaller", "turned 90°", "turned 180°"):
        changed, box = OBSTACLES[name](black, points)
        rows, columns = np.nonzero(changed[..., 0] > 160)
        result = Box(columns.min(), rows.min(), columns.max(), rows.max())
        for side in ("left", "top", "right", "bottom"):
            assert abs(getattr(result, side) - getattr(box, side)) <= 10 if "smaller" not in name else 3, (name, side)


def test_cut_photos_hold_the_rest_of_the_face(people: list[tuple[RGB, Points]]) -> None:
    rgb, points = people[0]
    whole = bounds(points)
    for name, least, most in (("lower half", 0.4, 0.9), ("upper half", 0.3, 0.8), ("one side", 0.3, 0.7)):
        cut, box = OBSTACLES[name](rgb, points)
        assert least * whole.area < box.area < most * whole.area
        assert -1 <= box.left < box.right <= cut.shape[1]
        assert -1 <= box.top < box.bottom <= cut.shape[0]


def test_photos_without_a_face_stay_mostly_as_they_are() -> None:
    """A cup, a lawn, a wall, a rocket, a galaxy: false alarms there are, but they cover little."""
    shares = []
    for rgb in (data.coffee(), data.rocket(), data.hubble_deep_field()[:600, :600], np.dstack([data.brick()] * 3)):
        hidden = np.zeros(rgb.shape[:2], np.bool_)
        for box in _by_blazeface(rgb):
            box_region(box, rgb.shape[:2]).paint(hidden)
        shares.append(float(hidden.mean()))
    assert max(shares) < 0.35
    assert np.mean(shares) < 0.15


def test_what_only_another_detector_sees_is_told(people: list[tuple[RGB, Points]]) -> None:
    rgb, _ = people[0]
    face = find_faces(rgb, *BACKENDS)[0].box
    sleeve = Box(10.0, 300.0, 70.0, 360.0)
    for detector, _ in (judge_backends(), free_backends()):
        assert unconfirmed(rgb, [face, sleeve], detector) == [sleeve]
        assert unconfirmed(rgb, [], detector) == []


def test_faint_faces_are_for_a_person_to_look_at(people: list[tuple[RGB, Points]]) -> None:
    """As contrast fades, a face is covered, then doubtful, then gone; what is doubtful is not covered."""
    rgb, points = people[0]
    states = []
    for contrast in np.geomspace(0.1, 0.004, 25):
        faint = np.rint(128 + contrast * (rgb.astype(float) - 128)).astype(np.uint8)
        doubtful = perhaps_faces(faint)
        assert all(0.2 <= box.score < 0.4 for box in doubtful)
        states.append("doubt" if any(coincide(box, bounds(points)) for box in doubtful) else "")
    assert "doubt" in states


def test_tiles_become_finer_with_the_photo() -> None:
    for longer in (10, 400, 640, 900, 1920, 6000, 12_000):
        assert all(1.5 * longer / count >= 320 for count in _tiles(longer))
    assert len(_tiles(6000)) > len(_tiles(1920)) > len(_tiles(640))


@pytest.mark.parametrize("name", ["5 % brightness", "low contrast", "squeezed 2.4 x"])
def test_a_face_is_found_beside_a_bright_one(name: str, people: list[tuple[RGB, Points]]) -> None:
    """In a photo of two the dark one is harder: a squeezed one is, too."""
    bright, (rgb, points) = people[0][0][:480], people[1]
    changed, truth = OBSTACLES[name](rgb, points)
    both = np.concatenate([bright, changed[:480]], axis=1)
    moved = Box(truth.left + bright.shape[1], truth.top, truth.right + bright.shape[1], truth.bottom)
    assert is_covered(_by_blazeface(both), moved, both.shape[:2])


def test_levelled_photos_do_not_depend_on_light() -> None:
    rgb = data.astronaut().astype(float)
    assert np.abs(levelled(np.rint(rgb * 0.5).astype(np.uint8)).astype(float) - levelled(data.astronaut())).mean() < 2
    assert np.array_equal(levelled(np.full((9, 9, 3), 7, np.uint8)), np.full((9, 9, 3), 128, np.uint8))


def test_the_second_look_sees_small_and_turned_faces() -> None:
    portraits = [photo.rgb for photo in phantom_cohort(3, 1, seed=21)]
    room = np.full((700, 900, 3), 140, np.uint8)
    room[:480, :480] = portraits[0]
    room[480:, 500:720] = np.rot90(portraits[1])[:440, :440][::2, ::2]
    room[20:180, 700:860] = portraits[2][::3, ::3]
    middles = [((box.left + box.right) / 2, (box.top + box.bottom) / 2) for box in second_look(room)]
    for x, y, reach in ((240, 240, 90), (610, 590, 60), (780, 100, 40)):
        assert any(abs(a - x) < reach and abs(b - y) < reach for a, b in middles), (x, y)
