"""The expression budget: how much of its expression a photo keeps, clipped and rounded so that its bits count.

Where photos of a person share an identity, and with codebook and metric, expression lies outside the group and is
counted. Coarse steps of four directions tell more kinds of expression than fine ones of two, and link people as
little; but whatever is read of an expression tells people apart as well (between photos of one person taken years apart
directions correlate by .53 to .86), so the others are not shown. Measured: benchmarks/expression_budget.py.
"""

from __future__ import annotations

import math
from typing import Annotated, ClassVar, Self

import numpy as np
from pydantic import Field, model_validator

from ganonym.checked import Checked
from ganonym.types import Floats


class ExpressionBudget(Checked):
    """How many `directions` of expression are released, and their clip and step in standard deviations.

    `keep=False` shows a neutral face instead. `clip` must be a whole number of steps. Raises UsageError.
    """

    what: ClassVar[str] = "expression"

    keep: bool = True
    directions: Annotated[int, Field(ge=0)] = 4
    clip: float = 1.5
    step: float = 1.5

    @model_validator(mode="after")
    def _whole_steps(self) -> Self:
        if not (self.step > 0 and self.clip > 0 and math.isclose(self.clip / self.step, round(self.clip / self.step))):
            raise ValueError(
                f"a clip of {self.clip} SD is not a whole number of steps of {self.step} SD; 1.5 and 0.5 are usual"
            )
        return self

    @property
    def levels(self) -> int:
        """Distinct values that one coefficient can take: 3 by default, 1 when expression is dropped."""
        return 2 * round(self.clip / self.step) + 1 if self.keep else 1

    def bits(self, directions: int) -> float:
        """Upper bound, in bits a photo, on what expression carries in a model that has so many `directions` of it.

        >>> round(ExpressionBudget().bits(6), 2)
        6.34
        """
        return min(self.directions, directions) * math.log2(self.levels)


def quantize_expression(coeffs: Floats, expression_sd: Floats, clip: float = 1.5, step: float = 1.5) -> Floats:
    """Clip coefficients (d,) to ±`clip` SD and round them to whole multiples of `step` SD (ties to even).

    `coeffs` and `expression_sd` (d,) are in one unit, and so is the result.

    >>> quantize_expression(np.array([0.3, 0.8, -9.0]), np.array([1.0, 1.0, 2.0]))
    array([ 0. ,  1.5, -3. ])
    """
    steps = round(clip / step)
    units = np.clip(np.rint(coeffs / expression_sd / step), -steps, steps)
    return np.asarray((units + 0.0) * step * expression_sd, dtype=np.float64)  # + 0.0: no negative zero
