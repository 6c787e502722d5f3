"""Releases whose leak is known: made from the templates of the originals, or of the photos by a weak anonymizer.

They are given to the attackers by the same `score` and `finding` as the release itself. Failures stay failures (NaN
rows), and withheld photos withheld. Rotations and watermarks suit views compared by distance or correlation. Weak
anonymizers, a light blur and an eye bar, are what every harness must see through (control C2).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cache

import numpy as np

from ganonym.baselines.filters import Filter, filter_face
from ganonym.errors import UsageError
from ganonym.evaluate.attackers.attacker import Attacker, Rows
from ganonym.evaluate.findings import Finding
from ganonym.evaluate.metrics.finding import ROUNDS, finding
from ganonym.evaluate.scores import Photos, score
from ganonym.faces.appearance import AppearanceModel, load_appearance
from ganonym.types import RGB, Box, Face, Points

WATERMARK = 0.2
WEAK: dict[str, tuple[Filter, float]] = {"blur of 2 %": ("blur", 0.2), "eye bar": ("eyebar", 1.0)}
"""Method and strength by name; the blur's SD is 2 % of the face's width."""


def attacked(
    attacker: Attacker, photos: Photos, setting: str, rng: np.random.Generator, rounds: int = ROUNDS
) -> Finding:
    """The finding in one setting. Raises UsageError when the photos do not allow it."""
    for scores in score(attacker, photos):
        if scores.setting == setting:
            return finding(scores, rng, rounds)
    raise UsageError(f"no photos to try the setting {setting!r} on.", "It needs subjects with two photos.")


def null_findings(
    attacker: Attacker, photos: Photos, rng: np.random.Generator, rounds: int = ROUNDS
) -> Iterator[Finding]:
    """Findings where there is nothing to find (C4), in every setting: strangers, one output for all, shuffled names."""
    for nothing in (strangers(photos, rng), constant(photos), strangers(clean(photos), rng)):
        for scores in score(attacker, nothing):
            yield finding(scores, rng, rounds)


def clean(photos: Photos) -> Photos:
    """The originals released as they are."""
    nobody = np.zeros(len(photos.subjects), dtype=bool)
    return replace(photos, released=photos.originals, withheld=nobody, mock=None)


def rotated(photos: Photos, rng: np.random.Generator) -> Photos:
    """Everything turned by one secret rotation: distances among outputs are those among originals."""
    width = photos.originals.shape[1]
    turn, _ = np.linalg.qr(rng.normal(size=(width, width)))
    return _released(photos, photos.originals @ turn)


def donated(photos: Photos, rng: np.random.Generator) -> Photos:
    """Each subject shows, photo by photo, another subject; always the same one."""
    names = list(dict.fromkeys(photos.subjects))
    order = rng.permutation(len(names))
    donor = {names[here]: names[there] for here, there in zip(order, np.roll(order, 1), strict=True)}
    subjects = np.array(photos.subjects)
    rows = {name: np.flatnonzero(subjects == name) for name in names}
    seen = dict.fromkeys(names, 0)
    source = np.empty(len(subjects), dtype=np.intp)
    for index, name in enumerate(photos.subjects):
        theirs = rows[donor[name]]
        source[index] = theirs[seen[name] % len(theirs)]
        seen[name] += 1
    return _released(photos, photos.originals[source])


def watermarked(photos: Photos, rng: np.random.Generator, strength: float = WATERMARK) -> Photos:
    """Everybody's mean with a faint pattern that is the subject's own, of `strength` SD of the originals, and noise."""
    found = photos.originals[np.isfinite(photos.originals).all(axis=1)]
    if not len(found):  # no original has a face: there is nobody to mark
        return _released(photos, photos.originals)
    mean, spread = found.mean(axis=0), found.std(axis=0)
    names, subject = np.unique(np.array(photos.subjects), return_inverse=True)
    pattern = rng.choice([-1.0, 1.0], (len(names), len(mean)))[subject]
    noise = rng.normal(size=photos.originals.shape)
    released = mean + strength * spread * (pattern + noise / 3)
    return _released(photos, np.where(np.isnan(photos.originals), np.nan, released))


def strangers(photos: Photos, rng: np.random.Generator) -> Photos:
    """Each photo's output exchanged for that of a random photo."""
    free = np.flatnonzero(~photos.withheld)
    released = photos.released.copy()
    released[free] = photos.released[rng.permutation(free)]
    return replace(photos, released=released)


def constant(photos: Photos) -> Photos:
    """One output, the mean of all, for everybody."""
    seen = photos.released[~np.isnan(photos.released).any(axis=1)]
    if not len(seen):
        return photos
    released = np.broadcast_to(seen.mean(axis=0, dtype=np.float64), photos.released.shape)
    return _released(photos, np.where(photos.withheld[:, None], np.nan, released))


def _released(photos: Photos, rows: Rows) -> Photos:
    return replace(photos, released=rows.astype(photos.originals.dtype, copy=False), mock=None)


def weakened(name: str, rgb: RGB, points: Points) -> RGB:
    """`rgb` (H, W, 3) with the face at `points` (68, 2) treated by the weak method `name`."""
    method, strength = WEAK[name]
    (left, top), (right, bottom) = points.min(axis=0).tolist(), points.max(axis=0).tolist()
    face = Face(Box(left, top, right, bottom, 1.0), points, 0)
    return filter_face(rgb, face, method, _model(), strength)


@cache
def _model() -> AppearanceModel:
    """Read and verified once a process, not once a photo."""
    return load_appearance()
