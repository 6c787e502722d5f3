"""Which training photographs are left out, and why: what a rule can measure by a rule, the rest by name."""

from __future__ import annotations

import numpy as np

from ganonym.errors import PhotoError
from ganonym.faces.pose import estimate_pose
from ganonym.faces.tone import ita_degrees, lab_of_linear, linear_of, skin_colour
from ganonym.types import RGB, Points

SMALLEST = 66.0
"""Width of a face in px. Children's pictures are the smallest, and there are too few children to lose the rest."""
MOST_YAW = 22.0
LEAST_CHROMA = 8.0
"""CIELAB chroma of skin below which a photograph is grey, and says nothing of complexion."""
SKIN_ITA = (-85.0, 88.0)
"""Degrees. Skin is yellower than grey; where it seems blue, or black, the light was coloured or there was none."""
HALVES = 0.8
"""Difference in log lightness between the two cheeks beyond which light comes from one side only."""
CHEEKS = ((1, 41, 31, 48, 4), (15, 46, 35, 54, 12))

SEEN = {
    "sunglasses": ("g036", "g049", "g053", "g161", "g181", "g231", "g267", "g268", "g269"),
    "glasses with frames across lids, cheeks or brows": (
        "g056", "g058", "g063", "g065", "g067", "g208", "g209", "g212", "g220", "g238", "g257", "g271", "g299", "g300",
        "g301", "g302", "g303", "g304", "g305", "g306", "g308", "g309", "g310", "g311", "g314",
        ),
    "hat, hood or headdress down to the brows": (
        "g059", "g060", "g061", "g062", "g071", "g072", "g074", "g076", "g086", "g105", "g127", "g134", "g136", "g178",
        "g200", "g214", "g229", "g270", "g279", "g312", "f014",
    ),
    "beard that hides the lower face": (
        "g070", "g132", "g228", "g230", "g232", "g277", "g278", "g285", "g288", "g320",
    ),
    "paint or a costume's make-up": ("g187", "g227", "g283", "g296", "g321", "g199"),
    "coloured or theatrical light": (
        "g089", "g090", "g104", "g110", "g119", "g158", "g190", "g194", "g196", "g207", "g252", "g253", "g325", "g327",
        "g328",
    ),
    "half of the face in shadow": (
        "g069", "g091", "g102", "g192", "g193", "c03", "c06", "c07", "c09", "c11", "c13", "c15", "c19", "c39",
    ),
    "head thrown back or bent forward": ("g213", "g221", "g222", "g223"),
    "no face, but an eye": ("g050",),
    "a hand over mouth or chin": (
        "p001_thoughtful", "p002_thoughtful", "p004_thoughtful", "p005_thoughtful", "p008_thoughtful",
        "p010_thoughtful", "p002_exhausted", "p010_shocked",
    ),
}  # fmt: skip
"""Names, without folder and ending, of photographs seen to be unfit."""

_REASONS = {name: reason for reason, names in SEEN.items() for name in names}


def reason_to_leave_out(name: str, rgb: RGB, points: Points) -> str | None:
    """Why photograph `name` with landmarks `points` (68, 2) in `rgb` is not learned from; None where it is.

    >>> reason_to_leave_out("generated/g050.jpg", np.zeros((9, 9, 3), np.uint8), np.zeros((68, 2)))
    'no face, but an eye'
    """
    stem = name.rsplit("/", 1)[-1].split(".")[0]
    if stem in _REASONS:
        return _REASONS[stem]
    if np.linalg.norm(points[16] - points[0]) < SMALLEST:
        return "too small"
    if abs(estimate_pose(points).yaw) > MOST_YAW:
        return "turned away"
    try:
        colour = lab_of_linear(linear_of(skin_colour(rgb, points)[None]))[0]
        ita = ita_degrees(rgb, points)
    except PhotoError:
        return "no skin to be seen"
    if np.hypot(colour[1], colour[2]) < LEAST_CHROMA:
        return "grey"
    if not SKIN_ITA[0] < ita < SKIN_ITA[1]:
        return "coloured light"
    if one_sidedness(rgb, points) > HALVES:
        return "light from one side"
    return None


def one_sidedness(rgb: RGB, points: Points) -> float:
    """Difference between the mean log lightness of the two cheeks, ≥ 0."""
    from PIL import Image, ImageDraw

    sides = []
    for cheek in CHEEKS:
        mask = Image.new("1", (rgb.shape[1], rgb.shape[0]))
        ImageDraw.Draw(mask).polygon([(float(x), float(y)) for x, y in points[list(cheek)]], fill=1)
        pixels = rgb[np.asarray(mask)]
        if not len(pixels):
            return 0.0
        sides.append(float(np.log(pixels.mean(axis=1) / 255 + 0.03).mean()))
    return abs(sides[0] - sides[1])
