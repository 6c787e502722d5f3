"""Alignment against scikit-image, against the formula, and round trips."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.transform import SimilarityTransform

from ganonym.faces.align import apply, area_crop, compose, crop, invert, similarity
from ganonym.types import RGB, Floats


def matrix_of(scale: float, degrees: float, shift: tuple[float, float]) -> Floats:
    c, s = scale * np.cos(np.radians(degrees)), scale * np.sin(np.radians(degrees))
    return np.array([[c, -s, shift[0]], [s, c, shift[1]]])


scales = st.floats(0.05, 20.0)
angles = st.floats(-180.0, 180.0)
shifts = st.tuples(st.floats(-5000.0, 5000.0), st.floats(-5000.0, 5000.0))
matrices = st.builds(matrix_of, scales, angles, shifts)


@given(st.integers(0, 2**32 - 1))
def test_similarity_equals_scikit_image(seed: int) -> None:
    rng = np.random.default_rng(seed)
    source = rng.normal(0.0, 50.0, (68, 2))
    target = source @ rng.normal(0.0, 1.0, (2, 2)) + rng.normal(0.0, 5.0, (68, 2))
    if np.linalg.det(np.cov(source.T, target.T)[:2, 2:]) <= 0.0:
        target = target * [-1.0, 1.0]  # scikit-image keeps a wrong scale for the mirrored case
    oracle = SimilarityTransform.from_estimate(source, target).params[:2]
    np.testing.assert_allclose(similarity(source, target), oracle, atol=1e-6)


def test_similarity_of_a_mirrored_face_is_still_no_reflection() -> None:
    source = np.random.default_rng(0).normal(0.0, 50.0, (68, 2))
    assert np.linalg.det(similarity(source, source * [-1.0, 1.0])[:, :2]) > 0.0


@given(st.integers(0, 1000), angles)
def test_similarity_is_the_least_squares_one(seed: int, degrees: float) -> None:
    rng = np.random.default_rng(seed)
    source = rng.normal(0.0, 1.0, (10, 2))
    target = rng.normal(0.0, 1.0, (10, 2))
    result = similarity(source, target)
    least = np.sum((apply(result, source) - target) ** 2)
    other = compose(result, matrix_of(1.01, degrees / 90.0, (0.01, -0.01)))
    assert least <= np.sum((apply(other, source) - target) ** 2) + 1e-12


def test_similarity_refuses_coinciding_points() -> None:
    with pytest.raises(ValueError, match="coincide"):
        similarity(np.zeros((68, 2)), np.ones((68, 2)))


@given(matrices, st.integers(0, 2**32 - 1))
def test_points_survive_the_round_trip(matrix: Floats, seed: int) -> None:
    points = np.random.default_rng(seed).uniform(0.0, 5000.0, (68, 2))
    np.testing.assert_allclose(apply(invert(matrix), apply(matrix, points)), points, atol=1e-6)


@given(matrices, matrices)
def test_compose_is_one_after_the_other(first: Floats, then: Floats) -> None:
    points = np.array([[0.0, 0.0], [100.0, 7.0], [-3.0, 250.0]])
    np.testing.assert_allclose(apply(compose(first, then), points), apply(then, apply(first, points)), atol=1e-4)


def smooth(height: int, width: int) -> RGB:
    """Waves of at least 80 px, so that resampling has nothing to lose."""
    y, x = np.mgrid[:height, :width]
    waves = [np.sin(x / 13.0 + k) + np.cos(y / 17.0 - k) for k in range(3)]
    return np.stack([127.5 + 60.0 * wave for wave in waves], axis=-1).round().astype(np.uint8)


def test_identity_crop_is_the_photo() -> None:
    photo = smooth(60, 90)
    assert np.array_equal(crop(photo, np.eye(2, 3), (90, 60)), photo)


def test_whole_pixel_shift_is_exact_and_black_outside() -> None:
    photo = smooth(60, 90) | 1
    shifted = crop(photo, np.array([[1.0, 0.0, 5.0], [0.0, 1.0, -3.0]]), (90, 60))
    assert np.array_equal(shifted[:57, 5:], photo[3:, :85])
    assert not shifted[:, :4].any()


@pytest.mark.parametrize(("scale", "degrees"), [(1.0, 20.0), (0.9, -35.0), (1.7, 90.0), (3.0, 170.0)])
def test_pixels_survive_the_round_trip(scale: float, degrees: float) -> None:
    photo = smooth(300, 300)
    there = matrix_of(scale, degrees, (0.0, 0.0))
    there[:, 2] = 255.5 - there[:, :2] @ [149.5, 149.5]
    back = crop(crop(photo, there, 512), invert(there), 300)
    inside = slice(100, 200)
    error = back[inside, inside].astype(float) - photo[inside, inside]
    assert np.abs(error).max() <= 3.0
    assert abs(error.mean()) < 0.1


@pytest.mark.parametrize("scale", [0.11, 0.37, 0.8, 1.0, 2.3])
def test_crop_puts_a_point_where_the_matrix_says(scale: float) -> None:
    y, x = np.mgrid[:800, :800]
    centre = np.array([411.3, 377.8])
    width = 8.0 / min(scale, 1.0)
    blob = 250.0 * np.exp(-((x - centre[0]) ** 2 + (y - centre[1]) ** 2) / (2.0 * width**2))
    photo = np.repeat(blob.round().astype(np.uint8)[..., None], 3, axis=2)
    matrix = matrix_of(scale, 25.0, (0.0, 0.0))
    matrix[:, 2] = np.array([120.4, 131.9]) - matrix[:, :2] @ centre
    seen = crop(photo, matrix, 256)[..., 0].astype(float)
    y, x = np.mgrid[:256, :256]
    result = np.array([(x * seen).sum(), (y * seen).sum()]) / seen.sum()
    np.testing.assert_allclose(result, [120.4, 131.9], atol=0.05)


def test_fine_texture_does_not_alias_when_shrunk() -> None:
    y, x = np.mgrid[:1000, :1000]
    checks = np.repeat(((x + y) % 2 * 255).astype(np.uint8)[..., None], 3, axis=2)
    shrunk = crop(checks, matrix_of(0.23, 30.0, (50.0, -60.0)), 100)[40:60, 40:60].astype(float)
    assert shrunk.std() < 2.0
    assert abs(shrunk.mean() - 127.5) < 2.0


def test_crop_beside_the_photo_is_black() -> None:
    assert not crop(np.full((40, 40, 3), 200, np.uint8), matrix_of(0.5, 0.0, (900.0, 0.0)), 64).any()


def test_each_pixel_is_the_mean_of_what_it_covers() -> None:
    photo = np.random.default_rng(3).integers(0, 256, (240, 360, 3)).astype(np.uint8)
    for across, down in ((2, 2), (3, 6), (8, 8), (20, 12)):
        matrix = np.array([[1 / across, 0.0, 0.5 / across - 0.5], [0.0, 1 / down, 0.5 / down - 0.5]])
        blocks = photo[: 240 // down * down, : 360 // across * across].astype(float)
        wanted = blocks.reshape(240 // down, down, 360 // across, across, 3).mean(axis=(1, 3))
        result = area_crop(photo, matrix, (360 // across, 240 // down)).astype(float)
        # Samples lie as far apart as pixels: bicubic weights of neighbours blur a pixel or two at either edge.
        assert np.abs(result - wanted)[1:-1, 1:-1].max() < 3.0 + 60.0 / min(across, down)
        lying = area_crop(photo, matrix[::-1], (240 // down, 360 // across))
        assert np.array_equal(lying, result.swapaxes(0, 1))


def test_a_mean_over_areas_is_exact_black_outside_and_where_the_matrix_says() -> None:
    photo = smooth(60, 90) | 1
    assert np.array_equal(area_crop(photo, np.eye(2, 3), (90, 60)), photo)
    shifted = area_crop(photo, np.array([[1.0, 0.0, 5.0], [0.0, 1.0, -3.0]]), (90, 60))
    assert np.array_equal(shifted[:57, 5:], photo[3:, :85])
    assert not shifted[:, :4].any()
    assert not area_crop(photo, matrix_of(0.5, 0.0, (900.0, 0.0)), 64).any()


@given(st.floats(0.05, 3.0), angles)
@settings(max_examples=25)
def test_a_mean_over_areas_lies_where_the_matrix_says(scale: float, degrees: float) -> None:
    waves = smooth(500, 500)
    matrix = matrix_of(scale, degrees, (0.0, 0.0))
    matrix[:, 2] = 20.0 - matrix[:, :2] @ [250.3, 249.6]
    y, x = np.mgrid[:41, :41]
    there = apply(invert(matrix), np.stack([x, y], axis=-1).reshape(-1, 2).astype(float)).reshape(41, 41, 2)
    result = area_crop(waves, matrix, 41).astype(float)
    inside = ((there > 2 / scale) & (there < 499 - 2 / scale)).all(axis=-1)
    # A wave of 80 px or more is flattened by its mean over 1 / scale px: by a tenth over 20 px.
    wanted = np.stack(
        [127.5 + 60 * (np.sin(there[..., 0] / 13 + k) + np.cos(there[..., 1] / 17 - k)) for k in range(3)], axis=-1
    )
    assert np.abs(result - wanted)[inside].max(initial=0) < 2.0 + 30.0 * min(1.0, (0.05 / scale))
