"""A face as privacy sees it, and the coarse attributes of its subject that may reach the generator.

They are skin-tone class, sex and ten-year age band; each can be dropped. With k-same they come from the subject's
group, not from the subject: in a group of eleven with one dark face, a dark output would name that face whatever its
shape.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, TypeVar

import numpy as np

from ganonym.checked import Checked
from ganonym.errors import UsageError
from ganonym.types import TONES, Points, Sex

Value = TypeVar("Value", int, float, Sex)

AGE_BANDS = 10  # 0-9, 10-19, …, 80-89, 90 and over


class AttributeChoice(Checked):
    """Which attributes a run keeps. Sex and age only ever come from the steward's manifest, never from pixels."""

    what: ClassVar[str] = "attributes"

    tone: bool = True
    sex: bool = True
    age: bool = True

    def bits(self) -> dict[str, float]:
        """Upper bound, in bits, of each kept attribute; "not given" counts as a value of sex and of age.

        >>> {name: round(bits, 2) for name, bits in AttributeChoice(age=False).bits().items()}
        {'tone': 2.58, 'sex': 1.58, 'age': 0.0}
        """
        return {
            "tone": math.log2(TONES) if self.tone else 0.0,
            "sex": math.log2(3) if self.sex else 0.0,
            "age": math.log2(AGE_BANDS + 1) if self.age else 0.0,
        }


@dataclass(frozen=True, slots=True)
class Attributes:
    """What synthesis may know: ITA class 0…5, sex, and the middle of a ten-year age band in years; None = unknown."""

    tone: int | None
    sex: Sex | None
    age: float | None


NOTHING = Attributes(None, None, None)


def usual(of_photos: Sequence[Attributes]) -> Attributes:
    """One subject's attributes from those of its photos: the most frequent, each by itself, the lowest if tied.

    >>> usual([Attributes(2, "male", None), Attributes(3, "male", 25.0), Attributes(3, None, 35.0)])
    Attributes(tone=3, sex='male', age=25.0)
    """
    tones = [photo.tone for photo in of_photos if photo.tone is not None]
    sexes = [photo.sex for photo in of_photos if photo.sex is not None]
    ages = [photo.age for photo in of_photos if photo.age is not None]
    return Attributes(_mode(tones), _mode(sexes), _mode(ages))


def _mode(values: Sequence[Value]) -> Value | None:
    return min(set(values), key=lambda value: (-values.count(value), value)) if values else None


def of_random_member(members: Sequence[Attributes], rng: np.random.Generator) -> Attributes:
    """The attributes of one of `members`, drawn: a function of their set, so it tells nothing but the group."""
    ordered = sorted(members, key=lambda own: (own.tone or 0, own.tone is None, own.sex or "", own.age or 0.0))
    return ordered[rng.integers(len(ordered))]


def coarsen(tone: int, sex: Sex | None, age: float | None, choice: AttributeChoice) -> Attributes:
    """Attributes of one subject, banded, and dropped where `choice` says so. `age` in years, 0…130.

    Raises UsageError on a value outside its range.

    >>> coarsen(2, "female", 34.0, AttributeChoice(sex=False))
    Attributes(tone=2, sex=None, age=35.0)
    """
    if not 0 <= tone < TONES:
        raise UsageError(f"skin-tone class {tone} is not in 0 … {TONES - 1}.")
    if sex not in (None, "female", "male"):
        raise UsageError(f"sex {sex!r} in the manifest.", "Use female, male or leave the cell empty.")
    if age is not None and not 0 <= age <= 130:
        raise UsageError(f"age {age} in the manifest is not in 0 … 130 years.")
    band = None if age is None else 10.0 * min(int(age // 10), AGE_BANDS - 1) + 5.0
    return Attributes(tone if choice.tone else None, sex if choice.sex else None, band if choice.age else None)


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
