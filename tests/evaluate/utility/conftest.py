"""Landmarks of virtual patients with simulated syndromes, as utility is given them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from ganonym.evaluate.utility.agreement import Agreement
from ganonym.evaluate.utility.inputs import CROP_SIDE, UtilityInputs
from ganonym.manifest import Row
from ganonym.phantom.cohort import phantom_shapes
from ganonym.types import Points


@dataclass(frozen=True)
class Cohort:
    """80 virtual patients of four groups, two photos each."""

    rows: tuple[Row, ...]
    points: tuple[Points, ...]

    def inputs(self, results: Sequence[Points | None], **changes: Any) -> UtilityInputs:
        """As if faces with the landmarks `found` (None: no face) had come out.

        Crops are grey: there is nothing for a network to see.
        """
        count = len(self.rows)
        grey = np.full((count, CROP_SIDE, CROP_SIDE, 3), 128, np.uint8)
        parts: dict[str, Any] = {
            "rows": self.rows,
            "released": np.ones(count, bool),
            "original_points": self.points,
            "released_points": tuple(results),
            "in_place": np.ones(count, bool),
            "original_crops": grey,
            "released_crops": grey,
            "agreement": (Agreement(psnr_outside=100.0, ssim_face=0.0),) * count,
        }
        return UtilityInputs(**(parts | changes))

    def of_others(self) -> list[Points]:
        """Planted destruction: everybody gets the picture of somebody else, whoever that is."""
        order = np.random.default_rng(3).permutation(len(self.points) // 2)
        return [self.points[2 * person + photo] for person in order for photo in (0, 1)]


@pytest.fixture(scope="package")
def cohort() -> Cohort:
    shapes = list(phantom_shapes(dict.fromkeys(("WBS", "NS", "FAS", "control"), 20), 2, seed=1, severity="easy"))
    rows = tuple(
        Row(
            f"{shape.subject}/{shape.number}.png",
            shape.subject,
            syndrome=shape.group,
            sex=shape.sex,
            age=shape.age,
            expression="smile" if shape.moment.expression[0] > 0 else "neutral",
            site="here",
        )
        for shape in shapes
    )
    return Cohort(rows, tuple(shape.points for shape in shapes))
