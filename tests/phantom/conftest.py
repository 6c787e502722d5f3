"""One studio and one cohort for all tests of phantoms."""

from __future__ import annotations

import pytest

from ganonym.faces.appearance import AppearanceModel
from ganonym.phantom.cohort import Studio, studio


@pytest.fixture(scope="session")
def place() -> Studio:
    return studio()


@pytest.fixture(scope="session")
def model(place: Studio) -> AppearanceModel:
    return place.model
