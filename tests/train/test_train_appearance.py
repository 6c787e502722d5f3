"""Fitting the appearance model: planted structure is found again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open

from ganonym.errors import UsageError
from ganonym.faces.appearance import (
    CHILD,
    AppearanceModel,
    load_appearance,
    log_colours,
    project_texture,
    rgb_of,
    sample_identity,
    texture_of,
)
from ganonym.faces.shape import ShapeModel, centroid_size, join, normalize, split
from ganonym.faces.warp import rasterize
from ganonym.types import CANVAS, Points
from ganonym_train.appearance import mirrored, train_appearance
from ganonym_train.photographs import TrainingPhoto, daylight, training_photographs
from ganonym_train.shape_fit import MIRROR, fit_shape, upright
from ganonym_train.texture_fit import (
    covariance_factor,
    expression_means,
    extract_texture,
    fit_attributes,
    fit_expressions,
    fit_texture,
    group_factors,
    moments,
    score,
)


@pytest.fixture(scope="module")
def bundled() -> AppearanceModel:
    return load_appearance()


@pytest.fixture(scope="module")
def fitted(training_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> AppearanceModel:
    output = tmp_path_factory.mktemp("fitted") / "deep" / "appearance.safetensors"
    told: list[str] = []
    train_appearance(training_folder, output, told.append)
    assert told[0].startswith("24 photographs of 12 people")
    assert output.stat().st_size <= 16 * 2**20
    with safe_open(output, framework="numpy") as file:
        assert file.metadata() == {"kind": "appearance", "canvas": "256", "expressions": "smiling"}
    return load_appearance(output)


def test_mirroring_twice_gives_the_photo_back() -> None:
    np.testing.assert_array_equal(MIRROR[MIRROR], np.arange(68))
    rng = np.random.default_rng(0)
    photo = TrainingPhoto(
        "a", "b", "smiling", "male", 3.0, rng.integers(0, 256, (20, 30, 3), dtype=np.uint8), rng.random((68, 2)) * 20
    )
    again = mirrored(mirrored(photo))
    np.testing.assert_array_equal(again.rgb, photo.rgb)
    np.testing.assert_allclose(again.points, photo.points)
    np.testing.assert_array_equal(mirrored(photo).rgb[4, 0], photo.rgb[4, 29])


def test_mirrored_faces_keep_the_numbering(training_folder: Path, bundled: AppearanceModel) -> None:
    photo = next(training_photographs(training_folder))
    one, other = (normalize(value.points, bundled.shape) for value in (photo, mirrored(photo)))
    assert np.linalg.norm(one - other, axis=1).mean() < 0.02  # an interocular distance is about 0.13


def test_upright_is_symmetric_level_and_of_unit_size(bundled: AppearanceModel) -> None:
    points = bundled.shape.mean + np.random.default_rng(1).normal(0, 0.005, (68, 2))
    turn = np.array([[np.cos(0.4), -np.sin(0.4)], [np.sin(0.4), np.cos(0.4)]])
    shape = upright(points @ turn.T * 33 + 7)
    np.testing.assert_allclose(shape[MIRROR] * [-1, 1], shape, atol=1e-12)
    assert centroid_size(shape) == pytest.approx(1)
    assert np.linalg.norm(shape - upright(points)) < 1e-9


def drawn_shapes(model: ShapeModel, people: int) -> tuple[list[Points], list[str], list[str]]:
    """Each person neutral and in six planted expressions, one for each direction; others smile once."""
    rng = np.random.default_rng(6)
    points, subjects, expressions = [], [], []
    named = ("smiling", "surprised", "angry", "tired", "sad", "disgusted")
    moods = dict(zip(("neutral", *named), [np.zeros(6), *2 * np.eye(6)], strict=True))
    for number in range(people):
        identity = sample_identity(model, rng)
        for mood, strength in moods.items():
            amount = rng.uniform(0.7, 1.3) * strength + 0.02 * rng.standard_normal(6)
            shape = join(identity, amount * model.expression_sd, model)
            points.append(shape * 200 + 300)
            subjects.append(f"p{number}")
            expressions.append(mood)
        smile = join(identity, 1.5 * np.eye(6)[0] * model.expression_sd, model)
        points += [smile * 200 + 300, join(identity, np.zeros(6), model) * 200 + 300]
        subjects += [f"twice{number}"] * 2
        expressions += ["smiling", "neutral"]
    return points, subjects, expressions


def test_planted_expression_and_identity_are_found_again(bundled: AppearanceModel) -> None:
    points, subjects, expressions = drawn_shapes(bundled.shape, 40)
    shape = fit_shape(points, subjects, expressions)
    assert np.abs(shape.mean - bundled.shape.mean).max() < 0.01
    np.testing.assert_allclose(shape.identity_basis @ shape.identity_basis.T, np.eye(40), atol=1e-8)
    np.testing.assert_allclose(shape.expression_functionals @ shape.expression_patterns.T, np.eye(6), atol=1e-8)
    np.testing.assert_allclose(shape.identity_basis @ shape.expression_functionals.T, 0, atol=1e-8)
    strengths = np.array([split(normalize(face, shape), shape)[1] for face in points]) / shape.expression_sd
    named = np.array(expressions)
    assert np.abs(strengths[named == "neutral"].mean(axis=0)).max() < 0.2
    # The smile is the first direction, and who smiles shows there whoever it is.
    smile = strengths[named == "smiling", 0]
    assert smile.min() > strengths[named == "neutral", 0].max()
    surprise = strengths[named == "surprised"].mean(axis=0)
    assert abs(surprise[1]) > 3 * abs(surprise[0])
    leading = shape.identity_basis[:3] @ bundled.shape.identity_basis[:8].T
    assert np.linalg.norm(leading, axis=1).min() > 0.85


def test_expression_is_read_less_from_identity_than_a_projection_would(bundled: AppearanceModel) -> None:
    """Fisher's point: neutral people differ less in what is read than along what is drawn."""
    points, subjects, expressions = drawn_shapes(bundled.shape, 40)
    shape = fit_shape(points, subjects, expressions)
    still = [face for face, name in zip(points, expressions, strict=True) if name == "neutral"]
    neutral = np.array([(normalize(face, shape) - shape.mean).ravel() for face in still])
    read = (neutral @ shape.expression_functionals[:3].T).std(axis=0)
    projected = (neutral @ shape.expression_patterns[:3].T).std(axis=0)
    assert (read < projected).all()


