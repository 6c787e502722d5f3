"""Cross-validation never shows a classifier the person it is asked about, and rates what it says.

Folds part people, hold classes in their shares, and the leaking ones leak.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.metrics import accuracy_score, balanced_accuracy_score, cohen_kappa_score, f1_score, top_k_accuracy_score
from sklearn.neighbors import KNeighborsClassifier

from ganonym.classify.cross_validation import (
    called,
    cross_validated,
    leaking_folds,
    numbered,
    rated,
    subject_folds,
    tempered,
)
from ganonym.classify.learner import Inputs, Predictor
from ganonym.classify.learning.fit import Schedule
from ganonym.classify.metrics.rates import calibration_error, fit_temperature, kappa, logits, scaled
from ganonym.classify.networks.light import Projection
from ganonym.classify.systems.meta_baseline import ClassifierBaseline
from ganonym.errors import UsageError
from ganonym.types import Floats


def cohort(people: list[int], photos: int = 3) -> tuple[np.ndarray, list[str]]:
    """`people[c]` subjects of class c with `photos` photos each, names in no order."""
    classes = np.repeat(np.repeat(np.arange(len(people)), people), photos)
    names = np.random.default_rng(len(classes)).permutation(sum(people))
    return classes.astype(np.intp), [f"p{names[n // photos]:03d}" for n in range(len(classes))]


def people_of(photos: np.ndarray, subjects: list[str]) -> set[str]:
    return {subjects[photo] for photo in photos}


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(1, 9), min_size=2, max_size=5), st.integers(0, 50), st.integers(2, 6))
def test_every_photo_is_tested_once_and_nobody_is_on_both_sides(people: list[int], seed: int, count: int) -> None:
    classes, subjects = cohort(people)
    if max(people) < 2:
        with pytest.raises(ValueError, match="two are needed"):
            subject_folds(classes, subjects, seed, count)
        return
    folds = subject_folds(classes, subjects, seed, count)
    assert 2 <= len(folds) <= count
    tested = np.concatenate([fold.test for fold in folds])
    assert sorted(tested.tolist()) == list(range(len(classes)))
    for fold in folds:
        assert not people_of(fold.train, subjects) & people_of(fold.test, subjects)
        assert sorted([*fold.train, *fold.test]) == list(range(len(classes)))
    assert (numbered(folds, len(classes)) >= 0).all()


def test_classes_are_in_every_fold_in_their_shares() -> None:
    classes, subjects = cohort([40, 20, 10])
    for fold in subject_folds(classes, subjects, 3):
        assert np.bincount(classes[fold.test]).tolist() == [24, 12, 6]


@settings(max_examples=20, deadline=None)
@given(st.permutations(range(27)), st.integers(0, 9))
def test_the_order_of_photos_decides_nothing_but_the_seed_does(order: list[int], seed: int) -> None:
    classes, subjects = cohort([4, 3, 2])
    place = np.argsort(order)  # photo i of the first table is photo place[i] of the second
    one = subject_folds(classes, subjects, seed, 3)
    other = subject_folds(classes[order], [subjects[index] for index in order], seed, 3)
    for fold, same in zip(one, other, strict=True):
        assert set(place[fold.test].tolist()) == set(same.test.tolist())
    drawn = {tuple(numbered(subject_folds(classes, subjects, number, 3), 27).tolist()) for number in range(8)}
    assert len(drawn) > 1


def test_the_leak_is_what_it_is_called() -> None:
    """Faces that say who, not what: random, nearly equal in all photos of a subject. Only a leak can be right."""
    classes, subjects = cohort([20, 20], photos=4)
    rng = np.random.default_rng(1)
    face = {name: rng.normal(size=8) for name in sorted(set(subjects))}
    inputs = np.array([face[name] for name in subjects]) + 0.01 * rng.normal(size=(len(classes), 8))

    def accuracy(folds: tuple) -> float:  # type: ignore[type-arg]
        right = np.zeros(len(classes), dtype=bool)
        for fold in folds:
            model = KNeighborsClassifier(1).fit(inputs[fold.train], classes[fold.train])
            right[fold.test] = model.predict(inputs[fold.test]) == classes[fold.test]
        return float(right.mean())

    leaking = leaking_folds(classes, 2)
    assert accuracy(leaking) > 0.95
    assert accuracy(subject_folds(classes, subjects, 2)) < 0.75
    assert sum(
        subjects[photo] in people_of(fold.train, subjects) for fold in leaking for photo in fold.test
    ) > 0.9 * len(classes)
    assert sorted(np.concatenate([fold.test for fold in leaking])) == list(range(len(classes)))


class Memory:
    """Remembers the persons it learned from, and knows no more: a leak of subjects is all it can live on."""

    def learn(self, inputs: Inputs, classes: NDArray[np.intp], count: int, seed: int) -> Predictor:  # noqa: ARG002
        labels = {int(person): int(label) for person, label in zip(inputs[:, 0], classes, strict=True)}

        def predict(others: Inputs) -> Floats:
            chances = np.full((len(others), count), 0.1)
            for row, person in enumerate(others[:, 0]):
                if int(person) in labels:
                    chances[row, labels[int(person)]] = 1.0
            return chances / chances.sum(axis=1, keepdims=True)

        return predict


def people(count: int = 30, photos: int = 3, classes: int = 3) -> tuple[Inputs, NDArray[np.intp], list[str]]:
    person = np.repeat(np.arange(count), photos)
    return person[:, None], (person % classes).astype(np.intp), [f"p{entry}" for entry in person]


def test_whoever_only_remembers_people_says_nothing() -> None:
    inputs, classes, subjects = people()
    chances = cross_validated(Memory(), inputs, classes, subjects, 3, 0)
    assert np.allclose(chances, 1 / 3)
    alone = [f"photo {row}" for row in range(len(subjects))]
    leaking = cross_validated(Memory(), inputs, classes, alone, 3, 0)
    assert (leaking.argmax(axis=1) == classes).mean() > 0.9, "with photos for people it is the leak it would be"


def test_rates_agree_with_sklearn() -> None:
    rng = np.random.default_rng(2)
    _, classes, subjects = people(40, 2, 4)
    chances = rng.dirichlet(np.ones(4), len(classes))
    chances[np.arange(len(classes)), classes] += 0.4
    chances /= chances.sum(axis=1, keepdims=True)
    result = rated(chances, classes, subjects, 0, rounds=60)
    calls = called(chances, classes)
    assert np.array_equal(calls.predicted, chances.argmax(axis=1))
    assert result.top[1].value == pytest.approx(balanced_accuracy_score(classes, calls.predicted))
    # Classes are of one size here, so that the macro rate is the micro rate.
    assert list(result.top) == [1], "five of four classes cannot miss"
    assert not result.few_people
    assert (calls.rank <= 2).mean() == pytest.approx(top_k_accuracy_score(classes, chances, k=2))
    assert result.accuracy.value == pytest.approx(accuracy_score(classes, calls.predicted))
    assert result.f1.value == pytest.approx(f1_score(classes, calls.predicted, average="macro"))
    assert (result.photos, result.subjects) == (80, 40)
    assert result.top[1].low < result.top[1].value < result.top[1].high
    assert len(result.classes) == 4


@pytest.mark.parametrize("tested", [(0, 1), (1, 2), (0, 2), (1,)])
def test_a_class_that_nobody_is_of_may_be_called_and_is_in_no_mean(tested: tuple[int, ...]) -> None:
    """A model of four classes on people of some of them: wherever the absent ones stand in the order."""
    rng = np.random.default_rng(6)
    classes = np.array([tested[row % len(tested)] for row in range(24)], np.intp)
    chances = rng.dirichlet(np.ones(4), 24)
    result = rated(chances, classes, [f"p{row}" for row in range(24)], 0, rounds=20)
    called_classes = chances.argmax(axis=1)
    assert set(called_classes.tolist()) == {0, 1, 2, 3}
    scores = f1_score(classes, called_classes, average=None, labels=list(tested))
    assert result.f1.value == pytest.approx(scores.mean())
    recall = [(called_classes[classes == entry] == entry).mean() for entry in tested]
    assert result.top[1].value == pytest.approx(np.mean(recall))
    agreement = kappa(called_classes, classes)(np.arange(24))
    assert agreement == pytest.approx(cohen_kappa_score(classes, called_classes))


def test_the_temperature_of_a_boaster_is_found() -> None:
    """Classes are drawn from known probabilities, whose scores are then tripled: three is the temperature."""
    rng = np.random.default_rng(4)
    honest = rng.dirichlet(np.ones(3), 1200)
    classes = np.array([rng.choice(3, p=row) for row in honest])
    boasted = honest**3 / (honest**3).sum(axis=1, keepdims=True)
    subjects = [f"p{row}" for row in range(len(classes))]
    result = tempered(boasted, classes, subjects, 0)
    assert result.temperature == pytest.approx(3.0, rel=0.15)
    assert result.error.value < 0.05 < rated(boasted, classes, subjects, 0, rounds=20).calibration.value


def test_the_calibration_of_tempered_people_is_at_the_temperature_of_other_people() -> None:
    _, classes, subjects = people(24, 2, 3)
    scores = np.random.default_rng(5).normal(0, 3, (48, 3)) + 2 * np.eye(3)[classes]
    chances, wanted = scaled(scores, 1.0), np.full((48, 3), np.nan)
    for fold in subject_folds(classes, subjects, 7, 4):
        assert not {subjects[row] for row in fold.train} & {subjects[row] for row in fold.test}
        temperature = fit_temperature(logits(chances)[fold.train], classes[fold.train])
        wanted[fold.test] = scaled(logits(chances)[fold.test], temperature)
    result = tempered(chances, classes, subjects, 7, 4)
    assert result.error.value == pytest.approx(calibration_error(called(wanted, classes))(np.arange(48)), abs=1e-9)
    assert result.temperature == pytest.approx(fit_temperature(scores, classes), rel=1e-4)


def test_a_training_that_diverged_is_told_so_and_not_rated() -> None:
    inputs, classes, subjects = people()
    vectors = np.random.default_rng(1).normal(size=(len(inputs), 6)).astype(np.float32)
    method = ClassifierBaseline(Projection(4), Schedule(20, 30, "sgd", 1e30))
    with pytest.raises(UsageError, match=r"diverged.* lower rate"):
        cross_validated(method, vectors, classes, subjects, 3, 0)
    steady = ClassifierBaseline(Projection(4), Schedule(20, 30, "sgd", 1e-2))
    assert np.isfinite(cross_validated(steady, vectors, classes, subjects, 3, 0)).all()
