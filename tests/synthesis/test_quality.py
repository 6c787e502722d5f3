"""Quality measures against closed forms, brute force and scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.metrics.pairwise import polynomial_kernel
from sklearn.neighbors import NearestNeighbors

from ganonym.synthesis.quality import (
    agreement,
    bands,
    diversity,
    kernel_distance,
    landmark_error,
    nearest,
    precision_recall,
)
from ganonym.types import Floats


def normal(n: int, d: int, seed: int, shift: float = 0.0) -> Floats:
    return np.random.default_rng(seed).standard_normal((n, d)) + shift


def test_kernel_distance_equals_the_definition_with_scikit_learns_kernel() -> None:
    real, fake = normal(17, 5, 1), normal(23, 5, 2, 0.3)
    x, y, z = (
        polynomial_kernel(a, b, degree=3, gamma=1 / 5, coef0=1) for a, b in ((real, real), (fake, fake), (real, fake))
    )
    expected = (
        np.mean([x[i, j] for i in range(17) for j in range(17) if i != j])
        + np.mean([y[i, j] for i in range(23) for j in range(23) if i != j])
        - 2 * z.mean()
    )
    result = kernel_distance(real, fake, np.random.default_rng(0))
    assert result.value == pytest.approx(expected)
    assert result.low < result.value < result.high


def test_kernel_distance_meets_its_closed_form() -> None:
    # In one dimension E(xy + 1)³ needs moments up to three only: 1 + 3 m m' + 3 s s' + t t' for raw moments m, s, t.
    shift = 0.5
    moments = [(mean, 1 + mean**2, mean**3 + 3 * mean) for mean in (0.0, shift)]

    def expect(a: int, b: int) -> float:
        return 1 + sum(c * p * q for c, p, q in zip((3, 3, 1), moments[a], moments[b], strict=True))

    truth = expect(0, 0) + expect(1, 1) - 2 * expect(0, 1)
    estimates = [
        kernel_distance(normal(200, 1, 2 * k), normal(200, 1, 2 * k + 1, shift), np.random.default_rng(k), 50)
        for k in range(60)
    ]
    values = np.array([estimate.value for estimate in estimates])
    error = values.std(ddof=1) / np.sqrt(len(values))
    assert abs(values.mean() - truth) < 3.5 * error
    covered = np.mean([estimate.low <= truth <= estimate.high for estimate in estimates])
    assert covered >= 0.85  # nominally 0.95, from 60 rounds of a skewed statistic


def test_kernel_distance_is_unbiased_for_small_sets_of_one_population() -> None:
    values = np.array(
        [kernel_distance(normal(8, 4, 2 * k), normal(8, 4, 2 * k + 1), np.random.default_rng(k), 1).value
         for k in range(1000)]
    )  # fmt: skip
    assert abs(values.mean()) < 3.5 * values.std() / np.sqrt(len(values))


def test_kernel_distance_depends_on_its_generator_alone() -> None:
    real, fake = normal(12, 3, 1), normal(12, 3, 2)
    first, again = (kernel_distance(real, fake, np.random.default_rng(4)) for _ in range(2))
    assert first == again


def test_precision_and_recall_equal_a_count_with_scikit_learns_neighbours() -> None:
    real, fake = normal(40, 3, 1), normal(50, 3, 2, 0.8)

    def inside(points: Floats, manifold: Floats) -> float:
        reach = NearestNeighbors(n_neighbors=4).fit(manifold).kneighbors(manifold)[0][:, 3]  # the first is itself
        return float(
            np.mean([any(np.linalg.norm(p - c) <= r for c, r in zip(manifold, reach, strict=True)) for p in points])
        )

    precision, recall = precision_recall(real, fake)
    assert precision == pytest.approx(inside(fake, real))
    assert recall == pytest.approx(inside(real, fake))
    assert 0 < precision < 1
    assert precision != recall


def test_a_collapsed_set_is_precise_and_recalls_nothing() -> None:
    real = normal(100, 2, 1)
    collapsed = np.zeros((100, 2)) + 1e-6 * normal(100, 2, 2)
    assert precision_recall(real, collapsed) == (1.0, 0.0)
    assert precision_recall(real, real) == (1.0, 1.0)
    assert precision_recall(real, real + 1000) == (0.0, 0.0)


def test_diversity_is_the_mean_distance() -> None:
    assert diversity(np.array([[0.0], [3.0], [6.0]])) == pytest.approx(4.0)
    assert diversity(np.ones((5, 3))) == 0.0
    # |x − y| of two standard normals has mean 2/√π.
    assert diversity(normal(2000, 1, 3)) == pytest.approx(2 / np.sqrt(np.pi), rel=0.03)


def test_nearest_finds_the_planted_copy() -> None:
    people = normal(30, 8, 1)
    outputs = np.concatenate([normal(10, 8, 2), people[7:8]])
    result = nearest(outputs, people)
    assert result[-1] == 0.0
    assert (result[:-1] > 0.5).all()
    assert nearest(np.array([[0.0, 0.0]]), np.array([[3.0, 4.0], [6.0, 8.0]])).tolist() == [5.0]


def test_landmark_error_is_in_eye_distances() -> None:
    points = np.zeros((68, 2))
    points[42:48, 0] = 50.0
    assert landmark_error(points + np.array([3.0, 4.0]), points) == pytest.approx(0.1)
    assert landmark_error(points, points) == 0.0


def test_agreement_of_signs_leaves_out_what_is_near_zero() -> None:
    requested, measured = np.array([2.0, -2.0, 1.0, 0.1]), np.array([1.0, -1.0, -0.5, -1.0])
    correlation, same = agreement(requested, measured, least=0.5)
    assert correlation == pytest.approx(np.corrcoef(requested, measured)[0, 1])
    assert same == pytest.approx(2 / 3)
    assert agreement(requested, 3 * requested + 1e-9)[0] == pytest.approx(1.0)
    assert all(np.isnan(value) for value in agreement(np.zeros(4), measured))


def face(side: int = 64) -> Floats:
    points = np.full((68, 2), 8.0)
    points[17], points[59] = (8.0, 8.0), (8.0 + side, 8.0 + side)
    return points


def test_bands_tell_octaves_apart() -> None:
    columns = np.arange(96)
    for octave in range(4):
        wave = np.where((columns // 2**octave) % 2 == 0, 90, 110).astype(np.uint8)
        result = bands(np.tile(wave[None, :, None], (96, 1, 3)), face())
        assert result[octave] == pytest.approx(10.0)
        assert np.delete(result, octave) == pytest.approx(0.0, abs=1e-9)


def test_the_finest_band_of_grain_is_its_expected_deviation() -> None:
    # Half of 2 × 2 means: the difference has variance ¾ s², and E|z| = √(2/π) · sd.
    sd = 12.0
    grey = np.random.default_rng(1).normal(128, sd, (400, 400, 1)).round().clip(0, 255).astype(np.uint8)
    result = bands(grey.repeat(3, axis=2), face(384))
    assert result[0] == pytest.approx(sd * np.sqrt(0.75) * 2 * norm.pdf(0), rel=0.02)
    assert result[1] == pytest.approx(result[0] / 2, rel=0.03)


def test_what_cannot_be_compared_is_refused() -> None:
    with pytest.raises(ValueError, match="cannot be compared"):
        kernel_distance(np.zeros((9, 3)), np.zeros((9, 4)), np.random.default_rng(0))
    with pytest.raises(ValueError, match="too few"):
        precision_recall(np.zeros((3, 3)), np.zeros((9, 3)))
    with pytest.raises(ValueError, match="two faces"):
        diversity(np.zeros((1, 3)))
    with pytest.raises(ValueError, match="requested"):
        agreement(np.zeros(3), np.zeros(4))
    with pytest.raises(ValueError, match="octaves"):
        bands(np.zeros((64, 64, 3), dtype=np.uint8), face(12))
