"""MediaPipe's BlazeFace, short and full range (Bazarevsky et al. 2019): faces at every turn, in the dark, half hidden.

The networks are Google's, converted to ONNX by `ganonym_train.mediapipe_models`; anchors and thresholds are theirs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ganonym.faces.align import unturn
from ganonym.faces.detect import SMALLEST_SIDE
from ganonym.faces.mesh import mesh_looks
from ganonym.onnx_session import open_network
from ganonym.types import RGB, Box, Floats, Points
from ganonym.weights import read_manifest, verified_path

SURE = 0.5
"""MediaPipe's own bound on the probability."""

OVERLAP = 0.3
TILE_SHARE = 0.3
"""Of a tile's side a face may fill at most so much: larger ones are seen in larger windows, here they are mistakes."""


LEVEL = np.radians(50.0)
"""How far the eyes' line of an upright face may be from level: over 45°, so that one of the quarter turns has it."""

TILE_LEVEL = np.radians(35.0)
"""The same in tiles, where more is taken for a face."""


@dataclass(frozen=True, slots=True)
class Network:
    """One of the two: `side` of its input, and how many anchors each cell of its grids has, as (stride, anchors)."""

    name: str
    side: int
    grids: tuple[tuple[int, int], ...]


SHORT = Network("blazeface_short", 128, ((8, 2), (16, 6)))
FULL = Network("blazeface_full", 192, ((4, 1),))


def blazeface_boxes(
    rgb: RGB, threshold: float = SURE, tiles: Sequence[int] = (1,), turns: Sequence[int] = (0,)
) -> list[Box]:
    """Faces of `rgb` in photo pixels, surest first, brow to chin; scores are probabilities of at least `threshold`.

    Both networks see the photo whole, padded to a square (`tiles` 1), or in n × n squares that overlap (n of `tiles`),
    for faces below a tenth of the longer side; at the quarter `turns`, counter-clockwise. Boxes that overlap become
    one, their mean weighted by score. Same photo, same boxes.

    >>> blazeface_boxes(np.zeros((40, 60, 3), np.uint8))
    []
    """
    return [_box(row) for row in merged(_rows(rgb, threshold, tiles, turns))]


@dataclass(frozen=True, slots=True)
class BlazeFaceDetector:
    """Both networks as a Detector: upright faces, give or take 50°, as the line of the eyes that they see says.

    One face as wide as `portrait` of the longer side ends the search; anything else sends it to overlapping `tiles` as
    well, where small faces and the others of a group are seen, above `tiled`: a tile is sooner mistaken. `every_size`
    always goes there. A box counts when the face mesh sees a face in it as well, at two looks with a probability of
    `presence`: on 593 development photographs all faces had 0.98 or more, necks, hair and cats 0.67 or less at one. Of
    116 photographs turned by 180°, the face reached up to 0.82 as an upright one; of those upright, 95 % reach `sure`.
    """

    threshold: float = SURE
    tiled: float = 0.7
    presence: float = 0.9
    sure: float = 0.86
    tiles: tuple[int, ...] = (2, 3)
    portrait: float = 0.15
    every_size: bool = False
    name: str = "blazeface"

    def detect(self, rgb: RGB) -> list[Box]:
        if min(rgb.shape[:2]) < SMALLEST_SIDE:
            return []
        rows = _rows(rgb, self.threshold)
        boxes = self._confirmed(rgb, rows)
        if not self.every_size and len(boxes) == 1 and boxes[0].width >= self.portrait * max(rgb.shape[:2]):
            return boxes
        small = _rows(rgb, self.tiled, self.tiles)
        return self._confirmed(rgb, np.concatenate([rows, small[_rolls(small) <= TILE_LEVEL]]))

    def _confirmed(self, rgb: RGB, rows: Floats) -> list[Box]:
        together = merged(rows)
        upright = [_rounded(_box(row)) for row in together[_rolls(together) <= LEVEL]]
        return [
            box for box in upright if all(face.presence >= self.presence for face in islice(mesh_looks(rgb, box), 2))
        ]


def merged(rows: Floats) -> Floats:
    """Weighted suppression of rows (n, 5 + k): left, top, right, bottom, score and what else; surest first.

    What overlaps the surest joins it: the mean weighted by score, with the surest one's score.
    """
    groups, rest = [np.zeros((0, rows.shape[1]))], rows[np.argsort(-rows[:, 4], kind="stable")]
    while len(rest):
        near = _overlaps(rest[0, :4], rest[:, :4]) > OVERLAP
        near[0] = True
        group, rest = rest[near], rest[~near]
        mean = np.average(group, axis=0, weights=group[:, 4])
        mean[4] = group[0, 4]
        groups.append(mean[None])
    return np.concatenate(groups)


