"""The forecast: known ends of the scale, and the order of budgets between them."""

from __future__ import annotations

from itertools import pairwise

import pytest

from ganonym.evaluate.forecast import Forecast, forecast
from ganonym.faces.shape import load_shape
from ganonym.privacy.settings import PrivacySettings

MODEL = load_shape()
EXACT = PrivacySettings(mechanism="none", i_understand=True)


def of(settings: PrivacySettings, subjects: int = 150) -> Forecast:
    return forecast(settings, MODEL, subjects)


def test_exact_shapes_are_kept_named_and_linked() -> None:
    exact = of(EXACT)
    assert exact.named.value == 1.0
    assert exact.linked.value > 0.99
    assert exact.kept == pytest.approx(1.0)
    assert (exact.declared, exact.bits) == (1.0, None)


def test_a_single_code_keeps_nothing_and_names_by_chance() -> None:
    one = of(PrivacySettings(mechanism="codebook", codes=1, disperse="none"))
    assert one.kept == pytest.approx(0.0, abs=1e-4)
    assert one.bits == 0.0
    assert one.named.value == pytest.approx(1 / 150, abs=1e-3) or one.named.hits == 1
    assert one.linked.value == pytest.approx(1 / 150)
    assert one.declared == pytest.approx(1 / 150)


@pytest.mark.parametrize(
    "budgets",
    [
        [PrivacySettings(k=k) for k in (2, 11, 40)],
        [PrivacySettings(mechanism="codebook", codes=codes) for codes in (512, 32, 4)],
        [PrivacySettings(mechanism="metric", epsilon=epsilon, disperse="subject") for epsilon in (6.0, 2.0, 0.2)],
    ],
    ids=["k-same", "codebook", "metric"],
)
def test_a_tighter_budget_names_fewer_and_keeps_less(budgets: list[PrivacySettings]) -> None:
    found = [of(each) for each in budgets]
    for loose, tight in pairwise(found):
        assert loose.named.value > tight.named.value
        assert loose.kept > tight.kept + 0.05
        assert loose.declared >= tight.declared
    for each in found:
        assert each.named.low <= each.declared
    assert found[-1].declared < 0.2


def test_draws_per_photo_break_the_link_and_draws_per_subject_do_not() -> None:
    assert of(PrivacySettings()).linked.value < 0.1
    assert of(PrivacySettings(disperse="subject")).linked.value == 1.0


def test_the_same_seed_gives_the_same_forecast() -> None:
    assert of(PrivacySettings()) == of(PrivacySettings())
    assert of(PrivacySettings()) != forecast(PrivacySettings(), MODEL, 150, seed=1)
