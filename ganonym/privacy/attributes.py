"""Coarse attributes that may reach the generator: skin-tone class, sex and ten-year age band; each can be dropped."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ganonym.errors import UsageError
from ganonym.types import TONES, Sex

AGE_BANDS = 10  # 0-9, 10-19, …, 80-89, 90 and over


@dataclass(frozen=True, slots=True)
class AttributeChoice:
    """Which attributes a run keeps. Sex and age only ever come from the steward's manifest, never from pixels."""

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
