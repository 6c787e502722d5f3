"""Cases with a face that was found and a disorder that is known: what is learned from and tested on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ganonym.classify.case import Case
from ganonym.classify.classifier import Inputs
from ganonym.classify.portrait import Crop, Portrait, portraits
from ganonym.classify.roster import roster
from ganonym.errors import PhotoError, UsageError
from ganonym.faces.cache import FaceCache

NO_FACE = "no face was found"
NO_DISORDER = "its disorder is not given"
Tell = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Cohort:
    """`cases` and `portraits` (n), `names` of the classes in order, `classes` (n,) as places in them.

    `left_out`: (image, reason) of every case that could not be used; nothing is dropped without a word.
    """

    cases: tuple[Case, ...]
    portraits: tuple[Portrait, ...]
    names: tuple[str, ...]
    classes: NDArray[np.intp]
    left_out: tuple[tuple[str, str], ...]

    @property
    def subjects(self) -> tuple[str, ...]:
        return tuple(case.subject for case in self.cases)

    @property
    def simulated(self) -> bool:
        """Whether anybody in it was made by `ganonym phantom`."""
        return any(case.simulated for case in self.cases)


@dataclass(frozen=True, slots=True)
class Seen:
    """What a system makes of a cohort: `inputs` (m, ...), one a photo or one a subject.

    `classes` (m,), `subjects` and `images` (the first, where there are several) of each.
    """

    inputs: Inputs
    classes: NDArray[np.intp]
    subjects: tuple[str, ...]
    images: tuple[str, ...]


def gather(
    cases: Sequence[Case],
    jobs: int = 1,
    names: Sequence[str] | None = None,
    positive: str | None = None,
    tell: Tell = lambda *_: None,
    crops: Sequence[Crop] = (),
    cache: FaceCache | None = None,
) -> Cohort:
    """Look at every case, and cut `crops`. Classes are those of `roster`, which raises UsageError before any
    photograph is read.

    Raises UsageError when nobody is left.
    """
    them = roster(cases, names, positive)
    left_out = [(case.image, NO_DISORDER) for case in cases if case.disorder is None]
    kept: list[tuple[Case, Portrait, int]] = []
    faces = portraits([case.path for case in them.cases], crops, jobs, tell, cache)
    for case, face, number in zip(them.cases, faces, them.classes.tolist(), strict=True):
        if isinstance(face, Portrait):
            kept.append((case, face, number))
        else:
            left_out.append((case.image, NO_FACE if face is None else _reason(face)))
    if not kept:
        raise UsageError(
            f"none of {len(cases)} cases can be used: {left_out[0][1] if left_out else 'there are none'}.",
            "Check the folder of photographs, and the column of disorders.",
        )
    used, looks, classes = zip(*kept, strict=True)
    return Cohort(tuple(used), tuple(looks), them.names, np.array(classes, dtype=np.intp), tuple(left_out))


def _reason(error: PhotoError) -> str:
    return error.message
