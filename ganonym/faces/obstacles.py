"""Photographs in which a face is hard to find: what people and cameras do to the faces of bystanders."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from ganonym.types import RGB, Box, Points

Hidden: TypeAlias = tuple[RGB, Box]
"""The changed photo, and where in it what is left of the face lies: the bounds of its landmarks, brows to chin."""

GREY = (128, 124, 120)


def bounds(points: Points) -> Box:
    """Bounds of landmarks (n, 2)."""
    (left, top), (right, bottom) = points.min(axis=0).tolist(), points.max(axis=0).tolist()
    return Box(left, top, right, bottom)


def eye_bar(rgb: RGB, points: Points) -> Hidden:
    """A black bar over brows and eyes, as magazines print it."""
    right, left = points[36:42].mean(axis=0), points[42:48].mean(axis=0)
    along = (left - right) * 0.6
    across = np.array([-along[1], along[0]]) * 0.55
    corners = [right - along - across, left + along - across, left + along + across, right - along + across]
    return _painted(rgb, np.array(corners), (0, 0, 0)), bounds(points)


def mask(rgb: RGB, points: Points) -> Hidden:
    """A surgical mask from the bridge of the nose to below the chin."""
    low = points[8] + 0.08 * (points[8] - points[27])
    outline = np.concatenate([points[28:29], points[1:8], low[None], points[9:16]])
    return _painted(rgb, outline, (150, 185, 200)), bounds(points)


def hand(rgb: RGB, points: Points) -> Hidden:
    """A grey blob over one side of the face."""
    middle = points[[1, 8, 27, 36, 48]].mean(axis=0)
    radius = 0.36 * float(np.linalg.norm(points[16] - points[0]))
    angles = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    return _painted(rgb, middle + radius * np.column_stack([np.cos(angles), 1.4 * np.sin(angles)]), GREY), bounds(
        points
    )


def dark(rgb: RGB, points: Points) -> Hidden:
    """At 5 % of its brightness."""
    return np.rint(rgb * 0.05).astype(np.uint8), bounds(points)


def pale(rgb: RGB, points: Points) -> Hidden:
    """A tenth of the contrast, about grey."""
    return np.rint(128 + 0.1 * (rgb.astype(np.float64) - 128)).astype(np.uint8), bounds(points)


def blurred(rgb: RGB, points: Points) -> Hidden:
    """Out of focus: a Gaussian of a sixteenth of the face's width."""
    sigma = float(np.linalg.norm(points[16] - points[0])) / 16
    return np.asarray(Image.fromarray(rgb).filter(ImageFilter.GaussianBlur(sigma))), bounds(points)


def lower_half(rgb: RGB, points: Points) -> Hidden:
    """Cut by the upper edge of the frame, just below the eyes."""
    top = max(int(points[36:48, 1].max() + 0.05 * np.ptp(points[:, 1])), 0)
    return _cropped(rgb, points, (0, top, rgb.shape[1], rgb.shape[0]))


def upper_half(rgb: RGB, points: Points) -> Hidden:
    """Cut by the lower edge of the frame, below the nose."""
    return _cropped(rgb, points, (0, 0, rgb.shape[1], int(points[33, 1]) + 1))


def one_side(rgb: RGB, points: Points) -> Hidden:
    """Cut by the right edge of the frame, at the bridge of the nose."""
    return _cropped(rgb, points, (0, 0, int(points[27, 0]) + 1, rgb.shape[0]))


def squeezed(rgb: RGB, points: Points) -> Hidden:
    """2.4 times narrower, as a wrong aspect ratio shows it."""
    return _resized(rgb, points, (max(round(rgb.shape[1] / 2.4), 1), rgb.shape[0]))


def flattened(rgb: RGB, points: Points) -> Hidden:
    """2.4 times lower."""
    return _resized(rgb, points, (rgb.shape[1], max(round(rgb.shape[0] / 2.4), 1)))


def small(rgb: RGB, points: Points, times: float = 6.0) -> Hidden:
    """`times` smaller, in a frame of the photo's size and of its mean colour."""
    height, width = rgb.shape[:2]
    reduced, box = _resized(rgb, points, (max(round(width / times), 1), max(round(height / times), 1)))
    frame = np.empty_like(rgb)
    frame[:] = np.rint(rgb.mean(axis=(0, 1)))
    left, top = round(0.6 * (width - reduced.shape[1])), round(0.3 * (height - reduced.shape[0]))
    frame[top : top + reduced.shape[0], left : left + reduced.shape[1]] = reduced
    return frame, Box(box.left + left, box.top + top, box.right + left, box.bottom + top)


def turned(rgb: RGB, points: Points, degrees: float) -> Hidden:
    """The whole photo turned counter-clockwise in the plane, in a frame that holds it."""
    picture = Image.fromarray(rgb)
    fill = tuple(np.rint(rgb.mean(axis=(0, 1))).astype(int).tolist())
    rotated = np.asarray(picture.rotate(degrees, Image.Resampling.BICUBIC, expand=True, fillcolor=fill))
    angle = np.radians(degrees)
    matrix = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    old, new = (np.array([each.shape[1] - 1, each.shape[0] - 1]) / 2 for each in (rgb, rotated))
    return rotated, bounds((points - old) @ matrix.T + new)


OBSTACLES: dict[str, Callable[[RGB, Points], Hidden]] = {
    "as it is": lambda rgb, points: (rgb, bounds(points)),
    "eye bar": eye_bar,
    "mask": mask,
    "hand": hand,
    "5 % brightness": dark,
    "low contrast": pale,
    "blurred": blurred,
    "lower half": lower_half,
    "upper half": upper_half,
    "one side": one_side,
    "squeezed 2.4 x": squeezed,
    "flattened 2.4 x": flattened,
    "6 x smaller": small,
    "turned 45°": lambda rgb, points: turned(rgb, points, 45),
    "turned 90°": lambda rgb, points: turned(rgb, points, 90),
    "turned 180°": lambda rgb, points: turned(rgb, points, 180),
}


def _painted(rgb: RGB, polygon: Points, colour: tuple[int, int, int]) -> RGB:
    picture = Image.fromarray(rgb)
    ImageDraw.Draw(picture).polygon([(x, y) for x, y in polygon.tolist()], fill=colour)
    return np.asarray(picture)


def _cropped(rgb: RGB, points: Points, window: tuple[int, int, int, int]) -> Hidden:
    left, top, right, bottom = window
    low, high = np.array([left, top]), np.array([right - 1, bottom - 1])
    return np.ascontiguousarray(rgb[top:bottom, left:right]), bounds(np.clip(points, low, high) - low)


def _resized(rgb: RGB, points: Points, size: tuple[int, int]) -> Hidden:
    scale = np.array(size) / np.array(rgb.shape[1::-1])
    resized = np.asarray(Image.fromarray(rgb).resize(size, Image.Resampling.BICUBIC))
    return resized, bounds((points + 0.5) * scale - 0.5)
