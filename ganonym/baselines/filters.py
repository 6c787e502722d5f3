"""Pixel filters over all faces of a photo: blur, pixelate, blackout, eye bar, and which pixels they treat."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.signal import fftconvolve

from ganonym.errors import PhotoError
from ganonym.faces.appearance import AppearanceModel
from ganonym.synthesis.region import face_region, face_width
from ganonym.types import RGB, Box, Face, Floats, Points

Filter = Literal["blur", "pixelate", "blackout", "eyebar"]

ELLIPSE = 1.3
"""The tool `deface` blurs the ellipse in the detector's box enlarged by this factor."""
SIGMA = 0.1
"""SD of the Gaussian in widths of the face, at strength 1."""
_TRUNCATED = 4.0
BLOCKS = 16
"""Blocks across a face at strength 1."""
EYES = slice(36, 48)
BEYOND, ABOVE = 0.35, 0.25
"""How far the bar reaches beyond the outer corners and above and below the lids, in distances between the eyes."""


def filter_photo(rgb: RGB, faces: Sequence[Face], method: Filter, model: AppearanceModel, strength: float = 1.0) -> RGB:
    """`rgb` (H, W, 3) with every one of `faces` filtered; each filter reads the photo as it was, so order is nothing.

    Raises PhotoError rather than return a face as it was: "no-face" without faces, "landmarks" where they have no
    extent, "unaltered" when the filter changed no pixel of a face (black on black, or outside the photo).
    """
    if not faces:
        raise PhotoError("no-face", "the photo shows no face that can be found.", "Crop it closer, or leave it out.")
    filtered = rgb.copy()
    for face in faces:
        try:
            treated = filter_face(rgb, face, method, model, strength)
        except (ValueError, np.linalg.LinAlgError) as error:
            raise PhotoError("landmarks", f"the landmarks of a face are unusable: {error}.") from error
        changed = np.any(treated != rgb, axis=-1)
        if not changed.any():
            raise PhotoError("unaltered", f"{method} changed no pixel of a face.", "Leave the photo out.")
        filtered[changed] = treated[changed]
    return filtered


def filter_face(rgb: RGB, face: Face, method: Filter, model: AppearanceModel, strength: float = 1.0) -> RGB:
    """`rgb` (H, W, 3) with one face filtered. `strength` scales the SD of `blur` and the blocks of `pixelate`.

    Raises ValueError when the landmarks coincide or are not finite.
    """
    if not np.isfinite(face.points).all():
        raise ValueError("they are not finite")
    if method == "eyebar":
        return eyebar(rgb, face.points)
    if method == "blackout":
        return blackout(rgb, face.points, model)
    area = face_area(face, model, (rgb.shape[0], rgb.shape[1]))
    width = face_width(face.points, model)
    if method == "blur":
        return blur(rgb, area, SIGMA * width * strength)
    return pixelate(rgb, area, max(2, round(width / BLOCKS * strength)))


def face_area(face: Face, model: AppearanceModel, size: tuple[int, int]) -> NDArray[np.bool_]:
    """Mask (H, W) of a face in a photo of `size` (H, W): the ellipse around its box and the outline of its landmarks.

    Both, because dlib's box ends at the brows: its ellipse alone left up to 13 % of the outline of six virtual faces
    bare. Empty where the face lies outside the photo. Raises ValueError when the landmarks coincide.
    """
    mask = ellipse(face.box, size)
    face_region(face.points, model, size, 0.0).paint(mask)
    return mask


def ellipse(box: Box, size: tuple[int, int], enlarged: float = ELLIPSE) -> NDArray[np.bool_]:
    """Mask (H, W) of the ellipse inscribed in `box` after enlarging it about its centre.

    >>> ellipse(Box(0, 0, 4, 4), (5, 5), 1.0).sum(axis=1).tolist()
    [1, 3, 5, 3, 1]
    """
    y, x = np.ogrid[: size[0], : size[1]]
    across = (x - (box.left + box.right) / 2) / max(box.width * enlarged / 2, 1e-6)
    down = (y - (box.top + box.bottom) / 2) / max(box.height * enlarged / 2, 1e-6)
    inside: NDArray[np.bool_] = across**2 + down**2 <= 1.0
    return inside


def bounds(mask: NDArray[np.bool_]) -> tuple[int, int, int, int]:
    """First row, first column, end row, end column of what is set in `mask` (H, W); all 0 when nothing is.

    >>> bounds(np.eye(4, dtype=bool)[1:3])
    (0, 1, 2, 3)
    """
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return 0, 0, 0, 0
    return int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1


