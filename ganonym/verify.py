"""Post-conditions of every output: the faces asked for, where they were asked for, and nothing of the source.

`problems` judges a face alone, `patch_problems` and `is_covered` the faces of a whole photo.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter
from scipy.ndimage import binary_erosion

from ganonym.faces.align import apply, crop, invert, similarity
from ganonym.faces.aligned import correlation, face_thumbnail
from ganonym.faces.descriptor import describe
from ganonym.faces.detect import Detector
from ganonym.faces.find import find_faces
from ganonym.faces.landmarks import LandmarkModel
from ganonym.synthesis.paste import Patch
from ganonym.synthesis.region import Region
from ganonym.types import CANVAS, RGB, Box, Face, FaceRecord, Floats, Points, PrivateFace, luma

DETAIL_SIDE = 96
DETAIL_LIMIT = 0.55
"""Bound on `detail_left`, set on 28 photos of real people: 0.45 at most in sound outputs; at least 0.93 in copies
blurred by 1 px, 0.77 in half-transparent ones and 0.59 in copies blurred by 2 px. The thumbnail finds coarser ones.
"""

_REACH = 8  # pixels over which a blur of 3 px carries what lies beside


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds that an output must keep, set with `benchmarks/thumbnails.py` on virtual and drawn people.

    `landmark_error`: mean distance of found to requested landmarks, in interocular distances; kept by all of 254 sound
    outputs. `correlation` of grey 24 × 24 thumbnails of source and output: one of 254 sound outputs exceeds 0.93; 1397
    copies, blurred, darkened, bleached, recompressed, noisy, shifted, shrunk or rolled, are above, or their landmarks
    are not those asked for. Half-transparent copies are not told from sound outputs: the descriptor is for those.
    `descriptor`: least distance of dlib's descriptors, checked only when the record holds one; 0.6 is dlib's own limit
    for "the same person", copies lie within 0.1 and blurred ones within 0.56.
    """

    landmark_error: float = 0.10
    correlation: float = 0.93
    descriptor: float = 0.6


@dataclass(frozen=True, slots=True)
class Judge:
    """What looks at outputs: a face detector, landmarks, and the limits that an output must keep.

    `maker` is the landmark model by which the source's thumbnail was cut, where that is another than `landmarks`: a
    copy is as like its source as can be only where it is cut alike.
    """

    detector: Detector
    landmarks: LandmarkModel
    limits: Limits = field(default_factory=Limits)
    maker: LandmarkModel | None = None


def problems(rgb: RGB, face: PrivateFace, record: FaceRecord, judge: Judge) -> list[str]:
    """What is wrong with the output `rgb` of `face`; empty when it is (256, 256, 3) and every post-condition holds.

    `record` is the source's analysis; only its thumbnail and descriptor are compared.
    """
    if rgb.shape != (CANVAS, CANVAS, 3):
        return [f"the output has shape {rgb.shape}, not {(CANVAS, CANVAS, 3)}"]
    faces = find_faces(rgb, judge.detector, judge.landmarks)
    if len(faces) != 1:
        return [f"the output shows {len(faces)} faces instead of one"]
    points, limits = faces[0].points, judge.limits
    wrong = []
    interocular = float(np.linalg.norm(face.points[36:42].mean(axis=0) - face.points[42:48].mean(axis=0)))
    error = float(np.linalg.norm(points - face.points, axis=1).mean()) / interocular
    if not error <= limits.landmark_error:
        wrong.append(f"landmarks lie {error:.3f} interocular distances off (limit {limits.landmark_error})")
    # At the requested landmarks too: those found in a blurred copy are too coarse to line it up with its source.
    likeness = _likeness(rgb, [points, face.points, *_cuts(rgb, faces[0], judge)], record)
    if not likeness <= limits.correlation:
        wrong.append(f"it correlates {likeness:.3f} with its source (limit {limits.correlation})")
    if record.descriptor is not None:
        distance = float(np.linalg.norm(describe(rgb, points) - record.descriptor))
        if not distance >= limits.descriptor:
            wrong.append(f"the recognizer sees the source in it (distance {distance:.2f}, limit {limits.descriptor})")
    return wrong


