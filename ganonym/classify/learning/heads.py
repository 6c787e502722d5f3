"""Heads that turn embeddings into classes: softmax, ArcFace (Deng et al. 2019) and CosFace (Wang et al. 2018).

The margins are trained with pytorch-metric-learning; a test holds its losses equal to the papers' formulas. CosFace is
also written out, for networks that are trained without that library.

Published face recognizers separate 10⁵ people with a scale of 64. With some twenty classes of some fifty photographs
such a scale does not train: hence 30 here (16 … 30 serve), and cross-entropy as the arm to compare with.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

from ganonym.errors import EnvironmentFault

ARCFACE_MARGIN, COSFACE_MARGIN = 28.65, 0.4
"""0.5 rad in degrees, and 0.4 of a cosine: the margins of the published recognizers (arcface_torch)."""
SCALE = 30.0
WEIGHTS = "W"


class Head(Protocol):
    """What ends a network: one column of weights a class."""

    @property
    def name(self) -> str:
        """As results tell it: "arcface"."""
        ...

    def loss(self, width: int, count: int) -> nn.Module:
        """Embeddings (n, `width`) and classes (n,) → the mean loss. Its weights `W` (width, count) are to be trained.

        They belong into the optimizer like those of the network. Drawn from torch's global generator (`fit.seeded`).
        """
        ...

    def logits(self, embeddings: Tensor, weights: Tensor) -> Tensor:
        """Scores (n, c) of classification, without any margin: their softmax are the probabilities."""
        ...


@dataclass(frozen=True, slots=True)
class ArcFace:
    """Additive angular margin: the angle to the own class counts as `margin` degrees (0 … 90) larger than it is."""

    margin: float = ARCFACE_MARGIN
    scale: float = SCALE

    @property
    def name(self) -> str:
        return "arcface"

    def loss(self, width: int, count: int) -> nn.Module:
        """Raises EnvironmentFault without pytorch-metric-learning."""
        made: nn.Module = _library().ArcFaceLoss(count, width, margin=self.margin, scale=self.scale)
        return made

    def logits(self, embeddings: Tensor, weights: Tensor) -> Tensor:
        return self.scale * cosines(embeddings, weights)


@dataclass(frozen=True, slots=True)
class CosFace:
    """Additive cosine margin: the cosine to the own class counts as `margin` (0 … 1) smaller than it is."""

    margin: float = COSFACE_MARGIN
    scale: float = SCALE

    @property
    def name(self) -> str:
        return "cosface"

    def loss(self, width: int, count: int) -> nn.Module:
        """Raises EnvironmentFault without pytorch-metric-learning."""
        made: nn.Module = _library().CosFaceLoss(count, width, margin=self.margin, scale=self.scale)
        return made

    def logits(self, embeddings: Tensor, weights: Tensor) -> Tensor:
        return self.scale * cosines(embeddings, weights)


@dataclass(frozen=True, slots=True)
class Softmax:
    """Cross-entropy on the inner products with the weights of classes: no margin, nothing normalised."""

    @property
    def name(self) -> str:
        return "softmax"

    def loss(self, width: int, count: int) -> nn.Module:
        return _CrossEntropy(width, count)

    def logits(self, embeddings: Tensor, weights: Tensor) -> Tensor:
        return embeddings @ weights


class _CrossEntropy(nn.Module):
    def __init__(self, width: int, count: int) -> None:
        super().__init__()
        self.W = nn.Parameter(torch.randn(width, count) / math.sqrt(width))

    def forward(self, embeddings: Tensor, classes: Tensor) -> Tensor:
        return functional.cross_entropy(embeddings @ self.W, classes)


def cosines(embeddings: Tensor, weights: Tensor) -> Tensor:
    """Cosines (n, c) of embeddings (n, d) with the columns of `weights` (d, c); 0 of what has no length.

    >>> cosines(torch.tensor([[3.0, 4.0]]), torch.tensor([[1.0, 0.0], [0.0, 2.0]]))
    tensor([[0.6000, 0.8000]])
    """
    return functional.normalize(embeddings, dim=1) @ functional.normalize(weights, dim=0)


def cosface_logits(likeness: Tensor, classes: Tensor, margin: float = COSFACE_MARGIN, scale: float = SCALE) -> Tensor:
    """Training logits (n, c) of cosines (n, c): s · (cos θ − m) at the own class (n,), s · cos θ elsewhere.

    >>> cosface_logits(torch.tensor([[1.0, 0.0]]), torch.tensor([0]), 0.5, 10.0)
    tensor([[5., 0.]])
    """
    return scale * (likeness - margin * functional.one_hot(classes, likeness.shape[1]))


def _library() -> Any:
    try:
        from pytorch_metric_learning import losses
    except ImportError as error:
        raise EnvironmentFault(
            "pytorch-metric-learning is needed to train margins and is not installed.",
            "Install it: pip install 'ganonym[classify]'",
        ) from error
    return losses


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
        above: Tensor = self.weight(features) + self.biases
        return above


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
