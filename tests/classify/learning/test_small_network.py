"""The small network learns, sees no light, and owes nothing to any global state."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from ganonym.classify.learning.small_network import SmallNetwork, mirrored, oriented_gradients


def stripes(seed: int, each: int = 40) -> tuple[NDArray[np.uint8], NDArray[np.intp]]:
    """Two classes: stripes leaning 30° and 60° to the horizontal, of random phase, light and colour."""
    rng = np.random.default_rng(seed)
    classes = np.repeat([0, 1], each)
    y, x = np.mgrid[:64, :64] / 64
    crops = []
    for label in classes:
        angle = np.radians([30.0, 60.0][label])
        wave = np.sin(40 * (x * np.cos(angle) + y * np.sin(angle)) + rng.uniform(0, 6.28))
        grey = 128 + rng.uniform(10, 60) * wave[..., None] + rng.uniform(-40, 40, 3)
        crops.append(np.clip(grey + rng.normal(0, 3, (64, 64, 3)), 0, 255).astype(np.uint8))
    return np.array(crops), classes.astype(np.intp)


def test_it_learns_from_crops_and_equal_seeds_give_equal_networks() -> None:
    crops, classes = stripes(1)
    others, truth = stripes(2)
    before = torch.random.get_rng_state()
    first = SmallNetwork(epochs=6).learn(crops, classes, 2, seed=3)(others)
    assert (first.argmax(axis=1) == truth).mean() > 0.95
    np.testing.assert_allclose(first.sum(axis=1), 1.0, atol=1e-6)
    torch.rand(7)  # whatever else draws from the global generator
    second = SmallNetwork(epochs=6).learn(crops, classes, 2, seed=3)(others)
    assert first.tobytes() == second.tobytes()
    third = SmallNetwork(epochs=6).learn(crops, classes, 2, seed=4)(others)
    assert first.tobytes() != third.tobytes()
    torch.random.set_rng_state(before)
    SmallNetwork(epochs=1).learn(crops, classes, 2, seed=3)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_a_rare_class_is_called_too() -> None:
    crops, classes = stripes(5)
    few = np.r_[0:40, 40:44]
    others, truth = stripes(6)
    called = SmallNetwork(epochs=12).learn(crops[few], classes[few], 2, seed=0)(others).argmax(axis=1)
    assert (called == truth)[truth == 1].mean() > 0.8


def test_maps_see_edges_not_light() -> None:
    crops, _ = stripes(7, each=2)
    dark = (crops * 0.5).round().astype(np.uint8) + 30
    assert (oriented_gradients(crops) - oriented_gradients(dark)).abs().mean() < 0.02
    flat = oriented_gradients(np.full((1, 64, 64, 3), 200, np.uint8))
    assert flat.shape == (1, 8, 16, 16)
    assert flat.abs().max() == 0


def test_direction_of_a_vertical_edge_and_its_mirror() -> None:
    edge = np.zeros((1, 64, 64, 3), np.uint8)
    edge[:, :, 33:] = 255  # brightness rises to the right: direction 0
    assert oriented_gradients(edge).sum(dim=(0, 2, 3)).argmax() == 0
    assert oriented_gradients(edge.transpose(0, 2, 1, 3)).sum(dim=(0, 2, 3)).argmax() == 4
    crops = np.random.default_rng(8).integers(0, 256, (2, 64, 64, 3)).astype(np.uint8)
    expected = oriented_gradients(np.ascontiguousarray(crops[:, :, ::-1]))
    torch.testing.assert_close(mirrored(oriented_gradients(crops)), expected, atol=1e-4, rtol=1e-4)
