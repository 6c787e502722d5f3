"""Composites are means over people in one shape, and never of fewer than five."""

from __future__ import annotations

import numpy as np
import pytest

from ganonym.classify.cohort import CanvasCrop, Portrait
from ganonym.classify.explain.composite import composite, difference, heat
from ganonym.errors import UsageError
from ganonym.faces.shape import load_shape, to_canvas
from ganonym.types import RGB, Points, Pose

FIVE = ["a", "b", "c", "d", "e"]


@pytest.fixture(scope="module")
def face() -> Points:
    return to_canvas(load_shape().mean)


def moved(points: Points, x: float, y: float) -> Points:
    return points + np.array([x, y])


def plain(level: int, points: Points) -> Portrait:
    return Portrait({CanvasCrop(): np.full((256, 256, 3), level, np.uint8)}, points, Pose(0.0, 0.0, 0.0))


def dotted(points: Points, at: int) -> Portrait:
    """A dark canvas with a bright spot at one landmark."""
    y, x = np.mgrid[:256, :256]
    spot = 200 * np.exp(-((x - points[at, 0]) ** 2 + (y - points[at, 1]) ** 2) / (2 * 2.0**2))
    canvas = np.repeat(spot.round().astype(np.uint8)[..., None], 3, axis=2)
    return Portrait({CanvasCrop(): canvas}, points, Pose(0.0, 0.0, 0.0))


@pytest.mark.parametrize("names", [[], ["a"] * 20, ["a", "b", "c", "d"] * 5])
def test_fewer_than_five_people_are_refused(face: Points, names: list[str]) -> None:
    portraits = [plain(9, face)] * len(names)
    with pytest.raises(UsageError, match=f"composite of {len(set(names))} subjects"):
        composite(portraits, names)
    with pytest.raises(UsageError, match="subjects"):
        difference([plain(9, face)] * 5, FIVE, portraits, names)
    with pytest.raises(UsageError, match="subjects"):
        difference(portraits, names, [plain(9, face)] * 5, FIVE)


def test_each_portrait_needs_its_subject(face: Points) -> None:
    with pytest.raises(UsageError, match="6 portraits and 5 names"):
        composite([plain(9, face)] * 6, FIVE)


def test_the_composite_of_one_picture_is_that_picture(face: Points) -> None:
    canvas: RGB = np.random.default_rng(0).integers(0, 256, (256, 256, 3)).astype(np.uint8)
    result = composite([Portrait({CanvasCrop(): canvas}, face, Pose(0.0, 0.0, 0.0))] * 5, FIVE)
    assert result.subjects == 5
    np.testing.assert_allclose(result.points, face)
    assert np.abs(result.rgb.astype(int) - canvas).max() <= 1


def test_who_has_many_photos_counts_once(face: Points) -> None:
    levels = [10, 20, 30, 40, 110]
    wide = moved(face, 4.0, 0.0)
    portraits = [plain(level, face) for level in levels[:4]] + [plain(levels[4], wide)]
    names = [*FIVE]
    for _ in range(8):
        portraits.append(plain(110, wide))
        names.append("e")
    result = composite(portraits, names)
    assert (result.rgb == 42).all()  # of photographs it would be 87
    np.testing.assert_allclose(result.points - face, np.broadcast_to([0.8, 0.0], (68, 2)), atol=1e-9)


def test_photos_of_one_person_are_averaged(face: Points) -> None:
    portraits = [plain(100, face)] * 4 + [plain(50, face), plain(150, face), plain(100, face)]
    result = composite([plain(0, face), *portraits[:3], *portraits[4:]], ["a", "b", "c", "d", "e", "e", "e"])
    assert (result.rgb == 80).all()


@pytest.mark.parametrize("landmark", [8, 30, 36, 54])
def test_features_meet_at_their_mean_place(face: Points, landmark: int) -> None:
    rng = np.random.default_rng(landmark)
    shapes = [face + rng.normal(0, 4.0, 2) + rng.normal(0, 0.5, (68, 2)) for _ in range(6)]
    result = composite([dotted(shape, landmark) for shape in shapes], [*FIVE, "f"])
    wanted = np.mean(shapes, axis=0)
    np.testing.assert_allclose(result.points, wanted)
    grey = result.rgb[..., 0].astype(float)
    y, x = np.mgrid[:256, :256]
    np.testing.assert_allclose(
        [(grey * x).sum() / grey.sum(), (grey * y).sum() / grey.sum()], wanted[landmark], atol=0.4
    )
    assert grey.max() > 150  # sharp: the spots of unwarped faces would spread over 4 px and fade


def test_differences_are_patients_minus_controls_in_one_shape(face: Points) -> None:
    patients = [plain(level, moved(face, 2.0, 1.0)) for level in (100, 110, 120, 130, 140)]
    controls = [plain(level, face) for level in (50, 60, 70, 80, 90)]
    result = difference(patients, FIVE, controls, FIVE)
    np.testing.assert_allclose(result.luma, 50.0, atol=1e-9)
    np.testing.assert_allclose(result.shift, np.broadcast_to([2.0, 1.0], (68, 2)), atol=1e-9)
    np.testing.assert_allclose(result.points, moved(face, 1.0, 0.5))
    # A spot on the same landmark, wherever it lies, is no difference.
    same = difference([dotted(moved(face, 6.0, 0.0), 30)] * 5, FIVE, [dotted(face, 30)] * 5, FIVE)
    assert np.abs(same.luma).max() < 20


def test_heat_is_white_at_nothing_red_above_and_blue_below() -> None:
    colours = heat(np.array([[-5.0, 0.0, 5.0, 50.0]]), limit=5.0)[0].astype(int)
    assert colours[0, 2] > colours[0, 0]
    assert colours[2, 0] > colours[2, 2]
    assert colours[1].min() > 240
    assert colours[3].tolist() == colours[2].tolist()
    assert heat(np.zeros((2, 3))).min() > 240
