"""Terms of the training loss against formulas, with tiny networks made here."""

from __future__ import annotations

from dataclasses import fields, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from ganonym.errors import UsageError
from ganonym.faces.appearance import load_appearance
from ganonym_train.adversarial import Recipe
from ganonym_train.critic import Discriminator
from ganonym_train.generator import rate_share, train_generator
from ganonym_train.losses import (
    WEIGHTS,
    FaceNetwork,
    Weights,
    feature_distance,
    gradient_penalty,
    identity_repulsion,
    landmark_consistency,
)
from ganonym_train.pairs import load_targets


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
    without, found = (load_file(tmp_path / name / "checkpoint.safetensors") for name in ("plain", "whole"))
    assert any(not torch.equal(without[key], found[key]) for key in without if key.startswith("generator_optimizer"))
    assert found.keys() == without.keys()
    gallery = torch.cat(seen[:-1])
    assert len(gallery) == 2 * len(load_targets(two_people, load_appearance()))
    with (tmp_path / "whole" / "log.csv").open() as file:
        header, row = (line.strip().split(",") for line in file)
    logged = dict(zip(header, map(float, row), strict=True))
    assert min(logged["landmarks"], logged["repulsion"]) > 0
