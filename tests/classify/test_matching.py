"""Matching networks: the attention of a brute force, and its closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch.nn import functional

from ganonym.classify.fewshot.matching import MatchingNetwork
from ganonym.classify.fewshot.scores import attention, matching
from ganonym.errors import EnvironmentFault

RNG = np.random.default_rng(0)
SUPPORT = RNG.normal(size=(9, 4))
CLASSES = np.array([0, 1, 1, 3, 0, 3, 3, 1, 0], np.intp)
QUERY = RNG.normal(size=(6, 4))


def by_hand(sharpness: float) -> np.ndarray:
    found = np.zeros((len(QUERY), 4))
    for row, one in zip(found, QUERY, strict=True):
        votes = [
            math.exp(sharpness * float(one @ own) / math.sqrt(float(one @ one) * float(own @ own))) for own in SUPPORT
        ]
        for vote, label in zip(votes, CLASSES, strict=True):
            row[label] += vote / sum(votes)
    return found


@pytest.mark.parametrize("sharpness", [1.0, 10.0])
def test_it_is_the_attention_of_the_paper(sharpness: float) -> None:
    trained = MatchingNetwork(sharpness).learn(SUPPORT, CLASSES, 4, 0)
    np.testing.assert_allclose(trained(QUERY), by_hand(sharpness), atol=1e-12)
    assert (trained(QUERY)[:, 2] == 0).all()
    np.testing.assert_allclose(trained(QUERY).sum(axis=1), 1, atol=1e-12)


def test_one_photo_each_at_right_angles() -> None:
    """Cosines 1 and 0: probability e / (e + 1), whatever the lengths of the vectors."""
    trained = MatchingNetwork().learn(np.array([[5.0, 0.0], [0.0, 0.1]]), np.array([0, 1]), 2, 0)
    np.testing.assert_allclose(trained(np.array([[0.01, 0.0]])), [[math.e / (math.e + 1), 1 / (math.e + 1)]])


def test_scores_of_an_episode_are_logarithms_for_cross_entropy() -> None:
    support, query = torch.from_numpy(SUPPORT).requires_grad_(), torch.from_numpy(QUERY)
    truth = torch.tensor([0, 1, 3, 0, 1, 3])
    found = functional.cross_entropy(matching(support, torch.from_numpy(CLASSES), query, 4), truth)
    expected = -np.log(by_hand(1.0)[np.arange(6), truth.numpy()]).mean()
    assert float(found.detach()) == pytest.approx(expected, abs=1e-12)
    found.backward()
    assert support.grad is not None
    assert torch.isfinite(support.grad).all()
    assert torch.isfinite(matching(support, torch.zeros(9, dtype=torch.int64), query, 2)).all()
    assert attention(support, torch.zeros(9, dtype=torch.int64), query, 2)[:, 1].max() == 0


def test_it_is_restored_to_the_last_bit() -> None:
    method = MatchingNetwork(10.0)
    trained = method.learn(SUPPORT, CLASSES, 4, 0)
    assert trained(QUERY).tobytes() == method.restore(trained.arrays, 4)(QUERY).tobytes()


def test_arrays_that_are_no_support_set_are_refused() -> None:
    arrays = dict(MatchingNetwork().learn(SUPPORT, CLASSES, 4, 0).arrays)
    with pytest.raises(EnvironmentFault, match="not of 3 classes"):
        MatchingNetwork().restore(arrays, 3)
    for wrong in ({}, {"support": SUPPORT}, arrays | {"classes": CLASSES[:4]}, arrays | {"centre": SUPPORT[0]}):
        with pytest.raises(EnvironmentFault, match="no support set"):
            MatchingNetwork().restore(wrong, 4)
