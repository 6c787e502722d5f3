"""Composites of a cohort's classes and the maps of how they differ: planted patches, planted shifts, small classes."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from ganonym.classify.case import Case
from ganonym.classify.cohort import CanvasCrop, Cohort, Portrait
from ganonym.classify.explain.composite import (
    ARROW,
    OTHERS,
    Composite,
    Difference,
    composite,
    difference,
    drawn,
    heat,
    in_shape,
    inside,
    limit_of,
)
from ganonym.classify.studies.composites import class_faces, file_names
from ganonym.errors import UsageError
from ganonym.faces.shape import load_shape, to_canvas
from ganonym.types import Points, Pose

FACE: Points = to_canvas(load_shape().mean)
FIVE = ["a", "b", "c", "d", "e"]


def plain(level: int, points: Points = FACE) -> Portrait:
    return Portrait({CanvasCrop(): np.full((256, 256, 3), level, np.uint8)}, points, Pose(0.0, 0.0, 0.0))


def cohort(**sizes: int) -> Cohort:
    """Two photographs of each person, of a grey level that is the class's."""
    names = tuple(sorted(sizes))
    rows = [(name, person) for name in names for person in range(sizes[name]) for _ in range(2)]
    cases = tuple(Case(f"{row}.png", Path(), f"{name}{person}", name) for row, (name, person) in enumerate(rows))
    places = np.array([names.index(name) for name, _ in rows], np.intp)
    return Cohort(cases, tuple(plain(60 + 20 * place) for place in places), names, places, ())


def test_each_class_has_its_face_and_small_ones_are_named() -> None:
    faces = class_faces(cohort(control=5, few=4, many=7), "control")
    assert faces.left_out == {"few": 4}
    assert [(face.name, face.photos, face.face.subjects) for face in faces.faces] == [
        ("control", 10, 5),
        ("many", 14, 7),
    ]
    assert [int(face.face.rgb.mean()) for face in faces.faces] == [60, 100]
    control, many = faces.faces
    assert control.difference is None
    assert many.difference is not None
    np.testing.assert_allclose(many.difference.luma, 40)
    only = class_faces(cohort(control=5, few=4, many=7), None, ["many"])
    assert [(face.name, face.difference) for face in only.faces] == [("many", None)]
    assert only.left_out == {}


def test_what_cannot_be_compared_is_refused() -> None:
    people = cohort(control=5, few=4, many=7)
    with pytest.raises(UsageError, match="'few' has 4 people"):
        class_faces(people, "few")
    with pytest.raises(UsageError, match="nobody has the disorder 'none'"):
        class_faces(people, "none")
    with pytest.raises(UsageError, match=r"takes 5 people; there are few \(4\)"):
        class_faces(people, None, ["few"])


def test_a_composite_in_another_shape() -> None:
    y, x = np.mgrid[:256, :256]
    spot = (200 * np.exp(-((x - FACE[30, 0]) ** 2 + (y - FACE[30, 1]) ** 2) / 8)).astype(np.uint8)
    result = Composite(np.repeat(spot[..., None], 3, axis=2), FACE, 5)
    assert np.abs(in_shape(result, FACE).astype(int) - result.rgb).max() <= 1
    moved = in_shape(result, FACE + np.array([6.0, -4.0]))[..., 0].astype(float)
    middle = (moved * x).sum() / moved.sum(), (moved * y).sum() / moved.sum()
    np.testing.assert_allclose(middle, FACE[30] + [6.0, -4.0], atol=0.4)


def test_colours_lie_where_the_skin_differs() -> None:
    patients = []
    for _ in range(5):
        canvas = np.full((256, 256, 3), 120, np.uint8)
        canvas[130:150, 80:95] += 40
        canvas[130:150, 160:175] -= 20
        patients.append(Portrait({CanvasCrop(): canvas}, FACE, Pose(0.0, 0.0, 0.0)))
    result = difference(patients, FIVE, [plain(120)] * 5, FIVE)
    limit = limit_of([result])
    assert limit == pytest.approx(40, abs=1)
    face = composite(patients, FIVE)
    picture = drawn(face, result, limit).astype(int)
    assert picture.shape == (824, 768, 3)
    bright, dark, same = (picture[3 * 140 + 1, 3 * column + 1] for column in (87, 167, 20))
    assert bright[0] > 2 * bright[2]
    assert dark[2] > 1.3 * dark[0]
    assert same.max() - same.min() < 5
    wider = drawn(face, result, 2 * limit).astype(int)[421, 262]
    assert wider[2] > bright[2] + 30  # paler on a wider scale
    assert drawn(face, result, limit).tobytes() == picture.astype(np.uint8).tobytes()


