"""GestaltMatcher-Arc: what is frozen stays, what is trained is weighted as it should be, and it is stored whole."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.numpy import save_file

from ganonym.classify.learner import Arrays
from ganonym.classify.learning.fit import seeded
from ganonym.classify.model_folder import Card, digest, save_model
from ganonym.classify.networks.iresnet import IResNet, IResNetForm, embeddings, iresnet_of
from ganonym.classify.recipe import load_recipe
from ganonym.classify.retrieval.encode import of_model
from ganonym.classify.systems.gestaltmatcher import MODEL_A, MODEL_B, GestaltMatcher, Tuning
from ganonym.errors import EnvironmentFault, UsageError
from ganonym.weights import read_tensors

FORM = IResNetForm(blocks=(1, 1, 1, 1), widths=(4, 6, 8, 10), embedding=12, side=32)
QUICK = Tuning(batch=16, rate=2e-2, decay=5e-5, head_rate=2e-2)


@cache
def base(seed: int = 0) -> Arrays:
    made = seeded(lambda: IResNet(FORM), seed)
    pictures = torch.randn(16, 3, 32, 32, generator=torch.Generator().manual_seed(seed))
    pictures += pictures[:, :, :1, :1]
    with torch.no_grad():  # running statistics as a trained network has them
        for _ in range(30):
            made(pictures)
    return {name: value.numpy().copy() for name, value in made.state_dict().items()}


def coloured(seed: int, each: int = 16) -> tuple[NDArray[np.uint8], NDArray[np.intp]]:
    """Three classes of noise: reddish, greenish, bluish."""
    rng = np.random.default_rng(seed)
    classes = np.repeat(np.arange(3), each).astype(np.intp)
    crops = rng.integers(80, 110, (len(classes), 32, 32, 3))
    crops[np.arange(len(classes)), :, :, classes] += 80
    return crops.astype(np.uint8), classes


def leaning(seed: int, each: int = 20) -> tuple[NDArray[np.uint8], NDArray[np.intp]]:
    """Two classes that are each other's mirror images: bright to the left, bright to the right."""
    rng = np.random.default_rng(seed)
    crops = rng.integers(40, 120, (2 * each, 32, 32, 3))
    crops[:, :, :16] += 100
    crops[each:] = crops[each:, :, ::-1]
    return crops.astype(np.uint8), np.repeat([0, 1], each).astype(np.intp)


@pytest.mark.parametrize("draws", [None, 3], ids=["anew", "kept"])
def test_it_learns_and_equal_seeds_learn_alike(draws: int | None) -> None:
    (crops, classes), (others, truth) = coloured(1), coloured(2)
    method = GestaltMatcher(base(), QUICK, epochs=20, draws=draws)
    before = torch.random.get_rng_state()
    trained = method.learn(crops, classes, 3, seed=3)
    chances = trained(others)
    assert (chances.argmax(axis=1) == truth).mean() > 0.85
    np.testing.assert_allclose(chances.sum(axis=1), 1, atol=1e-9)
    assert trained.embed(others).shape == (48, trained.width) == (48, 12)
    assert method.learn(crops, classes, 3, seed=3)(others).tobytes() == chances.tobytes()
    assert method.learn(crops, classes, 3, seed=4)(others).tobytes() != chances.tobytes()
    assert torch.equal(torch.random.get_rng_state(), before)


@pytest.mark.parametrize("draws", [None, 2, 0], ids=["anew", "kept", "plain"])
def test_the_frozen_part_stays_to_the_last_bit(draws: int | None) -> None:
    """Running statistics and their counters included, which upstream lets drift."""
    crops, classes = coloured(1)
    own = base()
    copy = {name: array.copy() for name, array in own.items()}
    trained = GestaltMatcher(own, QUICK, epochs=2, draws=draws).learn(crops, classes, 3, seed=3)
    after = {name: value.numpy() for name, value in trained.network.state_dict().items()}
    end = {name for name in own if name.startswith(("fc.", "features."))}
    for name in own:
        assert np.array_equal(own[name], copy[name]), name
        assert np.array_equal(after[name], own[name]) == (name not in end), name
    assert set(trained.arrays) - {"base.sha256", "classifier.weight", "classifier.bias"} == end
    assert trained.arrays["features.num_batches_tracked"] == own["features.num_batches_tracked"] + 6


def test_it_starts_as_the_recognizer_itself_fed_rgb() -> None:
    crops, classes = coloured(5)
    start = GestaltMatcher(base(), epochs=0, draws=0).learn(crops, classes, 3, seed=3)
    np.testing.assert_allclose(start.embed(crops), embeddings(iresnet_of(base()), crops, unit=False), atol=1e-5)
    fed = torch.from_numpy(np.stack([crops[..., k] / 127.5 - 1 for k in (0, 1, 2)], axis=1)).float()
    with torch.no_grad():
        np.testing.assert_allclose(start.embed(crops), iresnet_of(base())(fed), atol=1e-4)


