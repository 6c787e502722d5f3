"""Hair over a face is found by its colour, and what it hides is filled."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from ganonym.faces.appearance import AppearanceModel, boundary_of, load_appearance, sample_texture, texture_of
from ganonym.faces.hair import fill_hidden, hidden_by_hair

Textures = NDArray[np.float32]


@pytest.fixture(scope="module")
def model() -> AppearanceModel:
    return load_appearance()


@pytest.fixture(scope="module")
def bare(model: AppearanceModel) -> Textures:
    """Sixty sampled faces, whose model knows little hair."""
    rng = np.random.default_rng(3)
    scores = np.zeros(len(model.attribute_mean))
    return np.stack([texture_of(sample_texture(scores, model, rng)[:12], model) for _ in range(60)]).clip(0.02, 1)


@pytest.fixture(scope="module")
def fringe(model: AppearanceModel) -> NDArray[np.bool_]:
    """The pixels (p,) more than 10 px above the highest brow point."""
    return np.asarray(model.raster.pixels // model.raster.size < model.reference[17:27, 1].min() - 10)


@pytest.fixture(scope="module")
def worn(bare: Textures, fringe: NDArray[np.bool_]) -> Textures:
    """The same faces; every third wears a dark fringe."""
    worn = bare.copy()
    worn[::3, fringe] = np.array([0.04, 0.03, 0.02]) + 0.02 * np.random.default_rng(4).random((fringe.sum(), 3))
    return worn


def test_a_fringe_is_found_and_skin_is_left(
    model: AppearanceModel, bare: Textures, worn: Textures, fringe: NDArray[np.bool_]
) -> None:
    hidden = hidden_by_hair(worn, model.reference, model.raster)
    assert hidden.shape == worn.shape[:2]
    assert hidden.min() >= 0
    assert hidden.max() <= 1
    assert np.mean(hidden[::3, fringe] > 0.9) > 0.9
    face = inner_face(model)
    assert hidden[:, face].max() < 0.1


def inner_face(model: AppearanceModel) -> NDArray[np.bool_]:
    """A box from brows to chin as wide as the mouth, which is never hair."""
    rows, columns = np.divmod(model.raster.pixels, model.raster.size)
    points = model.reference
    across = (columns > points[48, 0]) & (columns < points[54, 0])
    return np.asarray(across & (rows > points[19, 1]) & (rows < points[57, 1]))


def test_hair_of_the_colour_of_skin_is_found_where_darker_hair_hangs_below_it(
    model: AppearanceModel, worn: Textures, fringe: NDArray[np.bool_]
) -> None:
    rows = model.raster.pixels // model.raster.size
    upper = fringe & (rows < np.median(rows[fringe]))
    blond = worn[:1].copy()
    blond[0, upper] = np.median(worn[0, inner_face(model)], axis=0)
    hidden = hidden_by_hair(blond, model.reference, model.raster)
    below = boundary_of(model.reference, len(model.forehead))
    columns = model.raster.pixels % model.raster.size
    middle = np.abs(columns - below[:, 0].mean()) < 30
    assert np.mean(hidden[0, upper & middle] > 0.9) > 0.9


def test_filling_brings_back_what_the_hair_hid(bare: Textures, worn: Textures, fringe: NDArray[np.bool_]) -> None:
    hidden = np.zeros(worn.shape[:2], dtype=np.float32)
    hidden[::3, fringe] = 1
    filled = fill_hidden(worn, hidden)
    np.testing.assert_allclose(filled[hidden == 0], bare[hidden == 0], atol=1e-6)
    error = np.abs(filled - bare)[::3, fringe].mean()
    of_the_mean = np.abs(bare[1::3].mean(axis=0) - bare[::3])[:, fringe].mean()
    assert error < 0.4 * of_the_mean
