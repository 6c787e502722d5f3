"""The CASIA network is the published one: its layers, sizes, number of parameters and what it computes."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from ganonym.classify.learning.fit import seeded
from ganonym.classify.networks.casia import Casia

CHANNELS = [1, 32, 64, 64, 128, 96, 192, 128, 256, 160, 320]
# By hand from the table, 9 · before · after + after a convolution:
WEIGHTS = [320, 18_496, 36_928, 73_856, 110_688, 166_080, 221_312, 295_168, 368_800, 461_120]


@pytest.mark.parametrize("count", [10_575, 7])
def test_parameters_are_as_many_as_counted_by_hand(count: int) -> None:
    norms = 2 * (32 + 64 + 64 + 128 + 96 + 192 + 128 + 256 + 160)  # none after the last convolution
    assert sum(WEIGHTS) + norms == 1_755_008
    network = Casia(count)
    assert sum(weight.numel() for weight in network.parameters()) == 1_755_008 + 321 * count
    convolutions = [module for module in network.modules() if isinstance(module, nn.Conv2d)]
    assert [sum(p.numel() for p in convolution.parameters()) for convolution in convolutions] == WEIGHTS


def test_maps_shrink_100_50_25_13_7() -> None:
    network, sides = Casia(3).eval(), []
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(lambda _m, _i, out: sides.append(out.shape[1:]))
    with torch.inference_mode():
        assert network(torch.rand(1, 1, 100, 100)).shape == (1, 3)
    assert [tuple(side) for side in sides] == [
        (channels, side, side)
        for channels, side in zip(CHANNELS[1:], [100, 100, 50, 50, 25, 25, 13, 13, 7, 7], strict=True)
    ]


def drawn(width: float = 1.0, count: int = 3) -> Casia:
    """A network whose normalisations are not those of first weights."""
    network = seeded(lambda: Casia(count, width), 5)
    assert isinstance(network, Casia)
    generator = torch.Generator().manual_seed(1)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            for tensor in (module.running_mean, module.running_var, module.weight.data, module.bias.data):
                assert tensor is not None
                tensor.copy_(torch.rand(tensor.shape, generator=generator) + 0.2)
    return network.eval()


def test_it_computes_what_the_table_says() -> None:
    network = drawn()
    state, maps = network.state_dict(), torch.rand(2, 1, 100, 100, generator=torch.Generator().manual_seed(2))
    crops = maps
    for number in (0, 1, "P", 3, 4, "P", 6, 7, "P", 9, 10, "P", 12, 13):  # as GestaltMatcher numbers them
        if number == "P":
            maps = functional.max_pool2d(maps, 2, 2, ceil_mode=True)
        elif number == 13:
            maps = functional.conv2d(maps, state["base.13.weight"], state["base.13.bias"], padding=1)
        else:
            key = f"base.{number}"
            maps = functional.conv2d(maps, state[f"{key}.conv.weight"], state[f"{key}.conv.bias"], padding=1)
            scale = (state[f"{key}.norm.running_var"] + 1e-5).rsqrt() * state[f"{key}.norm.weight"]
            shift = state[f"{key}.norm.bias"] - state[f"{key}.norm.running_mean"] * scale
            maps = (maps * scale[:, None, None] + shift[:, None, None]).clamp(min=0)
    features = functional.avg_pool2d(maps, 7).flatten(1)
    assert features.shape == (2, 320)
    assert features.min() < 0  # no ReLU after the last
    scores = features @ state["classifier.0.weight"].T + state["classifier.0.bias"]
    with torch.inference_mode():
        torch.testing.assert_close(network.features(crops), features, atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(network(crops), scores, atol=1e-4, rtol=1e-4)
    assert len(state) == 9 * 7 + 2 + 2


def test_half_the_features_are_left_out_in_training_and_the_rest_doubled() -> None:
    network = drawn(0.125, count=40)
    with torch.no_grad():
        network.classifier[0].weight.copy_(torch.eye(40))  # scores are the features
    crops = torch.rand(50, 1, 16, 16, generator=torch.Generator().manual_seed(3))
    with torch.inference_mode():
        features = network(crops)
        first, again = (network(crops, torch.Generator().manual_seed(4)) for _ in range(2))
    assert torch.equal(first, again)
    kept = first != 0
    assert 0.45 < kept.float().mean() < 0.55
    torch.testing.assert_close(first[kept], 2 * features[kept])


@pytest.mark.parametrize(("width", "side"), [(0.5, 48), (0.25, 64)])
def test_narrow_networks_take_other_sides(width: float, side: int) -> None:
    network = Casia(4, width).eval()
    with torch.inference_mode():
        features: Tensor = network.features(torch.rand(1, 1, side, side))
    assert features.shape == (1, 320 * width)


def test_heads_start_as_he_et_al_draw_them() -> None:
    head = seeded(lambda: Casia(2000), 0).get_submodule("classifier.0")
    assert isinstance(head, nn.Linear)
    assert head.bias.abs().max() == 0
    assert head.weight.std().item() == pytest.approx((2 / 320) ** 0.5, rel=0.01)
