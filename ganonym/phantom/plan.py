"""Who is in a cohort, before anybody is drawn."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ganonym.errors import UsageError
from ganonym.phantom.phenotype import Severity
from ganonym.phantom.syndromes import HARD, load_syndromes

CONTROL = "control"


@dataclass(frozen=True, slots=True)
class Cohort:
    """Who is to be photographed: `groups` of (syndrome key or "control", people), `photos` of each, `severity`.

    Everything follows from `seed`. `groups` is None for `people` healthy ones without any warp.
    """

    people: int
    groups: tuple[tuple[str, int], ...] | None
    photos: int
    seed: int
    severity: Severity = "normal"

    @property
    def cases(self) -> Iterator[tuple[str | None, int]]:
        """(group, number of the person in it) of everybody, in order."""
        groups = self.groups or ((None, self.people),)
        return ((group, number) for group, people in groups for number in range(people))

    @property
    def shams(self) -> tuple[str, ...]:
        """Syndromes as strong as which controls are warped: those present, or else all that are not hard to see."""
        present = tuple(sorted({group for group, _ in self.groups or ()} - {CONTROL}))
        return present or tuple(key for key in load_syndromes() if key not in HARD)


def cohort_of(people: int | Mapping[str, int], photos: int, seed: int, severity: Severity = "normal") -> Cohort:
    """A cohort of so many healthy people, or of so many by syndrome key or "control".

    Raises UsageError for an unknown syndrome.

    >>> cohort_of({"KBG": 1, "control": 2}, photos=3, seed=0).shams
    ('KBG',)
    """
    if isinstance(people, int):
        return Cohort(people, None, photos, seed, severity)
    known = (*load_syndromes(), CONTROL)
    if unknown := [group for group in people if group not in known]:
        raise UsageError(f"syndrome {unknown[0]!r} is unknown.", f"Known are: {', '.join(known)}.")
    return Cohort(sum(people.values()), tuple(people.items()), photos, seed, severity)


def label(group: str) -> str:
    """The class that a manifest names, which nobody can take for a diagnosis.

    >>> label("WBS"), label("control")
    ('PHANTOM-WBS', 'PHANTOM-CONTROL')
    """
    return f"PHANTOM-{group.upper() if group == CONTROL else group}"
