"""Agreement of pictures equals scikit-image's where it has the measure, and closed forms elsewhere."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from ganonym.evaluate.attackers.attacker import Sample
from ganonym.evaluate.utility.agreement import (
    IDENTICAL_DB,
    Agreement,
    agree,
    contrast,
    face_box,
    multi_scale,
    structure,
)
from ganonym.faces.shape import load_shape, to_canvas
from ganonym.types import RGB, Points


def picture(seed: int, side: int = 300) -> RGB:
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (side // 20, side // 20, 3)).astype(np.uint8)
    return coarse.repeat(20, axis=0).repeat(20, axis=1)


@pytest.fixture
def place() -> Points:
    return to_canvas(load_shape().mean) * 0.6 + 60.0


def test_structural_similarity_is_scikit_images() -> None:
    one = picture(1)[..., 0].astype(np.float64)
    other = np.clip(one + np.random.default_rng(2).normal(0, 20, one.shape), 0, 255)
    expected = structural_similarity(one, other, gaussian_weights=True, use_sample_covariance=False, data_range=255)
    assert structure(one, other)[0] == pytest.approx(expected, abs=1e-9)


def test_contrast_is_that_of_the_paper() -> None:
    rng = np.random.default_rng(3)
    one, other = rng.uniform(0, 255, (2, 40, 40))
    mean, mean2, square, square2, product = (
        gaussian_filter(field, 1.5, truncate=3.5)[5:-5, 5:-5] for field in (one, other, one**2, other**2, one * other)
    )
    c2 = (0.03 * 255) ** 2
    expected = (2 * (product - mean * mean2) + c2) / (square - mean**2 + square2 - mean2**2 + c2)
    assert contrast(one, other) == pytest.approx(expected.mean(), abs=1e-12)


def test_multi_scale_of_greys_is_luminance_at_the_last_scale_only() -> None:
    one, other = np.full((192, 192), 50.0), np.full((192, 192), 200.0)
    c1 = (0.01 * 255) ** 2
    luminance = (2 * 50 * 200 + c1) / (50**2 + 200**2 + c1)
    assert multi_scale(one, other) == pytest.approx(luminance**0.1333, abs=1e-9)
    noisy = picture(3)[..., 0].astype(np.float64)
    assert multi_scale(noisy, noisy) == pytest.approx(1.0)
    assert multi_scale(noisy, 255 - noisy) == 0.0  # a negative is no likeness
    with pytest.raises(ValueError, match="176"):
        multi_scale(one[:170], other[:170])


def test_what_is_changed_in_the_face_only_is_measured_there_only(place: Points) -> None:
    before = picture(4)
    after = before.copy()
    left, top, right, bottom = face_box(place, before)
    noise = np.random.default_rng(5).integers(-30, 30, (bottom - top, right - left, 3))
    after[top:bottom, left:right] = np.clip(before[top:bottom, left:right] + noise, 0, 255)
    agreement = agree(Sample(before, place), Sample(after, place))
    one, other = before[top:bottom, left:right], after[top:bottom, left:right]
    assert agreement.psnr_face == pytest.approx(peak_signal_noise_ratio(one, other, data_range=255), abs=1e-3)
    assert agreement.psnr_outside == IDENTICAL_DB
    assert agreement.ssim_outside == pytest.approx(1.0, abs=1e-3)
    assert agreement.ssim_face is not None
    assert agreement.ssim_face < 0.95
    assert agreement.pixel_equal is False
    changed = before.copy()
    changed[:top] = 255 - changed[:top]
    outside = agree(Sample(before, place), Sample(changed, place))
    assert outside.pixel_equal is True
    assert outside.psnr_face == IDENTICAL_DB
    keep = np.ones(before.shape[:2], bool)
    keep[top:bottom, left:right] = False
    expected = peak_signal_noise_ratio(before[keep], changed[keep], data_range=255)
    assert outside.psnr_outside == pytest.approx(expected, abs=1e-3)
    assert outside.ssim_outside is not None
    assert outside.ssim_outside < 0.9


def test_a_copy_of_another_size_is_seen_after_alignment(place: Points) -> None:
    before = picture(6)
    cropped = agree(Sample(before, place), Sample(before[10:, 20:], place - [20, 10]))
    assert cropped.pixel_equal is True
    assert cropped.ssim_aligned == pytest.approx(1.0, abs=1e-3)
    assert cropped.psnr_face is None
    assert cropped.ssim_outside is None
    other = agree(Sample(before, place), Sample(picture(7)[10:, 20:], place - [20, 10]))
    assert other.pixel_equal is False
    assert other.ssim_aligned is not None
    assert other.ssim_aligned < 0.7


def test_without_a_face_nothing_is_measured_and_nothing_raised(place: Points) -> None:
    before = picture(8)
    assert agree(Sample(before, None), Sample(before, place)) == Agreement()
    blurred = agree(Sample(before, place), Sample(before, None))  # no face in the output: the box is still compared
    assert blurred.pixel_equal is True
    assert blurred.ssim_aligned is None
    assert agree(Sample(before, place), Sample(before[1:], None)) == Agreement()
    beyond = agree(Sample(before, place + 5000), Sample(before, None))
    assert beyond == Agreement()
    assert pickle.loads(pickle.dumps(blurred)) == blurred
