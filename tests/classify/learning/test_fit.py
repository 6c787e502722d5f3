"""The one descent: rates, order and clipping are what torch's own schedules and samplers would give."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from ganonym.classify.learning.fit import Schedule, descend, fit
from ganonym.classify.progress import heard


@pytest.mark.parametrize("steps", [1, 7, 40])
def test_the_cosine_is_torchs(steps: int) -> None:
    ours, theirs = (torch.nn.Parameter(torch.tensor([3.0, -2.0])) for _ in range(2))
    groups = [{"params": [ours], "lr": 0.3}]
    descend(torch.optim.SGD(groups, 0.1, momentum=0.9), lambda _: ours.square().sum(), steps)
    optimizer = torch.optim.SGD([theirs], 0.3, momentum=0.9)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(steps):
        optimizer.zero_grad()
        theirs.square().sum().backward()
        optimizer.step()
        schedule.step()
    assert torch.allclose(ours, theirs, rtol=1e-6)


def test_a_constant_course_keeps_the_rate_and_clipping_bounds_every_value() -> None:
    weight = torch.nn.Parameter(torch.zeros(2))
    slope = torch.tensor([100.0, -0.01])
    descend(torch.optim.SGD([weight], 0.5), lambda _: (weight * slope).sum(), 4, "constant", clip=0.1)
    assert weight.tolist() == pytest.approx([-4 * 0.5 * 0.1, 4 * 0.5 * 0.01])


def test_every_row_is_drawn_once_an_epoch_and_seeds_decide() -> None:
    def rows_of(seed: int) -> list[list[int]]:
        weight = torch.nn.Parameter(torch.ones(1))
        drawn: list[list[int]] = []

        def loss_of(rows: Tensor, generator: torch.Generator) -> Tensor:
            torch.rand(3, generator=generator)  # as augmentations draw
            drawn.append(rows.tolist())
            return weight.sum()

        fit([weight], loss_of, 10, Schedule(epochs=3, batch=3), seed)
        return drawn

    drawn = rows_of(1)
    assert [len(rows) for rows in drawn] == [3] * 9  # the last incomplete batch is left out
    for epoch in range(3):
        assert len(set(np.concatenate(drawn[3 * epoch : 3 * epoch + 3]).tolist())) == 9
    assert drawn[:3] != drawn[3:6]
    assert rows_of(1) == drawn
    assert rows_of(2) != drawn


def test_a_set_smaller_than_a_batch_is_one_batch_and_steps_are_reported() -> None:
    weight = torch.nn.Parameter(torch.ones(1))
    sizes: list[int] = []

    def loss_of(rows: Tensor, generator: torch.Generator) -> Tensor:
        sizes.append(len(rows))
        return weight.sum()

    told: list[tuple[str, int, int]] = []
    with heard(lambda *report: told.append(report)):
        fit([weight], loss_of, 4, Schedule(epochs=2, batch=32), 0)
    assert sizes == [4, 4]
    assert told == [("fit", 1, 2), ("fit", 2, 2)]
    fit([weight], loss_of, 4, Schedule(epochs=0), 0)
    assert sizes == [4, 4]
