"""The landmark network: gradients, equivariance, accuracy on samples with exact points, wrong weights refused."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from ganonym.errors import EnvironmentFault
from ganonym.faces.appearance import load_appearance, sample_identity, sample_texture, texture_of, warp_points
from ganonym.faces.condition import condition
from ganonym.faces.landmark_network import (
    INPUT,
    LandmarkNet,
    NetworkLandmarks,
    crop_frame,
    load_landmark_network,
    points_frame,
    points_on_canvas,
)
from ganonym.faces.shape import join, to_canvas
from ganonym.phantom.photos import sample_expression
from ganonym.types import LANDMARKS, RGB, Box, Points
from ganonym.weights import verified_path

COUNT = 24


@pytest.fixture(scope="module")
def samples() -> tuple[Tensor, Tensor]:
    """Fresh samples on a flat backdrop (n, 3, 256, 256) in −1…1, and their exact points."""
    model, rng = load_appearance(), np.random.default_rng(404)
    pictures, points = [], []
    for _ in range(COUNT):
        expression = model.shape.expression_sd * sample_expression(model, rng)[1]
        shape = to_canvas(join(sample_identity(model.shape, rng), expression, model.shape))
        drawn = warp_points(shape, model.shape.mean, model.forehead)[:LANDMARKS]
        texture = texture_of(
            sample_texture(rng.standard_normal(len(model.attribute_sd)).clip(-1, 1), model, rng), model
        )
        maps = condition(drawn, texture, model)
        pictures.append(maps[:3] * maps[3] + 0.35 * (1 - maps[3]))
        points.append(torch.from_numpy(drawn))
    return torch.stack(pictures), torch.stack(points)


def errors(tensor: Tensor, truth: Tensor) -> Tensor:
    """Mean distance of each face's points over the distance of its outer eye corners: (n,)."""
    return (tensor - truth).norm(dim=-1).mean(-1) / (truth[:, 36] - truth[:, 45]).norm(dim=-1)


def photo(picture: Tensor) -> RGB:
    pixels: RGB = ((picture + 1) * 127.5).round().clamp(0, 255).byte().permute(1, 2, 0).contiguous().numpy()
    return pixels


def box_of(points: Tensor) -> Box:
    low, high = points.min(0).values, points.max(0).values
    side = float((high - low).max()) / 0.935
    x, y = ((low + high) / 2).tolist()
    return Box(x - side / 2, y - side * 0.575, x + side / 2, y + side * 0.425)


def test_samples_are_located_far_better_than_by_the_mean_shape(samples: tuple[Tensor, Tensor]) -> None:
    pictures, points = samples
    result = points_on_canvas(load_landmark_network(), pictures).double()
    mean = torch.from_numpy(to_canvas(load_appearance().shape.mean)).expand_as(points)
    assert errors(result, points).mean() < 0.65 * errors(mean, points).mean()
    assert errors(result, points).max() < 0.07
    # Which of two faces has the wider mouth is seen, not guessed.
    widths = [(value[:, 54] - value[:, 48]).norm(dim=-1) for value in (result, points)]
    assert np.corrcoef(widths[0].numpy(), widths[1].numpy())[0, 1] > 0.8


def test_a_photo_and_a_box_give_the_same_accuracy(samples: tuple[Tensor, Tensor]) -> None:
    pictures, points = samples
    results = [
        NetworkLandmarks().locate(photo(picture), box_of(truth))
        for picture, truth in zip(pictures[:8], points[:8], strict=True)
    ]
    assert errors(torch.from_numpy(np.stack(results)), points[:8]).mean() < 0.05


