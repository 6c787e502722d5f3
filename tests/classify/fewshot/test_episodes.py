"""Episodes: shots are subjects, nobody is on both sides, and what cannot be asked is listed."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from ganonym.classify.fewshot.episodes import (
    Shape,
    cosine_to_means,
    draw,
    episode_accuracy,
    place_of_truth,
    pool,
)
from ganonym.errors import UsageError


def people(sizes: list[int], photos: int = 3) -> tuple[NDArray[np.intp], list[str]]:
    """`sizes[c]` subjects of class c with 1 … `photos` photos each."""
    classes, subjects = [], []
    for number, size in enumerate(sizes):
        for person in range(size):
            for _ in range(1 + person % photos):
                classes.append(number)
                subjects.append(f"{number}-{person}")
    return np.array(classes, np.intp), subjects


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(1, 9), min_size=2, max_size=7),
    st.integers(2, 4),
    st.integers(1, 3),
    st.integers(1, 3),
    st.integers(0, 99),
)
def test_an_episode_is_what_its_shape_says_and_keeps_subjects_apart(
    sizes: list[int], ways: int, shots: int, queries: int, seed: int
) -> None:
    classes, subjects = people(sizes)
    order = np.random.default_rng(seed).permutation(len(classes))
    classes, subjects = classes[order], [subjects[row] for row in order]
    enough = [number for number, size in enumerate(sizes) if size >= shots + queries]
    if len(enough) < ways:
        with pytest.raises(UsageError, match=f"{len(enough)} of {len(sizes)} classes have {shots} \\+ {queries}"):
            pool(classes, subjects, Shape(ways, shots, queries))
        return
    result = pool(classes, subjects, Shape(ways, shots, queries))
    assert result.classes.tolist() == enough
    assert result.left_out == tuple(number for number in range(len(sizes)) if number not in enough)
    one = draw(result, np.random.default_rng(seed))
    assert len(set(one.classes)) == ways
    assert set(one.classes) <= set(enough)
    np.testing.assert_array_equal(classes[one.support], one.classes[one.support_ways])
    np.testing.assert_array_equal(classes[one.query], one.classes[one.query_ways])
    assert np.bincount(one.support_ways).tolist() == [shots] * ways
    assert np.bincount(one.query_ways).tolist() == [queries] * ways
    drawn = [subjects[row] for row in (*one.support, *one.query)]
    assert len(set(drawn)) == len(drawn)  # a photo of each: so nobody is both learned from and asked for


def test_equal_generators_draw_equal_episodes_and_nothing_global_moves() -> None:
    result = pool(*people([6, 6, 6]), Shape(2, 2, 2))
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    episodes = [
        [
            np.concatenate([one.classes, one.support, one.query]).tolist()
            for one in (draw(result, rng), draw(result, rng))
        ]
        for rng in (np.random.default_rng(5), np.random.default_rng(5), np.random.default_rng(6))
    ]
    assert episodes[0] == episodes[1] != episodes[2]
    assert episodes[0][0] != episodes[0][1]
    assert (np.random.get_state()[1] == before).all()  # noqa: NPY002


def test_classes_subjects_and_their_photos_are_alike_in_chance() -> None:
    """Subject 0-2 has three photos and 0-0 one: each is drawn alike, and each photo of one alike."""
    classes, subjects = people([4, 4, 4])
    result, rng = pool(classes, subjects, Shape(2, 1, 1)), np.random.default_rng(1)
    support, query, drawn = np.zeros(len(classes)), np.zeros(len(classes)), np.zeros(3)
    for _ in range(3000):
        one = draw(result, rng)
        np.add.at(support, one.support, 1)
        np.add.at(query, one.query, 1)
        np.add.at(drawn, one.classes, 1)
    names = np.array(subjects)
    for times in (support, query):
        people_drawn = [times[names == name].sum() for name in dict.fromkeys(subjects)]
        np.testing.assert_allclose(people_drawn, 500, atol=5 * np.sqrt(500))  # 6000 over 12 people
        np.testing.assert_allclose(times[names == "0-2"], 500 / 3, atol=5 * np.sqrt(500 / 3))
    np.testing.assert_allclose(drawn, 2000, atol=5 * np.sqrt(2000))


def test_subjects_of_several_classes_are_in_no_episode() -> None:
    classes = np.array([0, 0, 1, 1, 0, 1], np.intp)
    result = pool(classes, ["a", "b", "c", "d", "both", "both"], Shape(2, 1, 1))
    assert result.mixed == ("both",)
    rng = np.random.default_rng(2)
    for _ in range(40):
        one = draw(result, rng)
        assert not {4, 5} & {*one.support.tolist(), *one.query.tolist()}
    with pytest.raises(UsageError, match="1 of 2 classes"):  # without "both" class 0 has but one subject
        pool(classes[1:], ["b", "c", "d", "both", "both"], Shape(2, 1, 1))


def test_only_the_classes_asked_for() -> None:
    classes, subjects = people([5, 5, 2, 5])
    result = pool(classes, subjects, Shape(2, 1, 2), among=[3, 0, 2, 9])
    assert result.classes.tolist() == [0, 3]
    assert result.left_out == (2, 9)


@pytest.mark.parametrize("shape", [(1, 1, 1), (2, 0, 1), (2, 1, 0)])
def test_an_episode_without_a_choice_is_refused(shape: tuple[int, int, int]) -> None:
    with pytest.raises(UsageError, match="leaves nothing to choose"):
        Shape(*shape)


def test_lists_of_different_length_are_refused() -> None:
    with pytest.raises(UsageError, match="3 classes, but 2 subjects"):
        pool(np.array([0, 1, 1]), ["a", "b"], Shape(2, 1, 1))


def cohort(
    classes: int = 6, each: int = 6, noise: float = 0.0
) -> tuple[NDArray[np.float64], NDArray[np.intp], list[str]]:
    """Two photos a subject, classes at right angles."""
    labels = np.repeat(np.arange(classes), 2 * each)
    result = np.eye(classes)[labels] + noise * np.random.default_rng(0).normal(size=(len(labels), classes))
    return result, labels, [f"s{number // 2:03d}" for number in range(len(labels))]


def test_a_perfect_encoder_and_one_that_makes_all_faces_equal() -> None:
    result, classes, subjects = cohort()
    drawn_from = pool(classes, subjects, Shape(4, 1, 2))
    perfect = episode_accuracy(cosine_to_means, result, drawn_from, subjects, np.random.default_rng(0), 50)
    assert perfect.over_episodes.value == perfect.over_subjects.value == 1.0
    assert perfect.over_subjects.low < 0.95  # Clopper and Pearson of 36 subjects, no false certainty
    equal = episode_accuracy(cosine_to_means, np.ones_like(result), drawn_from, subjects, np.random.default_rng(0), 50)
    assert equal.over_episodes.value == 0.0


def test_chance_is_one_over_ways_and_intervals_are_what_they_say() -> None:
    _, classes, subjects = cohort()
    noise = np.random.default_rng(3).normal(size=(len(classes), 30))
    drawn_from = pool(classes, subjects, Shape(4, 1, 2), among=[0, 1, 2, 3, 5, 9])
    result = episode_accuracy(cosine_to_means, noise, drawn_from, subjects, np.random.default_rng(0), 600)
    shares, rng = [], np.random.default_rng(0)
    for _ in range(600):
        one = draw(drawn_from, rng)
        scores = cosine_to_means(
            torch.from_numpy(noise[one.support]),
            torch.from_numpy(one.support_ways),
            torch.from_numpy(noise[one.query]),
            4,
        )
        shares.append((scores.numpy().argmax(axis=1) == one.query_ways).mean())
    assert result.over_episodes.value == pytest.approx(np.mean(shares))
    half = 1.96 * np.std(shares, ddof=1) / np.sqrt(600)
    assert result.over_episodes.high - np.mean(shares) == pytest.approx(half)
    assert result.over_episodes.low - np.mean(shares) == pytest.approx(-half)
    assert result.over_subjects.value == pytest.approx(np.mean(shares))
    assert 0.15 < np.mean(shares) < 0.35
    assert result.over_subjects.high - result.over_subjects.low > 2 * half  # the same 30 people in 600 episodes
    assert (result.episodes, result.left_out) == (600, (9,))


def test_places_are_pessimistic() -> None:
    scores = np.array([[0.2, 0.5, 0.3], [0.4, 0.4, 0.2], [-np.inf, 1.0, 0.0], [np.nan, 1.0, 0.0], [0.1, np.nan, 0.0]])
    assert place_of_truth(scores, np.array([0, 0, 0, 0, 0])).tolist()[:4] == [3, 2, 4, 4]
