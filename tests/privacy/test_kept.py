"""Kept axes: coordinates, the population's regression, and what a manifest says of age and sex."""

from __future__ import annotations

import numpy as np
import pytest

from ganonym.errors import EnvironmentFault, UsageError
from ganonym.faces.kept import YOUTH, kept_space, with_given
from ganonym.privacy.population import population_draw
from ganonym.types import Sex
from ganonym.weights import verified_path

from .cohorts import SPACE, cohort


def test_axes_have_the_spread_that_they_are_said_to_have() -> None:
    spread = np.sqrt(np.diag(SPACE.axes @ SPACE.covariance @ SPACE.axes.T))
    assert spread == pytest.approx(np.ones(len(spread)), abs=0.15)
    assert np.linalg.eigvalsh(SPACE.covariance).min() > -1e-9
    assert len(set(SPACE.names)) == len(SPACE.axes) == len(SPACE.weights)


def test_a_row_moves_as_the_population_does() -> None:
    """The regression of rows on kept coordinates, estimated from draws, is what `pull` says."""
    rows = SPACE.mean + population_draw(np.random.default_rng(0), SPACE.covariance, 40_000)
    fitted = np.linalg.lstsq(SPACE.coordinates(rows), rows - SPACE.mean, rcond=None)[0].T
    assert np.abs(fitted - SPACE.pull).max() < 0.06
    assert pytest.approx(np.eye(len(SPACE.axes)), abs=1e-9) == SPACE.axes @ SPACE.pull


@pytest.mark.parametrize(("age", "sex"), [(4.0, None), (None, "male"), (71.0, "female"), (0.0, "male")])
def test_given_age_and_sex_are_shown_and_the_rest_is_the_conditional_mean(age: float | None, sex: Sex | None) -> None:
    given: dict[str, float] = {}
    if age is not None:
        given["age"] = float(np.log(age + YOUTH))
    if sex is not None:
        given["sex"] = float(sex == "female")
    row = cohort(1)[0].row
    moved = with_given(row, SPACE, age, sex)
    shown = dict(zip(SPACE.names, SPACE.coordinates(moved), strict=True))
    for name, value in given.items():
        middle, spread = SPACE.scales[name]
        assert shown[name] == pytest.approx((value - middle) / spread, abs=1e-9)
    # Of a Gaussian: the step is the regression on what was given, so it has no part that is independent of it.
    axes = SPACE.axes[[SPACE.names.index(name) for name in given]]
    cross = SPACE.covariance @ axes.T
    step = np.linalg.lstsq(cross, moved - row, rcond=None)[0]
    assert moved - row == pytest.approx(cross @ step, abs=1e-9)
    assert np.abs(moved - row).max() > 0.1


def test_what_is_not_given_or_not_kept_moves_nothing() -> None:
    row = cohort(1)[0].row
    assert with_given(row, SPACE, None, None) is row
    assert with_given(row, kept_space(("signs", "tone")), 30.0, "male") is row


@pytest.mark.parametrize(("age", "sex"), [(-1.0, None), (131.0, None), (float("nan"), None), (None, "other")])
def test_age_and_sex_out_of_range_are_usage_errors(age: float | None, sex: str | None) -> None:
    with pytest.raises(UsageError, match="in the manifest"):
        with_given(cohort(1)[0].row, SPACE, age, sex)  # type: ignore[arg-type]


def test_weights_of_another_kind_are_an_environment_fault() -> None:
    with pytest.raises(EnvironmentFault, match="holds no kept axes"):
        kept_space(path=verified_path("phenotype"))
