"""Fidelity of releases whose likeness is known: the originals themselves, a planted noise, the pictures of others."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ganonym.evaluate.findings import Utility
from ganonym.evaluate.utility.fidelity import CHANGES, expression_measures, fidelity
from ganonym.evaluate.utility.inputs import CROP_SIDE, UtilityInputs
from ganonym.faces.kept import kept_space
from ganonym.faces.shape import load_shape
from ganonym.manifest import Row
from ganonym.types import Floats, Points

SUBJECTS, PHOTOS = 60, 2
SPACE = kept_space()


def drawn_faces(seed: int) -> tuple[Floats, list[Points]]:
    """Coordinates (120, D) of 60 people, two photos each, and landmarks whose expression differs by photo."""
    rng = np.random.default_rng(seed)
    people = rng.multivariate_normal(SPACE.mean, SPACE.covariance, SUBJECTS, method="eigh").repeat(PHOTOS, axis=0)
    rows = people + 0.2 * rng.multivariate_normal(
        np.zeros(len(SPACE.mean)), SPACE.covariance, len(people), method="eigh"
    )
    mean = load_shape().mean
    shapes = []
    for _ in rows:
        shape = mean.copy()
        shape[17:27, 1] -= 0.02 * rng.standard_normal()
        shape[[37, 38, 43, 44], 1] -= 0.006 * abs(rng.standard_normal())
        shape[[65, 66, 67], 1] += 0.03 * abs(rng.standard_normal())
        shape[[48, 54], 1] -= 0.01 * rng.standard_normal()
        shapes.append(200 * shape + 300)
    return rows, shapes


ROWS, POINTS = drawn_faces(1)


def measured(released: Floats, points: list[Points], ages: list[float | None] | None = None) -> dict[str, Utility]:
    count = len(ROWS)
    grey = np.full((count, CROP_SIDE, CROP_SIDE, 3), 128, np.uint8)
    rows = tuple(
        Row(f"{place}.png", f"s{place // PHOTOS}", age=None if ages is None else ages[place]) for place in range(count)
    )
    parts: dict[str, Any] = {
        "rows": rows, "released": np.ones(count, bool), "original_points": tuple(POINTS),
        "released_points": tuple(points), "in_place": np.ones(count, bool), "original_crops": grey,
        "released_crops": grey, "agreement": (None,) * count, "original_coordinates": ROWS,
        "released_coordinates": released,
    }  # fmt: skip
    return {row.name: row for row in fidelity(UtilityInputs(**parts), np.random.default_rng(0))}


def value(row: Utility) -> float:
    assert row.released is not None, row.note
    return row.released.value


def test_the_originals_themselves_are_wholly_alike() -> None:
    found = measured(ROWS, POINTS)
    assert all(value(row) == pytest.approx(1.0) for row in found.values() if row.released is not None)
    assert {f"{name}, correlation" for name in SPACE.names} <= set(found)
    assert {f"change within a person, {name}" for name in CHANGES} <= set(found)
    ceiling = found["tone, correlation"].original
    assert ceiling is not None
    assert 0.85 < ceiling.value < 1.0  # photos of one person differ by a fifth of an SD


def test_pictures_of_other_people_are_at_the_floor() -> None:
    others, points = drawn_faces(2)
    found = measured(others, points)
    near = [abs(value(row)) for name, row in found.items() if name.endswith("correlation") or name.startswith("change")]
    assert np.mean(near) < 0.15
    assert value(found["read as the same sex"]) == pytest.approx(0.5, abs=0.15)


@pytest.mark.parametrize("share", [0.5, 1.0])
def test_a_correlation_is_what_was_planted(share: float) -> None:
    noise = np.random.default_rng(3).multivariate_normal(SPACE.mean, SPACE.covariance, len(ROWS), method="eigh")
    mixed = SPACE.mean + (ROWS - SPACE.mean) + share * (noise - SPACE.mean)
    found = measured(mixed, POINTS)
    expected = 1 / np.sqrt(1 + share**2)
    seen = [value(found[f"{name}, correlation"]) for name in SPACE.names]
    assert np.mean(seen) == pytest.approx(expected, abs=0.06)


def test_dark_skin_that_turns_light_is_seen() -> None:
    tone = SPACE.axes[SPACE.names.index("tone")]
    lighter = ROWS + 3.0 * SPACE.pull[:, SPACE.names.index("tone")]
    assert ((lighter - ROWS) @ tone).min() > 2.9
    found = measured(lighter, POINTS)
    dark = next(row for name, row in found.items() if name.startswith("dark"))
    assert value(dark) < 0.1
    assert value(found["skin tone within one class"]) < 0.7  # most are of the two lightest classes and stay there
    assert value(found["tone, correlation"]) == pytest.approx(1.0)  # an offset does not change the order of people


def test_children_drawn_as_adults_are_seen() -> None:
    place = SPACE.names.index("age")
    age = SPACE.given("age", SPACE.coordinates(ROWS)[:, place])
    ages: list[float | None] = [
        6.0 if years < np.quantile(age, 0.4) else 40.0 for years in age.reshape(-1, 2).min(1).repeat(2)
    ]
    name = "children under 10 read as under 15"
    older = ROWS + 4.0 * SPACE.pull[:, place]
    younger = ROWS - 4.0 * SPACE.pull[:, place]
    assert value(measured(older, POINTS, ages)[name]) == 0.0
    assert value(measured(younger, POINTS, ages)[name]) == 1.0
    assert measured(ROWS, POINTS)[name].decision == "not evaluated"


def test_a_frozen_face_has_no_change() -> None:
    frozen = [POINTS[place - place % PHOTOS] for place in range(len(POINTS))]
    found = measured(ROWS, frozen)
    assert all(value(found[f"change within a person, {name}"]) == 0.0 for name in CHANGES)


def test_measures_of_expression_move_with_what_they_name() -> None:
    mean = load_shape().mean
    moves = ((slice(17, 27), -0.05), ([37, 38, 43, 44], -0.01), ([65, 66, 67], 0.04), ([48, 54], -0.02))
    for measure, (marks, amount) in enumerate(moves):
        moved = mean.copy()
        moved[marks, 1] += amount
        change = np.array(expression_measures(moved)) - expression_measures(mean)
        assert change[measure] > 0.5 * abs(amount), CHANGES[measure]


def test_without_coordinates_nothing_is_claimed() -> None:
    found = measured(np.full_like(ROWS, np.nan), POINTS)
    assert [row.decision for row in found.values()] == ["not evaluated"]
