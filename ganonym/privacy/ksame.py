"""k-Same on identity coefficients: every subject is replaced by the mean of a group of at least k subjects.

Newton, Sweeney and Malin 2005 (k-Same), Gross et al. 2005 (k-Same-Select: groups within a utility class). Re-dispersion
and the proof that it keeps the 1/k bound: docs/adr/0003-redispersion.md.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ganonym.privacy.draw import population_draw
from ganonym.privacy.grouping import group_subjects
from ganonym.types import Floats, Refusal


@dataclass(frozen=True, slots=True)
class GroupMean:
    """What is left of a subject: the mean identity (m,) of its group, and that group's number of subjects.

    `group` numbers the groups of a run. Private: who shares a group is never written to anything shareable.
    """

    mean: Floats
    size: int
    group: int


def k_same(
    identities: Floats, labels: Sequence[str | None] | None, k: int, identity_sd: Floats
) -> tuple[GroupMean | Refusal, ...]:
    """Group mean of each subject, in the order of `identities` (n, m), or a Refusal where its label is too rare.

    Given `labels`, groups never mix them (None is a label of its own) and labels of fewer than k subjects are
    withheld (reason "small-class"). Raises UsageError when there are no labels and n < k.
    """
    classes = [None] * len(identities) if labels is None else list(labels)
    results: list[GroupMean | Refusal] = [Refusal("small-class", "")] * len(identities)
    count = 0
    for label in sorted(set(classes), key=lambda value: (value is not None, value)):
        members = np.flatnonzero([other == label for other in classes])
        if labels is not None and len(members) < k:
            reason = f"only {len(members)} subjects carry the label {label or '(none)'!r}, fewer than k = {k}"
            for member in members:
                results[member] = Refusal("small-class", reason)
            continue
        for group in group_subjects(identities[members] / identity_sd, k):
            mean = exact_mean(identities[members[list(group)]])
            for member in members[list(group)]:
                results[member] = GroupMean(mean, len(group), count)
            count += 1
    return tuple(results)


def disperse(group: GroupMean, identity_sd: Floats, rng: np.random.Generator) -> Floats:
    """The group mean plus an independent draw from the public population covariance times 1 − 1/size; (m,).

    A mean of `size` people has lost that share of their variance; the draw gives it back and knows nothing of them:
    `rng` must come from a seed that is no function of any subject's photographs.
    """
    noise = population_draw(rng, identity_sd, 1)[0]
    return np.asarray(group.mean + math.sqrt(1.0 - 1.0 / group.size) * noise)


def exact_mean(rows: Floats) -> Floats:
    """Column means that do not depend on the order of the rows, to the last bit: rounding must not mark a member."""
    return np.array([math.fsum(column) / len(rows) for column in rows.T.tolist()])
