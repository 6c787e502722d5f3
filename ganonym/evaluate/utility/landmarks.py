"""Landmarks of released pictures against those of their originals: distance and pose."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ganonym.evaluate.attackers.attacker import Sample
from ganonym.evaluate.findings import Utility
from ganonym.evaluate.utility.inputs import UtilityInputs
from ganonym.evaluate.utility.rows import compared, mean_of, not_evaluated, reported
from ganonym.faces.align import apply, similarity
from ganonym.faces.landmark_network import MIRROR
from ganonym.faces.landmarks import LandmarkModel
from ganonym.faces.pose import estimate_pose
from ganonym.statistics.intervals import Statistic
from ganonym.synthesis.quality import landmark_error
from ganonym.types import Box, Floats, Points

LANDMARKS = "landmarks"
LIMIT = 0.08


def landmark_noise(sample: Sample, model: LandmarkModel) -> float:
    """The landmark model's own error on one photo: distance of its points from those it finds in the mirrored photo.

    In eye distances; NaN without a face. An honest floor, because a mirrored face is as good a photo of the same shape
    and everything else is the model's doing (Yang & Patras 2015 use it to find failures), and a cheap one: the face is
    not searched for again, its box is that of the landmarks. Recompressing or shifting the photo would leave the
    regression trees in the same leaves and give a floor too low; other photos of the person differ in expression and
    pose and give one too high.
    """
    if sample.points is None:
        return float("nan")
    low, high = sample.points.min(axis=0), sample.points.max(axis=0)
    side, centre = float((high - low).max()), (low + high) / 2
    left, top = np.maximum(np.floor(centre - 1.2 * side), 0).astype(int).tolist()
    right, bottom = np.minimum(np.ceil(centre + 1.2 * side), sample.rgb.shape[1::-1]).astype(int).tolist()
    if right <= left or bottom <= top:
        return float("nan")
    part = np.ascontiguousarray(sample.rgb[top:bottom, left:right][:, ::-1])
    x, y = right - 1 - centre[0], centre[1] - top
    seen = model.locate(part, Box(x - side / 2, y - side / 2, x + side / 2, y + side / 2))
    back = seen[MIRROR] * [-1.0, 1.0] + [right - 1.0, top]
    return landmark_error(back, sample.points)


def errors(inputs: UtilityInputs) -> Floats:
    """Mean distance of the released picture's landmarks from the original's, in its eye distances, (n,).

    Brought together by a similarity where the released picture has a geometry of its own. NaN without a face in either.
    """
    found = np.full(len(inputs.rows), np.nan)
    for row, (before, after) in enumerate(zip(inputs.original_points, inputs.released_points, strict=True)):
        if before is not None and after is not None:
            placed: Points = after if inputs.in_place[row] else apply(similarity(after, before), after)
            found[row] = landmark_error(placed, before)
    return found


def area_under_curve(found: Floats, limit: float = LIMIT) -> Statistic:
    """Area under the cumulative error curve up to `limit`, over `limit`, in 0…1; NaN, no face, is beyond any limit.

    The mean of max(0, 1 − error / limit), which is that area exactly.
    """
    return mean_of(np.clip(1.0 - np.nan_to_num(found, nan=np.inf) / limit, 0.0, 1.0))


def landmarks(inputs: UtilityInputs, rng: np.random.Generator) -> Iterator[Utility]:
    """Error, AUC@0.08 and failure rate over released pictures whose originals have a face; floor beside them.

    A released picture without a face is a failure, and counts nothing towards the area; the mean is of the others.
    """
    photos: NDArray[np.intp] = np.flatnonzero(inputs.released & inputs.found)
    subjects = [inputs.subjects[index] for index in photos]
    found = errors(inputs)[photos]
    if not np.isfinite(found).any():
        yield not_evaluated(LANDMARKS, "error", "No released picture has a face where its original has one.")
        return
    floor = None if inputs.landmark_noise is None else inputs.landmark_noise[photos]
    kept = np.isfinite(found) if floor is None else np.isfinite(found) & np.isfinite(floor)
    mine = [subject for subject, keep in zip(subjects, kept, strict=True) if keep]
    failed = mean_of((np.nan_to_num(found, nan=np.inf) > LIMIT).astype(np.float64))
    note = "The original's value is the detector's own noise, between a photo and its mirror image."
    if floor is None or not kept.any():
        yield reported(LANDMARKS, "error in eye distances", mean_of(found[np.isfinite(found)]),
                       [s for s, e in zip(subjects, found, strict=True) if np.isfinite(e)], rng)  # fmt: skip
        yield reported(LANDMARKS, "AUC@0.08", area_under_curve(found), subjects, rng, bounds=(0.0, 1.0))
        yield reported(LANDMARKS, "failures (no face, or error above 0.08)", failed, subjects, rng, bounds=(0.0, 1.0))
        return
    failed_before = mean_of((np.nan_to_num(floor, nan=np.inf) > LIMIT).astype(np.float64))
    yield compared(LANDMARKS, "error in eye distances", (mean_of(floor[kept]), mean_of(found[kept])), mine, rng,
                   bounds=None, note=note)  # fmt: skip
    yield compared(LANDMARKS, "AUC@0.08", (area_under_curve(floor), area_under_curve(found)), subjects, rng, note=note)
    yield compared(
        LANDMARKS, "failures (no face, or error above 0.08)", (failed_before, failed), subjects, rng, note=note
    )


POSE = "pose"
ANGLES = ("yaw", "pitch", "roll")


def turned(before: Points, after: Points) -> Floats:
    """Absolute differences of yaw, pitch and roll between two sets of landmarks (68, 2), in degrees 0…180, (3,)."""
    one, other = estimate_pose(before), estimate_pose(after)
    gaps = np.array([getattr(other, name) - getattr(one, name) for name in ANGLES])
    return np.asarray(np.abs((gaps + 180.0) % 360.0 - 180.0))


def pose(inputs: UtilityInputs, rng: np.random.Generator) -> Iterator[Utility]:
    """Mean absolute error of each angle in degrees where both sides show a face.

    Roll only of released pictures that keep the original's geometry: an upright crop has lost it on purpose.
    """
    pairs = [
        (index, turned(before, after))
        for index, (before, after) in enumerate(zip(inputs.original_points, inputs.released_points, strict=True))
        if before is not None and after is not None
    ]
    for angle, name in enumerate(ANGLES):
        used = [pair for pair in pairs if name != "roll" or inputs.in_place[pair[0]]]
        if not used:
            why = "No pair of pictures with a face on both sides" + (" and one geometry." if name == "roll" else ".")
            yield not_evaluated(POSE, f"{name}, mean absolute error", why)
            continue
        values = np.array([gaps[angle] for _, gaps in used])
        subjects = [inputs.subjects[index] for index, _ in used]
        yield reported(POSE, f"{name}, mean absolute error in degrees", mean_of(values), subjects, rng)
