"""Folds part people, hold classes in their shares, and the leaking ones leak."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.neighbors import KNeighborsClassifier

from ganonym.classify.cross_validation import leaking_folds, numbered, subject_folds


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
    drawn = {tuple(numbered(subject_folds(classes, subjects, each, 3), 27).tolist()) for each in range(8)}
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
