"""All few-shot learners in the same episodes: planted truths, plain noise, and people who must not be met twice."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from ganonym.classify.fewshot.episodes import Shape, cosine_to_means, episode_accuracy, pool
from ganonym.classify.fewshot.learners import (
    BASELINE,
    EPISODIC,
    NEAREST_MEAN,
    TRAINED,
    UNCENTRED,
    Compared,
    Course,
    compare,
)
from ganonym.classify.learning.fit import Schedule
from ganonym.errors import UsageError

FAST = Course(16, 10, 2, Schedule(5, 32, "adam", 1e-2))
ALL = [NEAREST_MEAN, *TRAINED]
Labels = NDArray[np.intp]


def people(classes: int, each: int, photos: int) -> tuple[Labels, list[str]]:
    labels = np.repeat(np.arange(classes), each * photos)
    return labels, [f"s{row // photos:03d}" for row in range(len(labels))]


def accuracies(compared: Compared) -> dict[str, float]:
    return {name: entry.over_episodes.value for name, entry in compared.learners}


def test_classes_at_right_angles_are_all_told_apart() -> None:
    classes, subjects = people(8, 4, 2)
    result = compare(np.eye(8)[classes], classes, subjects, range(4), Shape(4, 1, 2), 0, 20, FAST)
    assert accuracies(result) == dict.fromkeys(ALL, 1.0)
    assert (result.base, result.novel, result.left_out, result.not_run) == ((0, 1, 2, 3), (4, 5, 6, 7), (), ())
    assert result.training == Shape(4, 1, 3)  # a base class has four people
    assert result.chance == 0.25


def test_noise_is_at_chance_for_every_learner() -> None:
    # Of few people noise has classes too: intervals are over those asked for, not over those learned from.
    classes, subjects = people(9, 30, 1)
    noise = np.random.default_rng(1).normal(size=(len(classes), 24))
    result = compare(noise, classes, subjects, range(4), Shape(4, 2, 4), 0, 100, FAST)
    for name, entry in result.learners:
        assert entry.over_subjects.low < result.chance < entry.over_subjects.high, name


def test_base_classes_teach_what_sets_novel_ones_apart() -> None:
    """What sets classes apart is small and in 4 dimensions, who it is large and in 20 others."""
    rng = np.random.default_rng(1)
    classes, subjects = people(18, 8, 2)
    disorder = rng.normal(size=(18, 4))[classes] + 0.15 * rng.normal(size=(len(classes), 4))
    person = 2 * np.repeat(rng.normal(size=(18 * 8, 20)), 2, axis=0) + 0.05 * rng.normal(size=(len(classes), 20))
    result = accuracies(compare(np.hstack([disorder, person]), classes, subjects, range(10), Shape(4, 1, 1), 0, 200))
    assert list(result) == ALL
    assert all(result[name] > result[NEAREST_MEAN] + 0.02 for name in TRAINED), result
    assert all(result[name] > result[NEAREST_MEAN] + 0.05 for name in EPISODIC), result


def test_whoever_is_recognised_is_noticed_as_a_leak() -> None:
    """Embeddings that know people and no class: chance, unless photographs of one person count as several people."""
    classes, subjects = people(8, 4, 4)
    persons = np.repeat(np.random.default_rng(0).normal(size=(32, 24)), 4, axis=0)
    photos = [f"{subject}-{row}" for row, subject in enumerate(subjects)]
    parted = compare(persons, classes, subjects, range(4), Shape(4, 1, 2), 0, 60, FAST)
    leaking = compare(persons, classes, photos, range(4), Shape(4, 1, 2), 0, 60, FAST)
    for (name, own), (_, other) in zip(parted.learners, leaking.learners, strict=True):
        assert own.over_subjects.low < 0.25 < own.over_subjects.high, name
        assert other.over_episodes.low > 0.25, name


def test_training_episodes_part_people_too() -> None:
    classes, subjects = people(6, 4, 3)
    classes, subjects = np.append(classes, [4, 5] * 5), [*subjects, *(f"more{row}" for row in range(10))]
    inputs = np.random.default_rng(0).normal(size=(len(classes), 8))
    result = compare(inputs, classes, subjects, range(4), Shape(2, 4, 1), 0, 5, FAST)
    assert dict(result.not_run) == dict.fromkeys(EPISODIC, "fewer than two base classes have more people than shots")
    assert list(accuracies(result)) == [NEAREST_MEAN, BASELINE]
    assert (result.training, result.base_left_out) == (None, (0, 1, 2, 3))
    photos = [str(row) for row in range(len(classes))]
    assert compare(inputs, classes, photos, range(4), Shape(2, 4, 1), 0, 5, FAST).training == Shape(2, 4, 5)


def test_nothing_that_does_not_take_part_goes_unsaid() -> None:
    classes = np.repeat([0, 1, 2, 3, 4, 5, 6], [9, 4, 1, 3, 3, 1, 2])
    subjects = [f"s{row}" for row in range(len(classes))]
    inputs = np.random.default_rng(0).normal(size=(len(classes), 8))
    result = compare(inputs, classes, subjects, [0, 1, 2], Shape(2, 1, 2), 0, 5, FAST)
    assert (result.base, result.base_left_out, result.training) == ((0, 1, 2), (2,), Shape(2, 1, 3))
    assert (result.novel, result.left_out) == ((3, 4), (5, 6))


@pytest.mark.parametrize(("base", "first", "said"), [([], UNCENTRED, "are no base"), ([2], NEAREST_MEAN, "is one")])
def test_without_base_classes_nothing_is_trained(base: list[int], first: str, said: str) -> None:
    classes, subjects = people(4, 3, 1)
    inputs = np.random.default_rng(0).normal(size=(12, 8))
    result = compare(inputs, classes, subjects, base, Shape(3, 1, 1), 0, 5, FAST)
    assert list(accuracies(result)) == [first]
    assert list(dict(result.not_run)) == list(TRAINED)
    assert all(said in reason for _, reason in result.not_run)


def test_the_nearest_mean_is_centred_on_base_photos_and_equal_seeds_give_equal_numbers() -> None:
    classes, subjects = people(8, 4, 2)
    rng = np.random.default_rng(2)
    inputs = 5 + np.eye(8)[classes] + 0.4 * rng.normal(size=(len(classes), 8))
    one, two = (compare(inputs, classes, subjects, [1, 6], Shape(4, 1, 1), 3, 40, FAST) for _ in range(2))
    assert one == two
    moved = inputs - inputs[np.isin(classes, [1, 6])].mean(axis=0)
    tested = pool(classes, subjects, Shape(4, 1, 1), [0, 2, 3, 4, 5, 7])
    own = episode_accuracy(cosine_to_means, moved / np.linalg.norm(moved, axis=1, keepdims=True), tested, subjects,
                           np.random.default_rng(3), 40)  # fmt: skip
    assert dict(one.learners)[NEAREST_MEAN] == own


def test_it_does_not_matter_where_in_the_table_base_photos_are() -> None:
    """Whoever took the first rows for those to learn from would learn from people that are asked for."""
    classes, subjects = people(8, 4, 2)
    inputs = np.eye(8)[classes] + 0.8 * np.random.default_rng(4).normal(size=(64, 8))
    first = compare(inputs, classes, subjects, range(4), Shape(4, 1, 1), 0, 20, FAST)
    rows = np.arange(64).reshape(2, 32).T.ravel()
    mixed = [subjects[row] for row in rows]
    other = compare(inputs[rows], classes[rows], mixed, range(4), Shape(4, 1, 1), 0, 20, FAST)
    assert accuracies(other) == pytest.approx(accuracies(first))


def test_what_cannot_be_is_refused() -> None:
    classes, subjects = people(5, 3, 1)
    inputs = np.ones((15, 4))
    with pytest.raises(UsageError, match=r"of 3 novel classes 3 have as many\. Ask for 3 ways"):
        compare(inputs, classes, subjects, [0, 1], Shape(4, 1, 1), 0, 5, FAST)
    with pytest.raises(UsageError, match=r"3 novel classes 0 have as many\. Ask for fewer shots"):
        compare(inputs, classes, subjects, [0, 1], Shape(2, 2, 2), 0, 5, FAST)
    with pytest.raises(UsageError, match="1 subjects have photographs of several classes: s000"):
        compare(inputs, classes, [*subjects[:-1], "s000"], [0, 1], Shape(2, 1, 1), 0, 5, FAST)
