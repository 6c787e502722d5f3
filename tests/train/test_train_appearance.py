"""Fitting the appearance model: planted structure is found again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open

from ganonym.errors import UsageError
from ganonym.faces.appearance import AppearanceModel, load_appearance, project_texture, sample_identity, texture_of
from ganonym.faces.shape import ShapeModel, centroid_size, join, normalize
from ganonym.faces.warp import rasterize
from ganonym.types import CANVAS, Points
from ganonym_train.appearance import (
    MIRROR,
    extract_texture,
    fit_attributes,
    fit_shape,
    fit_texture,
    mirrored,
    train_appearance,
    upright,
)
from ganonym_train.photographs import TrainingPhoto, training_photographs


@pytest.fixture(scope="module")
def known() -> AppearanceModel:
    return load_appearance()


@pytest.fixture(scope="module")
def fitted(training_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> AppearanceModel:
    output = tmp_path_factory.mktemp("fitted") / "deep" / "appearance.safetensors"
    told: list[str] = []
    train_appearance(training_folder, output, told.append)
    assert told[0].startswith("24 photographs of 12 people")
    assert output.stat().st_size <= 16 * 2**20
    with safe_open(output, framework="numpy") as file:
        assert file.metadata() == {"kind": "appearance", "canvas": "256"}
    return load_appearance(output)


def test_mirroring_twice_gives_the_photo_back() -> None:
    np.testing.assert_array_equal(MIRROR[MIRROR], np.arange(68))
    rng = np.random.default_rng(0)
    photo = TrainingPhoto(
        "a", "b", False, True, 3.0, rng.integers(0, 256, (20, 30, 3), dtype=np.uint8), rng.random((68, 2)) * 20
    )
    again = mirrored(mirrored(photo))
    np.testing.assert_array_equal(again.rgb, photo.rgb)
    np.testing.assert_allclose(again.points, photo.points)
    np.testing.assert_array_equal(mirrored(photo).rgb[4, 0], photo.rgb[4, 29])


def test_mirrored_faces_keep_the_numbering(training_folder: Path, known: AppearanceModel) -> None:
    photo = next(training_photographs(training_folder))
    one, other = (normalize(each.points, known.shape) for each in (photo, mirrored(photo)))
    assert np.linalg.norm(one - other, axis=1).mean() < 0.02  # an interocular distance is about 0.13


def test_upright_is_symmetric_level_and_of_unit_size(known: AppearanceModel) -> None:
    points = known.shape.mean + np.random.default_rng(1).normal(0, 0.005, (68, 2))
    turn = np.array([[np.cos(0.4), -np.sin(0.4)], [np.sin(0.4), np.cos(0.4)]])
    shape = upright(points @ turn.T * 33 + 7)
    np.testing.assert_allclose(shape[MIRROR] * [-1, 1], shape, atol=1e-12)
    assert centroid_size(shape) == pytest.approx(1)
    assert np.linalg.norm(shape - upright(points)) < 1e-9


def drawn_shapes(known: ShapeModel, people: int) -> tuple[list[Points], list[str], list[bool]]:
    """Each person neutral and smiling (planted: direction 0 and, in part, 1), each with its mirror image after it."""
    rng = np.random.default_rng(6)
    points, subjects, smiling = [], [], []
    for number in range(people):
        identity = sample_identity(known, rng)
        for smile in (False, True):
            amount = smile * rng.uniform(1.0, 2.0) * np.array([1.0, 0.4, 0.0, 0.0]) * known.expression_sd
            shape = join(identity, amount + 0.02 * known.expression_sd * rng.standard_normal(4), known)
            points += [shape * 200 + 300, shape[MIRROR] * [-200.0, 200.0] + 300]
            subjects += [f"p{number}"] * 2
            smiling += [smile] * 2
    return points, subjects, smiling


def test_planted_expression_and_identity_are_found_again(known: AppearanceModel) -> None:
    shape = fit_shape(*drawn_shapes(known.shape, 40))
    assert np.abs(shape.mean - known.shape.mean).max() < 0.01
    basis = np.concatenate([shape.identity_basis, shape.expression_basis])
    np.testing.assert_allclose(basis @ basis.T, np.eye(len(basis)), atol=1e-8)
    planted = (np.array([1.0, 0.4, 0, 0]) * known.shape.expression_sd) @ known.shape.expression_basis
    planted /= np.linalg.norm(planted)
    assert np.linalg.norm(shape.expression_basis[:2] @ planted) > 0.95
    leading = shape.identity_basis[:5] @ known.shape.identity_basis[:8].T
    assert np.linalg.norm(leading, axis=1).min() > 0.9
    assert shape.identity_sd[0] == pytest.approx(0.9 * known.shape.identity_sd[0], rel=0.3)


def test_texture_pca_is_the_singular_value_decomposition() -> None:
    rng = np.random.default_rng(2)
    rows = (rng.normal(size=(12, 12)) @ rng.normal(size=(12, 300)) + 5).astype(np.float32)
    mean, basis, sd, coefficients = fit_texture(rows)
    _, singular, directions = np.linalg.svd(rows - rows.mean(axis=0), full_matrices=False)
    np.testing.assert_allclose(mean, rows.mean(axis=0), atol=1e-5)
    np.testing.assert_allclose(sd, singular[:10] / np.sqrt(11), rtol=1e-4)
    np.testing.assert_allclose(np.abs(np.sum(basis * directions[:10], axis=1)), 1, atol=1e-3)
    np.testing.assert_allclose(coefficients, (rows - mean) @ basis.T, atol=1e-2)


def test_attribute_regression_recovers_a_planted_effect() -> None:
    rng = np.random.default_rng(4)
    raw = rng.normal(size=(4000, 3)) * [1.0, 30.0, 15.0] + [0.0, 20.0, 40.0]
    effect, noise = rng.normal(size=(6, 3)), np.tril(rng.normal(size=(6, 6)))
    scores = (raw - raw.mean(axis=0)) / raw.std(axis=0)
    coefficients = scores @ effect.T + rng.standard_normal((4000, 6)) @ noise.T
    found, factor, mean, sd = fit_attributes(raw, coefficients)
    np.testing.assert_allclose(found, effect / 1.02, atol=0.12)  # ridge shrinks by 1 / 1.02
    expected = noise @ noise.T
    np.testing.assert_allclose(factor @ factor.T, expected, atol=0.1 * np.abs(expected).max())
    np.testing.assert_allclose(mean, raw.mean(axis=0))
    np.testing.assert_allclose(sd, raw.std(axis=0))


def test_unknown_attributes_count_as_average() -> None:
    rng = np.random.default_rng(5)
    raw = rng.normal(size=(300, 2))
    raw[::3, 1] = np.nan
    effect, _, mean, _ = fit_attributes(raw, rng.normal(size=(300, 4)))
    assert np.isfinite(effect).all()
    assert mean[1] == pytest.approx(np.nanmean(raw[:, 1]))


def test_the_whole_fit_describes_the_people_it_saw(
    fitted: AppearanceModel, known: AppearanceModel, training_folder: Path
) -> None:
    assert np.linalg.norm(fitted.shape.mean - known.shape.mean, axis=1).mean() < 0.01
    smile = known.shape.expression_basis[0]
    assert np.linalg.norm(fitted.shape.expression_basis @ smile) > 0.7
    rows = fitted.texture_basis.reshape(len(fitted.texture_basis), -1).astype(np.float64)
    np.testing.assert_allclose(rows @ rows.T, np.eye(len(rows)), atol=2e-3)
    photo = next(training_photographs(training_folder))
    fine = rasterize(fitted.reference * 2 + 0.5, fitted.triangles, CANVAS * 2)
    texture = extract_texture(photo.rgb, photo.points, fitted.shape, fine, fitted.raster)
    assert texture.min() >= 0
    assert texture.max() <= 1
    again = texture_of(project_texture(texture, fitted), fitted)
    assert np.abs(again - texture).mean() < 0.25 * np.abs(fitted.texture_mean - texture).mean()


def test_too_few_people_are_refused(tmp_path: Path) -> None:
    (tmp_path / "manifest.csv").write_text("path,set,subject,expression,sex,age\n")
    with pytest.raises(UsageError, match="0 people both neutral and smiling"):
        train_appearance(tmp_path, tmp_path / "appearance.safetensors", print)
