"""Virtual people with a phenotype: warped by their syndrome or, as controls, by a sham."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ganonym.faces.appearance import AppearanceModel
from ganonym.faces.condition import condition
from ganonym.faces.measures import AXES, face_marks
from ganonym.faces.shape import join, to_canvas
from ganonym.phantom.axes import Axes
from ganonym.phantom.face_warp import FaceWarp, face_warp
from ganonym.phantom.people import Person
from ganonym.phantom.phenotype import JITTER, Phenotype
from ganonym.phantom.photos import Moment, lit, moment_texture, posed
from ganonym.phantom.texture_signs import with_signs
from ganonym.phantom.warped_photo import expose_warped
from ganonym.types import RGB, Floats


@dataclass(frozen=True, slots=True)
class Patient:
    """A virtual person and what stays the same in all their photos: the `phenotype`, and its `shrink` factor 0…1."""

    person: Person
    phenotype: Phenotype
    shrink: float


def patient_of(person: Person, phenotype: Phenotype, axes: Axes, model: AppearanceModel) -> Patient:
    """Give `person` a phenotype, shrunk until the neutral face, seen from the front, does not fold."""
    neutral = join(person.identity, np.zeros(len(model.shape.expression_sd)), model.shape)
    marks = face_marks(to_canvas(neutral), model)
    return Patient(person, phenotype, face_warp(marks, axes.displacement(phenotype.amounts, marks)).shrink)


def sample_jitter(rng: np.random.Generator) -> Floats:
    """What differs between two photos of one face along the axes (a,), in SD."""
    return rng.normal(0.0, JITTER, len(AXES))


def warp_of(patient: Patient, moment: Moment, jitter: Floats, axes: Axes, model: AppearanceModel) -> FaceWarp:
    """The warp of one photo, on the canvas. Fields are frontal: a turned head shows them shortened."""
    marks = face_marks(posed(patient.person, moment, model), model)
    displacement = axes.displacement(patient.shrink * patient.phenotype.amounts + jitter, marks)
    return face_warp(marks, displacement * np.cos(np.radians([moment.yaw, moment.pitch])))


def take_patient_photo(
    patient: Patient, moment: Moment, warp: FaceWarp, model: AppearanceModel, rng: np.random.Generator
) -> RGB:
    """Photograph `patient` at `moment` through `warp`: (480, 480, 3). `rng` gives the sensor noise only."""
    texture = with_signs(moment_texture(patient.person, moment, model), patient.phenotype.textures, model)
    maps = condition(posed(patient.person, moment, model), texture, model).numpy()
    face = lit((maps[:3].astype(np.float64) + 1) / 2, moment)
    layers = np.concatenate([face * maps[3], maps[3:4]]).astype(np.float32)
    return expose_warped(layers, warp.back, moment, rng)
