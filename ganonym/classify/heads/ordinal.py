"""Ordered levels from one score: K levels are K − 1 thresholds that share all weights."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class OrdinalHead(nn.Module):
    """Features (n, features) → log-odds (n, levels − 1) that the level is above 0, above 1, …

    All thresholds share one weight vector, as in CORAL (Cao, Mirjalili, Raschka 2020, arXiv 1901.07884). There the
    order of the biases follows only at the optimum; here each is the one before less a softplus, as in cumulative link
    models (McCullagh 1980), so that a level is never less likely to be reached than a higher one.
    """

    def __init__(self, features: int, levels: int) -> None:
        super().__init__()
        if levels < 2:
            raise ValueError(f"{levels} level leaves nothing to grade")
        self.weight = nn.Linear(features, 1, bias=False)
        self.first = nn.Parameter(torch.tensor(0.5 * (levels - 2)))  # with gaps of 1 the biases are symmetric about 0
        self.gaps = nn.Parameter(torch.full((levels - 2,), 0.5413249))  # softplus gives 1

    @property
    def biases(self) -> Tensor:
        """Biases (levels − 1,), descending."""
        return self.first - torch.cat([self.gaps.new_zeros(1), functional.softplus(self.gaps).cumsum(0)])

    def forward(self, features: Tensor) -> Tensor:
        found: Tensor = self.weight(features) + self.biases
        return found


def coral_loss(above: Tensor, levels: Tensor, weights: Tensor | None = None) -> Tensor:
    """Mean over photos of the summed binary cross-entropy of thresholds (CORAL, eq. 4); photos weigh `weights` (n,).

    `above` (n, k − 1) are log-odds of `OrdinalHead`, `levels` (n,) from 0 to k − 1.
    """
    beyond = (levels[:, None] > torch.arange(above.shape[1], device=levels.device)).to(above.dtype)
    losses = functional.binary_cross_entropy_with_logits(above, beyond, reduction="none").sum(dim=1)
    return losses.mean() if weights is None else (losses * weights).sum() / weights.sum()


def level_probabilities(above: Tensor) -> Tensor:
    """Probabilities (n, k) of levels from log-odds (n, k − 1), descending in each row: never negative, sum 1.

    σ(a) − σ(b) as σ(a) σ(−b) (1 − e^(b − a)), which keeps its digits where both are near 0 or 1.

    >>> level_probabilities(torch.tensor([[1.0, -1.0]], dtype=torch.float64)).numpy().round(3).tolist()
    [[0.269, 0.462, 0.269]]
    """
    between = above[:, :-1].sigmoid() * (-above[:, 1:]).sigmoid() * -torch.expm1(above[:, 1:] - above[:, :-1])
    return torch.cat([(-above[:, :1]).sigmoid(), between, above[:, -1:].sigmoid()], dim=1)
