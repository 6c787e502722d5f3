"""The generator's promises: starts at the surrogate, treats each face alone, leaves the backdrop."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from ganonym.faces.condition import CHANNELS
from ganonym.synthesis.generator import BACKDROP, Generator, compose, on_backdrop


def conditions(count: int, side: int = 256) -> Tensor:
    maps = torch.rand(count, CHANNELS, side, side, generator=torch.Generator().manual_seed(3))
    maps[:, :3] = maps[:, :3] * 2 - 1
    return maps


@pytest.fixture(scope="module")
def trained() -> Generator:
    """A small generator whose last layer is no longer 0; in training mode, where a batch norm would mix faces."""
    torch.manual_seed(1)
    network = Generator((16, 16, 24, 32))
    torch.nn.init.normal_(network.last.weight, std=0.1)
    return network.requires_grad_(False)


def test_an_untrained_generator_adds_nothing() -> None:
    with torch.inference_mode():
        residual = Generator()(conditions(1))
    assert residual.shape == (1, 3, 256, 256)
    assert not residual.any()


def test_it_is_small() -> None:
    assert sum(weight.numel() for weight in Generator().parameters()) <= 8_000_000


def test_a_face_does_not_depend_on_the_rest_of_its_batch(trained: Generator) -> None:
    batch = conditions(3, side=64)
    together = trained(batch)
    assert together.abs().max() > 0.1
    for number in range(3):
        torch.testing.assert_close(trained(batch[number : number + 1])[0], together[number], atol=1e-5, rtol=1e-5)


def test_crops_give_what_the_whole_face_gives_far_from_their_edges(trained: Generator) -> None:
    whole = conditions(1)
    crop = trained(whole[..., :192, :192])
    assert trained(whole[..., :128, :160]).shape == (1, 3, 128, 160)
    torch.testing.assert_close(crop[..., :32, :32], trained(whole)[..., :32, :32], atol=1e-4, rtol=1e-3)


def test_every_condition_channel_matters(trained: Generator) -> None:
    base = conditions(1, side=64)
    plain = trained(base)
    for channel in range(CHANNELS):
        changed = base.clone()
        changed[:, channel, 32, 32] += 1
        assert not torch.equal(trained(changed), plain)


def test_composing_adds_inside_the_mask_and_leaves_the_backdrop_exactly() -> None:
    maps = conditions(2, side=32)
    maps[:, 3] = 0
    maps[:, 3, 8:20, 8:20] = 1
    picture = compose(maps, torch.full((2, 3, 32, 32), 0.25))
    inside = maps[:, 3:4].expand(-1, 3, -1, -1) == 1
    assert (picture[~inside] == BACKDROP).all()
    torch.testing.assert_close(picture[inside], (maps[:, :3] + 0.25).clamp(-1, 1)[inside])


def test_a_feathered_mask_blends() -> None:
    blended = on_backdrop(torch.full((1, 3, 1, 1), 5.0), torch.full((1, 1, 1, 1), 0.5))
    torch.testing.assert_close(blended, torch.full((1, 3, 1, 1), 0.5 * 1.0 + 0.5 * BACKDROP))
