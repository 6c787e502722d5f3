"""Signs on the skin are there, where they belong, and nowhere else."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import detrend

from ganonym.faces.appearance import AppearanceModel, texture_image
from ganonym.phantom.people import sample_person
from ganonym.phantom.photos import moment_texture, sample_moment
from ganonym.phantom.syndromes import TextureSign
from ganonym.phantom.texture_signs import with_signs

BROWS, EYES_AND_BELOW = slice(62, 98), slice(112, 256)


@pytest.fixture(scope="module")
def textures(model: AppearanceModel) -> list[np.ndarray]:
    people = [sample_person(model, np.random.default_rng([9, number])) for number in range(12)]
    moment = sample_moment(model, np.random.default_rng(9))
    return [moment_texture(person, moment, model).clip(0, 1) for person in people]


def change(textures: list[np.ndarray], model: AppearanceModel, sign: TextureSign) -> list[np.ndarray]:
    """Change of lightness, (256, 256) each."""
    changed = [with_signs(texture, {sign: 2.0}, model) for texture in textures]
    assert all(after.min() >= 0 and after.max() <= 1 for after in changed)
    return [
        (texture_image(after, model) - texture_image(before, model)).mean(axis=0)
        for before, after in zip(textures, changed, strict=True)
    ]


def test_no_sign_changes_nothing(textures: list[np.ndarray], model: AppearanceModel) -> None:
    np.testing.assert_array_equal(with_signs(textures[0], {}, model), textures[0])


def test_brows_meet(textures: list[np.ndarray], model: AppearanceModel) -> None:
    left, right = model.reference[21], model.reference[22]
    x, y = ((left + right) / 2).round().astype(int)
    for entry in change(textures, model, "synophrys"):
        assert entry[y - 2 : y + 5, x - 6 : x + 7].mean() < -0.04
        assert np.abs(entry[EYES_AND_BELOW]).max() < 1e-3
        assert np.abs(entry[:, : int(left[0]) - 12]).max() < 1e-3


def test_brows_thicken(textures: list[np.ndarray], model: AppearanceModel) -> None:
    for entry in change(textures, model, "thick eyebrow"):
        assert entry[BROWS].min() < -0.05
        assert entry.max() < 1e-3
        assert np.abs(entry[EYES_AND_BELOW]).max() < 1e-3


def test_brows_thin_out(textures: list[np.ndarray], model: AppearanceModel) -> None:
    for entry in change(textures, model, "sparse eyebrow"):
        assert entry[BROWS].max() > 0.01
        assert entry.min() > -1e-3
        assert np.abs(entry[EYES_AND_BELOW]).max() < 1e-3


def test_the_philtrum_flattens(textures: list[np.ndarray], model: AppearanceModel) -> None:
    nose, lip = model.reference[33], model.reference[51]
    x, y = ((nose + lip) / 2).round().astype(int)
    there = (slice(None), slice(y - 1, y + 3), slice(x - 5, x + 6))
    flatter = 0
    for texture in textures:
        before, after = (
            texture_image(value, model) for value in (texture, with_signs(texture, {"smooth philtrum": 2.0}, model))
        )
        ridges, left = (detrend(value[there], axis=2).std() for value in (before, after))  # light from a side may stay
        flatter += left < 0.5 * ridges
        assert np.abs(after - before)[:, : int(nose[1]) - 12].max() < 1e-3
    assert flatter >= 10
