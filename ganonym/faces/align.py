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
    >>> similarity(square, 2 * square + [3, 4]).round(9).tolist()
    [[2.0, 0.0, 3.0], [-0.0, 2.0, 4.0]]
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
    photo = Image.fromarray(rgb)
    scale = float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))
    if scale < 1.0:
        photo, shrink = _shrink(photo, matrix, (width, height), scale)
        matrix = compose(invert(shrink), matrix)
    back = invert(matrix)
    # Pillow counts from pixel corners, we count from pixel centres.
    shift = back[:, 2] + 0.5 - back[:, :2] @ np.array([0.5, 0.5])
    coefficients = np.column_stack([back[:, :2], shift]).ravel().tolist()
    out = photo.transform((width, height), Image.Transform.AFFINE, coefficients, Image.Resampling.BICUBIC)
    return np.asarray(out)


def _shrink(photo: Image.Image, matrix: Floats, size: tuple[int, int], scale: float) -> tuple[Image.Image, Floats]:
    """The needed part of the photo, low-passed and reduced by about `scale`, and the matrix photo → reduced."""
    width, height = size
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], dtype=np.float64) - 0.5
    needed = apply(invert(matrix), corners)
    margin = 4.0 / scale
    left, top = np.floor(np.maximum(needed.min(axis=0) - margin, 0.0))
    right, bottom = np.ceil(np.minimum(needed.max(axis=0) + margin, photo.size))
    if right <= left or bottom <= top:
        return photo, np.eye(2, 3)
    reduced = max(1, round((right - left) * scale)), max(1, round((bottom - top) * scale))
    sx, sy = reduced[0] / (right - left), reduced[1] / (bottom - top)
    box = (left, top, right, bottom)
    shrink = np.array([[sx, 0.0, (0.5 - left) * sx - 0.5], [0.0, sy, (0.5 - top) * sy - 0.5]])
    return photo.resize(reduced, Image.Resampling.BILINEAR, box=box), shrink
