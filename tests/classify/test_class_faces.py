"""Composites of a cohort's classes and the maps of how they differ: planted patches, planted shifts, small classes."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from ganonym.classify.case import Case
from ganonym.classify.cohort import Cohort
from ganonym.classify.explain.class_faces import class_faces, file_names
from ganonym.classify.explain.composite import Composite, Difference, composite, difference, in_shape
from ganonym.classify.explain.difference_map import ARROW, drawn, inside, limit_of
from ganonym.classify.portrait import Portrait
from ganonym.errors import UsageError
from ganonym.faces.shape import load_shape, to_canvas
from ganonym.types import Points, Pose

FACE: Points = to_canvas(load_shape().mean)
FIVE = ["a", "b", "c", "d", "e"]


def plain(level: int, points: Points = FACE) -> Portrait:
    return Portrait(np.full((256, 256, 3), level, np.uint8), points, Pose(0.0, 0.0, 0.0))


def cohort(**sizes: int) -> Cohort:
    """Two photographs of each person, of a grey level that is the class's."""
    names = tuple(sorted(sizes))
    rows = [(name, person) for name in names for person in range(sizes[name]) for _ in range(2)]
    cases = tuple(Case(f"{row}.png", Path(), f"{name}{person}", name) for row, (name, person) in enumerate(rows))
    places = np.array([names.index(name) for name, _ in rows], np.intp)
    return Cohort(cases, tuple(plain(60 + 20 * place) for place in places), names, places, ())


def test_each_class_has_its_face_and_small_ones_are_named() -> None:
    found = class_faces(cohort(control=5, few=4, many=7), "control")
    assert found.left_out == {"few": 4}
    assert [(each.name, each.photos, each.face.subjects) for each in found.faces] == [
        ("control", 10, 5),
        ("many", 14, 7),
    ]
    assert [int(each.face.rgb.mean()) for each in found.faces] == [60, 100]
    control, many = found.faces
    assert control.difference is None
    assert many.difference is not None
    np.testing.assert_allclose(many.difference.luma, 40)
    only = class_faces(cohort(control=5, few=4, many=7), None, ["many"])
    assert [(each.name, each.difference) for each in only.faces] == [("many", None)]
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
    found = Composite(np.repeat(spot[..., None], 3, axis=2), FACE, 5)
    assert np.abs(in_shape(found, FACE).astype(int) - found.rgb).max() <= 1
    moved = in_shape(found, FACE + np.array([6.0, -4.0]))[..., 0].astype(float)
    middle = (moved * x).sum() / moved.sum(), (moved * y).sum() / moved.sum()
    np.testing.assert_allclose(middle, FACE[30] + [6.0, -4.0], atol=0.4)


def test_colours_lie_where_the_skin_differs() -> None:
    patients = []
    for _ in range(5):
        canvas = np.full((256, 256, 3), 120, np.uint8)
        canvas[130:150, 80:95] += 40
        canvas[130:150, 160:175] -= 20
        patients.append(Portrait(canvas, FACE, Pose(0.0, 0.0, 0.0)))
    found = difference(patients, FIVE, [plain(120)] * 5, FIVE)
    limit = limit_of([found])
    assert limit == pytest.approx(40, abs=1)
    face = composite(patients, FIVE)
    picture = drawn(face, found, limit).astype(int)
    assert picture.shape == (824, 768, 3)
    bright, dark, same = (picture[3 * 140 + 1, 3 * column + 1] for column in (87, 167, 20))
    assert bright[0] > 2 * bright[2]
    assert dark[2] > 1.3 * dark[0]
    assert same.max() - same.min() < 5
    wider = drawn(face, found, 2 * limit).astype(int)[421, 262]
    assert wider[2] > bright[2] + 30  # paler on a wider scale
    assert drawn(face, found, limit).tobytes() == picture.astype(np.uint8).tobytes()


def test_arrows_point_to_the_patients_place_three_times_as_far() -> None:
    shift = np.zeros((68, 2))
    shift[30] = [0.0, 5.0]
    found = Difference(np.zeros((256, 256)), FACE + shift / 2, shift)
    picture = drawn(Composite(plain(200).canvas, FACE + shift, 5), found, 1.0)
    rows, columns = np.nonzero((picture == ARROW).all(axis=2))
    start = (FACE[30] + 0.5) * 3 - 0.5
    along = np.abs(columns - start[0]) < 6
    near = along & (np.abs(rows - start[1]) < 60)
    assert rows[near].max() == pytest.approx(start[1] + 3 * 3 * 5, abs=2)
    assert rows[near].min() >= start[1] - 2


def test_the_scale_is_that_of_faces_not_of_what_is_around_them() -> None:
    luma = np.zeros((256, 256))
    luma[0, 0], luma[140, 128] = 200.0, -12.0
    found = Difference(luma, FACE, np.zeros((68, 2)))
    assert inside(FACE)[140, 128]
    assert not inside(FACE)[0, 0]
    assert limit_of([found, Difference(np.zeros((256, 256)), FACE, np.zeros((68, 2)))]) == 12.0
    assert limit_of([Difference(np.zeros((256, 256)), FACE, np.zeros((68, 2)))]) == 1.0


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
    found = file_names(names)
    assert list(found) == names
    assert len({each.lower() for each in found.values()}) == len(names)
    for each in found.values():
        assert re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,90}\.png", each), each
        assert each.lower() not in {"nul.png", "con.png"}
    assert found["Ångström"] == "Angstrom.png"
