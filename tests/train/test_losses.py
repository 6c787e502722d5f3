"""Losses against values computed by hand."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from ganonym_train.losses import (
    NEIGHBOURHOOD,
    band_energy,
    discriminator_hinge,
    feature_matching,
    generator_hinge,
    smooth,
)


def scores(*patches: list[float]) -> list[list[Tensor]]:
    return [[torch.full((1, 2, 2, 2), 7.0), torch.tensor(each).reshape(1, 1, 1, -1)] for each in patches]


def test_hinge_losses_by_hand() -> None:
    real, fake = scores([0.5, 3.0], [-1.0, 1.0]), scores([-2.0, 0.0], [0.5, -0.5])
    # fine: (0.5 + 0) / 2 + (0 + 1) / 2; coarse: (2 + 0) / 2 + (1.5 + 0.5) / 2
    assert discriminator_hinge(real, fake).item() == pytest.approx((0.75 + 2.0) / 2)
    assert generator_hinge(fake).item() == pytest.approx(-((-1.0) + 0.0) / 2)
    sure = discriminator_hinge(scores([2.0], [1.0]), scores([-1.0], [-5.0]))
    assert sure.item() == 0


def test_feature_matching_is_the_mean_l1_without_the_scores() -> None:
    real, fake = scores([1.0], [2.0]), scores([9.0], [9.0])
    assert feature_matching(real, fake).item() == 0
    fake[0][0] = fake[0][0] + torch.tensor([1.0, -3.0])  # fine scale off by 2 on average
    assert feature_matching(real, fake).item() == pytest.approx((2.0 + 0.0) / 2)


def test_feature_matching_teaches_the_generator_only() -> None:
    real, fake = scores([1.0]), scores([1.0])
    real[0][0].requires_grad_()
    fake[0][0] = (fake[0][0] + 1).requires_grad_()
    feature_matching(real, fake).backward()
    assert real[0][0].grad is None
    assert fake[0][0].grad is not None


def stripes(level: int) -> Tensor:
    """A cosine along x with a period of 2^(level + 1) px, which the filter of `level` takes away completely."""
    x = torch.arange(128.0)
    return torch.cos(2 * torch.pi * x / 2 ** (level + 1)).expand(1, 1, 128, 128)


@pytest.mark.parametrize("level", range(4))
def test_smoothing_takes_its_own_period_away_and_keeps_longer_ones_by_the_formula(level: int) -> None:
    """The filter's response at the frequency w: (6 + 8 cos w + 2 cos 2w) / 16."""
    inside = (..., slice(40, 88), slice(40, 88))
    assert smooth(stripes(level), level)[inside].abs().max() < 1e-5
    for longer in range(1, 4):
        w = torch.tensor(2 * torch.pi * 2**level / 2 ** (level + longer + 1))
        response = (6 + 8 * torch.cos(w) + 2 * torch.cos(2 * w)) / 16
        image = stripes(level + longer)
        assert torch.allclose(smooth(image, level)[inside], response * image[inside], atol=1e-5)


def test_smoothing_has_no_grid() -> None:
    """Moved by one pixel, the result moves by one pixel."""
    image = torch.rand(1, 2, 80, 80)
    for level in range(4):
        moved = smooth(image.roll((1, 1), (2, 3)), level)[..., 33:48, 33:48]
        assert torch.allclose(moved, smooth(image, level)[..., 32:47, 32:47], atol=1e-6)


def test_energy_is_the_strength_of_detail_wherever_it_lies() -> None:
    image = torch.randn(1, 3, 128, 128, generator=torch.Generator().manual_seed(1))
    none = band_energy(torch.zeros_like(image), image).item()
    assert band_energy(-image, image).item() == pytest.approx(0, abs=1e-6)
    assert band_energy(0.3 * image, image).item() == pytest.approx(0.7 * none, rel=1e-4)
    assert band_energy(image + 5, image).item() == pytest.approx(0, abs=1e-5)  # light is no detail
    assert band_energy(image.roll(3, 3), image).item() < 0.1 * none


def test_energy_counts_neighbourhood_by_neighbourhood() -> None:
    """All detail in one half, twice as strong, is not detail everywhere."""
    board = torch.tensor([[1.0, -1.0], [-1.0, 1.0]]).repeat(4 * NEIGHBOURHOOD, 4 * NEIGHBOURHOOD)[None, None]
    half = board.clone()
    half[..., : board.shape[-1] // 2] *= 2
    half[..., board.shape[-1] // 2 :] *= 0
    assert band_energy(half, board).item() == pytest.approx(1, abs=0.06)
