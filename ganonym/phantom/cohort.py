"""A cohort: virtual people, each with several photographs, streamed one by one and deterministic by seed.

Either healthy people, or groups of people with simulated syndromes and their controls. Nobody in it exists.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ganonym.faces.appearance import AppearanceModel
from ganonym.phantom.phenotype import Severity
from ganonym.phantom.plan import cohort_of
from ganonym.phantom.sitting import PhantomPhoto, PhantomShape, photos_of, shapes_of, studio


def phantom_cohort(
    people: int | Mapping[str, int],
    photos: int,
    seed: int,
    model: AppearanceModel | None = None,
    severity: Severity = "normal",
) -> Iterator[PhantomPhoto]:
    """`people` × `photos` photographs, (480, 480, 3) each, from `model` (default: the bundled one).

    A number gives healthy people; a mapping such as {"WBS": 33, "KBG": 2, "control": 33} people with simulated
    syndromes, `severity` "normal" (2.0 ± 0.5 SD) or "easy" (2.5 ± 0.6). Every photo depends on (seed, group, person,
    photo) alone, and a control's on which syndromes are present: so a larger cohort begins, group by group, with the
    smaller one. Raises UsageError for an unknown syndrome.
    """
    cohort, place = cohort_of(people, photos, seed, severity), studio(model)
    for group, number in cohort.cases:
        yield from photos_of(group, number, cohort, place)


def phantom_shapes(
    people: int | Mapping[str, int],
    photos: int,
    seed: int,
    model: AppearanceModel | None = None,
    severity: Severity = "normal",
) -> Iterator[PhantomShape]:
    """`phantom_cohort` without taking the photographs: the same people and landmarks, in a tenth of the time."""
    cohort, place = cohort_of(people, photos, seed, severity), studio(model)
    for group, number in cohort.cases:
        yield from shapes_of(group, number, cohort, place)
