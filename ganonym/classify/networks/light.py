"""Small encoders for cached embeddings and for crops, and how arrays get into and out of networks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ganonym.classify.learner import Inputs
from ganonym.errors import EnvironmentFault, UsageError

Factory: TypeAlias = Callable[[tuple[int, ...]], nn.Module]
"""Shape of one input, as `to_tensor` makes it → a network of (n, *shape) → (n, features)."""


@dataclass(frozen=True, slots=True)
class Projection:
    """A linear map of cached embeddings (n, d) to (n, `width`), as the last layer of GestaltMatcher-Arc's encoder."""

    width: int = 64

    def __call__(self, shape: tuple[int, ...]) -> nn.Module:
        """Raises UsageError for inputs that are no vectors."""
        if len(shape) != 1:
            raise UsageError(f"inputs of shape {shape} are no embeddings; give a network for them.")
        return nn.Linear(shape[0], self.width)


@dataclass(frozen=True, slots=True)
class Light:
    """The smallest encoder that fits: of vectors a layer, of crops (3, h, w) three convolutions, to `width` features.

    Normalised in groups, not batches, so that it is the same in training and use and for batches of one photo.
    """

    width: int = 64

    def __call__(self, shape: tuple[int, ...]) -> nn.Module:
        """Raises UsageError for inputs that are neither."""
        if len(shape) == 1:
            return nn.Sequential(nn.Linear(shape[0], self.width), nn.ReLU())
        if len(shape) != 3:
            raise UsageError(f"inputs of shape {shape} are neither embeddings nor crops; give a network for them.")
        layers: list[nn.Module] = []
        before = shape[0]
        for width in (16, 32, self.width):
            layers += [nn.Conv2d(before, width, 3, 2, 1, bias=False), nn.GroupNorm(1, width), nn.ReLU()]
            before = width
        return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten())


def to_tensor(inputs: Inputs) -> Tensor:
    """Crops (n, h, w, 3) uint8 RGB → (n, 3, h, w) in −1 … 1; anything else → float32 as it is.

    >>> to_tensor(np.full((1, 2, 2, 3), 255, np.uint8)).shape, to_tensor(np.full((1, 2, 2, 3), 255, np.uint8)).max()
    (torch.Size([1, 3, 2, 2]), tensor(1.))
    """
    if inputs.dtype == np.uint8 and inputs.ndim == 4:
        return torch.tensor(inputs).permute(0, 3, 1, 2).float() / 127.5 - 1
    return torch.from_numpy(np.array(inputs, np.float32, order="C"))  # a copy: fields of records are not aligned


def tensor_shape(inputs: Inputs) -> tuple[int, ...]:
    """Shape of one input after `to_tensor`."""
    return tuple(to_tensor(inputs[:1]).shape[1:])


def embedded(network: nn.Module, inputs: Inputs, batch: int = 64) -> Tensor:
    """Features (n, features) of inputs (n, ...), float64, without gradients; as many at a time as `batch`."""
    with torch.inference_mode():
        features = [network(to_tensor(inputs[start : start + batch])) for start in range(0, max(len(inputs), 1), batch)]
    return torch.cat(features).double()


def features_of(network: nn.Module, shape: tuple[int, ...]) -> int:
    """How many features the network gives of an input of `shape`. Raises UsageError unless it gives (n, features)."""
    training = network.training
    with torch.inference_mode():
        features = network.eval()(torch.zeros(1, *shape))
    network.train(training)
    if features.ndim != 2:
        raise UsageError(f"the encoder gives {tuple(features.shape)} of one photo; it must give (1, features).")
    return int(features.shape[1])


@contextmanager
def training(network: nn.Module, seed: int) -> Iterator[None]:
    """The network in training mode, but frozen parts in evaluation mode; after it all of it in evaluation mode.

    Frozen is a module whose parameters all have no gradient: else its batch normalisation would drift (as it does in
    GestaltMatcher-Arc's code). Dropout draws from the global generator, which is seeded here and then put back.
    """
    network.train()
    for module in network.modules():
        own = list(module.parameters())
        if own and not any(weight.requires_grad for weight in own):
            module.eval()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed % 2**63)
        yield
    network.eval()


def learned(network: nn.Module) -> list[nn.Parameter]:
    """The parameters that are not frozen."""
    return [weight for weight in network.parameters() if weight.requires_grad]


def state(network: nn.Module) -> dict[str, NDArray[np.generic]]:
    """All parameters and buffers as arrays, named `network.…`."""
    return {f"network.{name}": value.detach().numpy().copy() for name, value in network.state_dict().items()}


def restored(network: nn.Module, arrays: Mapping[str, NDArray[np.generic]]) -> nn.Module:
    """The network with the `state` among `arrays`, in evaluation mode. Raises EnvironmentFault when it does not fit."""
    own = {name.removeprefix("network."): array for name, array in arrays.items() if name.startswith("network.")}
    try:
        network.load_state_dict({name: torch.tensor(array) for name, array in own.items()})
    except RuntimeError as error:
        raise EnvironmentFault(
            f"the arrays are not of this network: {str(error).splitlines()[-1].strip()}",
            "Choose the method and the encoder that wrote the file.",
        ) from error
    return network.eval()
