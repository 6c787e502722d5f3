"""Similarity transforms between photo and canvas, and cropping through them.

A matrix is (2, 3) float64 and maps (x, y) to matrix[:, :2] @ (x, y) + matrix[:, 2]; (0, 0) is the centre of the
top-left pixel on both sides.
"""

from __future__ import annotations

import numpy as np
from PIL import Image

from ganonym.types import RGB, Floats, Points


def similarity(source: Points, target: Points) -> Floats:
    """Least-squares rotation, uniform scale and shift from `source` to `target`, both (n, 2), n >= 2: (2, 3).

    Never a reflection (Umeyama 1991). Raises ValueError when all source points coincide.

    >>> square = np.array([[0.0, 0], [1, 0], [1, 1], [0, 1]])
    >>> (similarity(square, 2 * square + [3, 4]).round(9) + 0.0).tolist()
    [[2.0, 0.0, 3.0], [0.0, 2.0, 4.0]]
    """
    source_mean, target_mean = source.mean(axis=0), target.mean(axis=0)
    x, y = (source - source_mean).T
    u, v = (target - target_mean).T
    spread = float(np.sum(x * x + y * y))
    if not spread > 0.0:
        raise ValueError("all source points coincide: no similarity is defined")
    a = float(np.sum(x * u + y * v)) / spread
    b = float(np.sum(x * v - y * u)) / spread
    linear = np.array([[a, -b], [b, a]])
    return np.column_stack([linear, target_mean - linear @ source_mean])


def apply(matrix: Floats, points: Points) -> Points:
    """`points` (n, 2) carried through `matrix`."""
    return points @ matrix[:, :2].T + matrix[:, 2]


def invert(matrix: Floats) -> Floats:
    """The matrix that undoes `matrix`."""
    linear = np.linalg.inv(matrix[:, :2])
    return np.column_stack([linear, -linear @ matrix[:, 2]])


def compose(first: Floats, then: Floats) -> Floats:
    """The matrix of `first` followed by `then`: apply(compose(a, b), p) == apply(b, apply(a, p))."""
    linear = then[:, :2] @ first[:, :2]
    return np.column_stack([linear, then[:, :2] @ first[:, 2] + then[:, 2]])


def crop(rgb: RGB, matrix: Floats, size: int | tuple[int, int]) -> RGB:
    """The part of `rgb` that `matrix` (photo to crop) brings into a crop of `size` (or (width, height)); black outside.

    Bicubic; where the photo shrinks it is low-passed first, so fine texture does not alias.
    """
    width, height = (size, size) if isinstance(size, int) else size
    scale = min(1.0, float(np.sqrt(np.linalg.det(matrix[:, :2]))))
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], dtype=np.float64) - 0.5
    needed = apply(invert(matrix), corners)
    margin = 4.0 / scale
    left, top = np.floor(np.maximum(needed.min(axis=0) - margin, 0.0)).tolist()
    right, bottom = np.ceil(np.minimum(needed.max(axis=0) + margin, rgb.shape[1::-1])).tolist()
    if right <= left or bottom <= top:
        return np.zeros((height, width, 3), dtype=np.uint8)
    part, reduction = _reduce(rgb, (left, top, right, bottom), scale)
    back = invert(compose(invert(reduction), matrix))
    # Pillow counts from pixel corners, we count from pixel centres.
    shift = back[:, 2] + 0.5 - back[:, :2] @ np.array([0.5, 0.5])
    coefficients = np.column_stack([back[:, :2], shift]).ravel().tolist()
    # In float, because Pillow truncates bytes: half a grey level lost at every step.
    bands = [
        band.convert("F").transform((width, height), Image.Transform.AFFINE, coefficients, Image.Resampling.BICUBIC)
        for band in part.split()
    ]
    return np.stack([np.asarray(band) for band in bands], axis=-1).round().clip(0.0, 255.0).astype(np.uint8)


def _reduce(rgb: RGB, box: tuple[float, float, float, float], scale: float) -> tuple[Image.Image, Floats]:
    """The part of `rgb` in `box`, low-passed and reduced to `scale` <= 1, and the matrix photo → part."""
    left, top, right, bottom = box
    size = max(1, round((right - left) * scale)), max(1, round((bottom - top) * scale))
    sx, sy = size[0] / (right - left), size[1] / (bottom - top)
    matrix = np.array([[sx, 0.0, (0.5 - left) * sx - 0.5], [0.0, sy, (0.5 - top) * sy - 0.5]])
    return Image.fromarray(rgb).resize(size, Image.Resampling.BILINEAR, box=box), matrix
