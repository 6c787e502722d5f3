"""One process or several: the same training loop under `python -m` and under torchrun (data parallel)."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

from ganonym.errors import EnvironmentFault


@dataclass(frozen=True, slots=True)
class Ranks:
    """This process among those that train together: `rank` 0…`world` − 1, and the device it computes on."""

    rank: int
    world: int
    device: torch.device

    @property
    def first(self) -> bool:
        """Whether this process writes checkpoints, logs and weights."""
        return self.rank == 0


def is_first() -> bool:
    """Whether this process is the only one or the first of those that torchrun started."""
    return int(os.environ.get("RANK", "0")) == 0


@contextmanager
def process_group() -> Iterator[Ranks]:
    """Join the processes that torchrun started (nccl with GPUs, else gloo) and leave them at the end; alone, only look.

    Each process takes the GPU of its local rank. Raises EnvironmentFault when a machine has fewer GPUs than processes.
    """
    world, rank, local = (int(os.environ.get(key, default)) for key, default in _VARIABLES)
    gpus = torch.cuda.device_count()
    if gpus and local >= gpus:
        raise EnvironmentFault(f"Process {local} has no GPU: there are {gpus}.", f"torchrun --nproc-per-node {gpus}")
    device = torch.device("cuda", local) if gpus else torch.device("cpu")
    if gpus:
        torch.cuda.set_device(device)
    if world == 1:
        yield Ranks(0, 1, device)
        return
    distributed.init_process_group("nccl" if gpus else "gloo")
    try:
        yield Ranks(rank, world, device)
    finally:
        distributed.destroy_process_group()


_VARIABLES = (("WORLD_SIZE", "1"), ("RANK", "0"), ("LOCAL_RANK", "0"))


def wrap(network: nn.Module, ranks: Ranks) -> nn.Module:
    """`network` with its gradients averaged over all ranks in backward; alone, `network` itself.

    Buffers are not sent around before each forward: spectral norm's follow from the weights, the same on every rank,
    and overwriting them between two forwards breaks the backward of the first.
    """
    if ranks.world == 1:
        return network
    ids = [ranks.device.index] if ranks.device.type == "cuda" else None
    return DistributedDataParallel(network, device_ids=ids, broadcast_buffers=False)


def unwrap(network: nn.Module) -> nn.Module:
    """The network inside what `wrap` returned: for forwards whose gradients are not to be averaged."""
    return network.module if isinstance(network, DistributedDataParallel) else network


def accumulating(network: nn.Module) -> AbstractContextManager[None]:
    """Forward and backward in here only add to this rank's gradients; the next backward outside averages the sum."""
    context: AbstractContextManager[None] = (
        network.no_sync() if isinstance(network, DistributedDataParallel) else nullcontext()
    )
    return context


def mean_over_ranks(values: Iterable[Tensor | float], ranks: Ranks) -> list[float]:
    """Each scalar's mean over the ranks, which must all call this together."""
    stacked = torch.stack([torch.as_tensor(value, dtype=torch.float64).detach().cpu() for value in values])
    if ranks.world > 1:
        stacked = stacked.to(ranks.device)
        distributed.all_reduce(stacked)
        stacked = stacked / ranks.world
    return [float(value) for value in stacked]


def require_equal(network: nn.Module, ranks: Ranks) -> None:
    """Check that every rank holds the same parameters, to the bit. Raises EnvironmentFault: they must never drift."""
    if ranks.world == 1:
        return
    bits = [parameter.detach().view(torch.int32).sum(dtype=torch.int64) for parameter in unwrap(network).parameters()]
    own = torch.stack(bits).to(ranks.device)
    of_first = own.clone()
    distributed.broadcast(of_first, 0)
    differ = (own != of_first).any().to(torch.int64)
    distributed.all_reduce(differ)
    if differ:
        raise EnvironmentFault(
            f"The weights of {int(differ)} of {ranks.world} processes have drifted from the first's.",
            "Run the same versions on all machines, and start again from the last checkpoint.",
        )
