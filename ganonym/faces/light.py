"""The light of a photograph taken out of a face: skin gets the colour that its tone has in daylight.

Photographs differ in exposure, white balance and saturation by more than people differ in skin. Whoever compares faces,
or learns from them, would take light for a property of people.
"""

from __future__ import annotations

import warnings

import numpy as np
from skimage.color import lab2rgb, rgb2lab

from ganonym.faces.tone import ita_degrees, lab_of_linear, linear_of, skin_colour
from ganonym.types import RGB, Floats, Points

# Skin lies along one line of hue; chroma is between the medians of the training sets (London 17, synthetic 31).
HUE, CHROMA = np.radians(49.0), 23.0
# Between these ITA, lightness follows the definition ITA = atan((L* - 50) / b*); beyond them it stays.
RANGE = (-55.0, 58.0)
# This share of each deviation stays: complexions differ, and the tone of a photo is an estimate.
KEPT = 0.15
# No colour gets stronger or weaker by more than this factor.
MOST = 1.25
# Colours that far from the hue of skin, in radians, are reflections of sky and leaves, weakened to `REFLECTED`.
FOREIGN, REFLECTED = (0.6, 1.2), 0.3


def in_daylight(rgb: RGB, points: Points) -> RGB:
    """`rgb` with lightness, saturation and hue moved so that the skin's median comes near the usual one of its ITA.

    `points` (68, 2) say where the face is. Raises as `ita_degrees` does.
    """
    now = lab_of_linear(linear_of(skin_colour(rgb, points)[None]))[0]
    usual = usual_skin(ita_degrees(rgb, points))
    return recoloured(rgb, now, usual + KEPT * (now - usual))


def usual_skin(ita: float) -> Floats:
    """CIELAB (3,) of skin of an ITA in degrees: dark skin has less chroma, since less light comes back.

    >>> [round(float(usual_skin(ita)[0])) for ita in (-30, 28, 50)]
    [42, 59, 71]
    """
    lightness = 50.0
    for _ in range(20):  # yellow depends on lightness and lightness on yellow
        chroma = CHROMA * min(lightness / 50.0, 1.0)
        lightness = 50.0 + chroma * np.sin(HUE) * np.tan(np.radians(np.clip(ita, *RANGE)))
    return np.array([lightness, chroma * np.cos(HUE), chroma * np.sin(HUE)])


def recoloured(rgb: RGB, now: Floats, wanted: Floats) -> RGB:
    """`rgb` with CIELAB colour `now` (3,) brought to `wanted` (3,): greys stay grey, black black, white white.

    The odds of lightness, L / (100 - L), are scaled, so nothing is cut off. Chroma is scaled by 0.8 to 1.25, hue
    turned; colours foreign to faces are weakened.
    """
    lab = np.moveaxis(rgb2lab(rgb), -1, 0)
    gain = _odds(wanted[0]) / _odds(now[0])
    lightness = lab[0].clip(0, 100) / 100
    before, after = complex(*now[1:]), complex(*wanted[1:])
    factor = np.clip(abs(after) / max(abs(before), 1e-6), 1 / MOST, MOST)
    colour = (lab[1] + 1j * lab[2]) * factor * np.exp(1j * (np.angle(after) - np.angle(before)))
    foreign = np.interp(np.abs(np.angle(colour * np.exp(-1j * HUE))), FOREIGN, (0, 1))
    colour *= 1 - (1 - REFLECTED) * foreign
    changed = np.stack([100 * gain * lightness / (1 + (gain - 1) * lightness), colour.real, colour.imag])
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Conversion from CIE-LAB")  # colours out of range are cut off
        picture = lab2rgb(np.moveaxis(changed, 0, -1))
    pixels: RGB = (255 * np.clip(picture, 0, 1)).round().astype(np.uint8)
    return pixels


def _odds(lightness: float) -> float:
    inside = min(max(lightness, 1.0), 99.0)
    return inside / (100 - inside)
