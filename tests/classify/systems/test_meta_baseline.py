"""Classifier-Baseline and Meta-Baseline: a step by hand, a planted signal, and nothing that drifts or leaks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from ganonym.classify.fewshot.episodes import (
    Shape,
    cosine_to_means,
    draw,
    episode_accuracy,
    matching,
    pool,
    prototypical,
)
from ganonym.classify.learning.fit import Schedule
from ganonym.classify.networks.light import Light, Projection, embedded, to_tensor, training
from ganonym.classify.systems.meta_baseline import ClassifierBaseline, Lessons, MetaBaseline, classifier_on, episodes_on
from ganonym.errors import EnvironmentFault, UsageError

FAST = ClassifierBaseline(Projection(6), Schedule(40, 64, "adam", 1e-2))
META = MetaBaseline(FAST, Shape(4, 1, 3), 60, 2, Schedule(optimizer="adam", rate=2e-2, course="constant"))


def faces(seed: int, classes: int, each: int = 8) -> tuple[NDArray[np.float32], NDArray[np.intp], list[str]]:
    """Two photos a subject: what sets classes apart is small and in 4 dimensions, who it is large and in 20 others."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(classes), 2 * each)
    disorder = rng.normal(size=(classes, 4))[labels]
    person = 2 * np.repeat(rng.normal(size=(classes * each, 20)), 2, axis=0)
    result = np.hstack([disorder + 0.15 * rng.normal(size=disorder.shape), person])
    subjects = [f"s{number // 2:04d}" for number in range(len(labels))]
    return (result + 0.05 * rng.normal(size=result.shape)).astype(np.float32), labels, subjects


BASE = faces(1, 10, 16)
NOVEL = faces(2, 8)


def novel_accuracy(embeddings: NDArray[np.float64]) -> float:
    _, classes, subjects = NOVEL
    result = episode_accuracy(
        cosine_to_means,
        embeddings,
        pool(classes, subjects, Shape(4, 1, 3)),
        subjects,
        np.random.default_rng(0),
        120,
    )
    return result.over_episodes.value


def test_what_frequent_classes_teach_serves_classes_never_seen() -> None:
    inputs, classes, subjects = BASE
    raw = novel_accuracy(NOVEL[0].astype(np.float64))
    baseline = novel_accuracy(FAST.learn(inputs, classes, 10, 0).embed(NOVEL[0]))
    trained = META.learn(inputs, classes, 10, 0, subjects)
    meta = novel_accuracy(trained.embed(NOVEL[0]))
    assert raw < 0.45
    assert baseline > raw + 0.25
    assert meta > baseline + 0.1  # as published: 63.2 against 58.9 on miniImageNet
    predictor = trained.taught(NOVEL[0], NOVEL[1], 8)
    assert (predictor(NOVEL[0]).argmax(axis=1) == NOVEL[1]).mean() > 0.85
    assert predictor.network is trained.network


@pytest.mark.parametrize("score", [prototypical, matching])
def test_prototypical_and_matching_networks_are_trained_by_the_same_episodes(score: object) -> None:
    inputs, classes, subjects = BASE
    network = nn.Linear(24, 6, bias=False)
    with torch.no_grad():
        network.weight.copy_(torch.randn(6, 24, generator=torch.Generator().manual_seed(0)) / 5)
    before = novel_accuracy(embedded(network, NOVEL[0]).numpy())
    drawn_from = pool(classes, subjects, Shape(4, 2, 3))
    lessons = Lessons(drawn_from, score, 120, 2, Schedule(optimizer="adam", rate=2e-2))
    episodes_on(network, inputs, lessons, 0)
    assert novel_accuracy(embedded(network, NOVEL[0]).numpy()) > before + 0.15


def test_one_step_by_hand() -> None:
    """Two episodes, their mean loss, one step of SGD with weight decay: on the network and on the temperature."""
    inputs, classes, subjects = BASE
    drawn_from, weight = pool(classes, subjects, Shape(3, 2, 2)), torch.linspace(-1, 1, 48).reshape(2, 24)
    rng = np.random.default_rng(7)
    own, scale = weight.clone().requires_grad_(), torch.tensor(10.0, requires_grad=True)
    losses = []
    for one in (draw(drawn_from, rng), draw(drawn_from, rng)):
        support = torch.from_numpy(inputs[one.support]) @ own.T
        query = torch.from_numpy(inputs[one.query]) @ own.T
        means = torch.stack([support[torch.from_numpy(one.support_ways == way)].mean(dim=0) for way in range(3)])
        alike = functional.cosine_similarity(query[:, None], means[None], dim=2)
        losses.append(functional.cross_entropy(scale * alike, torch.from_numpy(one.query_ways)))
    (sum(losses) / 2).backward()
    assert own.grad is not None
    assert scale.grad is not None
    network, temperature = nn.Linear(24, 2, bias=False), nn.Parameter(torch.tensor(10.0))
    with torch.no_grad():
        network.weight.copy_(weight)
    course = Schedule(optimizer="sgd", rate=0.1, decay=0.01, course="constant")
    episodes_on(network, inputs, Lessons(drawn_from, cosine_to_means, 1, 2, course), 7, temperature)
    torch.testing.assert_close(network.weight.detach(), weight - 0.1 * (own.grad + 0.01 * weight), atol=1e-5, rtol=0)
    assert float(temperature.detach()) == pytest.approx(10 - 0.1 * (float(scale.grad) + 0.1), abs=1e-4)


