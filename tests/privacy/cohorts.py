"""People whose shapes the model explains, and the settings that most tests ask for."""

from __future__ import annotations

import numpy as np

from ganonym.faces.shape import ShapeModel, from_canvas, join, split
from ganonym.privacy.expression import ExpressionBudget
from ganonym.privacy.settings import PrivacySettings
from ganonym.privacy.subject import SubjectFace
from ganonym.types import Floats, Points, Refusal

WHOLE = ExpressionBudget(directions=4)
PLAIN = PrivacySettings(k=5, disperse="none", expression=WHOLE)
SPREAD = PrivacySettings(k=5, expression=WHOLE)


def cohort(model: ShapeModel, subjects: int = 23, photos: int = 1, label: str | None = None) -> list[SubjectFace]:
    rng = np.random.default_rng(11)
    faces = []
    for i in range(subjects):
        identity = rng.normal(size=20) * model.identity_sd
        for j in range(photos):
            seen = identity + 0.2 * rng.normal(size=20) * model.identity_sd  # landmarks of one person differ by photo
            shape = join(seen, rng.normal(size=4) * model.expression_sd, model)
            faces.append(SubjectFace(f"s{i}", shape, seed=1000 * i + j, subject_seed=i, label=label))
    return faces


def parts(shape: Points | Refusal, model: ShapeModel) -> tuple[Floats, Floats]:
    assert not isinstance(shape, Refusal)
    return split(from_canvas(shape), model)
