"""How far a released picture agrees with its original, pixel by pixel, and the rows of the assessment made of it.

Measured once a photo, in the worker process that reads both pictures.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter
from skimage.metrics import structural_similarity

from ganonym.evaluate.attackers.attacker import Sample
from ganonym.evaluate.findings import Utility
from ganonym.evaluate.utility.rows import mean_of, not_evaluated, reported
from ganonym.faces.aligned import aligned
from ganonym.types import RGB, Floats, Points, luma

if TYPE_CHECKING:
    from ganonym.evaluate.utility.inputs import UtilityInputs

FACE_SIDE, PHOTO_SIDE, ALIGNED_SIDE = 192, 256, 128
MARGIN = 0.15
IDENTICAL_DB = 100.0
# Weights of the five scales (Wang et al. 2003); the coarsest is 12 px, the window of 11 px still fits.
_SCALES = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
_Kind = TypeVar("_Kind", np.float64, np.bool_)
SIGMA = 1.5
_C1 = (0.01 * 255) ** 2
_BORDER = 5  # half the window of σ = 1.5


@dataclass(frozen=True, slots=True)
class Agreement:
    """One photo's original against its released picture; None where it cannot be measured.

    `ssim_face`, `ms_ssim_face` 0…1 of the face box reduced or enlarged to 192 px; `psnr_face` and `psnr_outside` in dB
    at full size, 100 where nothing differs; `ssim_outside` outside the face box of the photo at 256 px: these only
    where both pictures have the same size and the original has a face. `ssim_aligned` of both faces brought to one
    place at 128 px, whatever the sizes. `pixel_equal`: the face box is the original's, byte for byte; of pictures of
    different sizes, the aligned faces differ by less than one grey level on average.
    """

    ssim_face: float | None = None
    ms_ssim_face: float | None = None
    psnr_face: float | None = None
    ssim_outside: float | None = None
    psnr_outside: float | None = None
    ssim_aligned: float | None = None
    pixel_equal: bool | None = None


def agree(original: Sample, released: Sample) -> Agreement:
    """Agreement of `released` with `original`; the face box is that of the original's landmarks, enlarged by 15 %.

    SSIM (Wang et al. 2004, Gaussian window) is that of luma at the standard sizes above, so that it means the same at
    every resolution and costs a few milliseconds; it says nothing of pores. Never raises for want of a face.
    """
    place = original.place
    if place is None:
        return Agreement()
    pair = None
    if released.place is not None:
        pair = [
            aligned(sample.rgb, points, ALIGNED_SIDE)
            for sample, points in ((original, place), (released, released.place))
        ]
    likeness = None if pair is None else structure(luma(pair[0]), luma(pair[1]))[0]
    if original.rgb.shape != released.rgb.shape:
        same = None if pair is None else bool(np.abs(pair[0] - pair[1].astype(np.int16)).mean() < 1.0)
        return Agreement(ssim_aligned=likeness, pixel_equal=same)
    left, top, right, bottom = face_box(place, original.rgb)
    if right - left < 2 or bottom - top < 2:
        return Agreement(ssim_aligned=likeness)
    inside = np.s_[top:bottom, left:right]
    one, other = (sample.rgb[inside] for sample in (original, released))
    face = [_grey(part, (FACE_SIDE, FACE_SIDE)) for part in (one, other)]
    strips = np.s_[:top], np.s_[bottom:], np.s_[top:bottom, :left], np.s_[top:bottom, right:]
    error = sum(_squared_error(original.rgb[strip], released.rgb[strip]) for strip in strips)
    around = original.rgb.size - one.size
    return Agreement(
        ssim_face=structure(*face)[0],
        ms_ssim_face=multi_scale(*face),
        psnr_face=_decibels(_squared_error(one, other) / one.size),
        ssim_outside=_outside(original.rgb, released.rgb, (left, top, right, bottom)),
        psnr_outside=_decibels(error / around) if around else None,
        ssim_aligned=likeness,
        pixel_equal=bool((one == other).all()),
    )


def face_box(points: Points, rgb: RGB) -> tuple[int, int, int, int]:
    """Box (left, top, right, bottom) of landmarks (68, 2), 15 % wider on every side, within the photo; ends excluded.

    The top is raised twice as much, because no landmark lies above the brows.
    """
    low, high = points.min(axis=0), points.max(axis=0)
    margin = MARGIN * (high - low)
    height, width = rgb.shape[:2]
    left, top = np.floor(low - margin * [1, 2]).tolist()
    right, bottom = np.ceil(high + margin).tolist()
    x, y = np.clip([left, right], 0, width).astype(int).tolist(), np.clip([top, bottom], 0, height).astype(int).tolist()
    return x[0], y[0], x[1], y[1]


def structure(one: Floats, other: Floats) -> tuple[float, Floats]:
    """SSIM (Wang et al. 2004) of luma (h, w) in 0…255, by scikit-image: its mean, and its map (h, w).

    Gaussian window of σ = 1.5 px, 11 px wide, and variances over the window's weights, as the paper has them;
    scikit-image's own default, a flat window of 7 px and sample variances, gives other numbers. The mean leaves out
    half a window at the border. Raises ValueError under 11 px.
    """
    mean, whole = structural_similarity(  # type: ignore[no-untyped-call]
        one, other, gaussian_weights=True, sigma=SIGMA, use_sample_covariance=False, data_range=255, full=True
    )
    return float(mean), whole


def contrast(one: Floats, other: Floats) -> float:
    """Mean of SSIM's contrast-and-structure part, which scikit-image does not give: SSIM without its luminance part."""
    mean, mean2 = (gaussian_filter(picture, SIGMA, truncate=3.5) for picture in (one, other))
    luminance = (2 * mean * mean2 + _C1) / (mean**2 + mean2**2 + _C1)
    return float(_inner(structure(one, other)[1] / luminance).mean())


