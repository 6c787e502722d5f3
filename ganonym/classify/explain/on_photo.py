"""A map of a crop laid over the photograph that the crop was cut from, at the photograph's own size."""

from __future__ import annotations

import numpy as np
from PIL import Image

from ganonym.classify.explain.region_mass import overlay
from ganonym.faces.align import apply, invert
from ganonym.types import RGB, Floats

_ROWS = 256
"""So many rows at once: colours of a large photograph would take gigabytes."""


def drawn_on_photo(rgb: RGB, heat: Floats, matrix: Floats) -> RGB:
    """The photograph `rgb` (h, w, 3) with a map `heat` (side, side) in 0…1 over the face that it is of.

    `matrix` (2, 3) brings the photograph to the crop that the map lies on. Between its pixels the map is interpolated
    linearly; outside of the crop the photograph is as it was. It shows the person: it is as private as the photograph.
    """
    height, width = heat.shape
    corners = apply(invert(matrix), np.array([[0, 0], [width, 0], [width, height], [0, height]]) - 0.5)
    left, top = np.floor(corners.min(axis=0)).astype(int).clip(0).tolist()
    right, bottom = (np.ceil(corners.max(axis=0)).astype(int) + 1).clip(0).tolist()
    picture = rgb.copy()
    for start in range(top, min(bottom, rgb.shape[0]), _ROWS):
        part = picture[start : min(start + _ROWS, bottom), left:right]
        part[:] = overlay(part, _on_part(heat, matrix, (left, start), part.shape[:2]))
    return picture


def _on_part(heat: Floats, matrix: Floats, corner: tuple[int, int], size: tuple[int, int]) -> Floats:
    """The map as it lies on the part of the photograph of `size` (h, w) whose top left pixel is `corner`; 0 outside."""
    place = apply(matrix, np.array([corner], np.float64))[0]
    # Pillow counts from pixel corners, matrices from pixel centres.
    shift = place + 0.5 - matrix[:, :2] @ np.array([0.5, 0.5])
    found = Image.fromarray(heat.astype(np.float32)).transform(
        (size[1], size[0]),
        Image.Transform.AFFINE,
        np.column_stack([matrix[:, :2], shift]).ravel().tolist(),
        Image.Resampling.BILINEAR,
    )
    return np.asarray(found, np.float64)
