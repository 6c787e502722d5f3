"""The comparison of networks learns, saves, restores and weights classes; rates are those worked out by hand."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sklearn.metrics import recall_score

from ganonym.classify.crops import ArcFaceCrop
from ganonym.classify.learning.fit import Schedule
from ganonym.classify.recipe import Preset, altered, load_recipe
from ganonym.classify.systems.cnn import ConvolutionalNetwork, narrow
from ganonym.errors import EnvironmentFault, UsageError

SMALL = ConvolutionalNetwork(
    "resnet50", narrowing=8, side=32, schedule=Schedule(epochs=4, batch=24, optimizer="adam", rate=1e-2)
)


def patches(number: list[int], seed: int, contrast: float = 60.0) -> tuple[NDArray[np.uint8], NDArray[np.intp]]:
    """Noise, 32 px; class 1 has a bright red patch in its middle, class 2 a blue one, class 0 none."""
    rng = np.random.default_rng(seed)
    classes = np.repeat(np.arange(len(number)), number)
    crops = rng.normal(110, 25, (len(classes), 32, 32, 3))
    for label, channel in ((1, 0), (2, 2)):
        crops[classes == label, 10:22, 10:22, channel] += contrast
    return np.clip(crops, 0, 255).astype(np.uint8), classes.astype(np.intp)


@pytest.fixture(scope="module")
def learned() -> tuple[NDArray[np.float64], bytes]:
    before = torch.random.get_rng_state()
    crops, classes = patches([32, 32, 32], 1)
    trained = SMALL.learn(crops, classes, 3, seed=7)
    assert torch.equal(torch.random.get_rng_state(), before)
    others, truth = patches([20, 20, 20], 2)
    chances = trained(others)
    assert (chances.argmax(axis=1) == truth).mean() > 0.9  # a red patch is not a blue one
    np.testing.assert_allclose(chances.sum(axis=1), 1.0, atol=1e-12)
    assert not trained.network.training
    alone = np.concatenate([trained(others[row : row + 1]) for row in range(0, 60, 7)])
    np.testing.assert_allclose(alone, chances[::7], atol=1e-5)  # convolutions of other batches round differently
    assert trained(others[:0]).shape == (0, 3)
    restored = SMALL.restore(trained.arrays, 3)
    assert restored(others).tobytes() == chances.tobytes()
    return chances, b"".join(trained.arrays[name].tobytes() for name in sorted(trained.arrays))


def test_it_learns_colours_and_restores_to_the_last_bit(learned: tuple[NDArray[np.float64], bytes]) -> None:
    assert learned[0].dtype == np.float64


def test_equal_seeds_give_equal_networks(learned: tuple[NDArray[np.float64], bytes]) -> None:
    crops, classes = patches([32, 32, 32], 1)
    torch.rand(5)  # whatever else draws from the global generator
    again = SMALL.learn(crops, classes, 3, seed=7).arrays
    assert b"".join(again[name].tobytes() for name in sorted(again)) == learned[1]
    brief = dataclasses.replace(SMALL, schedule=Schedule(epochs=1, batch=16))
    one, two = (brief.learn(crops[::6], classes[::6], 3, seed)(crops) for seed in (1, 2))
    assert one.tobytes() != two.tobytes()


def test_class_weights_raise_macro_recall_and_cost_the_common_class() -> None:
    """The claim of Wu et al., on a hard task with eight photos of a common class for one of each rare one."""
    crops, classes = patches([96, 12, 12], 3, contrast=25)
    others, truth = patches([40, 40, 40], 4, contrast=25)
    recalls = []
    for weighted in (True, False):
        method = dataclasses.replace(SMALL, weighted=weighted)
        called = method.learn(crops, classes, 3, seed=1)(others).argmax(axis=1)
        recalls.append(recall_score(truth, called, average=None))
    assert recalls[0].mean() > recalls[1].mean() + 0.1
    assert recalls[0][0] < recalls[1][0]


def test_a_class_without_training_photos_is_not_called() -> None:
    crops, classes = patches([24, 24, 24], 5)
    two = classes < 2
    chances = SMALL.learn(crops[two], classes[two], 3, seed=1)(crops)
    assert (chances.argmax(axis=1) != 2).all()


def test_arrays_of_another_network_are_refused() -> None:
    crops, classes = patches([2, 2], 6)
    trained = dataclasses.replace(SMALL, schedule=Schedule(epochs=1, batch=4)).learn(crops, classes, 2, seed=0)
    with pytest.raises(EnvironmentFault, match="does not fit"):
        SMALL.restore(trained.arrays, 3)
    with pytest.raises(EnvironmentFault, match="does not fit"):
        dataclasses.replace(SMALL, architecture="densenet121").restore(trained.arrays, 2)
    with pytest.raises(UsageError, match="1 photo"):
        SMALL.learn(crops[:1], classes[:1], 2, seed=0)


def test_sides_are_the_published_ones_unless_given() -> None:
    assert ConvolutionalNetwork("xception").input_side == 299
    assert narrow("xception").input_side == 112
    assert narrow("inception_v4").narrowing == 8


@pytest.mark.parametrize(("preset", "side"), [("small", 112), ("full", 299)])
def test_faces_are_cut_at_the_side_that_the_network_sees(preset: Preset, side: int) -> None:
    configuration = altered(load_recipe("cnn-comparison").preset(preset), ["architecture=xception"])
    assert configuration.system({}).look.crops == (ArcFaceCrop(side),)
