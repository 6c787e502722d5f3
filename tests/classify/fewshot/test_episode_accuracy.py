"""Episode accuracy with its intervals, and retrieval, against planted truths and brute force."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from ganonym.classify.fewshot.episodes import (
    Shape,
    draw,
    episode_accuracy,
    place_of_truth,
    pool,
)
from ganonym.classify.fewshot.scores import cosine_to_means


def cohort(
    classes: int = 6, each: int = 6, noise: float = 0.0
) -> tuple[NDArray[np.float64], NDArray[np.intp], list[str]]:
    """Two photos a subject, classes at right angles."""
    labels = np.repeat(np.arange(classes), 2 * each)
    found = np.eye(classes)[labels] + noise * np.random.default_rng(0).normal(size=(len(labels), classes))
    return found, labels, [f"s{number // 2:03d}" for number in range(len(labels))]


def test_a_perfect_encoder_and_one_that_makes_all_faces_equal() -> None:
    found, classes, subjects = cohort()
    drawn_from = pool(classes, subjects, Shape(4, 1, 2))
    perfect = episode_accuracy(cosine_to_means, found, drawn_from, subjects, np.random.default_rng(0), 50)
    assert perfect.over_episodes.value == perfect.over_subjects.value == 1.0
    assert perfect.over_subjects.low < 0.95  # Clopper and Pearson of 36 subjects, no false certainty
    equal = episode_accuracy(cosine_to_means, np.ones_like(found), drawn_from, subjects, np.random.default_rng(0), 50)
    assert equal.over_episodes.value == 0.0


def test_chance_is_one_over_ways_and_intervals_are_what_they_say() -> None:
    _, classes, subjects = cohort()
    noise = np.random.default_rng(3).normal(size=(len(classes), 30))
    drawn_from = pool(classes, subjects, Shape(4, 1, 2), among=[0, 1, 2, 3, 5, 9])
    found = episode_accuracy(cosine_to_means, noise, drawn_from, subjects, np.random.default_rng(0), 600)
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
    assert found.over_episodes.value == pytest.approx(np.mean(shares))
    half = 1.96 * np.std(shares, ddof=1) / np.sqrt(600)
    assert found.over_episodes.high - np.mean(shares) == pytest.approx(half)
    assert found.over_episodes.low - np.mean(shares) == pytest.approx(-half)
    assert found.over_subjects.value == pytest.approx(np.mean(shares))
    assert 0.15 < np.mean(shares) < 0.35
    assert found.over_subjects.high - found.over_subjects.low > 2 * half  # the same 30 people in 600 episodes
    assert (found.episodes, found.left_out) == (600, (9,))


def test_places_are_pessimistic() -> None:
    scores = np.array([[0.2, 0.5, 0.3], [0.4, 0.4, 0.2], [-np.inf, 1.0, 0.0], [np.nan, 1.0, 0.0], [0.1, np.nan, 0.0]])
    assert place_of_truth(scores, np.array([0, 0, 0, 0, 0])).tolist()[:4] == [3, 2, 4, 4]
