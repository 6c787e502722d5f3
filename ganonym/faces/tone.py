"""Skin tone of a face as its individual typology angle (ITA)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from skimage.color import xyz2lab
from skimage.color.colorconv import xyz_from_rgb

from ganonym.errors import PhotoError
from ganonym.faces.align import apply, crop, similarity
from ganonym.types import RGB, Floats, Points

SIDE = 128
_EYES = np.array([[0.34, 0.4], [0.66, 0.4]]) * SIDE
_LIGHT_NORM = 6.0
_LIGHT_LEVEL = 0.6  # leaves evenly lit studio portraits about as they are
_COLOURLESS, _USUAL_YELLOW = 3.0, 14.0
_CLASS_EDGES = (55.0, 41.0, 28.0, 10.0, -30.0)
_FEWEST_PIXELS = 50
TONE_WORDS = ("very light", "light", "intermediate", "tan", "brown", "dark")
"""Of the classes 0 … 5."""


def tone_class(ita: float) -> int:
    """Class 0 (very light) … 5 (dark) of an ITA in degrees: > 55, 41, 28, 10, -30, below (Del Bino & Bernerd 2013).

    >>> [tone_class(ita) for ita in (60.0, 55.0, 0.0, -31.0)]
    [0, 1, 4, 5]
    """
    return sum(ita <= edge for edge in _CLASS_EDGES)


def ita_degrees(rgb: RGB, points: Points) -> float:
    """ITA = atan2(L* - 50, b*) in degrees (Chardon et al. 1991) of the skin of the face at `points` (68, 2).

    Skin is both cheeks, the bridge of the nose and the glabella, without the darkest and lightest quarter (shadows,
    highlights). Colour and strength of the light are estimated from face and hair by Shades of Grey with p = 6
    (Finlayson & Trezzi 2004) and divided out, so exposure and white balance hardly matter, and background little.
    Skin without colour (a grey photo) gets the usual yellow, so that its class follows its lightness. Raises
    PhotoError("no-skin") when the face shows none inside the photo.
    """
    face, skin, inside = _face_skin(rgb, points)
    linear = linear_of(face)
    light = np.mean(linear[inside] ** _LIGHT_NORM, axis=0) ** (1.0 / _LIGHT_NORM) / _LIGHT_LEVEL
    lab = lab_of_linear(linear[skin] / np.maximum(light, 1e-4))
    low, high = np.percentile(lab[:, 0], [25.0, 75.0])
    lightness, red, yellow = lab[(lab[:, 0] >= low) & (lab[:, 0] <= high)].mean(axis=0)
    if np.hypot(red, yellow) < _COLOURLESS:
        yellow = _USUAL_YELLOW
    return float(np.degrees(np.arctan2(lightness - 50.0, yellow)))


def skin_colour(rgb: RGB, points: Points) -> Floats:
    """Median RGB (3,), 0…255, of the same skin as in `ita_degrees`; raises as it does."""
    face, skin = _face_skin(rgb, points)[:2]
    return np.asarray(np.median(face[skin], axis=0))


def linear_of(rgb: RGB | Floats) -> Floats:
    """Linear light (…) in 0..1 of sRGB values (…) in 0..255 (IEC 61966-2-1)."""
    value = rgb / 255.0
    linear: Floats = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    return linear


def lab_of_linear(linear: Floats) -> Floats:
    """CIELAB (CIE 15, D65, 2 degrees) of linear sRGB (n, 3) in 0..1 (IEC 61966-2-1); brighter values are clipped."""
    return np.asarray(xyz2lab(linear.clip(0.0, 1.0) @ xyz_from_rgb.T), dtype=np.float64)


def _face_skin(rgb: RGB, points: Points) -> tuple[RGB, NDArray[np.bool_], NDArray[np.bool_]]:
    """The face as a crop (SIDE, SIDE, 3), which of its pixels show skin, and which lie in the photo."""
    try:
        matrix = similarity(np.array([points[36:42].mean(axis=0), points[42:48].mean(axis=0)]), _EYES)
        face = crop(rgb, matrix, SIDE)
    except (ValueError, np.linalg.LinAlgError) as error:
        raise PhotoError("no-skin", "the eyes were located at one and the same place") from error
    inside = _inside(rgb, matrix)
    skin = _skin(apply(matrix, points)) & inside
    if np.count_nonzero(skin) < _FEWEST_PIXELS:
        raise PhotoError("no-skin", "cheeks and nose of the face lie outside the photo")
    return face, skin, inside


def _inside(rgb: RGB, matrix: Floats) -> NDArray[np.bool_]:
    """Which pixels of the face crop lie in the photo."""
    y, x = np.mgrid[:SIDE, :SIDE]
    linear = np.linalg.inv(matrix[:, :2])
    source = (np.stack([x, y], axis=-1) - matrix[:, 2]) @ linear.T
    inside: NDArray[np.bool_] = np.all((source >= 0) & (source <= [rgb.shape[1] - 1, rgb.shape[0] - 1]), axis=-1)
    return inside


def _skin(points: Points) -> NDArray[np.bool_]:
    """Mask (SIDE, SIDE) of cheeks, bridge and glabella of the face at `points` in the crop."""

    def toward(start: int, end: int, part: float) -> Points:
        between: Points = points[start] + part * (points[end] - points[start])
        return between

    up = (points[27] - points[33]) / max(float(np.linalg.norm(points[27] - points[33])), 1e-6)
    brow = up * float(np.linalg.norm(points[36] - points[45])) / 4
    regions = [
        [toward(1, 28, 0.25), toward(40, 31, 0.4), toward(31, 3, 0.15), toward(48, 4, 0.35), toward(3, 30, 0.2)],
        [toward(15, 28, 0.25), toward(47, 35, 0.4), toward(35, 13, 0.15), toward(54, 12, 0.35), toward(13, 30, 0.2)],
        [toward(27, 39, 0.4), toward(27, 42, 0.4), toward(29, 35, 0.3), toward(29, 31, 0.3)],
        [points[21], points[22], points[22] + brow, points[21] + brow],
    ]
    mask = Image.new("1", (SIDE, SIDE))
    for region in regions:
        ImageDraw.Draw(mask).polygon([(float(x), float(y)) for x, y in region], fill=1)
    return np.asarray(mask)
