"""Training the encoder in miniature: it learns, and a run that was killed ends where an uninterrupted one does."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch.nn import functional

from ganonym.errors import UsageError
from ganonym.faces.appearance import load_appearance
from ganonym.faces.encoder import SIDE, Encoder
from ganonym_train.encoder import (
    EncoderRecipe,
    contrastive,
    exposed,
    learning_rate,
    photograph_pairs,
    real_pairs,
    train_encoder,
    virtual_pairs,
)

RECIPE = EncoderRecipe(steps=3, virtual=2, real=2, save_every=1, held_out=2, widths=(8, 8, 8, 8))


class Killed(Exception):
    pass


def test_a_killed_run_ends_where_an_uninterrupted_one_does(training_folder: Path, tmp_path: Path) -> None:
    train_encoder(training_folder, tmp_path / "whole", tmp_path / "whole.safetensors", RECIPE, lambda _: None)

    def kill(line: str) -> None:
        if line.startswith("step 2"):
            raise Killed

    told: list[str] = []
    with pytest.raises(Killed):
        train_encoder(training_folder, tmp_path / "cut", tmp_path / "cut.safetensors", RECIPE, kill)
    train_encoder(training_folder, tmp_path / "cut", tmp_path / "cut.safetensors", RECIPE, told.append)
    assert any("step 2 of 3" in line for line in told)
    expected, result = (load_file(tmp_path / name / "checkpoint.safetensors") for name in ("whole", "cut"))
    assert expected.keys() == result.keys()
    assert all(torch.equal(expected[name], result[name]) for name in expected)
    assert (tmp_path / "cut.safetensors").read_bytes() == (tmp_path / "whole.safetensors").read_bytes()
    exported = load_file(tmp_path / "cut.safetensors")
    assert exported.keys() == Encoder(RECIPE.widths).state_dict().keys()
    assert {tensor.dtype for tensor in exported.values() if tensor.is_floating_point()} == {torch.float16}


def test_too_few_people_are_refused(training_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="12 people"):
        train_encoder(training_folder, tmp_path, tmp_path / "out.safetensors", EncoderRecipe(real=13), lambda _: None)


def test_the_loss_is_the_formula_and_falls_when_partners_agree() -> None:
    features = functional.normalize(torch.randn(6, 5, generator=torch.Generator().manual_seed(1)), dim=1)
    terms = []
    for i in range(6):
        partner = i + 1 if i % 2 == 0 else i - 1
        others = sum(torch.exp(features[i] @ features[j] / 0.2) for j in range(6) if j != i)
        terms.append(-torch.log(torch.exp(features[i] @ features[partner] / 0.2) / others))
    assert contrastive(features, 0.2).item() == pytest.approx(torch.stack(terms).mean().item(), rel=1e-5)
    paired = functional.normalize(torch.eye(3).repeat_interleave(2, dim=0), dim=1)
    assert contrastive(paired, 0.05) < 1e-3 < contrastive(paired.roll(1, dims=0), 0.05)


def test_the_rate_warms_up_and_ends_at_zero() -> None:
    recipe = EncoderRecipe(steps=100, rate=1.0)
    rates = [learning_rate(step, recipe) for step in range(1, 101)]
    assert rates[:5] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])
    assert all(later <= earlier for earlier, later in pairwise(rates[4:]))
    assert rates[-1] == pytest.approx(0.0)


def test_pairs_show_one_person_twice() -> None:
    model = load_appearance()
    pairs = virtual_pairs(6, model, np.random.default_rng(3))
    assert pairs.shape == (6, 2, 4, SIDE, SIDE)
    tone = (pairs[:, :, :3] * pairs[:, :, 3:]).sum(dim=(3, 4)) / pairs[:, :, 3:].sum(dim=(3, 4))
    within = (tone[:, 0] - tone[:, 1]).norm(dim=1).max()
    between = torch.pdist(tone[:, 0]).median()
    assert 0 < within < between / 2
    assert torch.equal(pairs, virtual_pairs(6, model, np.random.default_rng(3)))


def test_photographs_stand_where_virtual_people_do(training_folder: Path) -> None:
    model = load_appearance()
    people = photograph_pairs(training_folder, model)
    assert [photos.shape for photos in people] == [(2, 4, 256, 256)] * 12
    real = real_pairs(people, 12, np.random.default_rng(1))
    virtual = virtual_pairs(12, model, np.random.default_rng(2))
    real_mask, virtual_mask = (pairs[:, :, 3].mean(dim=(0, 1)) for pairs in (real, virtual))
    assert (real_mask - virtual_mask).abs().mean() < 0.03
    assert real.max() <= 1.0


def test_exposed_pictures_lie_on_the_backdrop() -> None:
    pairs = virtual_pairs(3, load_appearance(), np.random.default_rng(3))
    pictures = exposed(pairs, np.random.default_rng(4))
    assert pictures.shape == (6, 3, SIDE, SIDE)
    assert pictures.abs().max() <= 1
    assert torch.equal(pictures, exposed(pairs, np.random.default_rng(4)))
    assert pictures[:, :, :4, :4].mean().item() == pytest.approx(0.35, abs=0.03)