def test_colours_are_in_the_same_order_in_training_as_in_use() -> None:
    """What was learned to be reddish is so in use; seen with channels swapped it is bluish."""
    (crops, classes), (others, truth) = coloured(1), coloured(2)
    trained = GestaltMatcher(base(), QUICK, epochs=20, draws=0).learn(crops, classes, 3, seed=3)
    swapped = trained(np.ascontiguousarray(others[..., ::-1])).argmax(axis=1)
    assert (trained(others).argmax(axis=1) == truth).mean() > 0.95
    assert (swapped == 2 - truth).mean() > 0.9


def test_classes_are_weighted_by_their_own_numbers() -> None:
    """Of photos that are all one picture the best guess is w_c · n_c = (n_c + min n) / 2 of all, whatever the order.

    Upstream weighs labels by the order of frequency, which would give 0.09 : 0.59 : 0.31 here.
    """
    classes = np.repeat([0, 1, 2], [8, 40, 16]).astype(np.intp)
    crops = np.repeat(coloured(6, 1)[0][:1], 64, axis=0)
    slow = Tuning(batch=64, rate=0.0, decay=0.0, head_rate=0.1, head_decay=0.0)
    trained = GestaltMatcher(base(), slow, epochs=150, draws=0).learn(crops, classes, 3, seed=0)
    np.testing.assert_allclose(trained(crops[:1])[0], np.array([8, 24, 12]) / 44, atol=5e-3)


def test_half_of_each_descriptor_is_dropped_in_training_only() -> None:
    crops, _ = coloured(1)
    neck = GestaltMatcher(base(), epochs=0, draws=0).learn(crops, np.arange(48) % 12, 12, seed=3).neck
    with torch.no_grad():
        neck.classifier.weight.copy_(torch.eye(12))
        neck.classifier.bias.zero_()
        maps = torch.randn(200, FORM.features, generator=torch.Generator().manual_seed(0))
        whole, dropped = neck.scores(maps), neck.scores(maps, torch.Generator().manual_seed(1))
    left = dropped != 0
    torch.testing.assert_close(dropped[left], 2 * whole[left])
    assert left.float().mean().item() == pytest.approx(0.5, abs=0.05)
    torch.testing.assert_close(whole, neck(maps))


def test_a_class_without_photos_is_hardly_called() -> None:
    crops, classes = coloured(1)
    trained = GestaltMatcher(base(), QUICK, epochs=20, draws=0).learn(crops, 2 * classes, 5, seed=3)
    chances = trained(crops)
    assert chances.shape == (48, 5)
    assert (chances.argmax(axis=1) == 2 * classes).mean() > 0.9
    assert chances[:, [1, 3]].mean() < 0.1


def trained_once(tuning: Tuning) -> tuple[Arrays, Arrays]:
    """What is trained before and after training on one picture, where the loss has no gradient in `fc`."""
    crops = np.repeat(coloured(6, 1)[0][:1], 24, axis=0)
    classes = np.repeat([0, 1, 2], 8).astype(np.intp)
    method = GestaltMatcher(base(), tuning, epochs=20, draws=0)
    return replace(method, epochs=0).learn(crops, classes, 3, 0).arrays, method.learn(crops, classes, 3, 0).arrays


def moved(tuning: Tuning, *names: str) -> list[bool]:
    first, last = trained_once(tuning)
    return [not np.array_equal(first[name], last[name]) for name in names]


def shrunk(tuning: Tuning, name: str) -> float:
    first, last = trained_once(tuning)
    return float(np.abs(last[name]).sum() / np.abs(first[name]).sum())


def test_rates_and_decays_reach_the_part_they_are_of() -> None:
    names = ("fc.weight", "features.weight", "features.bias", "classifier.weight", "classifier.bias")
    head = Tuning(24, rate=0.0, decay=0.1, head_rate=1e-2, head_decay=0.1)
    assert moved(head, *names) == [False, False, False, True, True]
    last = Tuning(24, rate=1e-2, decay=0.1, head_rate=0.0, head_decay=0.1)
    assert moved(last, *names) == [True, True, True, False, False]
    assert shrunk(last, "fc.weight") < 0.5 < shrunk(replace(last, decay=0.0), "fc.weight")
    assert shrunk(head, "classifier.weight") < 0.7 < shrunk(replace(head, head_decay=0.0), "classifier.weight")


