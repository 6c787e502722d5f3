"""How alike embeddings are, for few-shot learning: one formula each, for training and for prediction.

All are functions of tensors, so that episodes can be learned from; `float64` is exact enough for either.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import torch
from torch import Tensor
from torch.nn import functional

EpisodeScore: TypeAlias = Callable[[Tensor, Tensor, Tensor, int], Tensor]
"""Support (m, d), its ways (m,), query (q, d), number of ways → scores (q, ways), of which softmax is taken."""


def class_means(embeddings: Tensor, classes: Tensor, count: int) -> Tensor:
    """Means (c, d) of embeddings (n, d) by class (n,); rows of zeros for classes that do not occur.

    >>> class_means(torch.tensor([[0.0, 2.0], [2.0, 0.0], [5.0, 5.0]]), torch.tensor([0, 0, 2]), 3).tolist()
    [[1.0, 1.0], [0.0, 0.0], [5.0, 5.0]]
    """
    sums = embeddings.new_zeros(count, embeddings.shape[1]).index_add(0, classes, embeddings)
    return sums / torch.bincount(classes, minlength=count).clamp(min=1).to(embeddings.dtype)[:, None]


def squared_distances(one: Tensor, other: Tensor) -> Tensor:
    """Squared Euclidean distances (n, m) of rows (n, d) to rows (m, d), never negative.

    >>> squared_distances(torch.tensor([[3.0, 4.0]]), torch.tensor([[0.0, 0.0], [3.0, 4.0]])).tolist()
    [[25.0, 0.0]]
    """
    own, others = one.square().sum(1, keepdim=True), other.square().sum(1)
    return (own - 2 * one @ other.T + others).clamp(min=0)


def cosines(one: Tensor, other: Tensor) -> Tensor:
    """Cosine similarities (n, m) of rows (n, d) to rows (m, d); 0 to a row of zeros.

    >>> cosines(torch.tensor([[3.0, 4.0]]), torch.tensor([[0.0, 2.0], [0.0, 0.0]])).tolist()
    [[0.800000011920929, 0.0]]
    """
    return functional.normalize(one, dim=1) @ functional.normalize(other, dim=1).T


def prototypical(support: Tensor, ways: Tensor, query: Tensor, count: int) -> Tensor:
    """Prototypical networks (Snell et al. 2017, eq. 2): minus the squared distance to the mean of each way."""
    return -squared_distances(query, class_means(support, ways, count))


def cosine_to_means(support: Tensor, ways: Tensor, query: Tensor, count: int) -> Tensor:
    """Meta-Baseline (Chen et al. 2021, eq. 2) before its temperature: cosine similarity to the mean of each way."""
    return cosines(query, class_means(support, ways, count))


def attention(support: Tensor, classes: Tensor, query: Tensor, count: int, sharpness: float = 1.0) -> Tensor:
    """Matching networks (Vinyals et al. 2016, eq. 1): shares (q, c) of the support's classes, rows sum to 1.

    Each support photo weighs the softmax of its cosine similarity, times `sharpness` (1 in the paper), to the query.
    """
    weights = (sharpness * cosines(query, support)).softmax(dim=1)
    return weights @ functional.one_hot(classes, count).to(weights.dtype)


def matching(support: Tensor, ways: Tensor, query: Tensor, count: int) -> Tensor:
    """Logarithms of `attention`: softmax gives them back, cross-entropy is their negative log-likelihood."""
    return attention(support, ways, query, count).clamp(min=1e-30).log()