def test_without_a_step_meta_baseline_is_classifier_baseline_at_temperature_10() -> None:
    inputs, classes, subjects = BASE
    still = replace(META, steps=2, course=Schedule(optimizer="sgd", rate=0.0))
    first, second = FAST.learn(inputs, classes, 10, 3), still.learn(inputs, classes, 10, 3, subjects)
    assert second.temperature == 10.0
    assert first(inputs).tobytes() == second(inputs).tobytes()
    assert META.learn(inputs, classes, 10, 3, subjects).temperature != 10.0


def test_subjects_decide_which_episodes_can_be_drawn() -> None:
    inputs, classes, subjects = BASE
    few = np.flatnonzero(np.arange(320) % 32 < 6)  # three subjects a class, two photos each
    people = [subjects[row] for row in few]
    with pytest.raises(UsageError, match="0 of 10 classes have 1 \\+ 3 subjects"):
        META.learn(inputs[few], classes[few], 10, 0, people)
    META.learn(inputs[few], classes[few], 10, 0)  # as upstream: every photo a person of its own


@pytest.mark.parametrize("method", [FAST, replace(META, steps=3)])
def test_equal_seeds_give_equal_bytes_and_files_restore_them(method: ClassifierBaseline | MetaBaseline) -> None:
    inputs, classes, _ = BASE
    kept = classes != 4
    before = torch.random.get_rng_state()
    first = method.learn(inputs[kept], classes[kept], 10, 5)
    assert torch.equal(torch.random.get_rng_state(), before)
    torch.rand(3)
    others = NOVEL[0]
    assert first(others).tobytes() == method.learn(inputs[kept], classes[kept], 10, 5)(others).tobytes()
    assert first(others).tobytes() != method.learn(inputs[kept], classes[kept], 10, 6)(others).tobytes()
    assert first(others).tobytes() == method.restore(first.arrays, 10)(others).tobytes()
    np.testing.assert_allclose(first(others).sum(axis=1), 1, atol=1e-9)
    assert (first(others)[:, 4] == 0).all()
    assert first(others[:0]).shape == (0, 10)
    np.testing.assert_allclose(first(others[7:8])[0], first(others)[7], atol=1e-6)


def test_files_of_another_encoder_are_refused() -> None:
    arrays = dict(classifier_on(nn.Linear(24, 6), 10.0, BASE[0], BASE[1], 10).arrays)
    for wrong, count in ((arrays, 9), ({}, 10), (arrays | {"network.weight": np.zeros((5, 24), np.float32)}, 10)):
        with pytest.raises(EnvironmentFault, match="not"):
            FAST.restore(wrong, count)


def test_crops_go_in_as_rgb_and_need_a_network_for_them() -> None:
    crops = np.zeros((2, 8, 8, 3), np.uint8)
    crops[0, ..., 0], crops[1, ..., 2] = 255, 51  # red; dark blue
    result = to_tensor(crops)
    assert result[:, :, 0, 0].tolist() == [[1.0, -1.0, -1.0], [-1.0, -1.0, pytest.approx(-0.6)]]
    with pytest.raises(UsageError, match="no embeddings"):
        FAST.learn(crops, np.array([0, 1]), 2, 0)
    many, classes = np.repeat(crops, 12, axis=0), np.repeat([0, 1], 12)
    trained = ClassifierBaseline(Light(8), Schedule(10, 8, rate=1e-2)).learn(many, classes, 2, 0)
    assert (trained(many).argmax(axis=1) == classes).all()


def test_frozen_normalisation_does_not_drift_and_dropout_moves_nothing_global() -> None:
    """GestaltMatcher-Arc trains with its frozen base in training mode: the running means drift away."""
    base = nn.Sequential(nn.Linear(24, 5), nn.BatchNorm1d(5), nn.Dropout(0.5)).requires_grad_(False)
    free = nn.BatchNorm1d(5)
    network = nn.Sequential(base, nn.Dropout(0.5), free)
    before = torch.random.get_rng_state()
    with training(network, 3):
        assert not any(module.training for module in base.modules())
        assert free.training
        assert network[1].training
        first = network(to_tensor(BASE[0]))
    with training(network, 3):
        assert torch.equal(network(to_tensor(BASE[0])), first)  # the same features dropped
    assert torch.equal(torch.random.get_rng_state(), before)
    assert not any(module.training for module in network.modules())
    assert isinstance(base[1], nn.BatchNorm1d)
    assert base[1].running_mean is not None
    assert (base[1].running_mean == 0).all()
    assert free.running_mean is not None
    assert (free.running_mean != 0).any()
