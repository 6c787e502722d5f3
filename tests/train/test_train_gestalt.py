"""Pretraining on identities in miniature: it learns people, and a killed run ends where an uninterrupted one does."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from sklearn.neighbors import NearestNeighbors

from ganonym.classify.networks.iresnet import IResNetForm, embeddings, load_iresnet
from ganonym_train.gestalt import MARGIN, SCALE, Crops, GestaltRecipe, cosface, rank1, train_gestalt, varied

FORM = IResNetForm(blocks=(1, 1, 1, 1), widths=(8, 8, 16, 16), embedding=16, side=32)
RECIPE = GestaltRecipe(steps=4, batch=8, save_every=2, form=FORM)


def people(count: int = 10, photos: int = 6) -> Crops:
    """Nobody: each person is a blotchy picture of their own, each photo adds noise."""
    rng = np.random.default_rng(3)
    own = rng.integers(40, 216, (count, 4, 4, 3)).repeat(8, axis=1).repeat(8, axis=2)
    pixels = own[:, None] + rng.normal(size=(count, photos, 32, 32, 3)) * 12
    return Crops(pixels.reshape(-1, 32, 32, 3).clip(0, 255).astype(np.uint8), np.repeat(np.arange(count), photos))


class Killed(Exception):
    pass


def test_a_killed_run_ends_where_an_uninterrupted_one_does(tmp_path: Path) -> None:
    train_gestalt(people(), tmp_path / "whole", tmp_path / "whole.safetensors", RECIPE, lambda _: None)

    def kill(line: str) -> None:
        if line.startswith("step 2"):
            raise Killed

    told: list[str] = []
    with pytest.raises(Killed):
        train_gestalt(people(), tmp_path / "cut", tmp_path / "cut.safetensors", RECIPE, kill)
    train_gestalt(people(), tmp_path / "cut", tmp_path / "cut.safetensors", RECIPE, told.append)
    assert any("step 2 of 4" in line for line in told)
    expected, result = (load_file(tmp_path / name / "checkpoint.safetensors") for name in ("whole", "cut"))
    assert all(torch.equal(expected[name], result[name]) for name in expected)
    assert (tmp_path / "cut.safetensors").read_bytes() == (tmp_path / "whole.safetensors").read_bytes()
    assert load_iresnet(tmp_path / "cut.safetensors").form == FORM


def test_people_who_were_kept_out_are_told_apart_after_training(tmp_path: Path) -> None:
    crops = people(20)
    unseen = crops.person >= 16
    recipe = replace(RECIPE, steps=40, batch=32, save_every=40)
    before = load_rank(tmp_path / "a", crops, replace(recipe, steps=1), unseen)
    after = load_rank(tmp_path / "b", crops, recipe, unseen)
    assert after > 0.9
    assert after >= before


def load_rank(
    folder: Path, crops: Crops, recipe: GestaltRecipe, unseen: np.ndarray[tuple[int], np.dtype[np.bool_]]
) -> float:
    train_gestalt(crops, folder, folder / "out.safetensors", recipe, lambda _: None)
    network = load_iresnet(folder / "out.safetensors")
    return rank1(embeddings(network, crops.pixels[unseen]), crops.person[unseen])


def test_the_loss_is_that_of_pytorch_metric_learning() -> None:
    from pytorch_metric_learning import losses

    generator = torch.Generator().manual_seed(1)
    features, person = torch.randn(7, 5, generator=generator), torch.tensor([0, 1, 2, 0, 1, 2, 3])
    oracle = losses.CosFaceLoss(4, 5, margin=MARGIN, scale=SCALE)
    assert cosface(features, oracle.W.detach().T, person).item() == pytest.approx(
        oracle(features, person).item(), rel=1e-5
    )


def test_variations_stay_pictures_and_follow_the_generator() -> None:
    pictures = torch.linspace(-1, 1, 4 * 3 * 16 * 16).view(4, 3, 16, 16)
    one, same, other = (varied(pictures, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    assert one.shape == pictures.shape
    assert float(one.abs().max()) <= 1.0


def test_rank1_counts_photos_whose_nearest_shows_the_same_person() -> None:
    vectors = embeddings(load_network(), people(4, 2).pixels)
    assert rank1(vectors, np.repeat(np.arange(4), 2)) == 1.0
    assert rank1(vectors, np.arange(8)) == 0.0
    assert np.isnan(rank1(vectors[:0], np.zeros(0, np.intp)))


def test_rank1_is_scikit_learns_nearest_by_cosine_whatever_the_length_of_vectors() -> None:
    rng = np.random.default_rng(2)
    person = np.repeat(np.arange(12), 4)
    vectors = (rng.normal(size=(12, 3))[person] + 0.6 * rng.normal(size=(48, 3))) * rng.uniform(0.01, 99, (48, 1))
    nearest = NearestNeighbors(n_neighbors=2, metric="cosine").fit(vectors).kneighbors(vectors, return_distance=False)
    assert (nearest[:, 0] == np.arange(48)).all()
    result = rank1(vectors, person)
    assert result == (person[nearest[:, 1]] == person).mean()
    assert 0.2 < result < 0.9


def test_rank1_takes_no_photo_for_its_own_neighbour_however_far_the_others_are() -> None:
    angles = 2 * np.pi * np.arange(3) / 3
    assert rank1(np.stack([np.cos(angles), np.sin(angles)], axis=1), np.arange(3)) == 0.0
    assert rank1(np.array([[1.0], [-1.0]]), np.arange(2)) == 0.0


def load_network():  # type: ignore[no-untyped-def]
    from ganonym.classify.learning.fit import seeded
    from ganonym.classify.networks.iresnet import IResNet

    return seeded(lambda: IResNet(FORM), 5).eval()
