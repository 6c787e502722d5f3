"""A face as privacy sees it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ganonym.privacy.attributes import NOTHING, Attributes
from ganonym.types import Points


@dataclass(frozen=True, slots=True)
class SubjectFace:
    """One face as privacy sees it: whose it is, its normalised shape (68, 2) and its seeds.

    `seed` differs for every face, `subject_seed` is shared by the faces of a subject; both are keyed hashes of names,
    never of anything in a photograph. `label` is the subject's class (a syndrome) or None; `attributes` are coarse
    already. `surrogate_seed` is that of the face's texture and attributes, `seed` where None.
    """

    subject: str
    shape: Points
    seed: int
    subject_seed: int
    label: str | None = None
    attributes: Attributes = NOTHING
    surrogate_seed: int | None = None

    @property
    def sound(self) -> bool:
        """Whether its landmarks are finite numbers."""
        return bool(np.isfinite(self.shape).all())
