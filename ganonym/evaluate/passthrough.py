"""Outputs that are (nearly) the original: one of them is enough to fail a release."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

SIMILAR = 0.98


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
    found = []
    for copy in sorted(copies, key=lambda each: each.image):
        for value in (copy.ssim, copy.distance):
            if value is not None and value != value:
                raise ValueError(f"a measurement of {copy.image} is no number")
        if copy.pixel_equal:
            found.append(f"{copy.image}: the face is the original, pixel by pixel")
        elif copy.ssim is not None and copy.ssim > SIMILAR:
            found.append(f"{copy.image}: the face is nearly the original (SSIM {copy.ssim:.3f} > {SIMILAR})")
        elif copy.distance is not None and threshold is not None and copy.distance <= threshold:
            found.append(
                f"{copy.image}: a recognizer takes it for the original (distance {copy.distance:.3f} ≤ {threshold:.3f})"
            )
    return tuple(found)
