"""The four cells tell what was trained and tested on what, and their rates are scikit-learn's."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import balanced_accuracy_score, cohen_kappa_score, f1_score, top_k_accuracy_score

from ganonym.classify.learner import Calls, Inputs, Predictor
from ganonym.classify.learning.tabular import Discriminant
from ganonym.classify.metrics.rates import calibration_error, kappa, macro_f1, macro_recall
from ganonym.evaluate.utility.four_cells import CELLS, Side, four_cells
from ganonym.types import Floats


def people(seed: int, each: int = 20, count: int = 4) -> tuple[Floats, NDArray[np.intp], list[str]]:
    rng = np.random.default_rng(seed)
    classes = np.repeat(np.arange(count), 2 * each)
    rows = 3.0 * np.eye(count)[classes] + rng.normal(0, 0.3, (len(classes), count))
    return rows, classes, [f"s{photo // 2}" for photo in range(len(classes))]


def everything(rows: Floats) -> Side:
    return Side(rows, np.ones(len(rows), bool))


def test_released_pictures_of_wrong_classes_are_lost_in_every_cell_but_their_own() -> None:
    rows, classes, subjects = people(1)
    turned = np.roll(rows, 1, axis=1)  # every class looks like the next one
    calls = four_cells(Discriminant(), everything(rows), everything(turned), classes, subjects, 0)
    rates = {cell: calls[cell].right().mean() for cell in CELLS}
    assert rates == {"OO": 1.0, "OA": 0.0, "AO": 0.0, "AA": 1.0}


def test_subjects_of_training_and_test_are_apart() -> None:
    rng = np.random.default_rng(2)
    own = rng.normal(size=(60, 3))  # nothing but who it is: only a leak between folds could find the class
    rows = np.repeat(own, 2, axis=0) + 1e-3 * rng.normal(size=(120, 3))
    classes = np.repeat(rng.integers(0, 2, 60), 2)

    class Nearest:
        def learn(self, inputs: Inputs, classes: NDArray[np.intp], count: int, seed: int) -> Predictor:  # noqa: ARG002
            return lambda others: np.eye(count)[
                classes[np.abs(others[:, None] - inputs[None]).sum(axis=2).argmin(axis=1)]
            ]

    subjects = [f"s{photo // 2}" for photo in range(120)]
    calls = four_cells(Nearest(), everything(rows), everything(rows), classes, subjects, 0)
    assert calls["OO"].right().mean() < 0.7


def test_a_photo_without_output_is_wrong_where_tested_and_missing_where_trained() -> None:
    rows, classes, subjects = people(3)
    shown = np.ones(len(rows), bool)
    shown[::4] = False
    poisoned = np.where(shown[:, None], rows, 1e6)  # would ruin the training if it were used
    calls = four_cells(Discriminant(), everything(rows), Side(poisoned, shown), classes, subjects, 0)
    assert (calls["OA"].right() == shown).all()
    assert (calls["AA"].right() == shown).all()
    assert calls["AO"].right().all()
    assert (calls["OA"].predicted[~shown] == -1).all()
    assert np.isnan(calls["OA"].confidence[~shown]).all()
    assert (calls["OA"].rank[~shown] == 5).all()


def test_a_class_withheld_altogether_is_never_called_by_what_learns_on_the_release() -> None:
    rows, classes, subjects = people(4)
    shown = classes != 2
    calls = four_cells(Discriminant(), everything(rows), Side(rows, shown), classes, subjects, 0)
    assert not calls["AO"].right(within=4)[~shown].any()
    assert calls["AO"].right()[shown].all()
    nothing = four_cells(Discriminant(), everything(rows), Side(rows, shown & False), classes, subjects, 0)
    assert not nothing["AO"].right(within=4).any()
    assert not nothing["OA"].right(within=4).any()


def test_rates_are_scikit_learns() -> None:
    rng = np.random.default_rng(5)
    classes = rng.choice(4, 300, p=[0.5, 0.3, 0.15, 0.05]).astype(np.intp)
    chances = rng.dirichlet(np.ones(4), 300) + 0.5 * np.eye(4)[classes] * (rng.random((300, 1)) < 0.5)
    order = (-chances).argsort(axis=1)
    calls = Calls(order[:, 0], (order == classes[:, None]).argmax(axis=1) + 1, chances.max(axis=1))
    everyone = np.arange(300)
    assert macro_recall(calls.right(), classes)(everyone) == pytest.approx(
        balanced_accuracy_score(classes, calls.predicted)
    )
    weights = 1.0 / np.bincount(classes)[classes]
    expected = top_k_accuracy_score(classes, chances, k=2, sample_weight=weights)
    assert macro_recall(calls.right(2), classes)(everyone) == pytest.approx(expected)
    assert macro_f1(calls, classes)(everyone) == pytest.approx(f1_score(classes, calls.predicted, average="macro"))
    assert kappa(calls.predicted, classes)(everyone) == pytest.approx(cohen_kappa_score(classes, calls.predicted))
    drawn = rng.integers(0, 300, 300)
    assert macro_recall(calls.right(), classes)(drawn) == pytest.approx(
        balanced_accuracy_score(classes[drawn], calls.predicted[drawn])
    )
    common = np.flatnonzero(classes < 3)  # a resample without the rarest class
    assert macro_recall(calls.right(), classes)(common) == pytest.approx(
        np.mean([calls.right()[classes == label].mean() for label in range(3)])
    )
    rare = np.array([False, False, False, True])
    assert macro_recall(calls.right(), classes, rare)(everyone) == calls.right()[classes == 3].mean()


def test_calibration_error_of_known_gaps() -> None:
    predicted = np.zeros(100, np.intp)
    rank = np.where(np.arange(100) < 70, 1, 2)
    sure = Calls(predicted, rank, np.full(100, 0.9))
    assert calibration_error(sure)(np.arange(100)) == pytest.approx(0.2)
    half = Calls(predicted, rank, np.where(np.arange(100) < 70, 0.95, 0.05))
    assert calibration_error(half)(np.arange(100)) == pytest.approx(0.05)
    absent = Calls(np.where(np.arange(100) < 50, 0, -1), rank, np.where(np.arange(100) < 50, 0.9, np.nan))
    assert calibration_error(absent)(np.arange(100)) == pytest.approx(0.1)
    assert np.isnan(calibration_error(absent)(np.arange(50, 100)))
