"""The attacker who reads the released table first: only people with the same released columns come into question."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ganonym.evaluate.scores import Scores

CONDITIONED = ", same released columns"


def conditioned(scores: Scores, probes: Sequence[tuple[str, ...]], gallery: Sequence[tuple[str, ...]]) -> Scores:
    """The same trials against candidates whose released columns equal the probe's, one tuple a probe and a candidate.

    The owner stays a candidate also where his own photos differ (say, in age). `setting` gains CONDITIONED. Raises
    ValueError when columns and scores do not fit together.
    """
    if (len(probes), len(gallery)) != scores.distances.shape:
        raise ValueError(f"columns of {len(probes)} probes and {len(gallery)} candidates do not fit the scores")
    classes = {values: index for index, values in enumerate(dict.fromkeys([*probes, *gallery]))}
    rows = np.array([classes[values] for values in probes], dtype=int)
    mask = rows[:, None] == np.array([classes[values] for values in gallery], dtype=int)
    mask[np.arange(len(rows)), scores.truth] = True
    if scores.mask is not None:
        mask &= scores.mask
    return replace(scores, setting=scores.setting + CONDITIONED, mask=mask)
