"""The critic sees image and parts at two scales, and its layers are bounded."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from ganonym_train.critic import Discriminator, _emphasised


@pytest.fixture(scope="module")
def critic() -> Discriminator:
    torch.manual_seed(0)
    return Discriminator(8)


def test_two_scales_of_features_with_scores_last(critic: Discriminator) -> None:
    fine, coarse = critic(torch.rand(2, 3, 128, 128), torch.rand(2, 7, 128, 128))
    assert [each.shape[1] for each in fine] == [each.shape[1] for each in coarse] == [8, 16, 32, 32, 1]
    assert fine[-1].shape == (2, 1, 16, 16)
    assert coarse[-1].shape == (2, 1, 8, 8)


def test_it_looks_at_the_parts_and_at_the_image(critic: Discriminator) -> None:
    critic.eval()
    image, parts = torch.rand(1, 3, 64, 64), torch.rand(1, 7, 64, 64)
    plain = critic(image, parts)
    for other in (critic(image, parts.flip(-1)), critic(image.flip(-1), parts)):
        for a, b in zip(plain, other, strict=True):
            assert not torch.allclose(a[-1], b[-1], atol=1e-4)
    critic.train()


def test_every_convolution_has_spectral_norm_one(critic: Discriminator) -> None:
    convolutions = [each for each in critic.modules() if isinstance(each, nn.Conv2d)]
    assert len(convolutions) == 10
    with torch.no_grad():
        for _ in range(200):  # each look is one step of the power iteration
            weights = [each.weight for each in convolutions]
    for weight in weights:
        assert torch.linalg.matrix_norm(weight.flatten(1), ord=2).item() == pytest.approx(1, abs=0.02)


def test_the_critic_sees_detail_seven_times_as_strong() -> None:
    """A chequerboard is detail and nothing else; a flat picture and a slow ramp have none."""
    board = torch.tensor([[0.1, -0.1], [-0.1, 0.1]]).repeat(32, 32).expand(1, 3, 64, 64)
    assert torch.allclose(_emphasised(board), 7 * board, atol=1e-6)
    ramp = torch.linspace(-1, 1, 64).expand(1, 3, 64, 64)
    assert torch.allclose(_emphasised(ramp)[..., 8:-8], ramp[..., 8:-8], atol=1e-5)
