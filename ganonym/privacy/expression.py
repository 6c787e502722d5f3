"""The expression budget: how much of its expression a photo keeps, clipped and rounded so that its bits count."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ganonym.errors import UsageError
from ganonym.types import Floats


@dataclass(frozen=True, slots=True)
class ExpressionBudget:
    """Clip and step of the expression coefficients, in standard deviations; `keep=False` drops expression entirely.

    `clip` must be a whole number of steps. Raises UsageError.
    """

    keep: bool = True
    clip: float = 2.0
    step: float = 0.5

    def __post_init__(self) -> None:
        if not (self.step > 0 and self.clip > 0 and math.isclose(self.clip / self.step, round(self.clip / self.step))):
            raise UsageError(
                f"an expression clip of {self.clip} SD is not a whole number of steps of {self.step} SD.",
                "The defaults are 2.0 and 0.5.",
            )

    @property
    def levels(self) -> int:
        """Distinct values that one coefficient can take: 9 by default, 1 when expression is dropped."""
        return 2 * round(self.clip / self.step) + 1 if self.keep else 1

    def bits(self, directions: int) -> float:
        """Upper bound, in bits a photo, on what the released expression carries.

        >>> round(ExpressionBudget().bits(4), 2)
        12.68
        """
        return directions * math.log2(self.levels)


def quantize_expression(coeffs: Floats, expression_sd: Floats, clip: float = 2.0, step: float = 0.5) -> Floats:
    """Clip coefficients (d,) to ±`clip` SD and round them to whole multiples of `step` SD (ties to even).

    `coeffs` and `expression_sd` (d,) are in the shape model's units, and so is the result.

    >>> quantize_expression(np.array([0.3, -9.0]), np.array([1.0, 2.0]))
    array([ 0.5, -4. ])
    """
    steps = round(clip / step)
    units = np.clip(np.rint(coeffs / expression_sd / step), -steps, steps)
    return np.asarray((units + 0.0) * step * expression_sd, dtype=np.float64)  # + 0.0: no negative zero
