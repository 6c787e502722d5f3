"""Losses against values computed by hand and finite differences; the fixed networks that some of them ask."""

from __future__ import annotations

from dataclasses import fields, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from ganonym.errors import EnvironmentFault, UsageError
from ganonym.faces.appearance import load_appearance
from ganonym.faces.encoder import Encoder, to_input
from ganonym.faces.landmark_network import LandmarkNet, points_on_canvas
from ganonym_train.adversarial import Recipe
from ganonym_train.critic import Discriminator
from ganonym_train.generator import rate_share, train_generator
from ganonym_train.losses import (
    NEIGHBOURHOOD,
    WEIGHTS,
    FaceNetwork,
    Weights,
    band_energy,
    discriminator_hinge,
    face_network_of,
    feature_distance,
    feature_matching,
    generator_hinge,
    gradient_penalty,
    identity_repulsion,
    landmark_consistency,
    landmarker_of,
    smooth,
)
from ganonym_train.pairs import load_targets


def scores(*patches: list[float]) -> list[list[Tensor]]:
    return [[torch.full((1, 2, 2, 2), 7.0), torch.tensor(patch).reshape(1, 1, 1, -1)] for patch in patches]


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


class Brightest(nn.Module):
    """A landmark network by hand: the centre of mass of each of 68 channels planted in the picture's rows."""

    def forward(self, pictures: Tensor) -> Tensor:
        weight = (pictures[:, 0] * 50).flatten(1).softmax(dim=1).reshape(len(pictures), 256, 256)
        line = torch.arange(256.0)
        centre = torch.stack([(weight.sum(1) * line).sum(1), (weight.sum(2) * line).sum(1)], dim=1)
        return centre[:, None].expand(-1, 68, 2)


def test_landmark_consistency_is_the_mean_distance_in_interocular_distances_and_pulls_the_dot() -> None:
    picture = torch.full((1, 3, 256, 256), -1.0)
    picture[0, :, 120, 103] = 1.0
    picture.requires_grad_(True)
    points = torch.full((1, 68, 2), 100.0)
    points[0, :, 1] = 116.0
    points[0, 36:42, 0], points[0, 42:48, 0] = 80.0, 120.0
    distances = np.hypot(103 - points[0, :, 0].numpy(), 120 - points[0, :, 1].numpy())
    loss = landmark_consistency(picture, points, Brightest())
    assert loss.item() == pytest.approx(distances.mean() / 40, rel=1e-4)
    loss.backward()  # type: ignore[no-untyped-call]
    assert picture.grad is not None
    # Light to the upper left of the dot would bring the centre of mass nearer to where it is wanted.
    assert picture.grad[0, 0, 100, 90] < picture.grad[0, 0, 140, 120]


def test_repulsion_is_a_hinge_on_the_nearest_of_the_gallery() -> None:
    angles = torch.tensor([0.0, 0.5, 1.5])
    gallery = torch.stack([angles.cos(), angles.sin()], dim=1)
    mine = torch.tensor([0.4, -2.0], requires_grad=True)
    vectors = torch.stack([mine.cos(), mine.sin()], dim=1)
    loss = identity_repulsion(vectors, gallery, margin=0.3)
    assert loss.item() == pytest.approx((np.cos(0.1) - 0.3) / 2)
    loss.backward()  # type: ignore[no-untyped-call]
    assert mine.grad is not None
    assert mine.grad[0] > 0  # away from 0.5
    assert mine.grad[1] == 0  # far from everybody: left alone


def test_feature_distance_is_zero_for_equal_pictures_and_scale_free() -> None:
    torch.manual_seed(0)
    layer = nn.Conv2d(3, 4, 3)
    one, other = torch.rand(2, 3, 32, 32), torch.rand(2, 3, 32, 32)
    assert feature_distance(one, one, lambda x: [layer(x), x]).item() == 0
    small = feature_distance(one, other, lambda x: [layer(x).detach()])
    large = feature_distance(one, other, lambda x: [100 * layer(x).detach()])
    assert small.item() == pytest.approx(large.item(), rel=1e-3)
    expected = (layer(one) - layer(other)).abs().mean() / layer(other).abs().mean()
    assert small.item() == pytest.approx(expected.item(), rel=1e-3)


def test_the_gradient_penalty_is_that_of_finite_differences() -> None:
    torch.manual_seed(0)
    critic = Discriminator(8).double().eval()
    image = torch.rand(1, 3, 32, 32, dtype=torch.float64)
    parts = torch.rand(1, 7, 32, 32, dtype=torch.float64)

    def score(x: Tensor) -> float:
        return sum(float(scale[-1].sum().detach()) for scale in critic(x, parts))

    penalty = gradient_penalty(critic, image, parts)
    patches = sum(scale[-1].numel() for scale in critic(image, parts))
    direction = torch.autograd.grad(sum(scale[-1].sum() for scale in critic(image.requires_grad_(True), parts)), image)[
        0
    ]
    along = direction / direction.norm()
    slope = (score(image + 1e-5 * along) - score(image - 1e-5 * along)) / 2e-5
    assert penalty.item() == pytest.approx(slope**2 / patches, rel=1e-4)
    penalty.backward()  # type: ignore[no-untyped-call]
    assert any(p.grad is not None and p.grad.abs().max() > 0 for p in critic.parameters())


