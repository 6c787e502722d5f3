"""Training pairs: condition and target of photographs, morphs and samples, and the crops made of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from ganonym.faces.appearance import AppearanceModel, load_appearance
from ganonym.faces.shape import from_canvas, split
from ganonym.synthesis.synthesizer import surrogate_condition
from ganonym.types import Points
from ganonym_train.pairs import (
    BATCH_PATTERN,
    CROP,
    LOOSE,
    ON_PARTS,
    Item,
    Target,
    crops_of,
    in_light_of,
    load_targets,
    make_item,
    sampled_face,
)


@pytest.fixture(scope="module")
def model() -> AppearanceModel:
    return load_appearance()


@pytest.fixture(scope="module")
def targets(training_folder: Path, model: AppearanceModel) -> list[Target]:
    return load_targets(training_folder, model)


def test_the_condition_of_a_photo_shows_the_photo_without_its_detail(
    targets: list[Target], model: AppearanceModel
) -> None:
    likeness = []
    for number in range(8):
        item = make_item(targets, model, 0, np.random.default_rng(number))
        condition, target = item.condition, item.target
        assert item.real
        inside = condition[3] > 0.9
        likeness.append(
            float(torch.corrcoef(torch.stack([condition[:3, inside].ravel(), target[:, inside].ravel()]))[0, 1])
        )
    assert np.median(likeness) > 0.8  # the same face, in the same place and light
    assert max(likeness) < 0.9999


def test_a_target_takes_the_light_of_its_condition_and_keeps_its_detail(model: AppearanceModel) -> None:
    rng = np.random.default_rng(2)
    face = surrogate_condition(replace(sampled_face(model, rng), tone=1), model)
    mask = face[3] > 0.99
    detail = 0.05 * torch.from_numpy(rng.standard_normal((3, 256, 256)).astype(np.float32))
    darker = 0.8 * (face[:3].clamp(-0.7, 0.7) + 1) - 1 + detail
    face[:3] = face[:3].clamp(-0.7, 0.7)
    lit = in_light_of(face, darker)
    assert (darker - face[:3])[:, mask].mean() < -0.1
    assert abs((lit - face[:3])[:, mask].mean()) < 0.01

    def likeness(picture: Tensor) -> float:
        left = (picture - face[:3])[:, mask]
        return float(torch.corrcoef(torch.stack([left.ravel(), detail[:, mask].ravel()]))[0, 1])

    assert likeness(lit) > 0.8 > likeness(darker) + 0.1
    assert torch.equal(in_light_of(face, face[:3]), face[:3])


def test_items_come_in_their_kinds_and_repeat_for_their_seed(targets: list[Target], model: AppearanceModel) -> None:
    kinds = [make_item(targets, model, kind, np.random.default_rng(3)) for kind in range(BATCH_PATTERN)]
    assert [item.real for item in kinds] == [True] * 6 + [False] * 2
    for item in kinds:
        assert item.condition.shape == (10, 256, 256)
        assert item.target.abs().max() <= 1
    again = make_item(targets, model, 5, np.random.default_rng(3))
    assert torch.equal(kinds[5].condition, again.condition)
    assert torch.equal(kinds[5].target, again.target)


def test_the_landmarks_of_an_item_lie_on_its_parts(targets: list[Target], model: AppearanceModel) -> None:
    """Mirrored or not: the eyes' part map is brightest around the eyes' landmarks, and left stays left."""
    for number in range(12):
        item = make_item(targets, model, number % 8, np.random.default_rng(number))
        for eye in (item.points[36:42].mean(axis=0), item.points[42:48].mean(axis=0)):
            assert item.condition[6, round(eye[1]), round(eye[0])] > 0.9
        assert item.points[36, 0] < item.points[45, 0]
        assert item.points[0, 0] < item.points[16, 0]


def planted(points: Points) -> Item:
    ramp = torch.arange(256 * 256, dtype=torch.float32).reshape(1, 256, 256)
    return Item(ramp.expand(10, -1, -1), ramp, points, True)


def test_crops_cut_condition_target_and_landmarks_alike() -> None:
    places = set()
    points = np.random.default_rng(0).uniform(60, 200, (68, 2))
    for number in range(40):
        for crop in crops_of(planted(points), np.random.default_rng(number)):
            assert crop.real
            assert crop.condition.shape == (10, CROP, CROP)
            assert torch.equal(crop.condition[:1], crop.target)
            assert torch.equal(crop.target[0, 1:, 0] - crop.target[0, :-1, 0], torch.full((CROP - 1,), 256.0))
            corner = float(crop.target[0, 0, 0])
            np.testing.assert_allclose(points - crop.points, [[corner % 256, corner // 256]] * 68)
            places.add(corner)
    assert len(places) > 30


def test_half_of_the_crops_lie_around_an_eye_or_the_mouth() -> None:
    """Law: share 0.5 within the jitter of one place, the rest uniform, which seldom falls there by chance."""
    points = np.zeros((68, 2))
    points[36:42], points[42:48], points[48:68] = (90, 110), (160, 110), (125, 180)
    middles = []
    for number in range(1500):
        for crop in crops_of(planted(points), np.random.default_rng(number)):
            corner = float(crop.target[0, 0, 0])
            middles.append([corner % 256 + CROP / 2, corner // 256 + CROP / 2])
    near = np.linalg.norm(np.array(middles)[:, None] - points[[36, 42, 48]], axis=2) < 3 * LOOSE
    uniform = np.stack(np.meshgrid(np.arange(16, 113, 4), np.arange(0, 129, 4)), axis=-1).reshape(-1, 1, 2) + CROP / 2
    by_chance = (np.linalg.norm(uniform - points[[36, 42, 48]], axis=2) < 3 * LOOSE).mean(axis=0)
    expected = (1 - ON_PARTS) * by_chance + ON_PARTS / 3 * (1 - np.exp(-4.5))
    np.testing.assert_allclose(near.mean(axis=0), expected, atol=4 * np.sqrt(0.25 / 3000))


def test_sampled_faces_are_of_everybody(model: AppearanceModel) -> None:
    faces = [sampled_face(model, np.random.default_rng(number)) for number in range(40)]
    strengths = [split(from_canvas(face.points), model.shape)[1] / model.shape.expression_sd for face in faces]
    assert np.abs(strengths).max() < 3.001
    assert np.std(strengths, axis=0).min() > 0.25
    assert {face.sex for face in faces} == {"female", "male"}
    ages = [face.age for face in faces if face.age is not None]
    assert len(ages) == 40
    assert min(ages) < 12
    assert max(ages) > 60