def outputs(network: Network, picture: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """What `network` answers to `picture` (1, 3, side, side) in −1…1: regressions (n, 16) and logits (n,)."""
    session = _session(network.name)
    numbers, logits = session.run(None, {session.get_inputs()[0].name: picture})
    return numbers[0], logits[0, :, 0]


def anchors(network: Network) -> Points:
    """Middles (n, 2) of the anchors, x and y in 0…1, in the order of the network's rows."""
    grids = []
    for stride, count in network.grids:
        steps = (np.arange(network.side // stride) + 0.5) * stride / network.side
        y, x = np.meshgrid(steps, steps, indexing="ij")
        grids.append(np.repeat(np.column_stack([x.ravel(), y.ravel()]), count, axis=0))
    return np.concatenate(grids)


def _rows(rgb: RGB, threshold: float, tiles: Sequence[int] = (1,), turns: Sequence[int] = (0,)) -> Floats:
    """All that the networks see, as rows of `_in_window`."""
    photo = Image.fromarray(np.ascontiguousarray(rgb))  # once: it copies the whole of a large photo
    seen = [
        _in_window(photo, window, turn, network, threshold)
        for turn in turns
        for window in _windows(rgb.shape[0], rgb.shape[1], tiles)
        for network in (SHORT, FULL)
    ]
    return np.concatenate(seen)


def _rolls(rows: Floats) -> Floats:
    """By how much the eyes of rows (n, 7) are out of level, in radians, 0…π."""
    return np.abs(np.arctan2(rows[:, 6], rows[:, 5]))


def _box(row: Floats) -> Box:
    return Box(*row[:5].tolist())


def _rounded(box: Box) -> Box:
    """`box` with its side rounded to 1/16 of an octave and its middle to 1/32 of that.

    What lies far from a face moves the networks' answers by hundredths of a pixel: so it mostly changes nothing.
    """
    side = float(2.0 ** (np.round(16 * np.log2(max(box.width, box.height, 1.0))) / 16))
    middle = np.array([box.left + box.right, box.top + box.bottom]) / 2
    left, top = (np.round(middle / side * 32) / 32 * side - side / 2).tolist()
    return Box(left, top, left + side, top + side, box.score)


def _in_window(
    photo: Image.Image, window: tuple[float, float, float], turns: int, network: Network, threshold: float
) -> Floats:
    """Rows (n, 7) of what `network` sees in the square `window` (left, top, side) of `photo`, turned by `turns`.

    Left, top, right and bottom in photo pixels, score, and the step from the image-left to the image-right eye, as the
    turned window shows it, over the width of the box.
    """
    left, top, side = window
    square = np.rot90(_square(photo, window, network.side), turns)
    picture = np.ascontiguousarray(square.astype(np.float32).transpose(2, 0, 1)[None] / 127.5 - 1.0)
    numbers, logits = outputs(network, picture)
    scores = 1.0 / (1.0 + np.exp(-np.clip(logits.astype(np.float64), -100.0, 100.0)))
    seen = scores >= threshold
    if side < max(photo.size):
        seen &= np.abs(numbers[:, 2]) <= TILE_SHARE * network.side
    middle = anchors(network)[seen] * network.side + numbers[seen, :2]
    half = np.abs(numbers[seen, 2:4]) / 2
    # Edges 0…side of the turned square become pixel centres, and those the photo's.
    corners = np.stack([middle - half, middle + half], axis=1).reshape(-1, 2) - 0.5
    upright = unturn(corners, turns, square.shape).reshape(-1, 2, 2)
    scale = side / network.side
    edges = (np.concatenate([upright.min(axis=1), upright.max(axis=1)], axis=1) + 0.5) * scale
    edges += np.array([left, top, left, top]) - 0.5
    eyes = (numbers[seen, 6:8] - numbers[seen, 4:6]) / np.maximum(2 * half[:, :1], 1e-9)
    return np.column_stack([edges, scores[seen], eyes])


def _square(photo: Image.Image, window: tuple[float, float, float], side: int) -> RGB:
    """The square `window` of `rgb` at `side` px, low-passed where it shrinks; black where it leaves the photo."""
    left, top, size = window
    width, height = photo.size
    scale = side / size
    part = (max(left, 0.0), max(top, 0.0), min(left + size, float(width)), min(top + size, float(height)))
    x0, y0 = round((part[0] - left) * scale), round((part[1] - top) * scale)
    x1, y1 = round((part[2] - left) * scale), round((part[3] - top) * scale)
    square = np.zeros((side, side, 3), np.uint8)
    if x1 > x0 and y1 > y0:
        resized = photo.resize((x1 - x0, y1 - y0), Image.Resampling.BILINEAR, part, reducing_gap=2.0)
        square[y0:y1, x0:x1] = np.asarray(resized)
    return square


def _windows(height: int, width: int, tiles: Sequence[int]) -> list[tuple[float, float, float]]:
    """Squares (left, top, side) of a photo: for 1 the one around it, for n overlapping ones of 1.5 / n of its side."""
    windows, longer = [], float(max(height, width))
    for count in tiles:
        side = longer if count == 1 else 1.5 * longer / count
        for top in _starts(height, side, count):
            windows += [(left, top, side) for left in _starts(width, side, count)]
    return windows


def _starts(length: int, side: float, count: int) -> list[float]:
    if side >= length:
        return [(length - side) / 2]
    return [float(start) for start in np.linspace(0.0, length - side, count)]


def _overlaps(box: Floats, boxes: Floats) -> Floats:
    """Intersection over union of `box` with each of `boxes` (n, 4)."""
    low, high = np.maximum(box[:2], boxes[:, :2]), np.minimum(box[2:], boxes[:, 2:])
    shared = np.prod(np.clip(high - low, 0.0, None), axis=1)
    area = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    union = np.prod(box[2:] - box[:2]) + area - shared
    return np.asarray(shared / np.maximum(union, 1e-9))


@cache
def _session(name: str) -> Any:
    return open_network(verified_path(name), read_manifest()[name].sha256)
