"""Some of the trials: those across sessions, and those of the people who are easiest to tell from all others.

Photos of one sitting share light, hair and camera, which no attacker can count on; a mean over all people hides the few
whose faces resemble nobody's (evaluation protocol §3.4).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ganonym.evaluate.attackers.attacker import Rows
from ganonym.evaluate.scores import Scores

OTHER_SESSION = ", other session"
DISTINCTIVE = ", most distinctive quarter"
NOBODY = -1
_ROWS = 256  # compared with all others together; bounds memory, not the result


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
    return _some(scores, kept, OTHER_SESSION)


def distinctive(templates: Rows, subjects: Sequence[str]) -> frozenset[str]:
    """The quarter of the subjects, rounded down, whose original `templates` (n, d) lie farthest from all others'.

    By the least Euclidean distance of any of their photos to anybody else's. Subjects without a template are not among
    them. Empty with fewer than eight subjects.
    """
    from scipy.spatial.distance import cdist

    there = np.flatnonzero(np.isfinite(templates).all(axis=1))
    names, owner = np.unique(np.array(subjects)[there], return_inverse=True)
    if len(names) < 8:
        return frozenset()
    known, nearest = templates[there], np.full(len(names), np.inf)
    for start in range(0, len(known), _ROWS):
        rows = slice(start, start + _ROWS)
        distances = cdist(known[rows], known)
        distances[owner[rows, None] == owner] = np.inf
        np.minimum.at(nearest, owner[rows], distances.min(axis=1))
    return frozenset(names[np.argsort(-nearest, kind="stable")[: len(names) // 4]].tolist())


def of_people(scores: Scores, people: Collection[str]) -> Scores | None:
    """The trials of some `people`, among all candidates; None where there are none. `setting` gains DISTINCTIVE."""
    kept = np.isin(scores.owners, list(people))
    return _some(scores, kept, DISTINCTIVE) if kept.any() else None


def _some(scores: Scores, kept: NDArray[np.bool_], name: str) -> Scores:
    return replace(
        scores,
        setting=scores.setting + name,
        distances=scores.distances[kept],
        owners=scores.owners[kept],
        photos=scores.photos[kept],
        mask=None if scores.mask is None else scores.mask[kept],
    )
