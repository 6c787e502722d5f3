"""The composite face of a class and where it differs from another's: what a gestalt looks like, without anyone's photo.

Galton's composite (1878) in the modern form (Rowland and Perrett 1995; the "gestalt composite" beside Valentine et al.,
Pediatrics 140:e20162028, 2017): every face is warped to the mean shape of its class before greys are averaged, so that
features stay sharp. The mean is over people, not photographs. A mean of very few people still shows each of them:
composites of fewer than five are refused. Five is a floor against looking, not an anonymity guarantee. Differences are
drawn on the composite: skin in colours, the shift of features as arrows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from matplotlib import colormaps
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from scipy.spatial import Delaunay

from ganonym.classify.cohort import Portrait
from ganonym.classify.crops import grey
from ganonym.errors import UsageError
from ganonym.faces.warp import Raster, backward_map, rasterize, sample
from ganonym.types import CANVAS, RGB, Floats, Points

FEWEST = 5
_EDGE, _LAST = np.array([0.0, 0.5, 1.0]) * CANVAS - 0.5, CANVAS - 0.5
# Warped faces keep the canvas around them: its corners and the middles of its sides stay where they are.
_FRAME: Points = np.array([[x, y] for x in _EDGE for y in _EDGE if not (0 < x < _LAST and 0 < y < _LAST)])


@dataclass(frozen=True, slots=True)
class Composite:
    """`rgb` (256, 256, 3) uint8 on the canvas, `points` (68, 2) the mean shape that it has, `subjects` how many."""

    rgb: RGB
    points: Points
    subjects: int


@dataclass(frozen=True, slots=True)
class Difference:
    """Patients minus controls on the canvas.

    `luma` (256, 256) in grey levels −255 … 255, of composites that both have the shape `points` (68, 2), half-way
    between the two mean shapes: what differs in the skin, not where features lie. `shift` (68, 2) px: where features
    lie in patients less where they lie in controls.
    """

    luma: Floats
    points: Points
    shift: Points


def composite(portraits: Sequence[Portrait], subjects: Sequence[str]) -> Composite:
    """The mean face of the people in `portraits` (n); `subjects` (n,) says whose each is, and each counts once.

    Faces are upright on their canvas already, so that the mean shape is the mean of their points. Raises UsageError
    for fewer than 5 subjects.
    """
    owners = _owners(portraits, subjects)
    points = _mean_shape(portraits, owners)
    return Composite(_levels(_mean_face(portraits, owners, points)), points, int(owners.max()) + 1)


def in_shape(face: Composite, points: Points) -> RGB:
    """The composite brought to the shape `points` (68, 2), (256, 256, 3) uint8."""
    return _levels(_brought(face.rgb, face.points, _raster(points)))


def difference(
    patients: Sequence[Portrait],
    patient_subjects: Sequence[str],
    controls: Sequence[Portrait],
    control_subjects: Sequence[str],
) -> Difference:
    """How composites of patients and of controls differ. Raises UsageError for fewer than 5 subjects of either."""
    sides = [
        (portraits, _owners(portraits, subjects))
        for portraits, subjects in ((patients, patient_subjects), (controls, control_subjects))
    ]
    shapes = [_mean_shape(*side) for side in sides]
    points = (shapes[0] + shapes[1]) / 2
    lumas = [grey(_levels(_mean_face(*side, points))).astype(np.float64) for side in sides]
    return Difference(lumas[0] - lumas[1], points, shapes[0] - shapes[1])


def heat(values: Floats, limit: float | None = None) -> RGB:
    """Signed values (h, w) as colours (h, w, 3) uint8: blue below 0, white at 0, red above.

    ±`limit` is the darkest colour, by default the largest value there is.

    >>> heat(np.array([[-2.0, 0.0, 2.0]])).tolist()
    [[[5, 48, 97], [247, 246, 246], [103, 0, 31]]]
    """
    limit = float(np.abs(values).max()) if limit is None else limit
    share = 0.5 + 0.5 * values / limit if limit > 0 else np.full(values.shape, 0.5)
    colours: RGB = colormaps["RdBu_r"](np.clip(share, 0.0, 1.0), bytes=True)[..., :3]
    return colours


def _owners(portraits: Sequence[Portrait], subjects: Sequence[str]) -> NDArray[np.intp]:
    """Number of the subject of each portrait, 0 … s − 1."""
    if len(portraits) != len(subjects):
        raise UsageError(f"there are {len(portraits)} portraits and {len(subjects)} names of subjects.")
    names, owners = np.unique(np.array(subjects, dtype=object), return_inverse=True)
    if len(names) < FEWEST:
        raise UsageError(
            f"a composite of {len(names)} subjects would show each of them.", f"It takes {FEWEST} or more."
        )
    return owners.astype(np.intp)


def _weights(owners: NDArray[np.intp]) -> Floats:
    """Weight (n,) of each portrait, so that every subject weighs alike; their sum is 1."""
    number = np.bincount(owners)
    return 1.0 / (number[owners] * len(number))


def _mean_shape(portraits: Sequence[Portrait], owners: NDArray[np.intp]) -> Points:
    points = np.stack([portrait.points for portrait in portraits])
    return np.asarray(np.tensordot(_weights(owners), points, axes=1))


def _mean_face(portraits: Sequence[Portrait], owners: NDArray[np.intp], points: Points) -> Floats:
    """The mean of the faces warped to `points` (68, 2), (256, 256, 3) in grey levels, not rounded."""
    raster = _raster(points)
    total = np.zeros((CANVAS, CANVAS, 3))
    for portrait, weight in zip(portraits, _weights(owners), strict=True):
        total += weight * warped(portrait, raster)
    return total


def warped(portrait: Portrait, raster: Raster) -> Floats:
    """The canvas with its face brought to the shape of `raster`, (256, 256, 3) in grey levels, piecewise affine."""
    return _brought(portrait.canvas, portrait.points, raster)


def _brought(canvas: RGB, points: Points, raster: Raster) -> Floats:
    image = torch.from_numpy(canvas).permute(2, 0, 1).float()
    grid = backward_map(raster, np.concatenate([points, _FRAME]))
    return np.asarray(sample(image, grid).permute(1, 2, 0).double().numpy())


def _raster(points: Points) -> Raster:
    vertices = np.concatenate([points, _FRAME])
    return rasterize(vertices, Delaunay(vertices).simplices.astype(np.int64), CANVAS)


def _levels(values: Floats) -> RGB:
    return values.round().clip(0, 255).astype(np.uint8)


ENLARGED, LENGTHENED = 3, 3
OTHERS, ARROW, PAPER, INK = (90, 90, 90), (0, 90, 40), (255, 255, 255), (30, 30, 30)
_PALEST = 110  # black in the composite, so that colours show on hair and shadow
_STRIP = 56
# The outlines of the 68 landmarks, and whether they close.
_LINES = (
    (range(17), False),
    (range(17, 22), False),
    (range(22, 27), False),
    (range(27, 31), False),
    (range(31, 36), False),
    (range(36, 42), True),
    (range(42, 48), True),
    (range(48, 60), True),
    (range(60, 68), True),
)


def inside(points: Points) -> NDArray[np.bool_]:
    """Which pixels (256, 256) lie within the landmarks `points` (68, 2): their convex hull."""
    y, x = np.mgrid[:CANVAS, :CANVAS]
    return np.asarray(Delaunay(points).find_simplex(np.stack([x, y], axis=-1)) >= 0)


def limit_of(differences: Sequence[Difference]) -> float:
    """The one scale of several maps: the largest difference in luma within a face, grey levels; at least 1.

    Outside of the face hair and background differ more than skin does, by chance; there colours are cut off.
    """
    return max([1.0, *(float(np.abs(difference.luma[inside(difference.points)]).max()) for difference in differences)])


def drawn(patients: Composite, change: Difference, limit: float) -> RGB:
    """The composite of patients in pale grey, (824, 768, 3) uint8, tinted by the difference in luma up to ±`limit`.

    Both are in the shape half-way between patients and controls. The outline is the controls' mean shape; from it
    arrows point to where the patients' landmarks lie, drawn 3 times as long as they are. The strip below says the
    scale. Deterministic.
    """
    pale = _PALEST + grey(in_shape(patients, change.points)) * ((255 - _PALEST) / 255)
    tinted = (pale[..., None] * (heat(change.luma, limit) / 255.0)).round().astype(np.uint8)
    side = CANVAS * ENLARGED
    sheet = Image.new("RGB", (side, side + _STRIP), PAPER)
    sheet.paste(Image.fromarray(tinted).resize((side, side), Image.Resampling.BICUBIC))
    draw = ImageDraw.Draw(sheet)
    # Pillow counts from pixel corners, landmarks from pixel centres.
    controls = (change.points - change.shift / 2 + 0.5) * ENLARGED - 0.5
    for landmarks, closed in _LINES:
        line = controls[[*landmarks, *([landmarks[0]] if closed else [])]]
        draw.line([(x, y) for x, y in line.tolist()], OTHERS, 1)
    for start, step in zip(controls, change.shift * ENLARGED * LENGTHENED, strict=True):
        _arrow(draw, start, step)
    _legend(sheet, draw, limit)
    return np.asarray(sheet)


def _arrow(draw: ImageDraw.ImageDraw, start: Floats, step: Floats) -> None:
    length = float(np.hypot(*step))
    if length < 1:
        return
    end = start + step
    draw.line([(float(start[0]), float(start[1])), (float(end[0]), float(end[1]))], ARROW, 2)
    if length < 3:
        return
    along, across = step / length, np.array([-step[1], step[0]]) / length
    head = min(9.0, length)
    corners = [end, end - head * along + head / 2.5 * across, end - head * along - head / 2.5 * across]
    draw.polygon([(float(x), float(y)) for x, y in corners], ARROW)


def _legend(sheet: Image.Image, draw: ImageDraw.ImageDraw, limit: float) -> None:
    width, font = sheet.width, ImageFont.load_default(size=15)
    top = sheet.height - _STRIP
    bar = np.repeat(heat(np.linspace(-limit, limit, width // 3)[None], limit), 14, axis=0)
    sheet.paste(Image.fromarray(bar), (width // 3, top + 8))
    draw.text((width / 3 - 8, top + 15), f"darker by {limit:.0f}", INK, font, anchor="rm")
    draw.text((width * 2 / 3 + 8, top + 15), f"lighter by {limit:.0f} grey levels", INK, font, anchor="lm")
    draw.text((width / 2, top + 40), f"arrows: shift of features, {LENGTHENED} times as long", INK, font, anchor="mm")