def test_gradients_are_those_of_finite_differences(samples: tuple[Tensor, Tensor]) -> None:
    network = deepcopy(load_landmark_network()).double()
    picture = samples[0][:1].double().requires_grad_(True)
    weights = torch.randn(1, LANDMARKS, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64)

    def value(x: Tensor) -> Tensor:
        return (points_on_canvas(network, x) * weights).sum()

    (gradient,) = torch.autograd.grad(value(picture), picture)
    assert gradient.abs().max() > 0
    for seed in range(3):
        direction = torch.randn(picture.shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        with torch.no_grad():
            slope = (value(picture + 1e-5 * direction) - value(picture - 1e-5 * direction)) / 2e-5
        assert torch.isclose((gradient * direction).sum(), slope, rtol=1e-4)


def test_following_the_gradient_moves_the_points(samples: tuple[Tensor, Tensor]) -> None:
    network = load_landmark_network()
    picture = samples[0][:1].clone().requires_grad_(True)
    target = points_on_canvas(network, picture).detach() + 2.0
    before = (points_on_canvas(network, picture) - target).square().mean()
    (gradient,) = torch.autograd.grad(before, picture)
    after = (points_on_canvas(network, picture - 0.5 * gradient / gradient.norm()) - target).square().mean()
    assert after < before


def test_one_face_gives_the_same_points_in_any_batch_and_again(samples: tuple[Tensor, Tensor]) -> None:
    network = load_landmark_network()
    together = points_on_canvas(network, samples[0][:4])
    assert torch.equal(together, points_on_canvas(network, samples[0][:4]))
    alone = torch.cat([points_on_canvas(network, sample[None]) for sample in samples[0][:4]])
    assert (together - alone).abs().max() < 1e-2


@pytest.mark.parametrize(("x", "y"), [(6, 0), (-6, 4), (0, -8)])
def test_points_move_with_the_face(samples: tuple[Tensor, Tensor], x: int, y: int) -> None:
    pictures = samples[0][:8]
    moved = torch.full_like(pictures, 0.35)
    moved[..., max(y, 0) : 256 + min(y, 0), max(x, 0) : 256 + min(x, 0)] = pictures[
        ..., max(-y, 0) : 256 - max(y, 0), max(-x, 0) : 256 - max(x, 0)
    ]
    shift = points_on_canvas(load_landmark_network(), moved) - points_on_canvas(load_landmark_network(), pictures)
    assert (shift - torch.tensor([float(x), float(y)])).norm(dim=-1).mean() < 1.0


def test_a_moved_photo_gives_moved_points(samples: tuple[Tensor, Tensor]) -> None:
    rgb = np.pad(photo(samples[0][0]), ((80, 80), (80, 80), (0, 0)), mode="edge")
    box = _shifted(box_of(samples[1][0]), 80, 80)
    wide = np.pad(rgb, ((30, 40), (50, 20), (0, 0)))
    again = NetworkLandmarks().locate(wide, _shifted(box, 50, 30)) - [50, 30]
    assert np.abs(again - NetworkLandmarks().locate(rgb, box)).max() < 0.05


def _shifted(box: Box, x: float, y: float) -> Box:
    return Box(box.left + x, box.top + y, box.right + x, box.bottom + y)


def test_frames_hold_what_they_should() -> None:
    points: Points = np.array([[10.0, 20.0], [110.0, 60.0]])
    matrix = points_frame(points)
    width = (matrix[:, :2] @ (points[1] - points[0]))[0]
    assert width == pytest.approx(0.7 * INPUT)
    middle = matrix[:, :2] @ points.mean(axis=0) + matrix[:, 2]
    assert middle == pytest.approx([(INPUT - 1) / 2] * 2)
    assert np.isfinite(crop_frame(Box(5, 5, 5, 5))).all()


@pytest.mark.parametrize("box", [Box(-60, -80, 60, 40), Box(900, 900, 990, 990), Box(5, 5, 5, 5)])
def test_any_box_gives_finite_points(samples: tuple[Tensor, Tensor], box: Box) -> None:
    points = NetworkLandmarks().locate(photo(samples[0][0]), box)
    assert points.shape == (LANDMARKS, 2)
    assert points.dtype == np.float64
    assert np.isfinite(points).all()


def test_wrong_weights_are_refused(tmp_path: Path) -> None:
    state = load_file(verified_path("landmarks"))
    file = tmp_path / "wrong.safetensors"
    some = dict(list(state.items())[1:])
    other = LandmarkNet((8, 8, 8, 8)).state_dict()
    surplus = state | {"more": torch.zeros(1)}
    for number, (tensors, kind) in enumerate(
        [(state, "generator"), (some, "landmarks"), (other, "landmarks"), (surplus, "landmarks")]
    ):
        file = tmp_path / f"{number}.safetensors"
        save_file(tensors, file, metadata={"kind": kind})
        with pytest.raises(EnvironmentFault, match="not of this landmark network") as fault:
            NetworkLandmarks(file).locate(np.zeros((64, 64, 3), np.uint8), Box(8, 8, 56, 56))
        assert "ganonym train landmarks" in fault.value.remedy
    save_file(state, tmp_path / "right.safetensors", metadata={"kind": "landmarks"})
    assert load_landmark_network(tmp_path / "right.safetensors") is not None
