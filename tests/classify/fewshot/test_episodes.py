"""Episodes: shots are subjects, nobody is on both sides, and what cannot be asked is listed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from ganonym.classify.fewshot.episodes import Shape, draw, pool
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
    found = pool(classes, subjects, Shape(ways, shots, queries))
    assert found.classes.tolist() == enough
    assert found.left_out == tuple(each for each in range(len(sizes)) if each not in enough)
    one = draw(found, np.random.default_rng(seed))
    assert len(set(one.classes)) == ways
    assert set(one.classes) <= set(enough)
    np.testing.assert_array_equal(classes[one.support], one.classes[one.support_ways])
    np.testing.assert_array_equal(classes[one.query], one.classes[one.query_ways])
    assert np.bincount(one.support_ways).tolist() == [shots] * ways
    assert np.bincount(one.query_ways).tolist() == [queries] * ways
    drawn = [subjects[row] for row in (*one.support, *one.query)]
    assert len(set(drawn)) == len(drawn)  # a photo of each: so nobody is both learned from and asked for


def test_equal_generators_draw_equal_episodes_and_nothing_global_moves() -> None:
    found = pool(*people([6, 6, 6]), Shape(2, 2, 2))
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    episodes = [
        [np.concatenate([one.classes, one.support, one.query]).tolist() for one in (draw(found, rng), draw(found, rng))]
        for rng in (np.random.default_rng(5), np.random.default_rng(5), np.random.default_rng(6))
    ]
    assert episodes[0] == episodes[1] != episodes[2]
    assert episodes[0][0] != episodes[0][1]
    assert (np.random.get_state()[1] == before).all()  # noqa: NPY002


def test_classes_subjects_and_their_photos_are_alike_in_chance() -> None:
    """Subject 0-2 has three photos and 0-0 one: each is drawn alike, and each photo of one alike."""
    classes, subjects = people([4, 4, 4])
    found, rng = pool(classes, subjects, Shape(2, 1, 1)), np.random.default_rng(1)
    support, query, drawn = np.zeros(len(classes)), np.zeros(len(classes)), np.zeros(3)
    for _ in range(3000):
        one = draw(found, rng)
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
    found = pool(classes, ["a", "b", "c", "d", "both", "both"], Shape(2, 1, 1))
    assert found.mixed == ("both",)
    rng = np.random.default_rng(2)
    for _ in range(40):
        one = draw(found, rng)
        assert not {4, 5} & {*one.support.tolist(), *one.query.tolist()}
    with pytest.raises(UsageError, match="1 of 2 classes"):  # without "both" class 0 has but one subject
        pool(classes[1:], ["b", "c", "d", "both", "both"], Shape(2, 1, 1))


def test_only_the_classes_asked_for() -> None:
    classes, subjects = people([5, 5, 2, 5])
    found = pool(classes, subjects, Shape(2, 1, 2), among=[3, 0, 2, 9])
    assert found.classes.tolist() == [0, 3]
    assert found.left_out == (2, 9)


@pytest.mark.parametrize("shape", [(1, 1, 1), (2, 0, 1), (2, 1, 0)])
def test_an_episode_without_a_choice_is_refused(shape: tuple[int, int, int]) -> None:
    with pytest.raises(UsageError, match="leaves nothing to choose"):
        Shape(*shape)


def test_lists_of_different_length_are_refused() -> None:
    with pytest.raises(UsageError, match="3 classes, but 2 subjects"):
        pool(np.array([0, 1, 1]), ["a", "b"], Shape(2, 1, 1))
