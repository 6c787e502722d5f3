"""Dropout whose draws come from a generator of its own, the same on every device."""

from __future__ import annotations

import torch
from torch import Tensor


def dropped(features: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """`features` of any shape with about `share` of them set to 0 and the others divided by 1 − `share`.

    >>> dropped(torch.ones(6), 0.5, torch.Generator().manual_seed(0)).tolist()
    [0.0, 2.0, 0.0, 0.0, 0.0, 2.0]
    """
    kept = torch.rand(features.shape, generator=generator) >= share
    return features * kept.to(features.device) / (1 - share)
