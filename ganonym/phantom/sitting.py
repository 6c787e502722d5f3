"""All photographs of one virtual person, and what is known of each without taking it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from functools import cache, partial
from zlib import crc32

import numpy as np

from ganonym.faces.align import apply
from ganonym.faces.appearance import AppearanceModel, load_appearance
from ganonym.faces.measures import face_marks
from ganonym.phantom.axes import Axes, face_axes
from ganonym.phantom.patient import patient_of, sample_jitter, take_patient_photo, warp_of
from ganonym.phantom.people import sample_person
from ganonym.phantom.phenotype import DrawnSign, Phenotype, draw_phenotype, draw_sham
from ganonym.phantom.photos import Moment, placement, posed, sample_moment, take_photo
from ganonym.phantom.plan import CONTROL, Cohort, label
from ganonym.phantom.syndromes import load_syndromes
from ganonym.types import LANDMARKS, RGB, Points, Sex


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
        return tuple(each.sign.hpo for each in self.signs if each.sign.visible)


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
        known = {field.name: getattr(shape, field.name) for field in fields(shape)}
        yield PhantomPhoto(**known, rgb=take())


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
        moment = sample_moment(len(model.shape.expression_sd), rng)
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
        moment, jitter = sample_moment(len(model.shape.expression_sd), rng), sample_jitter(rng)
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
