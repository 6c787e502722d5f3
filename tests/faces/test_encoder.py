"""The bundled encoder on people who do not exist, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from ganonym.errors import EnvironmentFault
from ganonym.faces.align import crop, similarity
from ganonym.faces.appearance import load_appearance
from ganonym.faces.condition import condition, face_mask
from ganonym.faces.encoder import CORNER, NEUTRAL, SIDE, Encoder, encode, load_encoder, to_input
from ganonym.faces.shape import join, to_canvas
from ganonym.phantom.people import sample_person
from ganonym.phantom.photos import sample_moment, take_photo
from ganonym.types import CANVAS, RGB
from ganonym.weights import verified_path

PEOPLE = 24


def on_canvas(photo: RGB, roll: float, scale: float, shift: np.ndarray) -> RGB:  # type: ignore[type-arg]
    """Undo the camera of a phantom photo (480 px), as landmarks would."""
    angle = np.radians(roll)
    linear = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    square = np.array([[0.0, 0.0], [200.0, 0.0], [0.0, 200.0]])
    middle = (CANVAS - 1) / 2
    photographed = (square - middle) @ linear.T + 239.5 + shift
    return crop(photo, similarity(photographed, square), CANVAS)


@pytest.fixture(scope="module")
def pictures() -> list[list[RGB]]:
    """Two photographs each of people whom no training saw: other expression, light, pose and grain."""
    model, result = load_appearance(), []
    for number in range(PEOPLE):
        person = sample_person(model, np.random.default_rng([77, number]))
        pair = []
        for photo in range(2):
            rng = np.random.default_rng([77, number, photo])
            moment = sample_moment(model, rng)
            taken = take_photo(person, moment, model, rng)
            face = on_canvas(taken, moment.roll, moment.scale, moment.shift).astype(np.float32)
            points = to_canvas(join(person.identity, moment.expression * model.shape.expression_sd, model.shape))
            mask = face_mask(points, model)[..., None]
            pair.append((mask * face + (1 - mask) * (NEUTRAL + 1) * 127.5).astype(np.uint8))
        result.append(pair)
    return result


def test_unseen_people_are_told_apart_and_recognised(pictures: list[list[RGB]]) -> None:
    encoder = load_encoder()
    first, second = (encode([pair[photo] for pair in pictures], encoder) for photo in range(2))
    assert first.shape == (PEOPLE, 128)
    np.testing.assert_allclose(np.linalg.norm(first, axis=1), 1.0, atol=1e-5)
    alike = first @ second.T
    # It learned from people without moods: of those with them it confuses one in five.
    assert (alike.argmax(axis=1) == np.arange(PEOPLE)).mean() >= 0.75
    assert np.median(np.diag(alike)) > np.quantile(alike[~np.eye(PEOPLE, dtype=bool)], 0.95)


def test_a_face_in_a_batch_is_a_face_alone(pictures: list[list[RGB]]) -> None:
    encoder, few = load_encoder(), [pair[0] for pair in pictures[:5]]
    np.testing.assert_allclose(encode(few, encoder, batch=2), encode(few, encoder), atol=1e-5)
    assert encode([], encoder).shape == (0, 128)


def test_the_input_is_the_canvas_halved() -> None:
    canvas = torch.zeros(1, 3, CANVAS, CANVAS)
    left, top = CORNER
    canvas[0, 0, top + 2 * 30 : top + 2 * 30 + 2, left + 2 * 40 : left + 2 * 40 + 2] = 1
    result = to_input(canvas)
    assert result.shape == (1, 3, SIDE, SIDE)
    assert result[0, 0, 30, 40] == 1
    assert result.sum() == 1


def test_the_face_mask_is_the_conditions_own() -> None:
    model = load_appearance()
    points = to_canvas(model.shape.mean)
    expected = condition(points, model.texture_mean, model)[3].numpy()
    np.testing.assert_array_equal(face_mask(points, model), expected)


def test_it_is_small() -> None:
    assert verified_path("encoder").stat().st_size <= 3 * 2**20


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    small = np.asarray(Image.new("RGB", (96, 96)))
    with pytest.raises(ValueError, match="canvas"):
        encode([small], load_encoder())
    other = tmp_path / "other.safetensors"
    save_file({"head.weight": torch.zeros(2, 2)}, other)
    with pytest.raises(EnvironmentFault, match="not of this encoder"):
        load_encoder(other)
    assert Encoder().training
    assert not load_encoder().training