def test_weights_lose_the_named_terms_only() -> None:
    weights = WEIGHTS.without(["adversarial", "penalty"])
    for field in fields(Weights):
        expected = 0.0 if field.name in ("adversarial", "penalty") else getattr(WEIGHTS, field.name)
        assert getattr(weights, field.name) == expected
    with pytest.raises(UsageError, match="advresarial is no term"):
        WEIGHTS.without(["advresarial"])


def test_the_rate_falls_to_a_tenth_over_the_last_third() -> None:
    shares = [rate_share(step, 300) for step in range(1, 301)]
    assert shares[:200] == [1.0] * 200
    assert shares[249] == pytest.approx(0.55)
    assert shares[-1] == pytest.approx(0.1)
    assert all(before >= after for before, after in pairwise(shares))


def test_terms_of_whole_faces_move_the_generator_and_no_gallery_is_written(two_people: Path, tmp_path: Path) -> None:
    """With a landmark network and an encoder the weights differ from those without, and no vector reaches a file."""
    torch.manual_seed(2)
    head = nn.Sequential(nn.AvgPool2d(64), nn.Flatten(), nn.Linear(48, 136)).requires_grad_(False)
    body = nn.Conv2d(3, 5, 8, stride=8).requires_grad_(False)
    seen: list[Tensor] = []

    def embed(pictures: Tensor) -> Tensor:
        seen.append(nn.functional.normalize(body(pictures).mean(dim=(2, 3)), dim=1))
        return seen[-1]

    plain = Recipe(images=8, generator_widths=(16, 16, 24, 32), discriminator_width=8)
    whole = replace(
        plain,
        landmarker=lambda x: head(x).reshape(-1, 68, 2) * 50 + 128,
        face_network=FaceNetwork(embed, lambda x: [body(x)]),
    )
    for name, recipe in (("plain", plain), ("whole", whole)):
        train_generator(two_people, tmp_path / name, tmp_path / f"{name}.safetensors", recipe, lambda _: None)
    without, result = (load_file(tmp_path / name / "checkpoint.safetensors") for name in ("plain", "whole"))
    assert any(not torch.equal(without[key], result[key]) for key in without if key.startswith("generator_optimizer"))
    assert result.keys() == without.keys()
    gallery = torch.cat(seen[:-1])
    assert len(gallery) == 2 * len(load_targets(two_people, load_appearance()))
    with (tmp_path / "whole" / "log.csv").open() as file:
        header, row = (line.strip().split(",") for line in file)
    logged = dict(zip(header, map(float, row), strict=True))
    assert min(logged["landmarks"], logged["repulsion"]) > 0


@pytest.fixture
def pictures() -> torch.Tensor:
    torch.manual_seed(0)
    return torch.rand(2, 3, 256, 256, requires_grad=True)


def test_a_landmark_file_becomes_a_differentiable_function(tmp_path: Path, pictures: torch.Tensor) -> None:
    network = LandmarkNet().eval()
    save_file(network.state_dict(), tmp_path / "landmarks.safetensors", metadata={"kind": "landmarks"})
    result = landmarker_of(tmp_path / "landmarks.safetensors")(pictures)
    torch.testing.assert_close(result, points_on_canvas(network, pictures))
    result.sum().backward()  # type: ignore[no-untyped-call]
    assert pictures.grad is not None
    assert pictures.grad.abs().max() > 0


def test_an_encoder_file_becomes_vectors_and_feature_maps(tmp_path: Path, pictures: torch.Tensor) -> None:
    network = Encoder().eval()
    save_file(network.state_dict(), tmp_path / "encoder.safetensors", metadata={"kind": "encoder"})
    faces = face_network_of(tmp_path / "encoder.safetensors")
    vectors, maps = faces.embed(pictures), faces.features(pictures)
    torch.testing.assert_close(vectors, network(to_input(pictures)))
    torch.testing.assert_close(vectors.norm(dim=1), torch.ones(2))
    assert [len(entry) for entry in maps] == [2] * 4
    sum(entry.mean() for entry in (vectors, *maps)).backward()  # type: ignore[union-attr]
    assert pictures.grad is not None
    assert pictures.grad.abs().max() > 0


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    save_file({"x": torch.zeros(2)}, tmp_path / "x.safetensors", metadata={"kind": "generator"})
    for load in (landmarker_of, face_network_of):
        with pytest.raises(EnvironmentFault):
            load(tmp_path / "x.safetensors")