def test_the_patients_are_drawn_in_the_shape_half_way() -> None:
    cheek = (FACE[2] + FACE[31]) / 2
    y, x = np.mgrid[:256, :256]
    spot = 200 * np.exp(-((x - cheek[0] - 6) ** 2 + (y - cheek[1] + 4) ** 2) / 8)
    patients = Composite(np.repeat(spot[..., None], 3, axis=2).astype(np.uint8), FACE + np.array([6.0, -4.0]), 5)
    picture = drawn(patients, Difference(np.zeros((256, 256)), FACE, np.zeros((68, 2))), 1.0)
    column, row = ((cheek + 0.5) * 3 - 0.5).round().astype(int)
    near = picture[row - 24 : row + 25, column - 24 : column + 25, 0].astype(float)
    light = np.maximum(near - near.min() - 30, 0)  # less the paper
    rows, columns = np.mgrid[-24:25, -24:25]
    np.testing.assert_allclose([(light * value).sum() / light.sum() for value in (columns, rows)], 0, atol=1.5)


def test_arrows_point_to_the_patients_place_three_times_as_far() -> None:
    shift = np.zeros((68, 2))
    shift[30] = [0.0, 5.0]
    result = Difference(np.zeros((256, 256)), FACE + shift / 2, shift)
    picture = drawn(Composite(plain(200).canvas, FACE + shift, 5), result, 1.0)
    rows, columns = np.nonzero((picture == ARROW).all(axis=2))
    start = (FACE[30] + 0.5) * 3 - 0.5
    along = np.abs(columns - start[0]) < 6
    near = along & (np.abs(rows - start[1]) < 60)
    assert rows[near].max() == pytest.approx(start[1] + 3 * 3 * 5, abs=2)
    assert rows[near].min() >= start[1] - 2


def test_the_outline_is_where_the_controls_features_are() -> None:
    shift = np.tile([0.0, 12.0], (68, 1))
    result = Difference(np.zeros((256, 256)), FACE + shift / 2, shift)
    picture = drawn(Composite(plain(200).canvas, FACE + shift, 5), result, 1.0)
    grey = (picture == OTHERS).all(axis=2)
    places = [*range(17, 21), *range(22, 26)]  # of brows, whose arrows part them
    middles = ((FACE[places] + FACE[[place + 1 for place in places]]) / 2 + 0.5) * 3 - 0.5
    for x, y in middles.round().astype(int).tolist():
        assert grey[y - 2 : y + 3, x].any()


def test_eyes_and_lips_are_closed_outlines_and_the_jaw_is_open() -> None:
    same = Difference(np.zeros((256, 256)), FACE, np.zeros((68, 2)))
    grey = (drawn(Composite(plain(200).canvas, FACE, 5), same, 1.0) == OTHERS).all(axis=2)
    for first, last, closed in ((36, 41, True), (42, 47, True), (48, 59, True), (60, 67, True), (0, 16, False)):
        near = 0.5 if closed else 0.1  # half-way between the ends of the jaw is the nose
        x, y = ((FACE[first] + near * (FACE[last] - FACE[first]) + 0.5) * 3 - 0.5).round().astype(int)
        assert grey[y - 1 : y + 2, x - 1 : x + 2].any() == closed, first


def test_the_bar_of_the_scale_goes_from_darker_to_lighter() -> None:
    same = Difference(np.zeros((256, 256)), FACE, np.zeros((68, 2)))
    bar = drawn(Composite(plain(200).canvas, FACE, 5), same, 7.0)[768 + 15, 256:512].astype(int)
    assert bar[[0, -1]].tolist() == heat(np.array([[-7.0, 7.0]]))[0].tolist()
    assert bar[0, 2] > bar[0, 0]
    assert bar[-1, 0] > bar[-1, 2]


def test_the_scale_is_that_of_faces_not_of_what_is_around_them() -> None:
    luma = np.zeros((256, 256))
    luma[0, 0], luma[140, 128] = 200.0, -12.0
    result = Difference(luma, FACE, np.zeros((68, 2)))
    assert inside(FACE)[140, 128]
    assert not inside(FACE)[0, 0]
    assert limit_of([result, Difference(np.zeros((256, 256)), FACE, np.zeros((68, 2)))]) == 12.0
    assert limit_of([Difference(np.zeros((256, 256)), FACE, np.zeros((68, 2)))]) == 1.0


def test_a_pixel_is_inside_by_its_column_and_row() -> None:
    rng = np.random.default_rng(1)
    points = np.concatenate(
        [[[100, 20], [130, 20], [130, 220], [100, 220]], rng.uniform((100, 20), (130, 220), (64, 2))]
    )
    result = inside(points)
    wanted = np.zeros((256, 256), bool)
    wanted[20:221, 100:131] = True
    assert not (result ^ wanted)[21:220, 101:130].any()
    assert not result[~wanted].any()


def test_file_names_are_safe_and_differ() -> None:
    names = [
        "A/B",
        "a b",
        "../../etc/passwd",
        "..",
        "",
        "染色体",
        "Ångström",
        "x" * 300,
        "NUL",
        "nul-2",
        "a\nb\0c",
        ".hid",
    ]
    result = file_names(names)
    assert list(result) == names
    assert len({entry.lower() for entry in result.values()}) == len(names)
    for entry in result.values():
        assert re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,90}\.png", entry), entry
        assert entry.lower() not in {"nul.png", "con.png"}
    assert result["Ångström"] == "Angstrom.png"
