"""Trials across sessions only: photos of one sitting share light, hair and camera, which no attacker can count on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ganonym.evaluate.scores import Scores

OTHER_SESSION = ", other session"
NOBODY = -1


def across_sessions(scores: Scores, sessions: Sequence[str | None], known: Sequence[int]) -> Scores | None:
    """The trials whose own photo in the gallery is of another session; `setting` gains OTHER_SESSION.

    `sessions[i]` is that of photo i, `known[g]` the photo of candidate g, NOBODY for distractors. Candidates stay as
    they are. None when that leaves no trial, or all of them: then there is nothing to tell apart. A photo of unknown
    session is no trial here.
    """
    mates = [known[place] for place in scores.truth.tolist()]
    pairs = [(sessions[photo], sessions[mate]) for photo, mate in zip(scores.photos.tolist(), mates, strict=True)]
    kept = np.array([None not in pair and pair[0] != pair[1] for pair in pairs], dtype=bool)
    if kept.all() or not kept.any():
        return None
    return replace(
        scores,
        setting=scores.setting + OTHER_SESSION,
        distances=scores.distances[kept],
        owners=scores.owners[kept],
        photos=scores.photos[kept],
        mask=None if scores.mask is None else scores.mask[kept],
    )
