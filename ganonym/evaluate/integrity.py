"""Are the files sound, is any output still its original, and does the released table alone single somebody out?

One output that is (nearly) its original is enough to fail a release. Equivalence classes of released columns say among
how many people a table row leaves somebody, without any face.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ganonym.evaluate.acquire import Seen
from ganonym.evaluate.attack_all import photos_of
from ganonym.evaluate.attackers.metadata import metadata_left
from ganonym.evaluate.attackers.recognizers import DLIB
from ganonym.evaluate.controls.planted import clean
from ganonym.evaluate.metrics.verification import operating_point, pairs
from ganonym.evaluate.protocol import SAME_PHOTO
from ganonym.evaluate.release import Release
from ganonym.evaluate.scores import score

STRANGERS = 1e-3
SIMILAR = 0.98


def integrity_faults(release: Release, seen: Seen) -> list[str]:
    """Outputs that cannot be read, that carry metadata, and pictures that belong to no photo."""
    faults = [
        f"{item.row.image}: its output cannot be read ({photo.problem})"
        for item, photo in zip(release.items, seen.photos, strict=True)
        if photo is not None and photo.problem is not None
    ]
    for item in release.items:
        if item.released is not None and (left := metadata_left(item.released)):
            faults.append(f"{item.released.name} carries {', '.join(left)}")
    return [*faults, *(f"{path.name} belongs to no photo of the manifest" for path in release.extra)]


def outputs_as_copies(release: Release, seen: Seen) -> tuple[str, ...]:
    """Why outputs still are their originals: pixels equal or nearly so, or a recognizer that takes them for it.

    The recognizer's threshold is what one in a thousand pairs of strangers pass; fewer than 174 people do not resolve
    it and have none. As many outputs pass by chance, so they are named only where more do (binomial test, 5 %).
    """
    from scipy.stats import binomtest

    photos = photos_of(DLIB.name, seen, release)
    clear = next((scores for scores in score(DLIB, clean(photos), settings=(SAME_PHOTO,))), None)
    point = None if clear is None else operating_point(pairs(clear), STRANGERS)
    point = point if point is not None and point.resolved else None
    threshold = None if point is None else point.threshold
    gaps = np.linalg.norm(photos.originals - photos.released, axis=1)
    measured = gaps[~np.isnan(gaps)]
    if point is not None and len(measured):
        near = int((measured <= point.threshold).sum())
        threshold = point.threshold if binomtest(near, len(measured), point.target, "greater").pvalue <= 0.05 else None
    copies = []
    for item, photo, gap in zip(release.items, seen.photos, gaps.tolist(), strict=True):
        if photo is not None and photo.agreement is not None:
            ssim = photo.agreement.ssim_face if photo.agreement.ssim_face is not None else photo.agreement.ssim_aligned
            distance = None if np.isnan(gap) else float(gap)
            copies.append(Copy(item.row.image, bool(photo.agreement.pixel_equal), ssim, distance))
    return pass_through(copies, threshold)


@dataclass(frozen=True, slots=True)
class Copy:
    """One output beside its original, as measured by the caller.

    `pixel_equal`: the face box is the same, pixel by pixel; `ssim` of the face box, in [−1, 1]; `distance` by a
    recognizer. None where it could not be measured (no face found in one of them).
    """

    image: str
    pixel_equal: bool
    ssim: float | None
    distance: float | None


def pass_through(copies: Sequence[Copy], threshold: float | None) -> tuple[str, ...]:
    """One reason for each output that still is the original, by name of the image; empty when none is.

    `threshold`: distance at which one in a thousand pairs of different people on original photos passes as one person
    (`operating_point(pairs(clean), 1e-3)`); None where too few people are there to know it. Raises ValueError when a
    measured value is no number: a fault must not look like protection.
    """
    reasons = []
    for copy in sorted(copies, key=lambda copy: copy.image):
        for value in (copy.ssim, copy.distance):
            if value is not None and value != value:
                raise ValueError(f"a measurement of {copy.image} is no number")
        if copy.pixel_equal:
            reasons.append(f"{copy.image}: the face is the original, pixel by pixel")
        elif copy.ssim is not None and copy.ssim > SIMILAR:
            reasons.append(f"{copy.image}: the face is nearly the original (SSIM {copy.ssim:.3f} > {SIMILAR})")
        elif copy.distance is not None and threshold is not None and copy.distance <= threshold:
            reasons.append(
                f"{copy.image}: a recognizer takes it for the original (distance {copy.distance:.3f} ≤ {threshold:.3f})"
            )
    return tuple(reasons)


@dataclass(frozen=True, slots=True)
class Equivalence:
    """`classes` of equal released values; `smallest` subjects in one; `exposed` subjects in classes below `k`."""

    classes: int
    smallest: int
    exposed: int


def equivalence(columns: Sequence[tuple[str, ...]], subjects: Sequence[str], k: int) -> Equivalence:
    """Classes of rows with equal released values, counted in subjects (Sweeney 2002); empty tuples are one class.

    A subject whose photos differ is in several classes, and as exposed as in the smallest. Raises ValueError without
    rows or when they do not pair up.

    >>> equivalence([("f",), ("f",), ("m",)], ["a", "a", "b"], k=2)
    Equivalence(classes=2, smallest=1, exposed=2)
    """
    if not subjects or len(columns) != len(subjects):
        raise ValueError(f"{len(columns)} rows of {len(subjects)} subjects have no equivalence classes")
    people: dict[tuple[str, ...], set[str]] = defaultdict(set)
    for values, subject in zip(columns, subjects, strict=True):
        people[values].add(subject)
    exposed = set().union(*(names for names in people.values() if len(names) < k))
    return Equivalence(len(people), min(map(len, people.values())), len(exposed))
