"""Landmark training: hand-set points, views whose points follow, and a loop that learns and resumes bit for bit."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from ganonym.errors import UsageError
from ganonym.faces.appearance import load_appearance, warp_points
from ganonym.faces.landmark_network import MIRROR
from ganonym.faces.shape import load_shape, to_canvas
from ganonym.types import LANDMARKS
from ganonym_train.landmark_sources import (
    DEFINED,
    SIDE,
    along,
    held_out,
    ibug_points,
    manual_points,
    photograph_sources,
    sampled_points,
    sampled_source,
)
from ganonym_train.landmark_views import Bending, compressed, crops_through, photographed, sample_bending, to_unit
from ganonym_train.landmarks import BATCH, LandmarkRecipe, train_landmarks
from ganonym_train.shape_fit import MIRROR as MIRROR_OF_APPEARANCE

WIDTHS = (8, 8, 8, 8)


class Interrupted(Exception):
    """What a killed run looks like from inside."""


def recipe(steps: int, every: int) -> LandmarkRecipe:
    return LandmarkRecipe(images=steps * BATCH, samples=6, save_every=every, widths=WIDTHS)


@pytest.fixture(scope="module")
def few(training_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first three photographs of the training folder, without hand-set points."""
    folder = tmp_path_factory.mktemp("few")
    lines = (training_folder / "manifest.csv").read_text("utf-8").splitlines()[:4]
    (folder / "manifest.csv").write_text("\n".join(lines), "utf-8")
    for line in lines[1:]:
        name = line.split(",")[0]
        (folder / name).write_bytes((training_folder / name).read_bytes())
    return folder


def test_a_run_killed_and_resumed_equals_an_uninterrupted_one(few: Path, tmp_path: Path) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    train_landmarks(few, whole, whole / "out.safetensors", recipe(4, 2), lambda _: None)

    def kill(line: str) -> None:
        if line.startswith("step 2"):
            raise Interrupted

    with pytest.raises(Interrupted):
        train_landmarks(few, parts, parts / "out.safetensors", recipe(4, 2), kill)
    told: list[str] = []
    train_landmarks(few, parts, parts / "out.safetensors", recipe(4, 2), told.append)
    assert "step 2 of 4" in told[0]
    expected, result = (load_file(value / "checkpoint.safetensors") for value in (whole, parts))
    assert expected.keys() == result.keys()
    for name, tensor in expected.items():
        assert torch.equal(tensor, result[name]), name
    assert (whole / "out.safetensors").read_bytes() == (parts / "out.safetensors").read_bytes()


def test_it_learns(few: Path, tmp_path: Path) -> None:
    told: list[str] = []
    train_landmarks(few, tmp_path, tmp_path / "out.safetensors", replace(recipe(60, 10), rate=2e-2), told.append)
    error = [float(line.split("mean error ")[1].split()[0]) for line in told if "mean error" in line]
    assert error[-1] < 0.9 * error[0]
    exported = load_file(tmp_path / "out.safetensors")
    assert {tensor.dtype for tensor in exported.values()} == {torch.float16}


def test_less_than_a_step_or_no_manifest_is_refused(few: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="less than one step"):
        train_landmarks(few, tmp_path, tmp_path / "o", LandmarkRecipe(images=BATCH - 1), lambda _: None)
    with pytest.raises(UsageError, match=r"manifest\.csv"):
        train_landmarks(tmp_path, tmp_path, tmp_path / "o", recipe(1, 1), lambda _: None)


def test_points_of_views_show_what_they_showed_in_the_source() -> None:
    """Oracle: a picture whose colour is its own coordinates tells where each crop pixel came from."""
    rng = np.random.default_rng(5)
    ramp = torch.arange(SIDE, dtype=torch.uint8)
    picture = torch.stack([ramp.expand(SIDE, SIDE), ramp[:, None].expand(SIDE, SIDE), torch.zeros(SIDE, SIDE).byte()])
    bending = sample_bending(32, rng)
    crops = crops_through(picture.expand(32, -1, -1, -1), bending) * 255
    points = torch.from_numpy(rng.uniform(60, 100, (32, LANDMARKS, 2)).astype(np.float32))
    places = bending.landmarks_to_crop(to_unit(points))
    inside = (places.abs() < 0.95).all(-1)
    assert inside.float().mean() > 0.9
    seen = torch.nn.functional.grid_sample(crops[:, :2], places[:, :, None], align_corners=False)[..., 0]
    gap = (bending.renumbered(seen.transpose(1, 2)) - points).norm(dim=-1)
    assert gap[bending.renumbered(inside[..., None])[..., 0]].max() < 0.1
    assert torch.allclose(bending.landmarks_to_source(places), to_unit(points), atol=1e-4)
    assert bending.flipped.any()
    assert not bending.flipped.all()


def test_the_left_eye_of_a_view_is_the_one_on_the_left() -> None:
    bending = sample_bending(64, np.random.default_rng(6))
    mean = torch.from_numpy((to_canvas(load_shape().mean) / 128 - 1).astype(np.float32)).expand(64, -1, -1)
    views = bending.landmarks_to_crop(mean)
    assert (views[:, 36:42, 0].mean(1) < views[:, 42:48, 0].mean(1)).all()
    assert (views[:, 31, 0] < views[:, 35, 0]).all()


def test_the_mirror_numbering_is_the_appearance_models() -> None:
    assert MIRROR.tolist() == MIRROR_OF_APPEARANCE.tolist()
    mean = load_shape().mean
    assert np.allclose(mean[MIRROR] * [-1, 1], mean, atol=1e-6)


