"""Faces → `Encodings`: every member of an ensemble looks at every crop in every view."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ganonym.classify.cohort import Portrait, Tell
from ganonym.classify.crops import ArcFaceCrop
from ganonym.classify.retrieval.distances import Encodings
from ganonym.classify.retrieval.members import Member
from ganonym.classify.retrieval.views import VIEWS, View, seen
from ganonym.errors import UsageError

BATCH = 64


def encode(
    images: Sequence[str],
    portraits: Sequence[Portrait],
    members: Sequence[Member],
    views: Sequence[View] = VIEWS,
    tell: Tell = lambda *_: None,
) -> Encodings:
    """Vectors (n, width) of each (member, view), views within members, of `portraits` (n) called `images`.

    Portraits have an `ArcFaceCrop` of every side that a member wants. Raises UsageError without members, ValueError
    without views or for an image twice, and what the encoders raise.
    """
    if not members:
        raise UsageError("there is no encoder.", "Give at least one.")
    vectors = [np.zeros((len(images), member.encoder.width)) for member in members for _ in views]
    for start in range(0, len(images), BATCH):
        part = portraits[start : start + BATCH]
        crops = {
            side: np.stack([face.crop(ArcFaceCrop(side)) for face in part]) for side in {each.side for each in members}
        }
        pairs = [(member, view) for member in members for view in views]
        for rows, (member, view) in zip(vectors, pairs, strict=True):
            rows[start : start + BATCH] = member.encoder(seen(crops[member.side], view))
        tell("encode", min(start + BATCH, len(images)), len(images))
    return Encodings(tuple(images), tuple(vectors))