def patch_problems(
    rgb: RGB, photo: RGB, patch: Patch, face: PrivateFace, record: FaceRecord, judge: Judge
) -> list[str]:
    """What is wrong with one new face in the output `rgb` of `photo`; empty when every post-condition holds.

    It must be found at the requested landmarks, and at the source's landmarks nothing of the source may be left.
    """
    to_canvas = invert(patch.matrix)
    cutout = crop(rgb, to_canvas, CANVAS)
    seen = find_faces(cutout, judge.detector, judge.landmarks)
    interocular = float(np.linalg.norm(face.points[36:42].mean(axis=0) - face.points[42:48].mean(axis=0)))
    errors = [float(np.linalg.norm(shown.points - face.points, axis=1).mean()) / interocular for shown in seen]
    if not errors:
        return ["the new face is not found in the photo"]
    wrong = []
    if not min(errors) <= judge.limits.landmark_error:
        wrong.append(f"landmarks lie {min(errors):.3f} interocular distances off (limit {judge.limits.landmark_error})")
    nearest = seen[int(np.argmin(errors))]
    places = [apply(to_canvas, record.points), face.points, nearest.points, *_cuts(cutout, nearest, judge)]
    likeness = _likeness(cutout, places, record)
    if not likeness <= judge.limits.correlation:
        wrong.append(f"it correlates {likeness:.3f} with its source (limit {judge.limits.correlation})")
    if record.descriptor is not None:
        distance = float(np.linalg.norm(describe(cutout, nearest.points) - record.descriptor))
        if not distance >= judge.limits.descriptor:
            wrong.append(f"the recognizer sees the source in it (distance {distance:.2f})")
    detail = detail_left(rgb, photo, record.points)
    if not detail <= DETAIL_LIMIT:
        wrong.append(f"the source's detail is still there (correlation {detail:.2f}, limit {DETAIL_LIMIT})")
    return wrong


def _cuts(rgb: RGB, shown: Face, judge: Judge) -> list[Points]:
    """The maker's landmarks of the face that the judge found: a copy is cut by them as its source was."""
    return [] if judge.maker is None else [judge.maker.locate(rgb, shown.box)]


def _likeness(rgb: RGB, places: Sequence[Points], record: FaceRecord) -> float:
    """The highest correlation of the source's thumbnail with one of `rgb`, cut at each of `places` (68, 2)."""
    return max(correlation(face_thumbnail(rgb, place), record.thumbnail) for place in places)


def is_covered(rgb: RGB, photo: RGB, record: FaceRecord, limits: Limits) -> bool:
    """Whether nothing of the face of `record` is left in the output `rgb` of `photo`, as far as the photo shows it."""
    inside = face_thumbnail(np.full_like(photo, 255), record.points) == 255
    likeness = (
        correlation(face_thumbnail(rgb, record.points)[inside], record.thumbnail[inside]) if inside.any() else 0.0
    )
    return likeness <= limits.correlation and detail_left(rgb, photo, record.points) <= DETAIL_LIMIT


def detail_left(rgb: RGB, photo: RGB, points: Points) -> float:
    """Correlation, −1…1, of the fine detail of output and source in the face at `points` (68, 2) of both.

    Detail is what a blur of 3 px takes away from the aligned face at 96 px, where that lies in the photo: the photo's
    edge would be detail in both. 1 for an untouched face however lit, 0 when either side has none.
    """
    # The thumbnail's alignment, enlarged: brows to chin.
    anchors = np.array([points[36:42].mean(axis=0), points[42:48].mean(axis=0), points[48:60].mean(axis=0)])
    matrix = similarity(anchors, np.array([[30.0, 34.0], [66.0, 34.0], [48.0, 72.0]]))
    inside = crop(np.full_like(photo, 255), matrix, DETAIL_SIDE).min(axis=2) == 255
    away = binary_erosion(inside, iterations=_REACH, border_value=1)[_REACH:-_REACH, _REACH:-_REACH]
    if not away.any():
        return 0.0
    first, second = (_detail(crop(picture, matrix, DETAIL_SIDE), away) for picture in (rgb, photo))
    scale = float(np.linalg.norm(first) * np.linalg.norm(second))
    return float(first @ second) / scale if scale > 0 else 0.0


def region_box(region: Region) -> Box:
    """Bounds of a region in photo pixels."""
    height, width = region.mask.shape
    return Box(float(region.left), float(region.top), float(region.left + width), float(region.top + height))


def _detail(face: RGB, where: NDArray[np.bool_]) -> Floats:
    grey = luma(face)
    soft = luma(np.asarray(Image.fromarray(face).filter(ImageFilter.GaussianBlur(3))))
    fine = (grey - soft)[_REACH:-_REACH, _REACH:-_REACH][where]
    return np.asarray(fine - fine.mean())
