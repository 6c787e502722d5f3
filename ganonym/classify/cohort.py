"""Cases with a face that was found and a disorder that is known: what is learned from and tested on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ganonym.classify.case import Case
from ganonym.classify.classifier import Inputs
from ganonym.classify.portrait import Crop, Portrait, portraits
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
    """Look at every case, and cut `crops`. Classes are the disorders in alphabetical order, or `names` in theirs.

    With `positive` there are two: all else, and it. Raises UsageError when nobody is left, when `positive` is nobody's
    disorder, or when a case has a disorder that is not among `names`.
    """
    known = [case for case in cases if case.disorder is not None]
    if positive is not None and positive not in {case.disorder for case in known}:
        raise UsageError(f"no case has the disorder {positive!r}.", "Write it as in the table.")

    def named(case: Case) -> str:
        return (
            str(case.disorder) if positive is None else (positive if case.disorder == positive else f"not {positive}")
        )

    if names is None:
        found = sorted({named(case) for case in known})
        names = found if positive is None else [f"not {positive}", positive]
    foreign = sorted({named(case) for case in known} - set(names))
    if foreign:
        raise UsageError(
            f"disorders {', '.join(foreign[:5])} are none of {', '.join(names)}.", "Leave those cases out."
        )
    left_out = [(case.image, NO_DISORDER) for case in cases if case.disorder is None]
    kept: list[tuple[Case, Portrait]] = []
    found_faces = portraits([case.path for case in known], crops, jobs, tell, cache)
    for case, face in zip(known, found_faces, strict=True):
        if isinstance(face, Portrait):
            kept.append((case, face))
        else:
            left_out.append((case.image, NO_FACE if face is None else _reason(face)))
    if not kept:
        raise UsageError(
            f"none of {len(cases)} cases can be used: {left_out[0][1] if left_out else 'there are none'}.",
            "Check the folder of photographs, and the column of disorders.",
        )
    place = {name: index for index, name in enumerate(names)}
    classes = np.array([place[named(case)] for case, _ in kept], dtype=np.intp)
    used, faces = zip(*kept, strict=True)
    return Cohort(tuple(used), tuple(faces), tuple(names), classes, tuple(left_out))


def _reason(error: PhotoError) -> str:
    return error.message
