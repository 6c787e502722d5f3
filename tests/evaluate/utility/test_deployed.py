"""The bundled classifier is asked of what it knows only, and a missing face is no right answer."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from ganonym.classify.learning.tabular import Discriminant, Reference
from ganonym.evaluate.utility.inputs import CROP_SIDE, UtilityInputs
from ganonym.evaluate.utility.syndrome import deployed
from ganonym.manifest import Row
from ganonym.types import Floats

NAMES = ("PHANTOM-A", "PHANTOM-B")


def reference() -> Reference:
    """Class A has a first feature below 0, class B above."""
    rng = np.random.default_rng(1)
    classes = np.arange(60, dtype=np.intp) % 2
    inputs = rng.normal(size=(60, 3)) * 0.1
    inputs[:, 0] += np.where(classes == 0, -1.0, 1.0)
    return Reference(NAMES, Discriminant().learn(inputs, classes, 2, 0))


def inputs(syndromes: list[str | None], before: Floats, after: Floats, lost: int = 0) -> UtilityInputs:
    count = len(syndromes)
    points: Any = np.zeros((68, 2))
    crops = np.zeros((count, CROP_SIDE, CROP_SIDE, 3), np.uint8)
    rows = tuple(Row(f"{index}.png", f"s{index}", syndrome) for index, syndrome in enumerate(syndromes))
    return UtilityInputs(
        rows=rows,
        released=np.ones(count, dtype=bool),
        original_points=(points,) * count,
        released_points=(None,) * lost + (points,) * (count - lost),
        in_place=np.zeros(count, dtype=bool),
        original_crops=crops,
        released_crops=crops,
        agreement=(None,) * count,
        original_gestalt=before,
        released_gestalt=after,
    )


def features(syndromes: list[str | None]) -> Floats:
    return np.array([[-1.0 if name == "PHANTOM-A" else 1.0, 0.0, 0.0] for name in syndromes])


def test_what_was_shuffled_is_lost_and_missing_faces_are_wrong() -> None:
    names: list[str | None] = ["PHANTOM-A", "PHANTOM-B"] * 40
    whole = features(names)
    (same,) = deployed(inputs(names, whole, whole), np.random.default_rng(0), reference())
    assert same.original is not None
    assert same.released is not None
    assert (same.original.value, same.released.value) == (1.0, 1.0)
    assert same.decision == "kept"
    (turned,) = deployed(inputs(names, whole, -whole), np.random.default_rng(0), reference())
    assert turned.released is not None
    assert turned.released.value == 0.0
    assert turned.decision == "lost"
    (gone,) = deployed(inputs(names, whole, whole, lost=20), np.random.default_rng(0), reference())
    assert gone.released is not None
    assert gone.released.value == pytest.approx(0.75)
    blank = whole.copy()
    blank[:8] = np.nan
    (absent,) = deployed(inputs(names, blank, whole), np.random.default_rng(0), reference())
    assert absent.original is not None
    assert absent.original.value == pytest.approx(0.9)


def test_it_is_not_asked_of_what_it_does_not_know() -> None:
    names: list[str | None] = ["Noonan", "Williams"] * 10
    (row,) = deployed(inputs(names, features(names), features(names)), np.random.default_rng(0), reference())
    assert row.decision == "not evaluated"
    nothing = inputs([None] * 4, features([None] * 4), features([None] * 4))
    assert deployed(nothing, np.random.default_rng(0), reference()) == []
    assert deployed(replace(nothing, original_gestalt=None), np.random.default_rng(0), reference()) == []
