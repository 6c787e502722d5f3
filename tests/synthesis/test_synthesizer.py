"""The synthesizer is a function of the privatized face, the attempt and the weights."""

from __future__ import annotations

import inspect
from dataclasses import fields, replace
from itertools import pairwise

import numpy as np
import pytest
import torch

from ganonym.faces.appearance import sample_identity
from ganonym.faces.condition import condition
from ganonym.faces.coordinates import shading
from ganonym.faces.shape import from_canvas, join, split, to_canvas
from ganonym.faces.tone import lab_of_linear, linear_of, skin_colour
from ganonym.synthesis.synthesizer import (
    COMPONENTS,
    Synthesizer,
    load_synthesizer,
    plain_surrogate,
    surrogate_coefficients,
    surrogate_condition,
)
from ganonym.types import CANVAS, TONES, Floats, PrivateFace


@pytest.fixture(scope="module")
def synthesizer() -> Synthesizer:
    return load_synthesizer()


@pytest.fixture(scope="module")
def face(synthesizer: Synthesizer) -> PrivateFace:
    shape = synthesizer.model.shape
    identity = sample_identity(shape, np.random.default_rng(8))
    return PrivateFace(to_canvas(join(identity, np.zeros(len(shape.expression_sd)), shape)), 2, "female", 35.0, 12345)


def test_equal_faces_give_equal_bytes_whatever_came_before(synthesizer: Synthesizer, face: PrivateFace) -> None:
    first = synthesizer.render(face)
    assert first.shape == (CANVAS, CANVAS, 3)
    assert first.dtype == np.uint8
    torch.manual_seed(99)
    np.random.default_rng().random()
    synthesizer.render(replace(face, seed=1), attempt=2)
    again = synthesizer.render(PrivateFace(face.points.copy(), face.tone, face.sex, face.age, face.seed))
    assert first.tobytes() == again.tobytes()
    assert load_synthesizer().render(face).tobytes() == first.tobytes()


def test_rendering_sees_nothing_but_the_privatized_face() -> None:
    assert list(inspect.signature(Synthesizer.render).parameters) == ["self", "face", "attempt"]
    assert {field.name for field in fields(Synthesizer)} == {"model", "generator", "arithmetic"}
    # Whoever adds a field here widens the bottleneck, and must count its bits in privacy/guarantee.py.
    assert {field.name: str(field.type) for field in fields(PrivateFace)} == {
        "points": "Points",
        "tone": "int | None",
        "sex": "Sex | None",
        "age": "float | None",
        "seed": "int",
        "texture": "Floats | None",  # of the shown row: what of it depends on a subject, the mechanism decided
    }


def test_a_given_texture_is_drawn_with_the_shading_of_the_expression_and_nothing_else(
    synthesizer: Synthesizer, face: PrivateFace
) -> None:
    model = synthesizer.model
    given = replace(face, texture=np.linspace(-1.5, 1.5, COMPONENTS))
    drawn = surrogate_coefficients(given, model) / model.texture_sd[:COMPONENTS]
    expression = split(from_canvas(face.points), model.shape)[1] / model.shape.expression_sd
    np.testing.assert_allclose(drawn, given.texture + shading(expression, model))
    other = replace(given, tone=5, age=75.0, sex="male", seed=4)
    np.testing.assert_array_equal(surrogate_coefficients(other, model), surrogate_coefficients(given, model))
    again = surrogate_coefficients(given, model, attempt=1) / model.texture_sd[:COMPONENTS]
    assert 0.05 < np.abs(again - drawn).mean() < 0.3


@pytest.mark.parametrize("change", [{"seed": 1}, {"tone": 5}, {"tone": None}, {"age": 75.0}, {"sex": "male"}])
def test_each_attribute_and_the_seed_change_the_surrogate(
    synthesizer: Synthesizer, face: PrivateFace, change: dict[str, object]
) -> None:
    plain = surrogate_coefficients(face, synthesizer.model)
    assert plain.shape == (COMPONENTS,)
    other = surrogate_coefficients(replace(face, **change), synthesizer.model)  # type: ignore[arg-type]
    assert np.abs(other - plain).max() > 1e-3


def test_another_attempt_is_another_surrogate_of_the_same_shape(synthesizer: Synthesizer, face: PrivateFace) -> None:
    pictures = [synthesizer.render(face, attempt).astype(float) for attempt in range(3)]
    for one in range(3):
        for other in range(one):
            assert np.abs(pictures[one] - pictures[other]).mean() > 2
    maps = [surrogate_condition(face, synthesizer.model, attempt) for attempt in range(2)]
    assert torch.equal(maps[0][3:], maps[1][3:])
    assert not torch.equal(maps[0][:3], maps[1][:3])