def test_photographs_without_expressions_are_refused(bundled: AppearanceModel) -> None:
    points, subjects, expressions = drawn_shapes(bundled.shape, 4)
    with pytest.raises(UsageError, match="0 people with two expressions and 12 neutral"):
        fit_shape(points[:12], subjects[:12], ["neutral"] * 12)
    with pytest.raises(UsageError, match="3 people with two expressions"):
        fit_shape(points[:12], subjects[:12], expressions[:12])


def test_texture_pca_keeps_the_two_sides_apart() -> None:
    """Oracle: the singular value decomposition of the symmetric part of log colours."""
    rng = np.random.default_rng(2)
    textures = rng.uniform(0.1, 0.9, (12, 100, 3)).astype(np.float32)
    mirror = np.arange(100)[::-1].copy()
    fit = fit_texture(textures, np.ones(12), mirror)
    logs = log_colours(textures)
    even = ((logs + logs[:, mirror]) / 2).reshape(12, -1)
    np.testing.assert_allclose(fit.mean, even.mean(axis=0), atol=1e-5)
    _, singular, directions = np.linalg.svd(even - even.mean(axis=0), full_matrices=False)
    np.testing.assert_allclose(fit.sd[:10], singular[:10] / np.sqrt(12), rtol=1e-3)
    np.testing.assert_allclose(np.abs(np.sum(fit.basis[:10] * directions[:10], axis=1)), 1, atol=1e-2)
    rows = fit.basis.reshape(len(fit.basis), 100, 3)
    np.testing.assert_allclose(rows[:10], rows[:10][:, mirror], atol=1e-4)
    np.testing.assert_allclose(rows[10:], -rows[10:][:, mirror], atol=1e-4)
    np.testing.assert_allclose(fit.basis @ fit.basis.T, np.eye(len(fit.basis)), atol=1e-4)


def test_a_photo_that_counts_twice_is_as_if_it_were_there_twice() -> None:
    rng = np.random.default_rng(3)
    textures = rng.uniform(0.1, 0.9, (9, 60, 3)).astype(np.float32)
    mirror = np.arange(60)[::-1].copy()
    one = fit_texture(textures, np.array([2.0, *[1.0] * 8]), mirror)
    other = fit_texture(np.concatenate([textures[:1], textures]), np.ones(10), mirror)
    np.testing.assert_allclose(one.mean, other.mean, atol=1e-5)
    np.testing.assert_allclose(one.sd[:5], other.sd[:5], rtol=1e-3)