def blur(rgb: RGB, area: NDArray[np.bool_], sigma: float) -> RGB:
    """`rgb` (H, W, 3) with a Gaussian of SD `sigma` pixels over `area` (H, W), and untouched elsewhere.

    The values are those of `scipy.ndimage.gaussian_filter` (cut off at 4 SD, photo mirrored at its border), by FFT,
    since a face of 1500 px would take that a minute. Raises ValueError unless `sigma` is above 0.

    >>> photo = np.zeros((9, 9, 3), np.uint8)
    >>> photo[4, 4] = 255
    >>> blur(photo, np.eye(9, dtype=bool), 1.0)[..., 0].diagonal().tolist()
    [0, 0, 1, 15, 41, 15, 1, 0, 0]
    """
    if not sigma > 0.0:
        raise ValueError(f"sigma must be above 0, not {sigma}")
    blurred = rgb.copy()
    top, left, bottom, right = bounds(area)
    if bottom == 0:
        return blurred
    radius = int(_TRUNCATED * sigma + 0.5)
    weights = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    weights /= weights.sum()
    window = area[top:bottom, left:right]
    for channel in range(3):
        around = _surroundings(rgb[..., channel], (top, left, bottom, right), radius)
        smooth = fftconvolve(fftconvolve(around, weights[:, None], "valid", axes=0), weights[None], "valid", axes=1)
        blurred[top:bottom, left:right, channel][window] = np.round(smooth[window]).clip(0, 255).astype(np.uint8)
    return blurred


def _surroundings(plane: NDArray[np.uint8], window: tuple[int, int, int, int], radius: int) -> Floats:
    """`window` of `plane` and `radius` pixels on each side of it, mirrored where the photo ends."""
    (top, left, bottom, right), (height, width) = window, plane.shape
    inside = plane[max(0, top - radius) : bottom + radius, max(0, left - radius) : right + radius]
    rim = (
        (max(0, radius - top), max(0, bottom + radius - height)),
        (max(0, radius - left), max(0, right + radius - width)),
    )
    return np.pad(inside.astype(np.float64), rim, mode="symmetric")


def pixelate(rgb: RGB, area: NDArray[np.bool_], block: int) -> RGB:
    """`rgb` (H, W, 3) with the mean colour in each square of `block` pixels that meets `area` (H, W).

    The squares start at the top left of the area's bounds and are cut off where the photo ends. Raises ValueError when
    `block` is below 1.

    >>> photo = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    >>> pixelate(photo, np.ones((2, 2), bool), 2)[0, 0].tolist()  # the mean of 0, 3, 6 and 9 is 4.5
    [4, 6, 6]
    """
    if block < 1:
        raise ValueError(f"a block must have at least 1 pixel a side, not {block}")
    mosaic = rgb.copy()
    top, left, bottom, right = bounds(area)
    if bottom == 0:
        return mosaic
    bottom, right = top + -(-(bottom - top) // block) * block, left + -(-(right - left) // block) * block
    part = rgb[top:bottom, left:right]  # cut off where the photo ends
    rows, columns = np.arange(0, part.shape[0], block), np.arange(0, part.shape[1], block)
    heights, widths = np.diff([*rows, part.shape[0]]), np.diff([*columns, part.shape[1]])
    total = np.add.reduceat(np.add.reduceat(part.astype(np.int64), rows, axis=0), columns, axis=1)
    mean = np.round(total / np.outer(heights, widths)[..., None]).astype(np.uint8)
    meets = np.logical_or.reduceat(np.logical_or.reduceat(area[top:bottom, left:right], rows, axis=0), columns, axis=1)
    squares = np.repeat(np.repeat(mean, heights, axis=0), widths, axis=1)
    treated = np.repeat(np.repeat(meets, heights, axis=0), widths, axis=1)
    mosaic[top:bottom, left:right][treated] = squares[treated]
    return mosaic


def blackout(rgb: RGB, points: Points, model: AppearanceModel) -> RGB:
    """`rgb` (H, W, 3) with the outline of the face at `points` (68, 2) filled black: the jaw and the mean hairline.

    Raises ValueError when the landmarks coincide.
    """
    mask = np.zeros(rgb.shape[:2], np.bool_)
    face_region(points, model, (rgb.shape[0], rgb.shape[1]), 0.0).paint(mask)
    return _black(rgb, mask)


def eyebar(rgb: RGB, points: Points) -> RGB:
    """`rgb` (H, W, 3) with one black bar over both eyes of the face at `points` (68, 2), turned as the eyes are.

    Raises ValueError when both eyes lie at the same place or a landmark is not finite.
    """
    right, left = points[36:42].mean(axis=0), points[42:48].mean(axis=0)
    distance = float(np.linalg.norm(left - right))
    if not (np.isfinite(points[EYES]).all() and distance > 0.0):
        raise ValueError("the eyes have no direction")
    along = (left - right) / distance
    frame = np.array([along, [-along[1], along[0]]])  # rows: along the bar, across it
    placed = points[EYES] @ frame.T
    reach = distance * np.array([BEYOND, ABOVE])
    low, high = placed.min(axis=0) - reach, placed.max(axis=0) + reach
    y, x = np.ogrid[: rgb.shape[0], : rgb.shape[1]]
    mask = np.ones(rgb.shape[:2], np.bool_)
    for axis in (0, 1):
        position = frame[axis, 0] * x + frame[axis, 1] * y
        mask &= (position >= low[axis]) & (position <= high[axis])
    return _black(rgb, mask)


def _black(rgb: RGB, mask: NDArray[np.bool_]) -> RGB:
    covered = rgb.copy()
    covered[mask] = 0
    return covered
