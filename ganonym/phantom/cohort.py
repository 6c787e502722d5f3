"""A cohort: virtual people, each with several photographs, streamed one by one and deterministic by seed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ganonym.faces.appearance import AppearanceModel, load_appearance
from ganonym.phantom.people import sample_person
from ganonym.phantom.photos import sample_moment, take_photo
from ganonym.types import RGB, Sex


@dataclass(frozen=True, slots=True)
class PhantomPhoto:
    """One photograph of a virtual person: simulated, always."""

    subject: str
    number: int
    sex: Sex
    age: float
    rgb: RGB


def phantom_cohort(people: int, photos: int, seed: int, model: AppearanceModel | None = None) -> Iterator[PhantomPhoto]:
    """`people` × `photos` photographs, (480, 480, 3) each, from `model` (default: the bundled one).

    Every photo depends on (seed, person, photo) alone, so a larger cohort begins with the smaller one.
    """
    model = model or load_appearance()
    for number in range(people):
        person = sample_person(model, np.random.default_rng([seed, number]))
        subject = f"phantom-{number + 1:04d}"
        for photo in range(photos):
            rng = np.random.default_rng([seed, number, photo + 1])
            moment = sample_moment(len(model.shape.expression_sd), rng)
            rgb = take_photo(person, moment, model, rng)
            yield PhantomPhoto(subject, photo + 1, person.sex, person.age, rgb)