def multi_scale(one: Floats, other: Floats) -> float:
    """MS-SSIM (Wang et al. 2003) of luma (h, w) in 0…255, in 0…1; a negative correlation at any scale counts 0.

    Raises ValueError under 176 px, where the window no longer fits the fifth scale.
    """
    if min(one.shape) < 176:
        raise ValueError(f"MS-SSIM needs pictures of 176 px, these are {one.shape}")
    product = 1.0
    for scale, weight in enumerate(_SCALES):
        last = scale == len(_SCALES) - 1
        likeness = structure(one, other)[0] if last else contrast(one, other)
        product *= max(likeness, 0.0) ** weight
        one, other = _halved(one), _halved(other)
    return product


def _inner(field: NDArray[_Kind]) -> NDArray[_Kind]:
    """A map without the border, where the window reaches beyond the picture."""
    return field[_BORDER:-_BORDER, _BORDER:-_BORDER]


def _outside(one: RGB, other: RGB, box: tuple[int, int, int, int]) -> float | None:
    height, width = one.shape[:2]
    scale = PHOTO_SIDE / max(height, width)
    size = max(round(width * scale), 1), max(round(height * scale), 1)
    if min(size) < 12:
        return None
    whole = _inner(structure(_grey(one, size), _grey(other, size))[1])
    free = np.ones(size[::-1], dtype=bool)
    x0, y0 = (max(math.floor(edge * scale) - 5, 0) for edge in box[:2])
    x1, y1 = (math.ceil(edge * scale) + 5 for edge in box[2:])
    free[y0:y1, x0:x1] = False
    free = _inner(free)
    return float(whole[free].mean()) if free.any() else None


def _grey(rgb: RGB, size: tuple[int, int]) -> Floats:
    """Luma at `size` (width, height), low-passed where it shrinks."""
    grey = Image.fromarray(rgb).convert("L")  # first, because one band is resized in a third of the time of three
    return np.asarray(grey.resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0), dtype=np.float64)


def _halved(luma: Floats) -> Floats:
    height, width = (length // 2 * 2 for length in luma.shape)
    return np.asarray(luma[:height, :width].reshape(height // 2, 2, width // 2, 2).mean(axis=(1, 3)))


def _squared_error(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    gap = np.subtract(one, other, dtype=np.int16).ravel().astype(np.float32)
    return float(gap @ gap)


def _decibels(mean_square: float) -> float:
    return IDENTICAL_DB if mean_square <= 0 else min(10.0 * math.log10(255.0**2 / mean_square), IDENTICAL_DB)


PICTURE = "picture"
MEASURES = {
    "psnr_outside": ("PSNR outside the face box in dB", "100 where nothing differs: what is no face should stay."),
    "ssim_outside": ("SSIM outside the face box", "1 where nothing differs: what is no face should stay."),
    "ssim_face": ("SSIM of the face box", "Low on purpose: a face like the original's is a leak."),
    "ms_ssim_face": ("MS-SSIM of the face box", "Low on purpose: a face like the original's is a leak."),
    "psnr_face": ("PSNR of the face box in dB", "Low on purpose: a face like the original's is a leak."),
    "ssim_aligned": ("SSIM of the aligned faces", "Low on purpose: a face like the original's is a leak."),
}


def pictures(inputs: UtilityInputs, rng: np.random.Generator) -> Iterator[Utility]:
    """The mean of each measure over the photos where it exists; see `agreement.Agreement`."""
    for field, (name, note) in MEASURES.items():
        found = [None if pair is None else getattr(pair, field) for pair in inputs.agreement]
        values = np.array([np.nan if value is None else value for value in found], dtype=np.float64)
        measured = np.isfinite(values)
        if not measured.any():
            yield not_evaluated(PICTURE, name, "No released picture has its original's size, or no face was found.")
            continue
        subjects = [subject for subject, keep in zip(inputs.subjects, measured, strict=True) if keep]
        yield reported(PICTURE, name, mean_of(values[measured]), subjects, rng, note=note)
