"""Measurements measure what they are named after, and an axis moves its own by the standard deviations it says."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ganonym.faces.measures import AXES, HAIRLINE, LENGTHS, face_marks, measure
from ganonym.faces.shape import join, to_canvas
from ganonym.phantom.axes import face_axes, mirrored
from ganonym.phantom.cohort import Studio
from ganonym.phantom.people import sample_person
from ganonym.types import Points

HEIGHTS = {"BROWARCH", "CORNERY", "TIPUP"}
# What must lie further from what, and what closer, when an axis grows: from the definitions of the terms.
APART = {
    "ALARW": (31, 35),
    "CHINH": (57, 8),
    "ENEN": (39, 42),
    "FACEH": (27, 8),
    "FACEW": (1, 15),
    "JAWW": (4, 12),
    "LVERM": (66, 57),
    "MOUTHW": (48, 54),
    "NBRIDGEW": (79, 80),
    "NOSEL": (27, 33),
    "PFLEN": (36, 39),
    "PFHGT": (37, 41),
    "PHIL": (33, 51),
    "TIPUP": (30, 33),
    "UVERM": (51, 62),
    "CHEEK": (3, 13),
    "IPD": (37, 44),
    "FOREHH": (73, 27),
    "FOREHW": (69, 77),
}


@pytest.fixture(scope="module")
def mean(place: Studio) -> Points:
    return face_marks(to_canvas(place.model.shape.mean), place.model)


def person(place: Studio, seed: int) -> Points:
    shape = place.model.shape
    identity = sample_person(place.model, np.random.default_rng(seed)).identity
    return face_marks(to_canvas(join(identity, np.zeros(len(shape.expression_sd)), shape)), place.model)


def test_there_are_23_axes(place: Studio) -> None:
    assert len(AXES) == 23
    assert place.axes.fields.shape == (23, 68 + len(place.model.forehead) + 4, 2)


@pytest.mark.parametrize("name", AXES)
@pytest.mark.parametrize("amount", [-2.0, -1.0, 1.0, 2.0])
def test_an_axis_moves_its_measurement_by_its_sd(place: Studio, mean: Points, name: str, amount: float) -> None:
    column = AXES.index(name)
    moved = mean + place.axes.displacement(amount * np.eye(len(AXES))[column])
    change = (measure(moved)[name] - measure(mean)[name]) / place.axes.sd[column]
    assert change == pytest.approx(amount, rel=0.17)  # angles and points of the chin are not linear in their field


@pytest.mark.parametrize("name", sorted(LENGTHS))
def test_lengths_of_anybody_change_by_the_same_share(place: Studio, mean: Points, name: str) -> None:
    column = AXES.index(name)
    amounts = -1.5 * np.eye(len(AXES))[column]
    expected = 1 - 1.5 * place.axes.sd[column] / float(measure(mean)[name])
    for seed in range(5):
        marks = person(place, seed)
        changed = measure(marks + place.axes.displacement(amounts, marks))[name] / measure(marks)[name]
        assert changed == pytest.approx(expected, abs=0.25 * (1 - expected) + 0.003)


@pytest.mark.parametrize(("name", "pair"), APART.items())
def test_an_axis_is_what_it_is_named_after(place: Studio, mean: Points, name: str, pair: tuple[int, int]) -> None:
    def gap(marks: Points) -> float:
        return float(np.linalg.norm(marks[pair[0]] - marks[pair[1]]))

    amounts = np.eye(len(AXES))[AXES.index(name)]
    assert gap(mean + place.axes.displacement(amounts)) > gap(mean) + 0.3
    assert gap(mean - place.axes.displacement(amounts)) < gap(mean) - 0.3


def test_axes_without_a_length(place: Studio, mean: Points) -> None:
    def moved(name: str) -> Points:
        return mean + place.axes.displacement(np.eye(len(AXES))[AXES.index(name)])

    assert moved("BROWARCH")[19, 1] < mean[19, 1] - 0.5
    assert moved("CORNERY")[48, 1] < mean[48, 1] - 0.5
    assert moved("PFINC")[36, 1] < mean[36, 1] - 0.5
    assert abs(moved("CHINPT")[6, 0] - mean[8, 0]) < abs(mean[6, 0] - mean[8, 0]) - 0.5


def test_both_sides_move_alike(place: Studio, mean: Points) -> None:
    partner = mirrored(len(mean))
    assert (partner[partner] == np.arange(len(mean))).all()
    middle = 2 * mean[27, 0]
    np.testing.assert_allclose(mean[partner], [middle, 0] + mean * [-1, 1], atol=1e-3)
    for field in place.axes.fields:
        np.testing.assert_allclose(field[partner] * [-1, 1], field, atol=1e-5)


def test_hypertelorism_moves_whole_eyes(place: Studio) -> None:
    both = np.isin(AXES, ["IPD", "ENEN"]).astype(float)
    eye = place.axes.displacement(both)[36:42]
    np.testing.assert_allclose(eye, np.broadcast_to(eye[0], eye.shape), atol=0.25)
    assert eye[0, 0] < -1
    telecanthus = place.axes.displacement((np.array(AXES) == "ENEN").astype(float))
    assert telecanthus[39, 0] < -0.5
    assert np.abs(telecanthus[[36, 37, 41]]).max() < 0.05


def test_forehead_axes_leave_the_lower_face(place: Studio) -> None:
    high = place.axes.displacement((np.array(AXES) == "FOREHH").astype(float))
    assert not high[:68].any()
    assert high[HAIRLINE][:, 1].min() < -4
    broad = place.axes.displacement((np.array(AXES) == "FOREHW").astype(float))
    assert np.abs(broad[27:68]).max() < 0.3


def test_no_axis_moves_or_enlarges_the_face(place: Studio, mean: Points) -> None:
    around = mean[:68] - mean[:68].mean(axis=0)
    for field in place.axes.fields:
        np.testing.assert_allclose(field[:68].mean(axis=0), 0.0, atol=1e-9)
        assert (field[:68] * around).sum() == pytest.approx(0.0, abs=1e-6)


@given(st.floats(0.2, 5.0), st.floats(-200, 200), st.floats(-30, 30), st.integers(0, 20))
def test_measurements_ignore_position_size_and_roll(
    place: Studio, scale: float, shift: float, roll: float, seed: int
) -> None:
    marks = person(place, seed)
    cos, sin = np.cos(np.radians(roll)), np.sin(np.radians(roll))
    turned = scale * marks @ np.array([[cos, sin], [-sin, cos]]) + [shift, -shift]
    before, upright, after = measure(marks), measure(scale * marks + shift), measure(turned)
    for name in AXES:
        assert upright[name] == pytest.approx(before[name], abs=1e-6)
        if name not in HEIGHTS:
            assert after[name] == pytest.approx(before[name], abs=1e-6)


def test_the_slant_of_eyes_is_in_degrees(mean: Points) -> None:
    slanted = mean.copy()
    for inner, eye, angle in ((39, range(36, 42), 5.0), (42, range(42, 48), -5.0)):
        cos, sin = np.cos(np.radians(angle)), np.sin(np.radians(angle))
        slanted[eye] = mean[inner] + (mean[eye] - mean[inner]) @ np.array([[cos, sin], [-sin, cos]])
    assert measure(slanted)["PFINC"] - measure(mean)["PFINC"] == pytest.approx(5.0)


def test_axes_are_the_same_each_time(place: Studio) -> None:
    np.testing.assert_array_equal(face_axes(place.model).fields, place.axes.fields)
