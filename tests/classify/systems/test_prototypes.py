"""Class means as classifiers: against scipy, scikit-learn and closed forms."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist
from scipy.special import softmax
from sklearn.neighbors import NearestCentroid

from ganonym.classify.fewshot.episodes import class_means, cosine_to_means, cosines, prototypical, squared_distances
from ganonym.classify.systems.prototypes import SimpleShot, centred_unit, prototypes
from ganonym.errors import EnvironmentFault

RNG = np.random.default_rng(0)
EMBEDDINGS = RNG.normal(size=(40, 7)) + 3
CLASSES = np.array([0, 1, 2, 4] * 10, np.intp)  # class 3 of 5 does not occur
OTHERS = RNG.normal(size=(15, 7)) + 3


def means() -> np.ndarray:
    return np.array([EMBEDDINGS[number == CLASSES].mean(axis=0) for number in (0, 1, 2, 4)])


def test_distances_and_cosines_are_scipys() -> None:
    one, other = torch.from_numpy(OTHERS), torch.from_numpy(EMBEDDINGS)
    np.testing.assert_allclose(squared_distances(one, other), cdist(OTHERS, EMBEDDINGS, "sqeuclidean"), atol=1e-9)
    np.testing.assert_allclose(cosines(one, other), 1 - cdist(OTHERS, EMBEDDINGS, "cosine"), atol=1e-12)
    assert squared_distances(one * 1e6, one * 1e6).min() >= 0


def test_means_of_classes() -> None:
    result = prototypes(EMBEDDINGS, CLASSES, 5)
    np.testing.assert_allclose(result[[0, 1, 2, 4]], means(), atol=1e-12)
    assert (result[3] == 0).all()
    with_gradient = torch.tensor([[1.0, 2.0], [3.0, 5.0]], requires_grad=True)
    class_means(with_gradient, torch.tensor([1, 1]), 2)[1].sum().backward()
    assert with_gradient.grad is not None
    assert with_gradient.grad.tolist() == [[0.5, 0.5], [0.5, 0.5]]


def test_prototypical_networks_take_squared_distances() -> None:
    """Squared, as Snell et al. define it: easyfsl's are not."""
    support, ways = torch.from_numpy(EMBEDDINGS), torch.from_numpy(CLASSES)
    result = prototypical(support, ways, torch.from_numpy(OTHERS), 5)[:, [0, 1, 2, 4]].numpy()
    np.testing.assert_allclose(result, -cdist(OTHERS, means(), "sqeuclidean"), atol=1e-9)
    nearest = NearestCentroid().fit(EMBEDDINGS, CLASSES).predict(OTHERS)
    np.testing.assert_array_equal(np.array([0, 1, 2, 4])[result.argmax(axis=1)], nearest)
    # Section 2.4: log odds of two classes are linear in the embedding, 2 (c₁ − c₀)·x + |c₀|² − |c₁|².
    first, second = means()[:2]
    expected = 2 * OTHERS @ (second - first) + first @ first - second @ second
    np.testing.assert_allclose(result[:, 1] - result[:, 0], expected, atol=1e-9)


def test_simpleshot_centres_and_normalises() -> None:
    centre = EMBEDDINGS.mean(axis=0)
    own = (EMBEDDINGS - centre) / np.linalg.norm(EMBEDDINGS - centre, axis=1, keepdims=True)
    np.testing.assert_allclose(centred_unit(EMBEDDINGS, centre), own, atol=1e-12)
    averages = np.array([own[number == CLASSES].mean(axis=0) for number in (0, 1, 2, 4)])
    alike = 1 - cdist(OTHERS - centre, averages, "cosine")
    result = SimpleShot().learn(EMBEDDINGS, CLASSES, 5, 0)(OTHERS)
    np.testing.assert_allclose(result[:, [0, 1, 2, 4]], softmax(10 * alike, axis=1), atol=1e-12)


def test_simpleshot_sees_neither_a_shift_nor_a_scale_of_the_space() -> None:
    result = SimpleShot().learn(EMBEDDINGS, CLASSES, 5, 0)(OTHERS)
    moved = SimpleShot().learn(EMBEDDINGS * 7 + 100, CLASSES, 5, 0)(OTHERS * 7 + 100)
    np.testing.assert_allclose(result, moved, atol=1e-9)
    given = SimpleShot(base=np.full(7, 3.0)).learn(EMBEDDINGS, CLASSES, 5, 0)
    np.testing.assert_array_equal(given.arrays["centre"], 3.0)
    assert np.abs(given(OTHERS) - result).max() > 1e-3


def test_cosines_of_an_episode_are_to_the_means() -> None:
    one, ways, query = torch.from_numpy(EMBEDDINGS), torch.from_numpy(CLASSES), torch.from_numpy(OTHERS)
    alike = 1 - cdist(OTHERS, means(), "cosine")
    np.testing.assert_allclose(cosine_to_means(one, ways, query, 5)[:, [0, 1, 2, 4]], alike, atol=1e-12)


def test_a_class_without_photos_is_never_called() -> None:
    assert (SimpleShot().learn(EMBEDDINGS, CLASSES, 5, 0)(OTHERS)[:, 3] == 0).all()


def test_it_is_restored_to_the_last_bit_and_photos_do_not_depend_on_each_other() -> None:
    method = SimpleShot()
    trained = method.learn(EMBEDDINGS.astype(np.float32), CLASSES, 5, 0)
    again = method.restore(trained.arrays, 5)
    assert trained(OTHERS).tobytes() == again(OTHERS).tobytes()
    np.testing.assert_allclose(trained(OTHERS).sum(axis=1), 1, atol=1e-12)
    np.testing.assert_allclose(trained(OTHERS[3:4])[0], trained(OTHERS)[3], atol=1e-12)
    assert trained(OTHERS[:0]).shape == (0, 5)


def test_arrays_of_another_method_are_refused() -> None:
    arrays = dict(SimpleShot().learn(EMBEDDINGS, CLASSES, 5, 0).arrays)
    without_centre = {name: array for name, array in arrays.items() if name != "centre"}
    for wrong, count in ((arrays, 4), ({}, 5), (without_centre, 5)):
        with pytest.raises(EnvironmentFault, match="not the means"):
            SimpleShot().restore(wrong, count)
