"""Whoever waits for a fit sees it move, step by step, and nothing depends on being watched."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from ganonym.classify.cross_validation import cross_validated
from ganonym.classify.learning.fit import Schedule, fit
from ganonym.classify.networks.light import Projection
from ganonym.classify.progress import heard
from ganonym.classify.systems.ordinal import OrdinalGrading

Told = tuple[str, int, int]


def line(schedule: Schedule) -> nn.Linear:
    network = nn.Linear(2, 1)
    nn.init.ones_(network.weight)
    nn.init.zeros_(network.bias)

    def loss_of(rows: Tensor, _: torch.Generator) -> Tensor:
        return network(torch.ones(len(rows), 2)).square().mean()

    fit(network.parameters(), loss_of, 10, schedule, 0)
    return network


def test_every_step_of_a_fit_is_reported_and_changes_nothing() -> None:
    told: list[Told] = []
    with heard(lambda *entry: told.append(entry)):
        watched = line(Schedule(epochs=3, batch=4))
    assert told == [("fit", step, 6) for step in range(1, 7)]
    alone = line(Schedule(epochs=3, batch=4))
    assert len(told) == 6, "nobody listens any more"
    assert torch.equal(watched.weight, alone.weight)


def test_the_listener_of_cross_validation_hears_the_fit_of_every_fold() -> None:
    rng = np.random.default_rng(0)
    told: list[Told] = []
    cross_validated(
        OrdinalGrading(Projection(4), Schedule(epochs=2, batch=8)),
        rng.normal(size=(24, 6)),
        np.arange(24) % 2,
        [f"p{row}" for row in range(24)],
        2,
        0,
        3,
        lambda *entry: told.append(entry),
    )
    assert told == [
        *(entry for fold in range(3) for entry in (("train", fold, 3), *(("fit", step, 4) for step in range(1, 5)))),
        ("train", 3, 3),
    ]
