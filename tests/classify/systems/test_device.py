"""Networks compute where `Schedule.device` says: on torch's "meta" device, which mixes with no other, and on a GPU.

The meta device knows shapes only, so that a batch, a label or a weight left on the processor stops the training; what
is computed there is nothing. Where there is a GPU, its results are compared with the processor's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from ganonym.classify.learner import Inputs, Method
from ganonym.classify.learning.fit import Schedule
from ganonym.classify.learning.heads import CosFace, Softmax
from ganonym.classify.networks.iresnet import IResNet, IResNetForm
from ganonym.classify.systems.cnn import narrow
from ganonym.classify.systems.deepgestalt import small
from ganonym.classify.systems.gestaltmatcher import GestaltMatcher
from ganonym.classify.systems.margin import MarginNetwork

SIDE, PHOTOS = 32, 12
FORM = IResNetForm((1, 1, 1, 1), (8, 8, 16, 16), 16, SIDE)
CLASSES = np.arange(PHOTOS) % 3


def foundation() -> dict[str, np.ndarray]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return {name: value.numpy() for name, value in IResNet(FORM).state_dict().items()}


def crops(*shape: int) -> Inputs:
    return np.random.default_rng(0).integers(0, 256, (PHOTOS, *shape), dtype=np.uint8)


def plan(device: str) -> Schedule:
    return Schedule(1, 4, "sgd", 0.01, device=device)


def deepgestalt(device: str) -> tuple[Method, Inputs]:
    return replace(small(("full",)), schedule=plan(device)), crops(4, 48, 48)


def cnn(device: str) -> tuple[Method, Inputs]:
    return replace(narrow("resnet50"), side=64, schedule=plan(device)), crops(64, 64, 3)


def gestaltmatcher(device: str) -> tuple[Method, Inputs]:
    return GestaltMatcher(foundation(), epochs=1, draws=0, device=device), crops(SIDE, SIDE, 3)


def gestaltmatcher_as_published(device: str) -> tuple[Method, Inputs]:
    return GestaltMatcher(foundation(), epochs=1, device=device), crops(SIDE, SIDE, 3)


def softmax(device: str) -> tuple[Method, Inputs]:
    return MarginNetwork(Softmax(), FORM, plan(device)), crops(SIDE, SIDE, 3)


def cosface(device: str) -> tuple[Method, Inputs]:
    return MarginNetwork(CosFace(), foundation(), plan(device)), crops(SIDE, SIDE, 3)


Make = Callable[[str], tuple[Method, Inputs]]
ALL = [deepgestalt, cnn, gestaltmatcher, gestaltmatcher_as_published, softmax]


@pytest.mark.parametrize("make", ALL)
def test_all_of_a_training_is_on_one_device(make: Make) -> None:
    method, inputs = make("meta")
    trained = method.learn(inputs, CLASSES, 3, 0)
    networks = trained.networks.values() if hasattr(trained, "networks") else [trained.network]  # type: ignore[attr-defined]
    assert {weight.device.type for network in networks for weight in network.parameters()} == {"meta"}
    with pytest.raises(NotImplementedError, match="meta"):  # the pictures got there: only what is no number comes back
        trained(inputs)


def test_a_batch_left_behind_is_noticed() -> None:
    """The oracle itself: a picture on the processor and weights elsewhere must not pass."""
    with pytest.raises((RuntimeError, NotImplementedError)):
        nn.functional.cross_entropy(nn.Linear(3, 2, device="meta")(torch.zeros(4, 3)), torch.zeros(4).long())


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("make", [*ALL, cosface])
def test_a_gpu_learns_what_the_processor_learns(make: Make) -> None:
    results = []
    for device in ("cpu", "cuda"):
        method, inputs = make(device)
        trained = method.learn(inputs, CLASSES, 3, 0)
        again = method.restore(trained.arrays, 3)
        assert np.allclose(trained(inputs), again(inputs), atol=1e-6)
        results.append(trained(inputs))
    assert np.allclose(*results, atol=0.02)
