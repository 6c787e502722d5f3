"""The one training loop: resumable at any checkpoint, deterministic given the seed, in one process or many.

A trainer gives its state (networks, optimizers, numbers), what one step does, and what is kept at each checkpoint.
Training state lies on disk as safetensors: networks, optimizer moments and the step. Nothing is ever pickled.
"""

from __future__ import annotations

import csv
import time
from collections.abc import Callable, Mapping
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
FILE = "checkpoint.safetensors"


@dataclass(frozen=True, slots=True)
class Steps:
    """How far a run goes: `last` steps, of `items` `unit` each, with a checkpoint every `save_every` and at the end.

    `first`: whether this process is the one that writes.
    """

    last: int
    save_every: int
    items: int = 1
    unit: str = "steps"
    first: bool = True

    def saves(self, step: int) -> bool:
        """Whether a checkpoint follows `step`."""
        return step % self.save_every == 0 or step == self.last


def resume(state: DataclassInstance, run: Path) -> int:
    """Make the folder `run`, restore `state` from its checkpoint if there is one, and return how many steps are done.

    Raises UsageError as `load_checkpoint`.
    """
    run.mkdir(parents=True, exist_ok=True)
    return load_checkpoint(state, run / FILE)


def run_steps(
    state: DataclassInstance,
    run: Path,
    done: int,
    steps: Steps,
    take: Callable[[int], None],
    keep: Callable[[int], str],
    log: Callable[[str], None],
) -> None:
    """`take(step)` for every step after `done`. At each checkpoint `state` is saved, and `keep(step)` exports weights.

    What `keep` returns is logged: how good they are. Step n depends on (seed, n) alone if `take` does, so that a run
    killed and resumed ends where an uninterrupted one does.
    """
    started = time.monotonic()
    for step in range(done + 1, steps.last + 1):
        take(step)
        if steps.first and steps.saves(step):
            save_checkpoint(state, step, run / FILE)
            quality = keep(step)
            rate = (step - done) * steps.items / (time.monotonic() - started)
            log(f"step {step} of {steps.last}, {rate:.3g} {steps.unit}/s, {quality}")


def set_rate(optimizer: Optimizer, rate: float) -> None:
    """One learning rate for all weights."""
    for group in optimizer.param_groups:
        group["lr"] = rate


def descend(loss: Tensor, optimizer: Optimizer, longest: float | None = None) -> None:
    """One step down the gradient of `loss`, which is shortened to `longest` where one is given."""
    optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    if longest is not None:
        nn.utils.clip_grad_norm_([weight for group in optimizer.param_groups for weight in group["params"]], longest)
    optimizer.step()


@torch.no_grad()
def follow(average: nn.Module, current: nn.Module, keep: float) -> None:
    """Move the weights of `average` towards those of `current`, keeping the share `keep`; counters are copied."""
    for slow, fast in zip(average.state_dict().values(), current.state_dict().values(), strict=True):
        if slow.is_floating_point():
            slow.lerp_(fast, 1 - keep)
        else:
            slow.copy_(fast)


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


def export_half(state: Mapping[str, Tensor], path: Path, kind: str) -> None:
    """Write weights in half precision, the form in which they ship (counters as they are), atomically.

    `kind` goes into the metadata, by which readers tell weights apart.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    tensors = {
        key: (tensor.to("cpu", torch.float16) if tensor.is_floating_point() else tensor.cpu()).contiguous()
        for key, tensor in state.items()
    }
    partial = path.with_suffix(".partial")
    save_file(tensors, partial, metadata={"kind": kind})
    partial.replace(path)


def begin_log(path: Path, columns: tuple[str, ...], done: int) -> None:
    """A header, and of an earlier run the rows up to step `done`: later ones are about to be written again."""
    rows = []
    if path.is_file():
        with path.open(newline="", encoding="utf-8") as file:
            rows = [row for row in csv.reader(file) if row[0].isdecimal() and int(row[0]) <= done]
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([columns, *rows])


def append_log(path: Path, step: int, values: list[float]) -> None:
    """One row more."""
    with path.open("a", newline="", encoding="utf-8") as file:
        csv.writer(file).writerow([step, *(f"{value:.5f}" for value in values)])


def _parts(state: DataclassInstance, kind: type[Part]) -> dict[str, Part]:
    parts = {field.name: getattr(state, field.name) for field in fields(state)}
    return {name: part for name, part in parts.items() if isinstance(part, kind)}


def _below(tensors: dict[str, Tensor], name: str) -> dict[str, Tensor]:
    return {key.removeprefix(name + "."): tensor for key, tensor in tensors.items() if key.startswith(name + ".")}
