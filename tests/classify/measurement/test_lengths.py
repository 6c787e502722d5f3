"""Measurements are what ruler and protractor say, and what no camera's distance or roll changes."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from ganonym.classify.measurement.lengths import (
    MEASUREMENTS,
    RATIOS,
    UNITS,
    iris_scale,
    levelled,
    measurements,
    pairwise_ratios,
)
from ganonym.faces.landmark_network import MIRROR
from ganonym.faces.measures import LANDMARK_AXES, measure
from ganonym.faces.shape import load_shape, to_canvas

# A face drawn with ruler and protractor: by hand, not by any model. Eyes 3 long and 5 apart, right one rising by 10°.
RISE = math.radians(10)
DRAWN = {
    1: (-10, 4), 15: (10, 4), 4: (-7, 14), 12: (7, 14), 8: (0, 20), 6: (-3, 17), 10: (3, 17),
    2: (-9, 8), 14: (9, 8), 3: (-8, 11), 13: (8, 11), 27: (0, 0), 30: (0, 5), 33: (0, 7), 31: (-2, 7), 35: (2, 7),
    39: (-2.5, 0), 42: (2.5, 0), 36: (-2.5 - 3 * math.cos(RISE), -3 * math.sin(RISE)),
    45: (2.5 + 3 * math.cos(RISE), -3 * math.sin(RISE)),
    17: (-7, -2), 19: (-5, -4), 21: (-3, -2), 22: (3, -2), 24: (5, -5), 26: (7, -2),
    48: (-4, 13), 54: (4, 13), 49: (-2, 11), 53: (2, 11), 50: (-1, 10), 52: (1, 10), 51: (0, 10), 62: (0, 12),
    66: (0, 12.5), 57: (0, 14.5), 60: (-4, 13), 64: (4, 13), 61: (-1, 12), 63: (1, 12),
}  # fmt: skip


def drawn() -> NDArray[np.float64]:
    points = np.zeros((68, 2))
    for index, place in DRAWN.items():
        points[index] = place
    for inner, outer, lids in ((39, 36, (37, 38, 40, 41)), (42, 45, (43, 44, 46, 47))):
        middle = (points[inner] + points[outer]) / 2
        for lid in lids:  # 1 high, straight above and below
            points[lid] = middle + np.array([0.0, -0.5 if lid in (37, 38, 43, 44) else 0.5])
    return points


def faces(count: int, seed: int) -> NDArray[np.float64]:
    return to_canvas(load_shape().mean) + np.random.default_rng(seed).normal(0.0, 2.0, (count, 68, 2))


def test_ruler_and_protractor() -> None:
    results = {key: float(value) for key, value in measurements(drawn(), "mm", mm_per_px=1.0).items()}
    expected = {
        "FACEW": 20, "JAWW": 14, "FACEH": 20, "LOWERH": 13, "CHINL": 5.5, "ENEN": 5, "PFLEN": 3, "PFLEN right": 3,
        "PFLEN left": 3, "EXEX": 5 + 6 * math.cos(RISE), "IPD": 5 + 3 * math.cos(RISE), "PFHGT": 1, "PFHGT right": 1,
        "PFHGT left": 1, "NBRIDGEW": 4.5, "NOSEL": 7, "ALARW": 4, "PHIL": 3, "CPHW": 2, "LIPL": 5, "UVERM": 2,
        "LVERM": 2, "MOUTHW": 8, "PFINC": 10, "PFINC right": 10, "PFINC left": 10, "CHINPT": 90,
        "TENT": 2 * math.degrees(math.atan(1 / 2)), "BROWARCH right": 2 / 4, "BROWARCH left": 3 / 4,
        "BROWARCH": 2.5 / 4,
        "TIPUP": 2 / 7, "CORNERY": (12.25 - 13) / 8, "CHEEK": (18 + 16 + 14) / 3 / 20, "CHINH": 5.5 / 20,
        "PFLEN/ENEN": 3 / 5, "ENEN/EXEX": 500 / (5 + 6 * math.cos(RISE)), "FACEINDEX": 100, "JAWINDEX": 70,
        "NOSEINDEX": 400 / 7, "MOUTHINDEX": 800 / (5 + 6 * math.cos(RISE)), "PHIL/UVERM": 1.5,
    }  # fmt: skip
    lip = [
        (-4, 13),
        (-2, 11),
        (-1, 10),
        (0, 10),
        (1, 10),
        (2, 11),
        (4, 13),
        (4, 13),
        (1, 12),
        (0, 12),
        (-1, 12),
        (-4, 13),
    ]
    perimeter = sum(math.dist(lip[index - 1], lip[index]) for index in range(len(lip)))
    # Above: trapezia of 8 by 4 by 2 and 4 by 2 by 1 over the line of the corners; below: one of 8 by 2 by 1.
    area = (8 + 4) / 2 * 2 + (4 + 2) / 2 * 1 - (8 + 2) / 2 * 1
    expected["LIPROUND"] = perimeter**2 / area
    assert set(expected) == set(MEASUREMENTS)
    assert results == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(("unit", "key"), [("interocular", "EXEX"), ("face width", "FACEW")])
def test_units_are_a_length_of_the_same_face(unit: str, key: str) -> None:
    pixels = measurements(drawn(), "mm", mm_per_px=1.0)
    over = measurements(drawn(), unit)  # type: ignore[arg-type]
    for name, measurement in MEASUREMENTS.items():
        divisor = pixels[key] if measurement.kind == "length" else 1.0
        assert over[name] == pytest.approx(pixels[name] / divisor, rel=1e-9)


def test_millimetres_need_a_scale_and_take_one_a_photo() -> None:
    many = np.stack([drawn(), drawn()])
    result = measurements(many, "mm", np.array([0.5, 2.0]))
    np.testing.assert_allclose(result["FACEW"], [10.0, 40.0], rtol=1e-9)
    np.testing.assert_allclose(result["PFINC"], 10.0)
    with pytest.raises(ValueError, match="mm_per_px"):
        measurements(drawn(), "mm")
    assert 24 * iris_scale(24) == pytest.approx(11.7)
    with pytest.raises(ValueError, match="iris"):
        iris_scale(0.0)


def test_shared_axes_are_those_of_the_assessment() -> None:
    points = np.stack([levelled(face) for face in faces(5, 1)])
    ours, theirs = measurements(points, "face size"), measure(points, LANDMARK_AXES)
    for axis in LANDMARK_AXES:
        np.testing.assert_allclose(ours[axis], theirs[axis], rtol=1e-9)


@settings(max_examples=25)
@given(st.floats(0.05, 20), st.floats(-3.1, 3.1), st.floats(-500, 500), st.floats(-500, 500), st.integers(0, 20))
def test_no_distance_place_or_roll_of_the_camera_matters(
    scale: float, angle: float, x: float, y: float, seed: int
) -> None:
    points = faces(2, seed)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    moved = scale * points @ turn.T + [x, y]
    for unit in UNITS:
        before = measurements(points, unit, mm_per_px=1.0)
        after = measurements(moved, unit, mm_per_px=1.0 / scale)
        for key in MEASUREMENTS:
            np.testing.assert_allclose(after[key], before[key], rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(pairwise_ratios(moved), pairwise_ratios(points), rtol=1e-6)


def test_a_mirror_exchanges_the_sides_and_nothing_else() -> None:
    points = faces(4, 3)
    mirrored = (points * [-1.0, 1.0])[:, MIRROR]
    before, after = measurements(points), measurements(mirrored)
    for key in MEASUREMENTS:
        other = key.replace(" right", " *").replace(" left", " right").replace(" *", " left")
        np.testing.assert_allclose(after[key], before[other], rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(pairwise_ratios(mirrored), pairwise_ratios(points), rtol=1e-9)
    assert pairwise_ratios(points).shape == (4, RATIOS)
    assert not np.allclose(before["PFINC right"], before["PFINC left"])


def test_pairs_of_landmarks_are_all_there_once() -> None:
    # 7 of the midline and 10 pairs: all 351 distances, of which mirror images count once.
    level = 7 * 6 // 2 + 10  # their own mirror images: between midline points, and across a pair
    assert level + (27 * 26 // 2 - level) // 2 == RATIOS


@pytest.mark.parametrize("spoil", [lambda points: points * np.nan, lambda points: points * 0.0 + 5.0])
def test_no_face_is_an_error(spoil: object) -> None:
    with pytest.raises(ValueError, match=r"finite|one place"):
        measurements(spoil(drawn()))  # type: ignore[operator]


def test_every_line_is_of_landmarks_and_every_ratio_of_lengths() -> None:
    for measurement in MEASUREMENTS.values():
        assert measurement.lines
        assert all(0 <= index < 68 for line in measurement.lines for end in line for index in end)
        assert measurement.of is None or all(MEASUREMENTS[part].kind == "length" for part in measurement.of)


def test_the_roundest_outline_is_a_circle() -> None:
    points = drawn()
    angles = np.linspace(0, 2 * np.pi, 12, endpoint=False)
    points[[48, 49, 50, 51, 52, 53, 54, 64, 63, 62, 61, 60]] = np.column_stack([np.cos(angles), np.sin(angles)])
    # A regular polygon of n corners: perimeter² / area = 4 n tan(π / n).
    assert float(measurements(points)["LIPROUND"]) == pytest.approx(4 * 12 * math.tan(math.pi / 12))


def test_right_is_the_subjects_right_the_images_left() -> None:
    points = drawn()
    points[45] = points[42] + 4 * np.array([math.cos(2 * RISE), -math.sin(2 * RISE)])
    points[[43, 44], 1] -= 0.4
    points[24, 1] += 1
    result = measurements(points, "mm", mm_per_px=1.0)
    assert (result["PFLEN right"], result["PFLEN left"]) == (pytest.approx(3), pytest.approx(4))
    assert (result["PFHGT right"], result["PFHGT left"]) == (pytest.approx(1), pytest.approx(1.4))
    assert result["PFINC left"] + result["PFINC right"] == pytest.approx(30)
    assert result["PFINC left"] > result["PFINC right"]
    pulled = drawn()
    pulled[19, 1] -= 3
    assert measurements(pulled)["BROWARCH right"] > measurements(pulled)["BROWARCH left"]
