"""Correlation of small grey pictures: of the face, of the inner face, of the whole photo, and of all but the face.

Blurred and pixelated faces that no recognizer finds are still linked by the thumbnail of the face (evaluation protocol,
tier T0 `pixel-ncc`), and the inner face is what is left of that when everything around it was changed or is the same
for all: eyes, brows, nose and mouth, without contour, hair or neck. The whole photo needs no face, no landmarks and no
weights; clothes, hair, background and light are on it. The background is what no anonymizer of faces can fix: if it
names people, the photo has to be cropped or its background taken away.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from ganonym.evaluate.attackers.attacker import Approach, Fixed, Sample, uncorrelated
from ganonym.faces.aligned import SIDE, face_thumbnail
from ganonym.types import RGB, Floats, Points, luma

INNER_SIDE = 24
# Eyes 11 pixels apart: the thumbnail spans just over two eye distances, less than the cheekbones.
INNER_ANCHORS = np.array([[6.0, 7.5], [17.0, 7.5], [11.5, 18.5]])
PHOTO_SIDE = 16
ENLARGED = 1.3
"""By how much the outline of the landmarks is enlarged about its centre: it then holds the ears and some forehead."""
_CELLS = 8  # a side, in each of the thumbnail's pixels: how finely the outline of the face is cut out


@dataclass(frozen=True, slots=True)
class ThumbnailView:
    """Grey thumbnail of the aligned face with zero mean and unit variance."""

    name: str = "thumbnail"
    width: int = SIDE * SIDE

    def template(self, sample: Sample) -> Floats | None:
        """(576,), None without landmarks. A face of one grey has no pattern: all zeros."""
        points = sample.place
        if points is None:
            return None
        return standardized(face_thumbnail(sample.rgb, points).astype(np.float64).ravel())


def standardized(grey: Floats) -> Floats:
    """`grey` (d,) with zero mean and unit variance; zeros where it has no variance.

    >>> standardized(np.array([1.0, 3.0])).tolist(), standardized(np.array([7.0, 7.0])).tolist()
    ([-1.0, 1.0], [0.0, 0.0])
    """
    centred = grey - grey.mean()
    spread = centred.std()
    return np.asarray(centred / spread) if spread > 0 else np.zeros_like(centred)


THUMBNAIL = Fixed("thumbnail", ThumbnailView(), uncorrelated, Approach("T0", "small grey picture of the face"))


def inner_mask(side: int = INNER_SIDE) -> NDArray[np.bool_]:
    """Mask (side, side) of the ellipse inscribed in the square: it leaves out what lies beside and below the jaw."""
    middle = (side - 1) / 2
    y, x = np.ogrid[:side, :side]
    inside: NDArray[np.bool_] = (x - middle) ** 2 + (y - middle) ** 2 <= (side / 2) ** 2
    return inside


_INNER = inner_mask()


@dataclass(frozen=True, slots=True)
class InnerFaceView:
    """Grey levels of the inner face, brows to chin, with zero mean and unit variance."""

    name: str = "inner face"
    width: int = int(_INNER.sum())

    def template(self, sample: Sample) -> Floats | None:
        """(448,), None without landmarks. A face of one grey has no pattern: all zeros."""
        points = sample.place
        if points is None:
            return None
        return standardized(face_thumbnail(sample.rgb, points, INNER_SIDE, INNER_ANCHORS)[_INNER].astype(np.float64))


INNER_FACE = Fixed("inner face", InnerFaceView(), uncorrelated, Approach("T0", "small grey picture of the inner face"))


def photo_thumbnail(rgb: RGB, side: int = PHOTO_SIDE) -> Floats:
    """Grey (side, side), Rec. 601 luma: means over the cells of a grid laid over the whole photo (H, W, 3)."""
    small = Image.fromarray(rgb).resize((side, side), Image.Resampling.BOX)
    return luma(np.asarray(small, dtype=np.float64))


@dataclass(frozen=True, slots=True)
class WholePhotoView:
    """Grey thumbnail of the whole photo with zero mean and unit variance; its shape is squeezed into a square."""

    name: str = "whole photo"
    width: int = PHOTO_SIDE * PHOTO_SIDE

    def template(self, sample: Sample) -> Floats:
        """(256,); a photo of one grey has no pattern: all zeros."""
        return standardized(photo_thumbnail(sample.rgb).ravel())


WHOLE_PHOTO = Fixed("whole photo", WholePhotoView(), uncorrelated, Approach("T0", "whole photograph, tiny"))


def face_cover(points: Points, size: tuple[int, int], side: int) -> NDArray[np.bool_]:
    """Mask (side, side) of the enlarged hull of `points` (68, 2) of a photo of `size` (H, W), squeezed into a square.

    Empty where the landmarks lie on one line.
    """
    from scipy.spatial import ConvexHull, QhullError

    scaled = (points + 0.5) * (side / np.array(size[::-1])) - 0.5
    try:
        hull = scaled[ConvexHull(scaled).vertices]
    except QhullError:
        return np.zeros((side, side), dtype=bool)
    middle = (hull.min(axis=0) + hull.max(axis=0)) / 2
    canvas = Image.new("1", (side, side))
    ImageDraw.Draw(canvas).polygon([tuple(corner) for corner in (middle + ENLARGED * (hull - middle)).tolist()], fill=1)
    return np.asarray(canvas)


@dataclass(frozen=True, slots=True)
class BackgroundView:
    """The whole photo as a grey thumbnail, its face painted with the mean of the rest so that nothing of it counts."""

    name: str = "background"
    width: int = PHOTO_SIDE * PHOTO_SIDE

    def template(self, sample: Sample) -> Floats | None:
        """(256,) with zero mean and unit variance, None without landmarks; zeros where nothing but face is seen."""
        points = sample.place
        if points is None:
            return None
        fine = PHOTO_SIDE * _CELLS
        grey = luma(np.asarray(Image.fromarray(sample.rgb).resize((fine, fine), Image.Resampling.BOX)))
        cover = face_cover(points, (sample.rgb.shape[0], sample.rgb.shape[1]), fine)
        grey[cover] = grey[~cover].mean() if not cover.all() else 0.0
        return standardized(grey.reshape(PHOTO_SIDE, _CELLS, PHOTO_SIDE, _CELLS).mean(axis=(1, 3)).ravel())


BACKGROUND = Fixed("background", BackgroundView(), uncorrelated, Approach("T0", "background only"))
