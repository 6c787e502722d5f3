"""Some of the trials, of the candidates, of the people: a mean over everybody can hide whom an anonymizer fails.

Photos of one sitting share light, hair and camera, which no attacker can count on; a mean over all people hides the few
whose faces resemble nobody's (evaluation protocol §3.4). An attacker who reads the released table first chooses among
people with the same released columns only. And per group, the worst attacker counts.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ganonym.evaluate.attackers.attacker import Rows
from ganonym.evaluate.findings import GroupFinding
from ganonym.evaluate.metrics.ranking import any_hit, rank
from ganonym.evaluate.scores import Scores
from ganonym.manifest import Row
from ganonym.statistics.intervals import rate

OTHER_SESSION = ", other session"
DISTINCTIVE = ", most distinctive quarter"
NOBODY = -1
_ROWS = 256  # compared with all others together; bounds memory, not the result
CONDITIONED = ", same released columns"
COLUMNS = ("sex", "age", "ethnicity", "syndrome", "site")
Hits = Mapping[str, float]


def across_sessions(scores: Scores, sessions: Sequence[str | None], candidates: Sequence[int]) -> Scores | None:
    """The trials whose own photo in the gallery is of another session; `setting` gains OTHER_SESSION.

    `sessions[i]` is that of photo i, `candidates[g]` the photo of candidate g, NOBODY for distractors. Candidates stay
    as they are. None when that leaves no trial, or all of them: then there is nothing to tell apart. A photo of unknown
    session is no trial here.
    """
    mates = [candidates[place] for place in scores.truth.tolist()]
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
    acquired, nearest = templates[there], np.full(len(names), np.inf)
    for start in range(0, len(acquired), _ROWS):
        rows = slice(start, start + _ROWS)
        distances = cdist(acquired[rows], acquired)
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


def hits_of(scores: Scores) -> dict[str, float]:
    """Per subject, the probability that any of the photos under attack is named at first guess."""
    hits = any_hit(rank(scores.distances, scores.truth, scores.mask).within(1), scores.owners.tolist())
    return dict(zip(sorted(set(scores.owners.tolist())), hits.tolist(), strict=True))


def group_of(row: Row, column: str) -> str | None:
    """The group of a photo's subject; ages in bands of twenty years. None where the manifest does not say."""
    if column == "age":
        return None if row.age is None else f"{int(row.age // 20) * 20}-{int(row.age // 20) * 20 + 19}"
    value = getattr(row, column)
    return None if value is None else str(value)


def group_findings(
    rows: Sequence[Row], hits: Mapping[tuple[str, str], Hits], settings: Iterable[str], smallest: int
) -> list[GroupFinding]:
    """The worst of all attackers in each of `settings`, by group of each column that has two groups or more.

    `hits` by (attacker, setting). Groups of fewer than `smallest` attacked subjects are listed without a rate.
    """
    findings = []
    for column in COLUMNS:
        member = {row.subject: group for row in reversed(rows) if (group := group_of(row, column)) is not None}
        groups = sorted(set(member.values()))
        for setting in settings if len(groups) > 1 else ():
            attacked = {attacker: named for (attacker, where), named in hits.items() if where == setting}
            for group in groups:
                people = [name for name in next(iter(attacked.values()), {}) if member.get(name) == group]
                if people:
                    findings.append(_worst(column, group, setting, people, attacked, smallest))
    return findings


def _worst(
    column: str, group: str, setting: str, people: Sequence[str], attacked: Mapping[str, Hits], smallest: int
) -> GroupFinding:
    attacker, rank1 = None, None
    if len(people) >= smallest:
        attacker = max(attacked, key=lambda rival: sum(attacked[rival][name] for name in people))
        rank1 = rate(sum(attacked[attacker][name] for name in people), len(people))
    return GroupFinding(
        column=column, group=group, subjects=len(people), setting=setting, attacker=attacker, rank1=rank1
    )
