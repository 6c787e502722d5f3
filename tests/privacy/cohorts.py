"""People drawn from the public population, as rows, and what is read back of the faces that are shown of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ganonym.faces.kept import KeptSpace, kept_space
from ganonym.faces.shape import ShapeModel, from_canvas, load_shape, split
from ganonym.privacy.population import population_draw
from ganonym.privacy.privatize import ShownFace
from ganonym.privacy.settings import PrivacySettings
from ganonym.privacy.subject import SubjectFace
from ganonym.types import Floats, Refusal

MODEL, SPACE = load_shape(), kept_space()
WITHIN = 0.3
BY_PHOTO = PrivacySettings(k=5)
BY_SUBJECT = PrivacySettings(k=5, link="subject")


def cohort(subjects: int = 23, photos: int = 1, label: str | None = None, seed: int = 11) -> list[SubjectFace]:
    """Faces of `subjects` people; photos of one person differ by less than people do, but for their expression."""
    rng = np.random.default_rng(seed)
    people = SPACE.mean + population_draw(rng, SPACE.covariance, subjects)
    faces = []
    for number, person in enumerate(people):
        for photo in range(photos):
            row = person + WITHIN * population_draw(rng, SPACE.covariance, 1)[0]
            row[SPACE.lasting :] = rng.standard_normal(len(row) - SPACE.lasting)
            faces.append(SubjectFace(f"s{number}", row, seed=1000 * number + photo, subject_seed=number, label=label))
    return faces


def rows_of(faces: Sequence[SubjectFace]) -> Floats:
    return np.array([face.row for face in faces])


def moved(faces: Sequence[SubjectFace], rows: Floats) -> list[SubjectFace]:
    """The same names and seeds with other rows."""
    return [replace(face, row=row) for face, row in zip(faces, rows, strict=True)]


def read(shown: ShownFace | Refusal, model: ShapeModel = MODEL) -> Floats:
    """The row (D,) of a face that is shown."""
    assert isinstance(shown, ShownFace)
    identity, expression = split(from_canvas(shown.points), model)
    return np.concatenate([identity / model.identity_sd, shown.texture, expression / model.expression_sd])


def read_all(faces: Sequence[ShownFace | Refusal]) -> Floats:
    return np.array([read(shown) for shown in faces])


def raw(faces: Sequence[ShownFace | Refusal]) -> list[bytes]:
    """Every bit of what is shown."""
    assert all(isinstance(shown, ShownFace) for shown in faces)
    return [shown.points.tobytes() + shown.texture.tobytes() for shown in faces if isinstance(shown, ShownFace)]


def kept_groups(rows: Floats, space: KeptSpace = SPACE) -> list[list[int]]:
    """Photos whose shown rows (n, D) agree on every kept axis: those of one group."""
    places, groups = space.coordinates(rows), list[list[int]]()
    for photo, place in enumerate(places):
        mates = [group for group in groups if np.abs(places[group[0]] - place).max() < 1e-4]
        assert len(mates) < 2
        mates[0].append(photo) if mates else groups.append([photo])
    return groups
