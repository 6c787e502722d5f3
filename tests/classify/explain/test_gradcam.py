"""Maps equal the gradients worked out by hand, light up where the evidence was planted, and leave networks alone.

A map lies on the photograph where it lay on the crop, and the rest of the photograph is as it was.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from skimage.transform import AffineTransform, warp
from torch import Tensor, nn
from torch.nn import functional

from ganonym.classify.explain.gradcam import drawn_on_photo, grad_cam, overlay
from ganonym.classify.learning.fit import seeded
from ganonym.classify.networks.zoo import ARCHITECTURES, Architecture, last_maps, network
from ganonym.errors import UsageError
from ganonym.faces.align import apply, invert
from ganonym.types import RGB, Floats


class Tiny(nn.Module):
    """Two convolutions, batch normalisation and dropout; a hidden layer so that gradients differ between pictures."""

    def __init__(self) -> None:
        super().__init__()
        self.maps = nn.Sequential(
            nn.Conv2d(3, 5, 3, stride=2, padding=1), nn.BatchNorm2d(5), nn.ReLU(), nn.Conv2d(5, 6, 3, padding=1)
        )
        self.head = nn.Sequential(nn.Linear(6, 7), nn.Tanh(), nn.Dropout(0.5), nn.Linear(7, 4))

    def forward(self, pictures: Tensor) -> Tensor:
        return self.head(self.maps(pictures).relu().mean(dim=(2, 3)))


@pytest.fixture
def tiny() -> nn.Module:
    return seeded(Tiny, 3).double().train()


def pictures(number: int, seed: int = 0, side: int = 12) -> Tensor:
    return torch.randn(number, 3, side, side, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def by_hand(tiny: nn.Module, seen: Tensor, score: Tensor | int, size: tuple[int, int]) -> NDArray[np.float64]:
    """The chain rule, layer by layer, without autograd: α_k = mean over places of ∂y/∂A_k, map = ReLU(Σ α_k A_k)."""
    tiny.eval()
    with torch.no_grad():
        maps = tiny.maps(seen)
        first, _, _, last = tiny.head
        hidden = first(maps.relu().mean(dim=(2, 3))).tanh()
        if isinstance(score, int):
            back = last.weight[score].expand_as(hidden)
        else:  # the cosine of output and concept
            out = last(hidden)
            length, unit = out.norm(dim=1, keepdim=True), score / score.norm()
            cosine = (out @ unit)[:, None] / length
            back = (unit / length - cosine * out / length**2) @ last.weight
        pooled = (back * (1 - hidden**2)) @ first.weight
        places = maps.shape[2] * maps.shape[3]
        gradient = pooled[:, :, None, None] * (maps > 0) / places
        heat = (gradient.mean(dim=(2, 3), keepdim=True) * maps).sum(dim=1, keepdim=True).relu()
        heat = functional.interpolate(heat, size, mode="bilinear", align_corners=False)[:, 0]
    top = heat.amax(dim=(1, 2), keepdim=True)
    return np.asarray((heat / torch.where(top > 0, top, 1)).double().numpy())


def test_maps_are_those_worked_out_by_hand(tiny: nn.Module) -> None:
    seen = pictures(20)  # more than one pass
    for target in range(4):
        expected = by_hand(tiny, seen, target, (12, 12))
        assert expected.max() == 1
        np.testing.assert_allclose(grad_cam(tiny, tiny.maps, seen, target), expected, atol=1e-9)
    result = [0, 3, 1, 2, 1] * 4  # no two passes alike
    outcome = grad_cam(tiny, tiny.maps, seen, result, size=(30, 18))
    assert outcome.shape == (20, 30, 18)
    for row, target in enumerate(result):
        expected = by_hand(tiny, seen[row : row + 1], target, (30, 18))[0]
        np.testing.assert_allclose(outcome[row], expected, atol=1e-9)


def test_the_network_is_left_as_it_was(tiny: nn.Module) -> None:
    tiny.maps.eval()  # a frozen part inside a network in training
    for weight in tiny.maps.parameters():
        weight.requires_grad_(False)
    tiny.head[0].weight.grad = torch.full_like(tiny.head[0].weight, 2.0)
    modes = [module.training for module in tiny.modules()]
    state = {name: tensor.clone() for name, tensor in tiny.state_dict().items()}
    seen = pictures(5)
    copy = seen.clone()
    frozen = grad_cam(tiny, tiny.maps, seen, 1)
    assert [module.training for module in tiny.modules()] == modes
    assert all(torch.equal(state[name], tensor) for name, tensor in tiny.state_dict().items())
    assert [weight.requires_grad for weight in tiny.maps.parameters()] == [False] * 6
    assert torch.equal(tiny.head[0].weight.grad, torch.full_like(tiny.head[0].weight, 2.0))
    assert all(weight.grad is None for weight in tiny.maps.parameters())
    assert not any(module._forward_hooks or module._backward_hooks for module in tiny.modules())
    assert torch.equal(seen, copy)
    assert not seen.requires_grad
    np.testing.assert_allclose(frozen, by_hand(tiny, seen, 1, (12, 12)), atol=1e-9)
    with pytest.raises(UsageError, match="asked for were \\[9\\]"):
        grad_cam(tiny.train(), tiny.maps, seen, 9)
    assert tiny.maps.training  # also after an error


def test_it_works_where_gradients_are_switched_off(tiny: nn.Module) -> None:
    seen = pictures(3)
    expected = grad_cam(tiny, tiny.maps, seen, 1)
    with torch.inference_mode():
        assert grad_cam(tiny, tiny.maps, pictures(3), 1).tobytes() == expected.tobytes()


def test_a_picture_s_map_is_its_own(tiny: nn.Module) -> None:
    seen = pictures(6)
    together = grad_cam(tiny, tiny.maps, seen, 2)
    for row in range(6):
        np.testing.assert_allclose(grad_cam(tiny, tiny.maps, seen[row : row + 1], 2)[0], together[row], atol=1e-9)
    assert grad_cam(tiny, tiny.maps, seen[:0], 2).shape == (0, 12, 12)


class Spots(nn.Module):
    """Class 0 is the red in a picture, class 1 the green."""

    def __init__(self) -> None:
        super().__init__()
        self.maps = nn.Conv2d(3, 3, 1, bias=False)
        nn.init.dirac_(self.maps.weight)

    def forward(self, pictures: Tensor) -> Tensor:
        return self.maps(pictures).mean(dim=(2, 3))


def test_planted_evidence_lights_up_and_nothing_else() -> None:
    seen = torch.zeros(1, 3, 16, 16)
    seen[0, 0, 2:5, 2:5] = 0.5
    seen[0, 1, 10:13, 9:12] = 7.0
    net = Spots()
    maps = np.concatenate([grad_cam(net, net.maps, seen, target) for target in range(3)])
    assert (maps[0] > 0).nonzero()[0].tolist() == np.repeat([2, 3, 4], 3).tolist()
    assert maps[0].max() == maps[1].max() == 1.0
    assert maps[1, 10:13, 9:12].min() == 1.0
    assert maps[1].sum() == 9
    assert not maps[2].any()  # nothing blue: no map, no division by nothing


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_network_of_the_comparison_can_be_looked_into(architecture: Architecture) -> None:
    """In-place activations must not change what the map is made of: against plain autograd through hooks."""
    net = seeded(lambda: network(architecture, 3, 8), 2).eval()
    seen = pictures(2, side=96).float().requires_grad_()
    kept: list[Tensor] = []

    def keep(module: nn.Module, given: object, maps: Tensor) -> Tensor:
        kept.append(maps.clone())
        return kept[-1]

    handle = last_maps(net).register_forward_hook(keep)
    (gradient,) = torch.autograd.grad(net(seen)[:, 1].sum(), kept[0])
    handle.remove()
    heat = (gradient.mean(dim=(2, 3), keepdim=True) * kept[0]).sum(dim=1).relu().detach()
    result = grad_cam(net, last_maps(net), seen.detach(), 1, size=(heat.shape[1], heat.shape[2]))
    top = heat.amax(dim=(1, 2), keepdim=True)
    np.testing.assert_allclose(result, heat / torch.where(top > 0, top, 1), atol=1e-4)


def test_refusals(tiny: nn.Module) -> None:
    with pytest.raises(UsageError, match="no map"):
        grad_cam(tiny, tiny.head[0], pictures(2), 0)
    with pytest.raises(UsageError, match="3 targets for 2 pictures"):
        grad_cam(tiny, tiny.maps, pictures(2), [0, 1, 2])


PHOTO: RGB = np.random.default_rng(0).integers(0, 256, (420, 350, 3)).astype(np.uint8)


def to_crop(scale: float, degrees: float, middle: tuple[float, float], side: int) -> Floats:
    """Brings `middle` of the photo to the middle of the crop."""
    turn = scale * np.array(
        [
            [np.cos(np.radians(degrees)), -np.sin(np.radians(degrees))],
            [np.sin(np.radians(degrees)), np.cos(np.radians(degrees))],
        ]
    )
    return np.column_stack([turn, (side - 1) / 2 - turn @ middle])


@given(
    st.floats(0.2, 2.0),
    st.floats(-180, 180),
    st.tuples(st.floats(0, 349), st.floats(0, 419)),
    st.sampled_from([48, 112]),
)
@settings(max_examples=30)
def test_the_map_lies_as_scikit_image_lays_it(
    scale: float, degrees: float, middle: tuple[float, float], side: int
) -> None:
    heat = np.random.default_rng(side).random((side, side))
    matrix = to_crop(scale, degrees, middle, side)
    result = drawn_on_photo(PHOTO, heat, matrix)
    laid = warp(heat, AffineTransform(np.vstack([matrix, [0, 0, 1]])), output_shape=PHOTO.shape[:2], order=1)
    y, x = np.mgrid[: PHOTO.shape[0], : PHOTO.shape[1]]
    on_crop = apply(matrix, np.stack([x, y], axis=-1).reshape(-1, 2).astype(float)).reshape(*PHOTO.shape[:2], 2)
    inside = ((on_crop > 0.01) & (on_crop < side - 1.01)).all(axis=-1)
    outside = ((on_crop < -0.51) | (on_crop > side - 0.49)).any(axis=-1)
    assert np.array_equal(result[outside], PHOTO[outside])
    wanted = overlay(PHOTO, laid)
    # A colour of 256 may be the next one where the map is between two.
    assert np.abs(result.astype(int) - wanted)[inside].max(initial=0) <= 6


def test_it_shows_a_spot_at_the_place_it_was_seen() -> None:
    place = (310, 95)
    dark = np.zeros((420, 350, 3), np.uint8)
    matrix = to_crop(0.3, 70.0, (300.0, 100.0), 48)
    x, y = apply(matrix, np.array([place], float))[0]
    rows, columns = np.mgrid[:48, :48]
    heat = np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / 8)
    seen = drawn_on_photo(dark, heat, matrix).astype(float).sum(axis=2)
    rows, columns = np.mgrid[:420, :350]
    assert (seen * columns).sum() / seen.sum() == pytest.approx(place[0], abs=1.0)
    assert (seen * rows).sum() / seen.sum() == pytest.approx(place[1], abs=1.0)


def test_a_map_of_nothing_and_a_face_beside_the_photo_leave_it_as_it_is() -> None:
    before = PHOTO.copy()
    assert np.array_equal(drawn_on_photo(PHOTO, np.zeros((48, 48)), to_crop(0.3, 10, (100, 100), 48)), PHOTO)
    for middle in ((-900.0, 100.0), (900.0, 100.0), (100.0, -900.0), (100.0, 900.0)):
        assert np.array_equal(drawn_on_photo(PHOTO, np.ones((48, 48)), to_crop(0.3, 10, middle, 48)), PHOTO)
    all_over = drawn_on_photo(PHOTO, np.ones((48, 48)), to_crop(0.01, 0, (175, 210), 48))
    assert np.array_equal(all_over, overlay(PHOTO, np.ones(PHOTO.shape[:2])))
    assert np.array_equal(PHOTO, before), "the photo itself is not drawn on"


def test_the_border_is_that_of_the_crop() -> None:
    matrix = to_crop(0.5, 30.0, (170.0, 200.0), 48)
    changed = (drawn_on_photo(np.full_like(PHOTO, 90), np.ones((48, 48)), matrix) != 90).any(axis=2)
    assert changed.sum() == pytest.approx((48 / 0.5) ** 2, rel=0.03)
    corners = apply(invert(matrix), np.array([[0.0, 0], [47, 0], [47, 47], [0, 47]])).round().astype(int)
    assert changed[corners[:, 1], corners[:, 0]].all()
