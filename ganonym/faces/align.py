"""Similarity transforms between photo and canvas, and cropping through them.

A matrix is (2, 3) float64 and maps (x, y) to matrix[:, :2] @ (x, y) + matrix[:, 2]; (0, 0) is the centre of the
top-left pixel on both sides.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ganonym.types import RGB, Floats, Points

_SAMPLES = 4


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


def unturn(points: Points, turns: int, shape: tuple[int, ...]) -> Points:
    """`points` (n, 2) of `numpy.rot90(photo, turns)` in the pixels of the photo of `shape` (height, width, ...).

    >>> unturn(np.array([[0.0, 2.0]]), 1, (2, 3)).tolist()  # the bottom left pixel was the top left one
    [[0.0, 0.0]]
    """
    height, width = shape[:2]
    x, y = points.T
    last_x, last_y = width - 1, height - 1
    turned = [(x, y), (last_x - y, x), (last_x - x, last_y - y), (y, last_y - x)][turns % 4]
    return np.column_stack(turned)


def crop(rgb: RGB, matrix: Floats, size: int | tuple[int, int]) -> RGB:
    """The part of `rgb` that `matrix` (photo to crop) brings into a crop of `size` (or (width, height)); black outside.

    Bicubic; where the photo shrinks it is low-passed first, so fine texture does not alias.
    """
    width, height = (size, size) if isinstance(size, int) else size
    scale = min(1.0, float(np.sqrt(np.linalg.det(matrix[:, :2]))))
    box = _needed(rgb, matrix, (width, height), 4.0 / scale)
    if box is None:
        return np.zeros((height, width, 3), dtype=np.uint8)
    part, reduction = _reduce(rgb, box, scale)
    return _bytes(_sampled(part, compose(invert(reduction), matrix), (width, height)))


def area_crop(rgb: RGB, matrix: Floats, size: int | tuple[int, int]) -> RGB:
    """As `crop`, each pixel the mean over what it covers of `rgb`; `matrix` may be any that can be inverted.

    What a recognizer is fed: sharper than `crop`, whose low-pass comes on top of that of its interpolation, and free to
    stretch. Bicubic between the photo's pixels.
    """
    width, height = (size, size) if isinstance(size, int) else size
    covered = np.linalg.norm(invert(matrix)[:, :2], axis=0)  # so many pixels of the photo a step right, and a step down
    # Averages of neighbours stand for them where a pixel covers many: what few samples of it leave out is little.
    blocks = max(1, int(covered.min()) // _SAMPLES)
    box = _needed(rgb, matrix, (width, height), 4.0 * blocks)
    if box is None:
        return np.zeros((height, width, 3), dtype=np.uint8)
    part = Image.fromarray(rgb[box[1] : box[3], box[0] : box[2]]).reduce(blocks)
    middle = (blocks - 1) / 2
    to_photo = np.array([[blocks, 0.0, middle + box[0]], [0.0, blocks, middle + box[1]]])
    across, down = np.ceil(covered / blocks).astype(int).clip(1).tolist()
    finer = np.array([[across, 0.0, (across - 1) / 2], [0.0, down, (down - 1) / 2]])
    samples = _sampled(part, compose(compose(to_photo, matrix), finer), (width * across, height * down))
    return _bytes(samples.reshape(height, down, width, across, 3).mean(axis=(1, 3)))


def _needed(rgb: RGB, matrix: Floats, size: tuple[int, int], margin: float) -> tuple[int, int, int, int] | None:
    """Left, top, right and bottom of the part of `rgb` that a crop shows, with `margin` pixels around; None without."""
    width, height = size
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], dtype=np.float64) - 0.5
    needed = apply(invert(matrix), corners)
    left, top = np.floor(np.maximum(needed.min(axis=0) - margin, 0.0)).astype(int).tolist()
    right, bottom = np.ceil(np.minimum(needed.max(axis=0) + margin, rgb.shape[1::-1])).astype(int).tolist()
    return None if right <= left or bottom <= top else (left, top, right, bottom)


def _sampled(part: Image.Image, matrix: Floats, size: tuple[int, int]) -> NDArray[np.float32]:
    """`part` in colour as `matrix` brings it to `size` (width, height), (height, width, 3), bicubic; 0 outside."""
    back = invert(matrix)
    # Pillow counts from pixel corners, we count from pixel centres.
    shift = back[:, 2] + 0.5 - back[:, :2] @ np.array([0.5, 0.5])
    coefficients = np.column_stack([back[:, :2], shift]).ravel().tolist()
    # In float, because Pillow truncates bytes: half a grey level lost at every step.
    bands = [
        band.convert("F").transform(size, Image.Transform.AFFINE, coefficients, Image.Resampling.BICUBIC)
        for band in part.split()
    ]
    return np.stack([np.asarray(band) for band in bands], axis=-1)


def _bytes(values: NDArray[np.float32]) -> RGB:
    return values.round().clip(0.0, 255.0).astype(np.uint8)


def _reduce(rgb: RGB, box: tuple[int, int, int, int], scale: float) -> tuple[Image.Image, Floats]:
    """The part of `rgb` in `box`, low-passed and reduced to `scale` <= 1, and the matrix photo → part."""
    left, top, right, bottom = box
    size = max(1, round((right - left) * scale)), max(1, round((bottom - top) * scale))
    sx, sy = size[0] / (right - left), size[1] / (bottom - top)
    matrix = np.array([[sx, 0.0, (0.5 - left) * sx - 0.5], [0.0, sy, (0.5 - top) * sy - 0.5]])
    # What the filter reaches and no more: to copy the whole of a large photo takes longer than all the rest.
    reach = int(np.ceil(1.0 / scale)) + 2
    x, y = max(left - reach, 0), max(top - reach, 0)
    near = Image.fromarray(rgb[y : bottom + reach, x : right + reach])
    return near.resize(size, Image.Resampling.BILINEAR, box=(left - x, top - y, right - x, bottom - y)), matrix