def test_attribute_regression_recovers_a_planted_effect() -> None:
    rng = np.random.default_rng(4)
    raw = rng.normal(size=(4000, 3)) * [1.0, 30.0, 15.0] + [0.0, 20.0, 40.0]
    effect, noise = rng.normal(size=(6, 3)), np.tril(rng.normal(size=(6, 6)))
    mean, sd = moments(raw, np.ones(4000))
    np.testing.assert_allclose(mean, raw.mean(axis=0))
    np.testing.assert_allclose(sd, raw.std(axis=0))
    scores = score(raw, mean, sd)
    result, left = fit_attributes(scores, scores @ effect.T + rng.standard_normal((4000, 6)) @ noise.T)
    np.testing.assert_allclose(result, effect / 1.02, atol=0.12)  # ridge shrinks by 1 / 1.02
    factor, expected = covariance_factor(left.T @ left / 4000), noise @ noise.T
    np.testing.assert_allclose(factor @ factor.T, expected, atol=0.1 * np.abs(expected).max())


def test_unknown_attributes_count_as_average() -> None:
    rng = np.random.default_rng(5)
    raw = rng.normal(size=(300, 2))
    raw[::3, 1] = np.nan
    mean, sd = moments(raw, rng.uniform(0.5, 2, 300))
    assert (score(raw, mean, sd)[::3, 1] == 0).all()
    assert mean[1] == pytest.approx(np.nanmean(raw[:, 1]), abs=0.1)


def test_what_goes_with_a_person_is_not_taken_for_expression() -> None:
    """Planted: those who smile have darker skin, and a smile makes the first coefficient larger by 2."""
    rng = np.random.default_rng(8)
    smiles, skin = rng.uniform(0, 1, 60) > 0.5, rng.normal(0, 1, 60)
    strength = np.concatenate([smiles * 0.5, smiles * 0.5 + 1])[:, None]
    coefficients = np.stack([2 * strength[:, 0], np.tile(skin + 3 * smiles, 2)], axis=1)
    effect, left = fit_expressions(strength, coefficients, [f"p{n}" for n in range(60)] * 2)
    assert effect[0, 0] == pytest.approx(2, rel=0.5)
    assert abs(effect[1, 0]) < 1e-9
    assert np.corrcoef(left[:, 1], np.tile(skin + 3 * smiles, 2))[0, 1] > 0.999


def test_beards_are_men_s() -> None:
    rng = np.random.default_rng(9)
    female, age = rng.random(900) < 0.5, rng.uniform(0, 60, 900)
    raw = np.stack([np.zeros(900), female, age, np.clip(1 - age / 18, 0, 1)], axis=1)
    man = ~female & (raw[:, 3] <= CHILD)
    residual = rng.standard_normal((900, 2)) * np.stack([np.where(man, 5.0, 0.1), np.ones(900)], axis=1)
    child, woman, grown = (factor @ factor.T for factor in group_factors(residual, raw))
    assert child[0, 0] < 0.05
    assert woman[0, 0] < 0.05
    assert grown[0, 0] > 15


def test_expressions_are_means_over_several_people_or_not_told() -> None:
    subjects = [f"p{number}" for number in range(6) for _ in range(3)]
    expressions = ["neutral", "happy", "rare"] * 6
    expressions[5::3] = [""] * 5
    strengths = np.arange(36.0).reshape(18, 2)
    told = expression_means(strengths, subjects, expressions)
    assert set(told) == {"happy"}
    np.testing.assert_allclose(told["happy"], [2.0, 2.0])


def test_the_whole_fit_describes_the_people_it_saw(
    fitted: AppearanceModel, bundled: AppearanceModel, training_folder: Path
) -> None:
    assert np.linalg.norm(fitted.shape.mean - bundled.shape.mean, axis=1).mean() < 0.01
    smile = join(np.zeros(40), bundled.shape.expression_sd * bundled.expressions["happy"], bundled.shape)
    read = split(normalize(smile, fitted.shape), fitted.shape)[1] / fitted.shape.expression_sd
    assert read[0] > 1.0
    rows = fitted.texture_basis.reshape(len(fitted.texture_basis), -1).astype(np.float64)
    np.testing.assert_allclose(rows @ rows.T, np.eye(len(rows)), atol=2e-3)
    photo = daylight(next(training_photographs(training_folder)))
    fine = rasterize(fitted.reference * 2 + 0.5, fitted.triangles, CANVAS * 2)
    texture = extract_texture(photo.rgb, photo.points, fitted.shape, fine, fitted.raster)
    assert texture.min() >= 0
    assert texture.max() <= 1
    again = texture_of(project_texture(texture, fitted), fitted)
    assert np.abs(again - texture).mean() < 0.4 * np.abs(rgb_of(fitted.texture_mean) - texture).mean()


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "manifest.csv").write_text("path,set,subject,expression,sex,age\n")
    with pytest.raises(UsageError, match="no photograph with a face"):
        train_appearance(tmp_path, tmp_path / "appearance.safetensors", print)
