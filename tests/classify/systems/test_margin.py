"""Margin networks: all of them learns, all of it is stored."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from pytorch_metric_learning.losses import CosFaceLoss
from safetensors.numpy import save_file

from ganonym.classify.learner import Arrays
from ganonym.classify.learning.fit import Schedule
from ganonym.classify.learning.heads import ArcFace, CosFace, Head, Softmax
from ganonym.classify.networks.iresnet import IResNetForm
from ganonym.classify.systems.margin import MarginNetwork
from ganonym.errors import EnvironmentFault, UsageError
from ganonym.weights import read_tensors

FORM = IResNetForm(blocks=(1, 1, 1, 1), widths=(4, 6, 8, 10), embedding=8, side=16)
QUICK = Schedule(epochs=14, batch=16, rate=1e-2)
HEADS: list[Head] = [ArcFace(), CosFace(), Softmax()]


def coloured(seed: int, each: int = 16) -> tuple[NDArray[np.uint8], NDArray[np.intp]]:
    """Three classes of noise: reddish, greenish, bluish."""
    rng = np.random.default_rng(seed)
    classes = np.repeat(np.arange(3), each).astype(np.intp)
    crops = rng.integers(70, 120, (len(classes), 16, 16, 3))
    crops[np.arange(len(classes)), :, :, classes] += 80
    return crops.astype(np.uint8), classes


@pytest.mark.parametrize("head", HEADS, ids=lambda head: head.name)
def test_it_learns_and_equal_seeds_learn_alike(head: Head) -> None:
    (crops, classes), (others, truth) = coloured(1), coloured(2)
    method = MarginNetwork(head, FORM, QUICK)
    before = torch.random.get_rng_state()
    trained = method.learn(crops, classes, 3, seed=3)
    chances = trained(others)
    assert (chances.argmax(axis=1) == truth).mean() > 0.9
    swapped = trained(np.ascontiguousarray(others[..., ::-1])).argmax(axis=1)
    assert (swapped == 2 - truth).mean() > 0.9  # RGB in training and in use
    np.testing.assert_allclose(chances.sum(axis=1), 1, atol=1e-9)
    np.testing.assert_allclose(trained(others[5:6]), chances[5:6], atol=1e-4)
    short = MarginNetwork(head, FORM, Schedule(1, 16))
    once, again, other = (short.learn(crops, classes, 3, seed)(others).tobytes() for seed in (3, 3, 4))
    assert once == again != other
    assert torch.equal(torch.random.get_rng_state(), before)


@pytest.mark.parametrize("head", HEADS, ids=lambda head: head.name)
def test_the_weights_of_the_loss_and_of_the_network_are_trained(head: Head) -> None:
    crops, classes = coloured(1)
    first, last = (
        MarginNetwork(head, FORM, Schedule(epochs, 16, rate=5e-3)).learn(crops, classes, 3, seed=3).arrays
        for epochs in (0, 1)
    )
    still = {name for name in first if np.array_equal(first[name], last[name])}
    assert still == {"network.features.weight"}  # which arcface_torch freezes at 1
    head_moved, network_moved = (
        float(np.abs(last[name] - first[name]).max()) for name in ("head.W", "network.fc.weight")
    )
    assert head_moved > 3 * network_moved  # it learns ten times as fast


def test_it_classifies_as_the_library_does_without_the_margin() -> None:
    crops, classes = coloured(1)
    trained = MarginNetwork(CosFace(0.4, 20.0), FORM, QUICK).learn(crops, classes, 3, seed=3)
    theirs = CosFaceLoss(3, 8, margin=0.4, scale=20.0)
    theirs.W.data = trained.weights
    with torch.no_grad():
        logits = theirs.get_logits(torch.from_numpy(trained.embed(crops)).float())
    np.testing.assert_allclose(trained(crops), logits.softmax(dim=1), atol=1e-5)
    assert trained.embed(crops).shape == (48, trained.width) == (48, 8)
    assert trained(crops[:0]).shape == (0, 3)


@cache
def foundation() -> Arrays:
    """Of a network that can tell the three colours."""
    return network_of(MarginNetwork(ArcFace(), FORM, QUICK).learn(*coloured(7), 3, seed=9).arrays)


def network_of(arrays: Arrays) -> Arrays:
    return {name.removeprefix("network."): array for name, array in arrays.items() if name.startswith("network.")}


def test_it_starts_from_a_foundation() -> None:
    start, (crops, classes) = foundation(), coloured(1)
    method = MarginNetwork(CosFace(), start, Schedule(epochs=0))
    begun = network_of(method.learn(crops, classes, 3, seed=3).arrays)
    assert begun.keys() == start.keys()
    assert all(np.array_equal(begun[name], start[name]) for name in start)
    kept = {name: array.copy() for name, array in start.items()}
    MarginNetwork(CosFace(), start, Schedule(1, 16)).learn(crops, classes, 3, seed=3)
    assert all(np.array_equal(kept[name], start[name]) for name in start)


def test_who_has_seen_mirrored_photos_cannot_tell_mirror_images_apart() -> None:
    rng = np.random.default_rng(1)
    crops = rng.integers(40, 120, (40, 16, 16, 3))
    crops[:, :, :8] += 100
    crops[20:] = crops[20:, :, ::-1]
    classes = np.repeat([0, 1], 20).astype(np.intp)
    trained = MarginNetwork(Softmax(), FORM, QUICK).learn(crops.astype(np.uint8), classes, 2, seed=3)
    assert abs(trained(crops.astype(np.uint8))[np.arange(40), classes].mean() - 0.5) < 0.2


def test_what_was_stored_predicts_to_the_last_bit(tmp_path: Path) -> None:
    crops, classes = coloured(1)
    method = MarginNetwork(ArcFace(), FORM, Schedule(1, 16))
    trained = method.learn(crops, classes, 3, seed=3)
    save_file(dict(trained.arrays), tmp_path / "margin.safetensors")
    arrays, _ = read_tensors(tmp_path / "margin.safetensors")
    restored = method.restore(arrays, 3)
    assert restored(crops).tobytes() == trained(crops).tobytes()
    assert {name: array.tobytes() for name, array in restored.arrays.items()} == {
        name: array.tobytes() for name, array in trained.arrays.items()
    }
    with pytest.raises(EnvironmentFault, match="4 classes"):
        method.restore(arrays, 4)
    with pytest.raises(EnvironmentFault, match="3 classes"):
        method.restore({name: array for name, array in arrays.items() if name != "head.W"}, 3)
    with pytest.raises(EnvironmentFault, match="iResNet"):
        method.restore({"head.W": arrays["head.W"]}, 3)


def test_a_foundation_that_knows_the_classes_is_ahead() -> None:
    crops, classes = coloured(1, 8)
    halves = np.arange(24) % 2 == 0, np.arange(24) % 2 == 1
    right: dict[bool, list[float]] = {True: [], False: []}
    for pretrained, start in ((True, foundation()), (False, FORM)):
        for head in HEADS:
            method = MarginNetwork(head, start, Schedule(4, 6, "sgd", 3e-3))
            for train, test in (halves, halves[::-1]):
                called = method.learn(crops[train], classes[train], 3, 0)(crops[test]).argmax(axis=1)
                right[pretrained].append(float((called == classes[test]).mean()))
    assert np.mean(right[True]) > np.mean(right[False]) + 0.1


def test_what_cannot_be_learned_from_is_refused() -> None:
    crops, classes = coloured(1)
    with pytest.raises(UsageError, match="too few"):
        MarginNetwork(CosFace(), FORM).learn(crops[:1], classes[:1], 3, seed=0)
    with pytest.raises(UsageError, match=r"\(n, 16, 16, 3\)"):
        MarginNetwork(CosFace(), FORM).learn(crops[:, :9], classes, 3, seed=0)
    with pytest.raises(EnvironmentFault, match="iResNet"):
        MarginNetwork(CosFace(), {"weight": np.zeros(3)}).learn(crops, classes, 3, seed=0)
    assert MarginNetwork().start == IResNetForm(blocks=(3, 13, 30, 3))
