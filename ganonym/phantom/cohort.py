"""A cohort: virtual people, each with several photographs, streamed one by one and deterministic by seed.

Either healthy people, or groups of people with simulated syndromes and their controls. Nobody in it exists.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from functools import cache, partial
from zlib import crc32

import numpy as np

from ganonym.errors import UsageError
from ganonym.faces.align import apply
from ganonym.faces.appearance import AppearanceModel, load_appearance
from ganonym.faces.measures import face_marks
from ganonym.phantom.axes import Axes, face_axes
from ganonym.phantom.people import patient_of, sample_person
from ganonym.phantom.photos import (
    Moment,
    placement,
    posed,
    sample_jitter,
    sample_moment,
    take_patient_photo,
    take_photo,
    warp_of,
)
from ganonym.phantom.syndromes import HARD, DrawnSign, Phenotype, Severity, draw_phenotype, draw_sham, load_syndromes
from ganonym.types import LANDMARKS, RGB, Points, Sex

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
    groups = (*load_syndromes(), CONTROL)
    if unknown := [group for group in people if group not in groups]:
        raise UsageError(f"syndrome {unknown[0]!r} is unknown.", f"Known are: {', '.join(groups)}.")
    return Cohort(sum(people.values()), tuple(people.items()), photos, seed, severity)


def label(group: str) -> str:
    """The class that a manifest names, which nobody can take for a diagnosis.

    >>> label("WBS"), label("control")
    ('PHANTOM-WBS', 'PHANTOM-CONTROL')
    """
    return f"PHANTOM-{group.upper() if group == CONTROL else group}"


@dataclass(frozen=True, slots=True)
class PhantomShape:
    """What is known of one photograph of a virtual person without taking it: simulated, always.

    `group` is "PHANTOM-WBS" and the like, "PHANTOM-CONTROL", or None in a healthy cohort. `points` (68, 2) exact
    landmarks in photo pixels, `moment` pose, expression, light and camera. `signs` are the person's with their
    severities, those that no picture shows included; `shrink` 0…1 is the share of these severities that this photo
    shows, below 1 where its warp would fold.
    """

    subject: str
    number: int
    sex: Sex
    age: float
    points: Points
    moment: Moment
    group: str | None = None
    signs: tuple[DrawnSign, ...] = ()
    shrink: float = 1.0

    @property
    def hpo(self) -> tuple[str, ...]:
        """HPO ids of what the picture shows."""
        return tuple(drawn.sign.hpo for drawn in self.signs if drawn.sign.visible)


@dataclass(frozen=True, slots=True, kw_only=True)
class PhantomPhoto(PhantomShape):
    """One photograph of a virtual person: `rgb` (480, 480, 3), and all that is known of it."""

    rgb: RGB

    @property
    def shape(self) -> PhantomShape:
        """All but the pixels."""
        return PhantomShape(**{field.name: getattr(self, field.name) for field in fields(PhantomShape)})


@dataclass(frozen=True, slots=True)
class Studio:
    """What every photograph needs: the appearance model, and the axes along which it is warped."""

    model: AppearanceModel
    axes: Axes


def studio(model: AppearanceModel | None = None) -> Studio:
    """A studio for `model`; without one, for the bundled model, whose axes are measured once a process."""
    return _bundled() if model is None or model is load_appearance() else Studio(model, face_axes(model))


@cache
def _bundled() -> Studio:
    return Studio(load_appearance(), face_axes(load_appearance()))


def photos_of(group: str | None, number: int, cohort: Cohort, place: Studio) -> Iterator[PhantomPhoto]:
    """The photographs of person `number` of `group` of `cohort`, in order."""
    for shape, take in _sittings(group, number, cohort, place):
        common = {field.name: getattr(shape, field.name) for field in fields(shape)}
        yield PhantomPhoto(**common, rgb=take())


def shapes_of(group: str | None, number: int, cohort: Cohort, place: Studio) -> Iterator[PhantomShape]:
    """`photos_of` without the pictures."""
    return (shape for shape, _ in _sittings(group, number, cohort, place))


def _sittings(
    group: str | None, number: int, cohort: Cohort, place: Studio
) -> Iterator[tuple[PhantomShape, Callable[[], RGB]]]:
    if group is None:
        return _healthy(number, cohort, place.model)
    return _affected(group, number, cohort, place)


def _healthy(number: int, cohort: Cohort, model: AppearanceModel) -> Iterator[tuple[PhantomShape, Callable[[], RGB]]]:
    person = sample_person(model, np.random.default_rng([cohort.seed, number]))
    for photo in range(1, cohort.photos + 1):
        rng = np.random.default_rng([cohort.seed, number, photo])
        moment = sample_moment(model, rng)
        points = apply(placement(moment), face_marks(posed(person, moment, model), model)[:LANDMARKS])
        shape = PhantomShape(f"phantom-{number + 1:04d}", photo, person.sex, person.age, points, moment)
        yield shape, partial(take_photo, person, moment, model, rng)


def _affected(
    group: str, number: int, cohort: Cohort, place: Studio
) -> Iterator[tuple[PhantomShape, Callable[[], RGB]]]:
    model, axes = place.model, place.axes
    key = [cohort.seed, crc32(group.encode()), number]
    person = sample_person(model, np.random.default_rng([*key, 0]))
    patient = patient_of(person, _phenotype(group, cohort, axes, np.random.default_rng([*key, 0, 1])), axes, model)
    for photo in range(1, cohort.photos + 1):
        rng = np.random.default_rng([*key, photo])
        moment, jitter = sample_moment(model, rng), sample_jitter(rng)
        warp = warp_of(patient, moment, jitter, axes, model)
        shape = PhantomShape(
            subject=f"{label(group)}-{number + 1:04d}",
            number=photo,
            sex=person.sex,
            age=person.age,
            points=apply(placement(moment), warp.marks[:LANDMARKS]),
            moment=moment,
            group=label(group),
            signs=patient.phenotype.signs,
            shrink=patient.shrink * warp.shrink,
        )
        yield shape, partial(take_patient_photo, patient, moment, warp, model, rng)


def _phenotype(group: str, cohort: Cohort, axes: Axes, rng: np.random.Generator) -> Phenotype:
    syndromes = load_syndromes()
    if group == CONTROL:
        return draw_sham([syndromes[key] for key in cohort.shams], cohort.severity, axes, rng)
    return draw_phenotype(syndromes[group], cohort.severity, rng)


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
