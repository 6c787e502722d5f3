"""Per group, the worst attacker: an average over everybody can hide whom an anonymizer fails."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from ganonym.evaluate.assessment import GroupFinding
from ganonym.evaluate.metrics.ranking import any_hit, rank
from ganonym.evaluate.scores import Scores
from ganonym.manifest import Row
from ganonym.statistics.intervals import rate

COLUMNS = ("sex", "age", "ethnicity", "syndrome", "site")
Hits = Mapping[str, float]


def hits_of(scores: Scores) -> dict[str, float]:
    """Per subject, the probability that any of the photos under attack is named at first guess."""
    found = any_hit(rank(scores.distances, scores.truth, scores.mask).within(1), scores.owners.tolist())
    return dict(zip(sorted(set(scores.owners.tolist())), found.tolist(), strict=True))


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
    found = []
    for column in COLUMNS:
        member = {row.subject: group for row in reversed(rows) if (group := group_of(row, column)) is not None}
        groups = sorted(set(member.values()))
        for setting in settings if len(groups) > 1 else ():
            attacked = {attacker: named for (attacker, where), named in hits.items() if where == setting}
            for group in groups:
                people = [name for name in next(iter(attacked.values()), {}) if member.get(name) == group]
                if people:
                    found.append(_worst(column, group, setting, people, attacked, smallest))
    return found


def _worst(
    column: str, group: str, setting: str, people: Sequence[str], attacked: Mapping[str, Hits], smallest: int
) -> GroupFinding:
    attacker, rank1 = None, None
    if len(people) >= smallest:
        attacker = max(attacked, key=lambda each: sum(attacked[each][name] for name in people))
        rank1 = rate(sum(attacked[attacker][name] for name in people), len(people))
    return GroupFinding(
        column=column, group=group, subjects=len(people), setting=setting, attacker=attacker, rank1=rank1
    )
