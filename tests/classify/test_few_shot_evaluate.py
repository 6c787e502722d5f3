"""Episode accuracy with its intervals, and retrieval, against planted truths and brute force."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sklearn.metrics import top_k_accuracy_score

from ganonym.classify.fewshot.episodes import Shape, draw, pool
from ganonym.classify.fewshot.evaluate import (
    Split,
    episode_accuracy,
    gallery_split,
    macro_top_k,
    nearest_case,
    nearest_prototype,
    place_of_truth,
    retrieval,
)
from ganonym.classify.fewshot.scores import cosine_to_means
from ganonym.errors import UsageError


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
    assert macro_top_k(scores[2:3], np.array([0]), 3) == 0.0  # a class that is not in the gallery


def test_macro_top_k_is_sklearns_when_every_class_weighs_alike() -> None:
    rng = np.random.default_rng(4)
    scores, truth = rng.normal(size=(200, 7)), np.r_[np.arange(7), rng.choice(7, 193, p=[0.4] + [0.1] * 6)]
    weights = 1 / np.bincount(truth)[truth]
    for k in (1, 3, 6):
        expected = top_k_accuracy_score(truth, scores, k=k, sample_weight=weights)
        assert macro_top_k(scores, truth, k) == pytest.approx(expected)
    assert macro_top_k(scores, truth, 1) != pytest.approx(top_k_accuracy_score(truth, scores, k=1), abs=1e-3)


def test_nearest_case_and_prototype_by_brute_force() -> None:
    rng = np.random.default_rng(5)
    probes, gallery, classes = rng.normal(size=(8, 3)), rng.normal(size=(12, 3)), np.array([0, 1, 3] * 4)
    by_case, by_mean = nearest_case(probes, gallery, classes, 4), nearest_prototype(probes, gallery, classes, 4)

    def cosine(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
        return float(one @ other / np.linalg.norm(one) / np.linalg.norm(other))

    for row, probe in enumerate(probes):
        for each in (0, 1, 3):
            own = gallery[classes == each]
            assert by_case[row, each] == pytest.approx(max(cosine(probe, case) for case in own))
            assert by_mean[row, each] == pytest.approx(cosine(probe, own.mean(axis=0)))
    assert (by_case[:, 2] == -np.inf).all()
    assert (by_mean[:, 2] == -np.inf).all()


def test_a_split_keeps_subjects_on_one_side_and_lone_ones_in_the_gallery() -> None:
    classes = np.array([0] * 8 + [1] * 4 + [2] * 2 + [3, 0], np.intp)
    subjects = [*"aabbccdd", *"eeff", *"gg", *"zz"]  # g is the only one of class 2; z has two disorders
    for seed in range(20):
        split = gallery_split(classes, subjects, np.random.default_rng(seed), 0.5)
        gallery, probes = ({subjects[row] for row in rows} for rows in (split.gallery, split.probes))
        assert not gallery & probes
        assert sorted([*split.gallery, *split.probes]) == list(range(16))
        assert {"g", "z"} <= gallery
        assert len(probes & set("abcd")) == 2
        assert len(probes & set("ef")) == 1
        assert split.left_out == (2, 3)


def test_settings_differ_in_their_galleries() -> None:
    """Rare class 2 is planted next to frequent class 0: alone it is found, among all it is not."""
    found, classes, subjects = cohort(4, 4)
    found[classes == 2] = [1.0, 0.2, 0.05, 0.0]
    found[classes == 2] += 0.3 * np.random.default_rng(1).normal(size=(8, 4)) * [0, 0, 0, 1]
    rare = np.array([False, False, True, True])
    split = gallery_split(classes, subjects, np.random.default_rng(0), 0.25)
    result = retrieval(found, classes, subjects, split, rare, (1, 2, 4))
    assert {setting: (each.probes, each.cases, each.among) for setting, each in result.items()} == {
        "frequent/frequent": (4, 12, 2),
        "rare/rare": (4, 12, 2),
        "frequent/all": (4, 24, 2),
        "rare/all": (4, 24, 2),
    }
    assert result["frequent/frequent"].top == {1: 1.0, 2: 1.0, 4: 1.0}
    assert result["rare/rare"].top[1] == 1.0
    assert result["frequent/all"].top[1] == 1.0
    assert result["rare/all"].top[2] == 1.0
    swapped = found.copy()
    swapped[split.probes[classes[split.probes] == 2]] = [1.0, 0.0, 0.0, 0.0]  # rare probes look like class 0
    shifted = retrieval(swapped, classes, subjects, split, rare, (1, 2, 4))
    assert shifted["rare/rare"].top[1] == 1.0
    assert shifted["rare/all"].top[1] == 0.5
    assert shifted["rare/all"].top[2] == 1.0
    by_mean = retrieval(swapped, classes, subjects, split, rare, (1,), by_mean=True)
    assert by_mean["rare/all"].top[1] == 0.5
    only = retrieval(found, classes, subjects, split, np.zeros(4, bool))
    assert set(only) == {"frequent/frequent", "frequent/all"}


def test_a_subject_on_both_sides_is_refused() -> None:
    found, classes, subjects = cohort(2, 2)
    with pytest.raises(UsageError, match="1 subjects are in the gallery and among the probes, the first s001"):
        retrieval(found, classes, subjects, Split(np.array([0, 1, 2]), np.array([3, 4]), ()), np.zeros(2, bool))
