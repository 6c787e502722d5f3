"""Virtual people, drawn from the appearance model: an identity, a complexion, a sex and an age. Nobody real.

A patient is such a person with a phenotype: warped by a syndrome or, as a control, by a sham.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ganonym.faces.appearance import AppearanceModel, attributes, sample_identity_of, sample_texture
from ganonym.faces.measures import face_marks
from ganonym.faces.shape import join, to_canvas
from ganonym.phantom.axes import Axes
from ganonym.phantom.syndromes import Phenotype
from ganonym.phantom.warp import face_warp
from ganonym.types import TONES, Floats, Sex

CHILDREN = 1 / 3
"""Share of people under 18. Most rare diseases with a face are seen in children."""


@dataclass(frozen=True, slots=True)
class Person:
    """What stays the same between two photos of one virtual person.

    `identity` (m,) shape coefficients; `texture` (K,) texture coefficients without the part that expression explains;
    `tone` ITA class, `age` in years.
    """

    identity: Floats
    texture: Floats
    tone: int
    sex: Sex
    age: float


def sample_person(model: AppearanceModel, rng: np.random.Generator) -> Person:
    """Draw one virtual person: tones and sexes are equally likely, a third are 1 to 17 years old, the others up to 85.

    Shape and texture are those of the tone, sex and age.
    """
    tone = int(rng.integers(TONES))
    sex: Sex = "female" if rng.random() < 0.5 else "male"
    age = float(rng.integers(1, 18) if rng.random() < CHILDREN else rng.integers(18, 86))
    neutral = np.zeros(len(model.shape.expression_sd))
    scores, _ = attributes(neutral, tone, sex, age, model)
    return Person(sample_identity_of(scores, model, rng), sample_texture(scores, model, rng), tone, sex, age)


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
