"""Are the files sound, and is any output still its original?"""

from __future__ import annotations

import numpy as np

from ganonym.evaluate.acquire import Seen
from ganonym.evaluate.attack_all import photos_of
from ganonym.evaluate.attackers.dlib_recognizer import DLIB
from ganonym.evaluate.attackers.metadata import metadata_left
from ganonym.evaluate.controls.planted import clean
from ganonym.evaluate.metrics.verification import operating_point, pairs
from ganonym.evaluate.passthrough import Copy, pass_through
from ganonym.evaluate.protocol import SAME_PHOTO
from ganonym.evaluate.release import Release
from ganonym.evaluate.scores import score

STRANGERS = 1e-3


def integrity_faults(release: Release, seen: Seen) -> list[str]:
    """Outputs that cannot be read, that carry metadata, and pictures that belong to no photo."""
    faults = [
        f"{item.row.image}: its output cannot be read ({look.problem})"
        for item, look in zip(release.items, seen.looks, strict=True)
        if look is not None and look.problem is not None
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
    clear = next((each for each in score(DLIB, clean(photos), settings=(SAME_PHOTO,))), None)
    point = None if clear is None else operating_point(pairs(clear), STRANGERS)
    point = point if point is not None and point.resolved else None
    threshold = None if point is None else point.threshold
    gaps = np.linalg.norm(photos.originals - photos.released, axis=1)
    known = gaps[~np.isnan(gaps)]
    if point is not None and len(known):
        near = int((known <= point.threshold).sum())
        threshold = point.threshold if binomtest(near, len(known), point.target, "greater").pvalue <= 0.05 else None
    copies = []
    for item, look, gap in zip(release.items, seen.looks, gaps.tolist(), strict=True):
        if look is not None and look.agreement is not None:
            ssim = look.agreement.ssim_face if look.agreement.ssim_face is not None else look.agreement.ssim_aligned
            distance = None if np.isnan(gap) else float(gap)
            copies.append(Copy(item.row.image, bool(look.agreement.pixel_equal), ssim, distance))
    return pass_through(copies, threshold)
