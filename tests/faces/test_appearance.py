"""The appearance model: what is stored, what is not, and what its samples follow."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file
from scipy import stats

from ganonym.errors import EnvironmentFault
from ganonym.faces.appearance import (
    BLACK,
    INNER_LIPS,
    ITA_CENTRES,
    AppearanceModel,
    attributes,
    load_appearance,
    log_colours,
    project_texture,
    rgb_of,
    sample_identity,
    sample_identity_of,
    sample_texture,
    texture_image,
    texture_of,
    warp_points,
)
from ganonym.faces.coordinates import COMPONENTS
from ganonym.faces.shape import join, to_canvas
from ganonym.faces.tone import tone_class
from ganonym.phantom.photos import sample_expression
from ganonym.types import CANVAS, Points, Sex
from ganonym.weights import verified_path

SETS = ("london", "synthetic", "generated", "emotions")


@pytest.fixture(scope="module")
def model() -> AppearanceModel:
    return load_appearance()


@pytest.fixture(scope="module")
def file() -> Path:
    return verified_path("appearance")


def test_the_file_is_small_and_holds_only_what_the_docstring_says(file: Path, model: AppearanceModel) -> None:
    assert file.stat().st_size <= 16 * 2**20
    stored = load_file(file)
    components, attributes_, points = len(stored["texture_sd"]), len(stored["attribute_sd"]), len(stored["reference"])
    identity, expression = len(stored["identity_sd"]), len(stored["expression_sd"])
    pixels, foreheads, triangles = len(stored["texture_mean"]), len(stored["forehead"]), len(stored["triangles"])
    assert {name: array.shape for name, array in stored.items()} == {
        "shape_mean": (68, 2),
        "identity_basis": (identity, 136),
        "identity_sd": (identity,),
        "expression_functionals": (expression, 136),
        "expression_patterns": (expression, 136),
        "expression_sd": (expression,),
        "forehead": (foreheads, 2),
        "reference": (points, 2),
        "triangles": (triangles, 3),
        "texture_mean": (pixels, 3),
        "texture_basis": (components, pixels, 3),
        "texture_basis_scale": (components,),
        "texture_sd": (components,),
        "attribute_mean": (attributes_,),
        "attribute_sd": (attributes_,),
        "attribute_effect": (components, attributes_),
        "residual_factors": (3, components, components),
        "identity_effect": (identity, 4),
        "identity_factor": (identity, identity),
        "expressions": (len(model.expressions), expression),
    }


def test_nothing_is_stored_once_a_person_or_once_a_photo(file: Path, data_manifest: Path) -> None:
    with data_manifest.open(encoding="utf-8", newline="") as table:
        rows = [row for row in csv.DictReader(table) if row["set"] in SETS]
    photos, people = len(rows), len({row["subject"] for row in rows})
    of_sets = [[row["subject"] for row in rows if row["set"] == name] for name in SETS]
    # Two of London's counts are whole parts of others' (81 people, 162 photographs); seven people are too few to tell.
    counts = {photos, people} | {len(own) for own in of_sets} | {len(set(own)) for own in of_sets if len(set(own)) > 7}
    counts |= {count * copies - lost for count in counts for copies in (1, 2) for lost in range(3)}
    assert not counts & {side for array in load_file(file).values() for side in array.shape}


def test_the_basis_stays_near_orthonormal_despite_its_bytes(model: AppearanceModel) -> None:
    # Rounding to 1/127 of each row's largest value: measured 7e-4; 2e-3 changes no grey level of a reconstruction.
    rows = model.texture_basis.reshape(len(model.texture_basis), -1).astype(np.float64)
    np.testing.assert_allclose(rows @ rows.T, np.eye(len(rows)), atol=2e-3)
    assert (np.diff(model.texture_sd[:COMPONENTS]) <= 0).all()
    assert (np.diff(model.texture_sd[COMPONENTS:]) <= 0).all()


def test_coordinates_of_a_texture_are_alike_on_both_sides_and_light_is_not_among_them(model: AppearanceModel) -> None:
    agreement = [
        float((face * face[..., ::-1]).sum()) for face in (texture_image(c, model) for c in model.texture_basis)
    ]
    assert min(agreement[:COMPONENTS]) > 0.97  # some pixels of the rim have no counterpart
    assert min(agreement[COMPONENTS:]) < -0.97


@given(st.floats(0.0, 1.0))
def test_log_colours_are_undone_and_a_filter_adds(value: float) -> None:
    rgb = np.array([value], np.float32)
    np.testing.assert_allclose(rgb_of(log_colours(rgb)), rgb, atol=1e-6)
    darker = log_colours(np.float32(0.5) * (rgb + np.float32(BLACK)) - np.float32(BLACK)) if value > BLACK else None
    if darker is not None:
        np.testing.assert_allclose(log_colours(rgb) - darker, np.log(2.0), atol=1e-5)


def test_projecting_undoes_texturing(model: AppearanceModel) -> None:
    coefficients = model.texture_sd * np.random.default_rng(1).standard_normal(len(model.texture_sd))
    again = project_texture(texture_of(coefficients, model), model)
    np.testing.assert_allclose(again, coefficients, atol=2e-3 * np.linalg.norm(coefficients))
    leading = texture_of(coefficients[:7], model)
    np.testing.assert_allclose(leading, texture_of(np.r_[coefficients[:7], np.zeros(13)], model), atol=1e-6)


def test_a_texture_image_holds_each_pixel_once(model: AppearanceModel) -> None:
    numbers = np.arange(1, len(model.raster.pixels) + 1, dtype=np.float32)
    image = texture_image(np.repeat(numbers[:, None], 3, axis=1), model)
    assert image.shape == (3, CANVAS, CANVAS)
    np.testing.assert_array_equal(np.sort(image[1][image[1] > 0]), numbers)
    y, x = np.unravel_index(model.raster.pixels[40], (CANVAS, CANVAS))
    assert image[0, y, x] == 41


def doubled_area(points: Points, model: AppearanceModel) -> Points:
    corners = points[model.triangles]
    one, two = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    return np.asarray(one[:, 0] * two[:, 1] - one[:, 1] * two[:, 0])


@given(st.integers(0, 2**32 - 1), st.floats(0, 12))
@settings(deadline=None)
def test_crossed_inner_lips_are_closed_at_their_middle(model: AppearanceModel, seed: int, crossing: float) -> None:
    points = to_canvas(model.shape.mean) + np.random.default_rng(seed).normal(0.0, 1.0, (68, 2))
    points[61:64, 1] += crossing
    given_points = points.copy()
    warped = warp_points(points, model.shape.mean, model.forehead)
    np.testing.assert_array_equal(points, given_points)
    for upper, lower in INNER_LIPS:
        assert warped[upper, 1] <= warped[lower, 1]
        np.testing.assert_allclose(warped[upper] + warped[lower], points[upper] + points[lower])
    apart = np.setdiff1d(np.arange(68), np.array(INNER_LIPS))
    np.testing.assert_array_equal(warped[apart], points[apart])


def test_a_lip_turned_inside_out_is_closed_where_its_edges_meet(model: AppearanceModel) -> None:
    points = to_canvas(model.shape.mean).copy()
    points[62, 1], points[66, 1] = points[51, 1] - 4.0, points[57, 1] + 4.0
    closed = warp_points(points, model.shape.mean, model.forehead)
    assert closed[62, 1] == points[51, 1]
    assert closed[66, 1] == points[57, 1]
    untouched = np.setdiff1d(np.arange(68), [62, 66])
    np.testing.assert_array_equal(closed[untouched], points[untouched])


def test_inner_mouths_of_sampled_people_do_not_fold(model: AppearanceModel) -> None:
    inside = ((model.triangles >= 60) & (model.triangles < 68)).all(axis=1)
    assert inside.sum() >= 4
    winding = np.sign(doubled_area(model.reference, model))
    rng = np.random.default_rng(5)
    for _ in range(300):
        expression = model.shape.expression_sd * sample_expression(model, rng)[1]
        points = to_canvas(join(sample_identity(model.shape, rng), expression, model.shape))
        warped = warp_points(points, model.shape.mean, model.forehead)
        assert (doubled_area(warped, model) * winding)[inside].min() > -4.0  # two square pixels


def test_the_hairline_is_the_mean_one_carried_by_the_upper_face(model: AppearanceModel) -> None:
    matrix, shift = np.array([[1.1, 0.2], [-0.15, 0.9]]), np.array([4.0, -7.0])
    mean = to_canvas(model.shape.mean)
    moved = mean @ matrix.T + shift
    moved[3:14] += 9.0  # an open jaw must not stretch the forehead
    moved[48:] += 5.0
    warped = warp_points(moved, model.shape.mean, model.forehead)
    hairline = to_canvas(model.forehead) @ matrix.T + shift
    np.testing.assert_allclose(warped[68 : 68 + len(model.forehead)], hairline, atol=1e-9)


def test_the_hairline_meets_both_ends_of_the_jaw(model: AppearanceModel) -> None:
    mean, count = to_canvas(model.shape.mean), len(model.forehead)
    moved = mean.copy()
    moved[0] += [-9.0, 4.0]
    still = warp_points(mean, model.shape.mean, model.forehead)[68 : 68 + count]
    carried = warp_points(moved, model.shape.mean, model.forehead)[68 : 68 + count]
    # The first point of the hairline keeps its place beside jaw point 0, the last its place beside point 16.
    np.testing.assert_allclose(carried[0] - moved[0], still[0] - mean[0], atol=2.5)
    np.testing.assert_allclose(carried[-1] - moved[16], still[-1] - mean[16], atol=2.5)
    shares = (carried - still)[:, 0]
    assert shares[0] < -6.0
    assert (np.diff(shares) > 0).all()


def test_attributes_are_z_scores_and_say_which_are_known(model: AppearanceModel) -> None:
    expression = 1.5 * model.shape.expression_sd
    scores, defined = attributes(expression, 2, "female", 41.0, model)
    assert defined.all()
    raw = scores * model.attribute_sd + model.attribute_mean
    np.testing.assert_allclose(raw, [*[1.5] * 6, *[0.0] * 6, 34.5, 1.0, 41.0, 0.0], atol=1e-6)
    child = attributes(-expression, 2, "male", 4.5, model)[0] * model.attribute_sd + model.attribute_mean
    np.testing.assert_allclose(child, [*[0.0] * 6, *[1.5] * 6, 34.5, 0.0, 4.5, 0.75], atol=1e-6)
    scores, defined = attributes(expression, None, None, None, model)
    assert defined.tolist() == [True] * 12 + [False] * 4
    assert (scores[12:] == 0).all()
    assert [tone_class(ita) for ita in ITA_CENTRES] == list(range(6))


def small(model: AppearanceModel) -> AppearanceModel:
    rng = np.random.default_rng(9)
    return replace(
        model,
        residual_factors=np.tril(rng.normal(size=(3, 5, 5))),
        attribute_effect=rng.normal(size=(5, 16)),
    )


@pytest.mark.parametrize(
    ("group", "sex", "age", "spread"), [(0, "male", 8, 0.9), (1, "female", 30, 0.5), (2, "male", 70, 0.9)]
)
def test_sampled_textures_have_the_stated_mean_and_covariance(
    model: AppearanceModel, group: int, sex: Sex, age: int, spread: float
) -> None:
    few, rng = small(model), np.random.default_rng(2)
    scores, _ = attributes(np.zeros(6), 3, sex, age, model)
    draws = np.stack([sample_texture(scores, few, rng, spread) for _ in range(20_000)])
    clipped = stats.norm.expect(lambda z: np.clip(z, -2.5, 2.5) ** 2)  # the variance of a truncated direction
    expected = spread**2 * clipped * few.residual_factors[group] @ few.residual_factors[group].T
    scale = np.sqrt(np.outer(np.diag(expected), np.diag(expected)))
    np.testing.assert_allclose(draws.mean(axis=0), few.attribute_effect @ scores, atol=0.03 * np.sqrt(scale.max()))
    np.testing.assert_allclose(np.cov(draws.T) / scale, expected / scale, atol=0.04)


def test_the_tone_asked_for_is_the_tone_drawn(model: AppearanceModel) -> None:
    lightness = []
    for tone in range(6):
        scores, _ = attributes(np.zeros(6), tone, None, None, model)
        lightness.append(float(texture_of(model.attribute_effect @ scores, model).mean()))
    assert lightness == sorted(lightness, reverse=True)


def test_sampled_identities_follow_the_population(model: AppearanceModel) -> None:
    rng = np.random.default_rng(3)
    draws = np.stack([sample_identity(model.shape, rng, spread=1.0) for _ in range(4000)]) / model.shape.identity_sd
    assert np.abs(draws).max() <= 2.5 + 1e-12
    np.testing.assert_allclose(draws.mean(axis=0), 0, atol=0.08)
    np.testing.assert_allclose(
        draws.std(axis=0), np.sqrt(stats.norm.expect(lambda z: np.clip(z, -2.5, 2.5) ** 2)), atol=0.05
    )


def test_a_file_that_is_no_appearance_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFault, match="not an appearance model"):
        load_appearance(_saved(tmp_path / "other.safetensors", {}))
    with pytest.raises(EnvironmentFault, match="not an appearance model"):
        load_appearance(_saved(tmp_path / "canvas.safetensors", {"kind": "appearance", "canvas": "512"}))
    with pytest.raises(EnvironmentFault, match="absent"):
        load_appearance(tmp_path / "absent.safetensors")


def _saved(path: Path, metadata: dict[str, str]) -> Path:
    save_file({"values": np.zeros(3, np.float32)}, path, metadata=metadata)
    return path


def test_children_have_children_s_shapes_and_no_beards(model: AppearanceModel) -> None:
    rng = np.random.default_rng(5)
    beard = np.zeros((CANVAS, CANVAS), bool)
    beard[205:225, 108:148] = True  # below the lower lip of the reference frame
    heights, shades = [], []
    for age in (3.0, 35.0):
        scores, _ = attributes(np.zeros(6), 1, "male", age, model)
        shapes = np.array([join(sample_identity_of(scores, model, rng), np.zeros(6), model.shape) for _ in range(60)])
        heights.append(float(np.mean(shapes[:, 8, 1] - shapes[:, 36:48, 1].mean(axis=1))))
        textures = [texture_image(texture_of(sample_texture(scores, model, rng), model), model) for _ in range(40)]
        shades.append(np.quantile([texture[:, beard].mean() for texture in textures], 0.1))
    assert heights[0] < 0.95 * heights[1]  # a short lower face
    assert shades[0] > shades[1] + 0.015
