"""Small classes: a class of fewer than k subjects is released, where the steward asks, under one name with its nearest.

k-Same groups people within their class, because a class mean would otherwise carry several phenotypes; a class of fewer
than k has no group. Its subjects keep a place in the release only if their label stops telling them apart.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ganonym.types import Floats

JOINED = " or "


def merged_labels(
    identities: Floats, labels: Sequence[str | None], k: int, identity_sd: Floats
) -> tuple[str | None, ...]:
    """The label under which each subject is released, so that every label given has at least k subjects, if it can.

    Again and again the smallest class below `k` joins the class whose mean identity is nearest, in coefficients (n, m)
    whitened by `identity_sd`; ties go to the first in alphabetical order, so the outcome is a function of the set of
    subjects. Subjects without a label form no class and keep None.

    >>> merged_labels(np.array([[0.0], [1.0], [9.0], [9.5]]), ["a", "b", "c", "c"], 2, np.ones(1))
    ('a or b', 'a or b', 'c', 'c')
    """
    classes: dict[tuple[str, ...], list[int]] = {}
    for row, label in enumerate(labels):
        if label is not None:
            classes.setdefault((label,), []).append(row)
    while len(classes) > 1:
        smallest = min(classes, key=lambda names: (len(classes[names]), names))
        if len(classes[smallest]) >= k:
            break
        means = {names: (identities[rows] / identity_sd).mean(axis=0) for names, rows in classes.items()}
        others = [names for names in classes if names != smallest]
        nearest = min(others, key=lambda names: (float(np.linalg.norm(means[names] - means[smallest])), names))
        joined = tuple(sorted(smallest + nearest))
        classes[joined] = classes.pop(smallest) + classes.pop(nearest)
    released: list[str | None] = [None] * len(labels)
    for names, rows in classes.items():
        for row in rows:
            released[row] = JOINED.join(names)
    return tuple(released)
