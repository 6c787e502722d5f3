"""A face as privacy sees it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ganonym.types import Floats, Sex


@dataclass(frozen=True, slots=True, eq=False)
class SubjectFace:
    """One face as privacy sees it: whose it is, its coordinates and its seeds.

    `row` (D,) as of `ganonym.faces.coordinates`. `seed` differs for every face, `subject_seed` is shared by the faces
    of a subject; both are keyed hashes of names, never of anything in a photograph. `label` is the subject's class (a
    syndrome), `age` in years and `sex` are what a manifest says; None where nothing is given.
    """

    subject: str
    row: Floats
    seed: int
    subject_seed: int
    label: str | None = None
    age: float | None = None
    sex: Sex | None = None

    @property
    def sound(self) -> bool:
        """Whether its coordinates are finite numbers."""
        return bool(np.isfinite(self.row).all())
