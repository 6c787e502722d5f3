"""The critic sees parts and detail, and what it sees is varied alike for real and fake."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from ganonym_train.critic import CUT, ITEMS, SHIFT, TARGET, Discriminator, _emphasised, adapted, augment


@pytest.fixture(scope="module")
def critic() -> Discriminator:
    torch.manual_seed(0)
    return Discriminator(8)


def test_two_scales_of_features_with_scores_last(critic: Discriminator) -> None:
    fine, coarse = critic(torch.rand(2, 3, 128, 128), torch.rand(2, 7, 128, 128))
    assert [entry.shape[1] for entry in fine] == [entry.shape[1] for entry in coarse] == [8, 16, 32, 32, 1]
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
    convolutions = [module for module in critic.modules() if isinstance(module, nn.Conv2d)]
    assert len(convolutions) == 10
    with torch.no_grad():
        for _ in range(200):  # each look is one step of the power iteration
            weights = [convolution.weight for convolution in convolutions]
    for weight in weights:
        assert torch.linalg.matrix_norm(weight.flatten(1), ord=2).item() == pytest.approx(1, abs=0.02)


def test_the_critic_sees_detail_seven_times_as_strong() -> None:
    """A chequerboard is detail and nothing else; a flat picture and a slow ramp have none."""
    board = torch.tensor([[0.1, -0.1], [-0.1, 0.1]]).repeat(32, 32).expand(1, 3, 64, 64)
    assert torch.allclose(_emphasised(board), 7 * board, atol=1e-6)
    ramp = torch.linspace(-1, 1, 64).expand(1, 3, 64, 64)
    assert torch.allclose(_emphasised(ramp)[..., 8:-8], ramp[..., 8:-8], atol=1e-5)


SIDE = 64


def ramps(rows: int) -> tuple[Tensor, Tensor, Tensor]:
    """Pictures and maps that hold their own coordinates, in −0.6…0.6."""
    line = torch.linspace(-0.6, 0.6, SIDE)
    across, down = line.expand(SIDE, SIDE), line[:, None].expand(SIDE, SIDE)
    picture = torch.stack([across, down, across * down]).expand(rows, 3, SIDE, SIDE)
    return picture, picture.flip(1), torch.stack([across, down]).expand(rows, 2, SIDE, SIDE)


def test_probability_zero_returns_the_arguments() -> None:
    given = ramps(3)
    for before, after in zip(given, augment(*given, 0.0, (1, 2)), strict=True):
        assert before is after


def test_a_marker_moves_alike_in_pictures_and_parts() -> None:
    """A dot drawn into both pictures and a part map is found at one place in all three, or cut out of all three."""
    rows, kept, places = 64, 0, set()
    first, second, parts = (
        torch.zeros(rows, 3, SIDE, SIDE),
        torch.zeros(rows, 3, SIDE, SIDE),
        torch.zeros(rows, 4, SIDE, SIDE),
    )
    for tensor in (first, second, parts):
        tensor[:, :, 30:32, 20:22] = 0.9
    for row in zip(*augment(first, second, parts, 1.0, (3, 4)), strict=True):
        dots = [(entry.mean(dim=0) > entry.mean(dim=0).median() + 0.3).nonzero().float() for entry in row]
        assert {len(dot) for dot in dots} <= {0, 1, 2, 4}
        if len(dots[2]) == 4:
            kept += 1
            for dot in dots[:2]:
                assert torch.equal(dot, dots[2])
            places.add(tuple(dots[2].mean(dim=0).tolist()))
    assert kept > rows / 2
    down, across = torch.tensor(sorted(places)).T
    reach = SIDE * SHIFT
    assert (down - 30.5).abs().max() <= reach
    assert (across - 20.5).abs().max() <= reach
    assert len(places) > 20


def test_cutouts_blank_the_stated_share_of_the_area_everywhere() -> None:
    given = [torch.full((64, channels, SIDE, SIDE), 0.5) for channels in (3, 3, 2)]
    first, second, parts = augment(given[0], given[1], given[2], 1.0, (5,))
    for row in range(64):
        blank = parts[row, 0] == 0
        assert CUT[0] * 0.7 < blank.float().mean() < CUT[1] * 1.4
        for picture in (first[row], second[row]):  # recoloured after the cut: constant inside, constant outside
            assert picture[:, blank].std(dim=1).max() < 1e-5
            assert picture[:, ~blank].std(dim=1).max() < 1e-5
            assert (picture[:, blank].mean() - picture[:, ~blank].mean()).abs() > 0.1


def test_both_pictures_are_recoloured_alike() -> None:
    picture, _, parts = ramps(16)
    first, second, _ = augment(picture, picture.clone(), parts, 1.0, (6,))
    torch.testing.assert_close(first, second)
    assert (first.mean(dim=(1, 2, 3)) - picture.mean(dim=(1, 2, 3))).abs().max() > 0.01


@pytest.mark.parametrize("probability", [0.3, 1.0])
def test_gradients_reach_the_generator_and_nothing_else(probability: float) -> None:
    first, second, parts = (ramp.clone().requires_grad_(True) for ramp in ramps(12))
    shown, other, maps = augment(first, second, parts, probability, (7,))
    assert not other.requires_grad
    assert not maps.requires_grad
    shown.square().sum().backward()  # type: ignore[no-untyped-call]
    assert first.grad is not None
    assert torch.isfinite(first.grad).all()
    assert (first.grad.abs().sum(dim=(1, 2, 3)) > 0).all()


def test_draws_follow_the_seed_and_leave_the_global_generator_alone() -> None:
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    one, again, other = (augment(*ramps(8), 0.7, seed)[0] for seed in ((1, 2), (1, 2), (1, 3)))
    assert torch.equal(one, again)
    assert not torch.equal(one, other)
    assert torch.equal(torch.rand(3), expected)


def test_each_transformation_befalls_its_share_of_the_rows() -> None:
    """Law: a row stays as it was with probability (1 − p)³ (a shift of 0 is rare: one in 289)."""
    picture, second, parts = ramps(400)
    shown = augment(picture, second, parts, 0.3, (8,))[0]
    untouched = (shown == picture).flatten(1).all(dim=1).float().mean()
    assert abs(untouched - 0.7**3) < 4 * (0.343 * 0.657 / 400) ** 0.5


def test_the_probability_follows_the_sign_of_the_real_scores() -> None:
    assert adapted(0.0, TARGET - 0.1, 8) == 0.0
    assert adapted(0.5, TARGET + 0.1, 80) == pytest.approx(0.5 + 80 / ITEMS)
    assert adapted(0.5, TARGET - 0.1, 80) == pytest.approx(0.5 - 80 / ITEMS)
    assert adapted(1.0, 1.0, 8) == 1.0