def test_the_backdrop_is_one_grey_for_everybody(synthesizer: Synthesizer, face: PrivateFace) -> None:
    for value in (face, replace(face, tone=5, seed=2)):
        outside = surrogate_condition(value, synthesizer.model)[3].numpy() == 0
        assert outside.sum() > 20_000
        assert (synthesizer.render(value)[outside] == 203).all()  # (0.594 + 1) · 127.5
        assert (plain_surrogate(value, synthesizer.model)[outside] == 203).all()


def test_both_arithmetics_agree_to_a_few_grey_levels(synthesizer: Synthesizer, face: PrivateFace) -> None:
    single = replace(synthesizer, arithmetic=torch.float32).render(face).astype(float)
    half = replace(synthesizer, arithmetic=torch.bfloat16).render(face).astype(float)
    assert np.abs(single - half).mean() < 1.0
    assert np.percentile(np.abs(single - half), 99.9) < 10


def test_a_batch_holds_the_faces_in_their_order_as_drawn_alone(synthesizer: Synthesizer, face: PrivateFace) -> None:
    """In a batch the convolutions add up in another order: a grey level more or less, never another face."""
    single = replace(synthesizer, arithmetic=torch.float32)
    faces = [replace(face, tone=tone, seed=seed) for seed, tone in enumerate((0, 5, 2))]
    for one, batched in zip(faces, single.render_batch(faces), strict=True):
        assert np.abs(single.render(one).astype(int) - batched.astype(int)).max() <= 1
    assert synthesizer.render_batch([]) == []


def test_the_generator_adds_to_the_surrogate_and_does_not_replace_it(
    synthesizer: Synthesizer, face: PrivateFace
) -> None:
    rendered, plain = synthesizer.render(face).astype(float), plain_surrogate(face, synthesizer.model).astype(float)
    inside = condition(face.points, synthesizer.model.texture_mean, synthesizer.model)[3].numpy() > 0.9
    assert np.abs(rendered - plain)[inside].mean() > 0.2
    assert np.corrcoef(rendered[inside].ravel(), plain[inside].ravel())[0, 1] > 0.8


def of_tone(face: PrivateFace, tone: int) -> list[PrivateFace]:
    return [replace(face, tone=tone, sex=None, age=None, seed=seed) for seed in range(8)]


def test_nothing_in_a_surrogate_is_green(synthesizer: Synthesizer, face: PrivateFace) -> None:
    """Smiling dark faces are where teeth and lips turned teal."""
    shape = synthesizer.model.shape
    smiling = to_canvas(join(np.zeros(len(shape.identity_sd)), 2 * shape.expression_sd * np.eye(6)[0], shape))
    for entry in of_tone(replace(face, points=smiling), 5):
        red, green, _ = (surrogate_condition(entry, synthesizer.model)[:3] + 1) / 2
        assert (red - 0.95 * green)[surrogate_condition(entry, synthesizer.model)[3] > 0].min() > -1e-4


def test_lighter_tones_are_drawn_lighter(synthesizer: Synthesizer, face: PrivateFace) -> None:
    """In one light, as photographs were brought to daylight; the median of cheeks and nose over eight draws."""
    lightness = []
    for tone in range(TONES):
        colours = [skin_colour(synthesizer.render(entry), entry.points) for entry in of_tone(face, tone)]
        lightness.append(lab_of_linear(linear_of(np.array(colours)))[:, 0].mean())
    assert all(lighter > darker + 2 for lighter, darker in pairwise(lightness)), lightness
    assert 65 < lightness[0] < 85
    assert 25 < lightness[-1] < 50


def unevenness(picture: Floats) -> float:
    """Steps between neighbouring pixels, across and down: the largest mean at a phase of 4 px over the smallest."""
    ratios = []
    for axis in (0, 1):
        steps = np.abs(np.diff(picture, axis=axis)).mean(axis=1 - axis)
        phases = [steps[start::4].mean() for start in range(4)]
        ratios.append(max(phases) / min(phases))
    return float(max(ratios))


def test_detail_has_no_grid(synthesizer: Synthesizer, face: PrivateFace) -> None:
    rng = np.random.default_rng(0)
    for entry in of_tone(face, 2)[:4]:
        added = synthesizer.render(entry).astype(float) - plain_surrogate(entry, synthesizer.model)
        inside = added[60:180, 84:172].mean(axis=-1)
        blocks = np.kron(rng.standard_normal((30, 22)), np.ones((4, 4))) * inside.std()
        assert unevenness(inside) < 1.25
        assert unevenness(inside + blocks) > 1.5  # what nearest-neighbour upsampling made of every cheek
