"""Training state on disk as safetensors: networks, optimizer moments and the step. Nothing is ever pickled."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.optim import Optimizer

from ganonym.errors import UsageError


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


def save_checkpoint(state: Checkpoint, step: int, path: Path) -> None:
    """Write `state` atomically: a run killed while saving keeps its previous checkpoint."""
    tensors: dict[str, Tensor] = {"probability": state.probability}
    for name in ("generator", "average", "discriminator"):
        for key, tensor in getattr(state, name).state_dict().items():
            tensors[f"{name}.{key}"] = tensor
    for name in ("generator_optimizer", "discriminator_optimizer"):
        for index, moments in getattr(state, name).state_dict()["state"].items():
            for key, tensor in moments.items():
                tensors[f"{name}.{index}.{key}"] = tensor
    metadata = {"step": str(step), "images": str(state.images)}
    partial = path.with_suffix(".partial")
    save_file({key: tensor.contiguous() for key, tensor in tensors.items()}, partial, metadata=metadata)
    partial.replace(path)


def load_checkpoint(state: Checkpoint, path: Path) -> int:
    """Restore `state` from `path` and return its step; 0 when there is no file, and nothing changes.

    Raises UsageError when the file is of a run with other steps, or of an older recipe.
    """
    if not path.is_file():
        return 0
    with safe_open(path, framework="pt") as file:
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        metadata = file.metadata()
    step, images = int(metadata["step"]), int(metadata.get("images", 0))
    if images != state.images:
        raise UsageError(
            f"{path} was written by steps of {images} images, and these have {state.images}.",
            "Resume with the same --batch and number of processes, or begin in another folder (--run).",
        )
    state.probability.copy_(tensors["probability"])
    for name in ("generator", "average", "discriminator"):
        getattr(state, name).load_state_dict(_below(tensors, name))
    for name in ("generator_optimizer", "discriminator_optimizer"):
        optimizer: Optimizer = getattr(state, name)
        moments: dict[int, dict[str, Tensor]] = {}
        for key, tensor in _below(tensors, name).items():
            index, moment = key.split(".", 1)
            moments.setdefault(int(index), {})[moment] = tensor
        optimizer.load_state_dict({"state": moments, "param_groups": optimizer.state_dict()["param_groups"]})
    return step


def export_generator(generator: nn.Module, path: Path) -> None:
    """Write the generator alone in half precision, the form in which it ships."""
    path.parent.mkdir(parents=True, exist_ok=True)
    tensors = {key: tensor.to("cpu", torch.float16).contiguous() for key, tensor in generator.state_dict().items()}
    partial = path.with_suffix(".partial")
    save_file(tensors, partial, metadata={"kind": "generator"})
    partial.replace(path)


def _below(tensors: dict[str, Tensor], name: str) -> dict[str, Tensor]:
    return {key.removeprefix(name + "."): tensor for key, tensor in tensors.items() if key.startswith(name + ".")}
