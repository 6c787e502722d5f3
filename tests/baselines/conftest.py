"""Virtual people and their exact landmarks."""

from __future__ import annotations

import pytest

from ganonym.faces.appearance import AppearanceModel, load_appearance
from ganonym.phantom.cohort import PhantomPhoto, phantom_cohort
from ganonym.types import Box, Face


@pytest.fixture(scope="session")
def model() -> AppearanceModel:
    return load_appearance()


@pytest.fixture(scope="session")
def people() -> list[PhantomPhoto]:
    """Four people, one photograph (480, 480, 3) each."""
    return list(phantom_cohort(4, 1, seed=3))


@pytest.fixture(scope="session")
def faces(people: list[PhantomPhoto]) -> list[Face]:
    """Their faces, as exact landmarks and a box around brows and chin give them."""
    results = []
    for photo in people:
        (left, top), (right, bottom) = photo.points.min(axis=0).tolist(), photo.points.max(axis=0).tolist()
        results.append(Face(Box(left, top, right, bottom, 1.0), photo.points))
    return results
