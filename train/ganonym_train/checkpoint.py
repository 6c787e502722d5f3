"""Training state on disk as safetensors: networks, optimizer moments and the step. Nothing is ever pickled."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.optim import Optimizer

from ganonym.errors import UsageError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Part = TypeVar("Part", nn.Module, Optimizer, Tensor, int)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Everything a run needs to continue: networks, Adam states, and the probability of augmentation, float64 (1,).

    `images` is the number of items in one step of all processes together: it says what a step number means.
    """

    generator: nn.Module
    average: nn.Module
    discriminator: nn.Module
    generator_optimizer: Optimizer
    discriminator_optimizer: Optimizer
    probability: Tensor
    images: int


def save_checkpoint(state: DataclassInstance, step: int, path: Path) -> None:
    """Write `state`, a dataclass of networks, optimizers, tensors and whole numbers, atomically.

    A run killed while saving keeps its previous checkpoint.
    """
    tensors: dict[str, Tensor] = dict(_parts(state, Tensor))
    for name, network in _parts(state, nn.Module).items():
        for key, tensor in network.state_dict().items():
            tensors[f"{name}.{key}"] = tensor
    for name, optimizer in _parts(state, Optimizer).items():
        for index, moments in optimizer.state_dict()["state"].items():
            for key, tensor in moments.items():
                tensors[f"{name}.{index}.{key}"] = tensor
    metadata = {"step": str(step)} | {name: str(number) for name, number in _parts(state, int).items()}
    partial = path.with_suffix(".partial")
    save_file({key: tensor.contiguous() for key, tensor in tensors.items()}, partial, metadata=metadata)
    partial.replace(path)


def load_checkpoint(state: DataclassInstance, path: Path) -> int:
    """Restore `state` from `path` and return its step; 0 when there is no file, and nothing changes.

    Raises UsageError when the file is of a run with other steps, or of an older recipe.
    """
    if not path.is_file():
        return 0
    with safe_open(path, framework="pt") as file:
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        metadata = file.metadata()
    for name, number in _parts(state, int).items():
        if metadata.get(name) != str(number):
            raise UsageError(
                f"{path} was written by steps of {metadata.get(name)} {name}, and these have {number}.",
                "Resume with the same --batch and number of processes, or begin in another folder (--run).",
            )
    for name, tensor in _parts(state, Tensor).items():
        tensor.copy_(tensors[name])
    for name, network in _parts(state, nn.Module).items():
        network.load_state_dict(_below(tensors, name))
    for name, optimizer in _parts(state, Optimizer).items():
        moments: dict[int, dict[str, Tensor]] = {}
        for key, tensor in _below(tensors, name).items():
            index, moment = key.split(".", 1)
            moments.setdefault(int(index), {})[moment] = tensor
        optimizer.load_state_dict({"state": moments, "param_groups": optimizer.state_dict()["param_groups"]})
    return int(metadata["step"])


def export_generator(generator: nn.Module, path: Path) -> None:
    """Write the generator alone in half precision, the form in which it ships."""
    export_half(generator, path, "generator")


def export_half(network: nn.Module, path: Path, kind: str) -> None:
    """Write the weights of `network` in half precision (counters as they are), `kind` in the metadata, atomically."""
    path.parent.mkdir(parents=True, exist_ok=True)
    tensors = {
        key: (tensor.to("cpu", torch.float16) if tensor.is_floating_point() else tensor.cpu()).contiguous()
        for key, tensor in network.state_dict().items()
    }
    partial = path.with_suffix(".partial")
    save_file(tensors, partial, metadata={"kind": kind})
    partial.replace(path)


def _parts(state: DataclassInstance, kind: type[Part]) -> dict[str, Part]:
    parts = {field.name: getattr(state, field.name) for field in fields(state)}
    return {name: part for name, part in parts.items() if isinstance(part, kind)}


def _below(tensors: dict[str, Tensor], name: str) -> dict[str, Tensor]:
    return {key.removeprefix(name + "."): tensor for key, tensor in tensors.items() if key.startswith(name + ".")}