def test_published_tuning() -> None:
    assert Tuning(64, 5e-4, 5e-5, 1e-3, 5e-4) == MODEL_A
    assert Tuning(128, 1e-3, 0.0, 1e-3, 5e-4) == MODEL_B
    default = GestaltMatcher(base())
    assert (default.tuning, default.epochs, default.draws) == (MODEL_A, 50, None)


@pytest.mark.parametrize(("draws", "told"), [(None, False), (12, False), (0, True)], ids=["anew", "kept", "plain"])
def test_photos_are_altered_in_training_unless_told_otherwise(draws: int | None, told: bool) -> None:
    """Who has seen mirrored photos cannot tell two classes that are each other's mirror images."""
    (crops, classes), (others, truth) = leaning(1), leaning(2)
    trained = GestaltMatcher(base(), QUICK, epochs=20, draws=draws).learn(crops, classes, 2, seed=3)
    sure = trained(others)[np.arange(40), truth].mean()
    assert (sure > 0.85) == told
    assert told or abs(sure - 0.5) < 0.2


def test_a_photo_alone_is_seen_as_among_others() -> None:
    crops, classes = coloured(1, 30)
    trained = GestaltMatcher(base(), QUICK, epochs=2, draws=0).learn(crops, classes, 3, seed=3)
    for of in (trained, trained.embed):
        alone = np.concatenate([of(crops[i : i + 1]) for i in (0, 40, 89)])
        np.testing.assert_allclose(of(crops)[[0, 40, 89]], alone, atol=1e-5)
    assert trained(crops[:0]).shape == (0, 3)
    assert trained.embed(np.zeros(0, np.uint8)).shape == (0, 12)


def test_what_was_stored_predicts_to_the_last_bit(tmp_path: Path) -> None:
    crops, classes = coloured(1)
    method = GestaltMatcher(base(), QUICK, epochs=2, draws=0)
    trained = method.learn(crops, classes, 3, seed=3)
    save_file(dict(trained.arrays), tmp_path / "neck.safetensors")
    arrays, _ = read_tensors(tmp_path / "neck.safetensors")
    restored = method.restore(arrays, 3)
    assert restored(crops).tobytes() == trained(crops).tobytes()
    assert restored.embed(crops).tobytes() == trained.embed(crops).tobytes()
    assert {name: array.tobytes() for name, array in restored.arrays.items()} == {
        name: array.tobytes() for name, array in trained.arrays.items()
    }
    with pytest.raises(EnvironmentFault, match="4 classes"):
        method.restore(arrays, 4)
    with pytest.raises(EnvironmentFault, match="base file"):
        GestaltMatcher(base(1)).restore(arrays, 3)
    with pytest.raises(EnvironmentFault, match="base file"):
        method.restore({"fc.weight": np.zeros((2, 2))}, 3)
    with pytest.raises(EnvironmentFault, match=r"fc\.bias"):
        method.restore({name: array for name, array in arrays.items() if name != "fc.bias"}, 3)


def test_what_cannot_be_learned_from_is_refused() -> None:
    crops, classes = coloured(1)
    with pytest.raises(UsageError, match="too few"):
        GestaltMatcher(base()).learn(crops[:1], classes[:1], 3, seed=0)
    with pytest.raises(UsageError, match=r"\(n, 32, 32, 3\)"):
        GestaltMatcher(base()).learn(crops[:, :20], classes, 3, seed=0)
    with pytest.raises(EnvironmentFault, match="iResNet"):
        GestaltMatcher({"weight": np.zeros(3)}).learn(crops, classes, 3, seed=0)


def test_the_recognizer_of_a_kept_model_is_found_among_those_that_are_offered(tmp_path: Path) -> None:
    crops, classes = coloured(8, 4)
    settings = {"model": "a", "epochs": 1, "draws": "none"}
    trained = GestaltMatcher(base(1), MODEL_A, 1, 0).learn(crops, classes, 3, seed=0)
    card = Card(
        settings=settings,
        seed=0,
        names=("red", "green", "blue"),
        photos=12,
        subjects=12,
        simulated=True,
        foundation=digest(base(1)),
        seen=(),
        people=(),
        key="0" * 32,
    )
    save_model(tmp_path / "kept", load_recipe("gestaltmatcher"), card, trained)
    member, result = of_model(tmp_path / "kept", [lambda: base(0), lambda: base(1)])
    assert result.card == card
    assert (member.encoder.name, member.side, member.encoder.width) == ("kept", 32, trained.width)
    assert np.array_equal(member.encoder(crops), trained.embed(crops))
    with pytest.raises(EnvironmentFault, match="another recognizer") as caught:
        of_model(tmp_path / "kept", [lambda: base(0)])
    assert "--base-sha256" in caught.value.remedy
