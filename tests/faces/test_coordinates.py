"""Coordinates of a face: what a photograph shows is read back, whatever the light; hair does not count."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ganonym.faces.align import apply
from ganonym.faces.appearance import AppearanceModel, load_appearance, sample_identity
from ganonym.faces.coordinates import COMPONENTS, read_texture, row_of, shading
from ganonym.faces.measures import face_marks
from ganonym.faces.shape import face_of, from_canvas, join, normalize, to_canvas
from ganonym.phantom.people import Person, sample_person
from ganonym.phantom.photos import Moment, placement, posed, sample_moment, take_photo
from ganonym.types import RGB, Floats, Points
from ganonym_train.shape_fit import MIRROR

MODEL = load_appearance()
DIRECTIONS = len(MODEL.shape.expression_sd)


@pytest.fixture(scope="module")
def model() -> AppearanceModel:
    return MODEL


def clinic(rng: np.random.Generator, **changed: object) -> Moment:
    """A frontal moment with a neutral face in even light."""
    plain = replace(
        sample_moment(MODEL, rng),
        expression=np.zeros(DIRECTIONS), yaw=0.0, pitch=0.0, roll=0.0, gain=np.ones(3), slope=np.zeros(2), noise=0.5,
    )  # fmt: skip
    return replace(plain, **changed)  # type: ignore[arg-type]


def photographed(person: Person, moment: Moment, seed: int = 0) -> tuple[RGB, Points]:
    """The photo of a virtual person and where its landmarks truly are."""
    rgb = take_photo(person, moment, MODEL, np.random.default_rng(seed))
    return rgb, apply(placement(moment), posed(person, moment, MODEL))


@pytest.fixture(scope="module")
def people() -> list[Person]:
    return [sample_person(MODEL, np.random.default_rng([5, number])) for number in range(24)]


def symmetric() -> np.ndarray:
    """Which of the components are alike on both sides, judged by their own picture."""
    from ganonym.faces.appearance import texture_image

    pictures = [texture_image(component, MODEL) for component in MODEL.texture_basis[:COMPONENTS]]
    return np.array([float((picture * picture[..., ::-1]).sum()) > 0.5 for picture in pictures])


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 10**6))
def test_a_row_becomes_a_face_and_the_face_the_same_row(seed: int) -> None:
    rng = np.random.default_rng(seed)
    identity, expression = sample_identity(MODEL.shape, rng), rng.uniform(-1.5, 1.5, DIRECTIONS)
    points = to_canvas(join(identity, expression * MODEL.shape.expression_sd, MODEL.shape))
    row = row_of(from_canvas(points), rng.uniform(-2, 2, COMPONENTS), MODEL)
    again, texture = face_of(row, MODEL.shape)
    np.testing.assert_allclose(again, points, atol=1e-6)  # the model is stored in single precision
    np.testing.assert_allclose(
        row_of(from_canvas(again), texture + shading(expression, MODEL), MODEL), row, atol=1e-6
    )  # the model is stored in single precision


def test_the_texture_that_was_drawn_is_read(people: list[Person]) -> None:
    rng = np.random.default_rng(1)
    drawn, read = [], []
    for person in people:
        rgb, points = photographed(person, clinic(rng))
        drawn.append(person.texture[:COMPONENTS] / MODEL.texture_sd[:COMPONENTS])
        read.append(read_texture(rgb, points, MODEL))
    assert symmetric().all()
    weights = MODEL.texture_sd[:COMPONENTS] ** 2
    agreement = [np.corrcoef(*pair)[0, 1] for pair in zip(np.transpose(drawn), np.transpose(read), strict=True)]
    # The first component is how dark a face is, which is an estimate where light and skin are one product: .6.
    assert agreement[0] > 0.5
    assert np.average(agreement[1:], weights=weights[1:]) > 0.85


def test_a_mirrored_photograph_has_the_same_texture(people: list[Person]) -> None:
    rgb, points = photographed(people[0], clinic(np.random.default_rng(2), slope=np.array([0.3, 0.0])))
    flipped = points[MIRROR] * [-1.0, 1.0] + [rgb.shape[1] - 1.0, 0.0]
    mirrored = read_texture(np.ascontiguousarray(rgb[:, ::-1]), flipped, MODEL)
    np.testing.assert_allclose(mirrored, read_texture(rgb, points, MODEL), atol=0.25)  # the last ones are fine detail


@pytest.mark.parametrize("light", [{"gain": np.full(3, 0.75)}, {"gain": np.array([1.1, 1.0, 0.85])}])
def test_light_moves_a_texture_less_than_people_differ(people: list[Person], light: dict[str, Floats]) -> None:
    even, lit = (
        np.array(
            [
                read_texture(*photographed(person, clinic(np.random.default_rng([3, place]), **changed)), MODEL)
                for place, person in enumerate(people[:10])
            ]
        )
        for changed in ({}, light)
    )
    moved = np.sqrt(((lit - even) ** 2).mean(axis=0))
    assert np.average(moved / even.std(axis=0).clip(0.1), weights=MODEL.texture_sd[:COMPONENTS] ** 2) < 0.6


def test_a_fringe_over_the_forehead_hardly_counts(people: list[Person]) -> None:
    rgb, points = photographed(people[1], clinic(np.random.default_rng(4)))
    bare = read_texture(rgb, points, MODEL)
    hairline = face_marks(to_canvas(normalize(points, MODEL.shape)), MODEL)
    assert hairline.shape[0] > 68
    top, brow = int(points[:, 1].min() - 0.35 * np.ptp(points[:, 1])), int(points[17:27, 1].min() - 8)
    worn = rgb.copy()
    noise = np.random.default_rng(6).integers(0, 12, worn[max(top, 0) : brow].shape)
    worn[max(top, 0) : brow] = np.array([24, 18, 14]) + noise
    read = read_texture(worn, points, MODEL)
    others = np.array(
        [read_texture(*photographed(person, clinic(np.random.default_rng(4))), MODEL) for person in people[2:8]]
    )
    weights = MODEL.texture_sd[:COMPONENTS]
    assert np.linalg.norm((read - bare) * weights) < 0.5 * np.linalg.norm((others - bare) * weights, axis=1).min()


def test_what_hair_hides_on_one_side_is_read_on_the_other(people: list[Person]) -> None:
    rgb, points = photographed(people[1], clinic(np.random.default_rng(4)))
    bare = read_texture(rgb, points, MODEL)
    top, brow = int(points[:, 1].min() - 0.35 * np.ptp(points[:, 1])), int(points[17:27, 1].min() - 8)
    worn, middle = rgb.copy(), int(points[27, 0])
    worn[max(top, 0) : brow, :middle] = np.array([24, 18, 14])
    weights = MODEL.texture_sd[:COMPONENTS]
    assert np.linalg.norm((read_texture(worn, points, MODEL) - bare) * weights) < 0.3 * np.linalg.norm(bare * weights)