def test_light_and_grain_keep_the_range_and_depend_on_the_seed() -> None:
    crops = torch.rand(16, 3, 96, 96, generator=torch.Generator().manual_seed(0))
    one, two = (photographed(crops, np.random.default_rng(seed)) for seed in (1, 2))
    assert torch.equal(one, photographed(crops, np.random.default_rng(1)))
    assert not torch.equal(one, two)
    assert one.min() >= -1
    assert one.max() <= 1


def test_compression_is_scipys_cosine_transform() -> None:
    from scipy.fft import dctn, idctn

    picture = np.random.default_rng(0).random((8, 8))
    k = np.arange(8)
    steps = 0.1 * (1 + k[:, None] + k[None]) / 4
    expected = idctn(np.round(dctn(picture, norm="ortho") / steps) * steps, norm="ortho")
    tiled = torch.from_numpy(np.tile(picture, (2, 3)).astype(np.float32)).expand(1, 3, 16, 24)
    assert np.allclose(compressed(tiled, 0.1)[0, 0, 8:, 16:].numpy(), expected, atol=1e-4)


def test_samples_are_drawn_where_their_points_say() -> None:
    """Oracle: the pupil-dark, white-ringed eyes of samples are where their eye points are, skin is beside them."""
    model, rng = load_appearance(), np.random.default_rng(8)
    for _ in range(6):
        rgb, points = sampled_source(model, torch.zeros(0, 3, SIDE, SIDE, dtype=torch.uint8), rng)
        assert rgb.shape == (SIDE, SIDE, 3)
        eyes = points[36:48].reshape(2, 6, 2).mean(axis=1).round().astype(int)
        cheeks = points[[1, 15]] * 0.4 + points[[33, 33]] * 0.6
        eye = np.mean([rgb[y - 1 : y + 2, x - 1 : x + 2].mean() for x, y in eyes])
        cheek = np.mean([rgb[y - 2 : y + 3, x - 2 : x + 3].mean() for x, y in cheeks.round().astype(int)])
        assert eye < cheek
    drawn, expression = sampled_points(model, rng)
    assert np.array_equal(warp_points(drawn, model.shape.mean, model.forehead)[:LANDMARKS], drawn)
    assert expression.shape == model.shape.expression_sd.shape


def test_equal_steps_along_a_line() -> None:
    line = np.array([[0.0, 0.0], [3.0, 0.0], [3.0, 1.0]])
    assert along(line, 3).tolist() == [[0, 0], [2, 0], [3, 1]]


def test_templates_and_held_out_subjects(tmp_path: Path) -> None:
    template = np.random.default_rng(1).uniform(0, 90, (189, 2))
    points = ibug_points(template)
    assert np.array_equal(~np.isnan(points).any(axis=1), DEFINED)
    assert points[[8, 36, 45, 33, 48]].tolist() == template[[129, 18, 27, 55, 87]].tolist()
    names = {f"london-{number:03d}" for number in range(40)}
    assert len(held_out(names)) == 10
    assert held_out(names) == held_out(set(sorted(names, reverse=True)))
    assert manual_points(tmp_path) == {}
    (tmp_path / "london_points189.json").write_text('{"a": [[1, 2]]}')
    with pytest.raises(UsageError, match="189-point"):
        manual_points(tmp_path)


def test_held_out_people_are_never_loaded(tmp_path: Path, training_folder: Path) -> None:
    """Four people with templates; the one held out has no file at all: opening it would fail."""
    names = [f"person-{number}" for number in range(4)]
    (unseen,) = held_out(set(names))
    template = np.random.default_rng(1).uniform(200, 300, (189, 2)).tolist()
    (tmp_path / "london_points189.json").write_text(json.dumps(dict.fromkeys(names, template)))
    rows = [["path", "set", "subject", "expression", "sex", "age"]]
    for number, name in enumerate(names):
        for expression in ("neutral", "smiling"):
            file = f"{number:02d}-{expression}.png"
            rows.append([file, "london", name, expression, "", ""])
            if name != unseen:
                (tmp_path / file).write_bytes((training_folder / file).read_bytes())
    with (tmp_path / "manifest.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)
    labelled, others = photograph_sources(tmp_path)
    assert len(labelled) == 3
    assert labelled.known.sum(-1).tolist() == [int(DEFINED.sum())] * 3
    assert len(others) == 3
    assert not others.known.any()


def test_bending_without_waves_is_affine() -> None:
    zero = torch.zeros(1, 1, 2)
    still = Bending(
        2 * torch.eye(2)[None], torch.tensor([[0.5, -1.0]]), zero, zero[..., 0], zero, torch.tensor([False])
    )
    q = torch.tensor([[[1.0, 2.0]]])
    assert still.to_source(q).tolist() == [[[2.5, 3.0]]]
    assert torch.allclose(still.to_crop(still.to_source(q)), q)


def test_londons_templates_lie_where_dlib_sees_the_same_places(london_folder: Path) -> None:
    from ganonym.faces.find import find_faces, reading_backends
    from ganonym.photos.decode import read_photo

    manual, errors = manual_points(london_folder.parent), []
    for subject in sorted(manual)[:5]:
        rgb, _ = read_photo(london_folder, f"{subject.removeprefix('london-')}_neutral.jpg")
        points = find_faces(rgb, *reading_backends())[0].points
        errors.append(np.linalg.norm(manual[subject] - points, axis=1) / np.linalg.norm(points[36] - points[45]))
    assert np.nanmean(errors) < 0.04
    assert np.nanmax(np.mean(errors, axis=0)[17:]) < 0.08
