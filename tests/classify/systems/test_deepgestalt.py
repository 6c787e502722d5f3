"""DeepGestalt: each network sees its region only, opinions are averaged, and what was learned can be written down."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch.nn import functional

from ganonym.classify.crops import REGIONS
from ganonym.classify.learning.fit import Augmentation, Schedule, altered_regions
from ganonym.classify.systems.deepgestalt import PUBLISHED, DeepGestalt, small, stretched
from ganonym.errors import EnvironmentFault, UsageError

STEPS = Schedule(epochs=16, batch=12, optimizer="sgd", rate=5e-2, clip=0.1)
TINY = DeepGestalt(side=16, width=0.125, schedule=STEPS)
BRIEF = replace(TINY, schedule=replace(STEPS, epochs=1))
NOTHING = Augmentation(rotation=0, shift=0, shear=0, zoom=0, mirror=0)


def crops(seed: int, each: int = 30, shows: str = "lower") -> tuple[NDArray[np.uint8], NDArray[np.intp]]:
    """Two classes of noise; the one region shows stripes across or down."""
    rng = np.random.default_rng(seed)
    classes = np.repeat([0, 1], each)
    x = rng.normal(128, 20, (2 * each, 4, 16, 16))
    wave = 60 * np.sin(np.arange(16) * np.pi / 2 + rng.uniform(0, 6.28, (2 * each, 1)))
    place = REGIONS.index(shows)
    x[:each, place] += wave[:each, :, None]
    x[each:, place] += wave[each:, None, :]
    return x.clip(0, 255).astype(np.uint8), classes.astype(np.intp)


@pytest.mark.parametrize("shows", ["upper", "lower"])
def test_a_signal_in_one_region_is_learned_by_its_network_only(shows: str) -> None:
    inputs, classes = crops(1, shows=shows)
    others, truth = crops(2, each=40, shows=shows)
    trained = replace(TINY, regions=("upper", "lower")).learn(inputs, classes, 2, seed=3)
    right = {region: (trained.by_region(others, region).argmax(axis=1) == truth).mean() for region in trained.networks}
    assert right.pop(shows) > 0.95
    assert 0.3 < right.popitem()[1] < 0.7
    assert (trained(others).argmax(axis=1) == truth).mean() > 0.9


def test_opinions_are_averaged_after_softmax() -> None:
    inputs, classes = crops(3, each=6)
    trained = BRIEF.learn(inputs, classes, 3, seed=0)
    assert list(trained.networks) == list(REGIONS)
    chances = []
    for place, region in enumerate(REGIONS):
        seen = inputs[:, place : place + 1].astype(np.float64)
        low, high = (extreme(axis=(2, 3), keepdims=True) for extreme in (seen.min, seen.max))
        with torch.inference_mode():
            scores = trained.networks[region](torch.from_numpy((seen - low) / (high - low)).float()).double().numpy()
        chances.append(np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True))
    result = trained(inputs)
    np.testing.assert_allclose(result, sum(chances) / 4, atol=1e-6)
    np.testing.assert_allclose(result.sum(axis=1), 1.0, atol=1e-12)
    np.testing.assert_allclose(np.concatenate([trained(inputs[:5]), trained(inputs[5:])]), result, atol=1e-6)
    assert trained(inputs[:0]).shape == (0, 3)


def test_a_network_does_not_depend_on_which_others_there_are() -> None:
    inputs, classes = crops(4, each=8)
    together = BRIEF.learn(inputs, classes, 2, seed=5)
    alone = replace(BRIEF, regions=("middle",)).learn(inputs, classes, 2, seed=5)
    assert alone(inputs).tobytes() == together.by_region(inputs, "middle").tobytes()
    assert {name.split(".")[0] for name in alone.arrays} == {"middle"}
    same = inputs[:, :1].repeat(4, axis=1)  # equal crops, and yet networks of their own
    result = BRIEF.learn(same, classes, 2, seed=5)
    assert result.by_region(same, "full").tobytes() != result.by_region(same, "upper").tobytes()


def test_equal_seeds_give_equal_networks_and_no_global_state_is_touched() -> None:
    inputs, classes = crops(6, each=8)
    before, numbers = torch.random.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    first = BRIEF.learn(inputs, classes, 2, seed=7)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert np.array_equal(np.random.get_state()[1], numbers)  # noqa: NPY002
    torch.rand(3)
    second, third = (BRIEF.learn(inputs, classes, 2, seed=seed) for seed in (7, 8))
    assert all(first.arrays[name].tobytes() == array.tobytes() for name, array in second.arrays.items())
    assert first(inputs).tobytes() != third(inputs).tobytes()


def test_restored_networks_are_the_same_to_the_last_bit() -> None:
    inputs, classes = crops(9, each=8)
    trained = BRIEF.learn(inputs, classes, 2, seed=0)
    assert all(array.flags.c_contiguous for array in trained.arrays.values())
    again = BRIEF.restore({name: array.copy() for name, array in trained.arrays.items()}, 2)
    assert again(inputs).tobytes() == trained(inputs).tobytes()


def test_other_weights_are_refused() -> None:
    inputs, classes = crops(10, each=3)
    arrays = BRIEF.learn(inputs, classes, 2, seed=0).arrays
    without = {name: array for name, array in arrays.items() if not name.startswith("upper.")}
    with pytest.raises(EnvironmentFault, match="'full' of 3 classes"):
        BRIEF.restore(arrays, 3)
    with pytest.raises(EnvironmentFault, match="'upper'"):
        BRIEF.restore(without, 2)
    with pytest.raises(EnvironmentFault, match="of lower, middle, upper too"):
        replace(BRIEF, regions=("full",)).restore(arrays, 2)
    with pytest.raises(EnvironmentFault, match="'full'"):
        replace(BRIEF, width=0.25).restore(arrays, 2)
    with pytest.raises(EnvironmentFault, match="pretrained network 'full'"):
        replace(BRIEF, width=0.25, pretrained=arrays).learn(inputs, classes, 2, 0)


def test_pretrained_networks_start_from_all_but_the_head() -> None:
    inputs, classes = crops(11, each=8)
    body = BRIEF.pretrain(inputs, np.arange(16, dtype=np.intp) // 2, 8, seed=1)
    assert not any("classifier" in name for name in body)
    start = replace(BRIEF, pretrained=body, schedule=replace(STEPS, epochs=0)).learn(inputs, classes, 2, seed=2).arrays
    assert all(start[name].tobytes() == array.tobytes() for name, array in body.items())
    assert start["full.classifier.0.weight"].shape == (2, 40)
    fresh = replace(BRIEF, schedule=replace(STEPS, epochs=0)).learn(inputs, classes, 2, seed=2).arrays
    assert start["full.base.0.conv.weight"].tobytes() != fresh["full.base.0.conv.weight"].tobytes()


@pytest.mark.parametrize(("weighted", "slope"), [(True, -1 / 6), (False, -1 / 4)])
def test_rare_classes_weigh_more(weighted: bool, slope: float) -> None:
    # Six of class 0 and two of class 1 weigh 2/3 and 1. With features of 0 every class is as likely, and the slope of
    # the loss by the bias of class 0 is (6 · 2/3 · −1/2 + 2 · 1/2) / 6 with weights, (6 · −1/2 + 2 · 1/2) / 8 without.
    inputs, _ = crops(12, each=4)
    classes = np.array([0, 0, 0, 0, 0, 0, 1, 1], dtype=np.intp)
    body = BRIEF.pretrain(inputs, classes, 2, seed=0)
    blank = {name: array * (0 if ".base.13." in name else 1) for name, array in body.items()}
    once = Schedule(epochs=1, batch=8, optimizer="sgd", rate=0.1, clip=None)
    trained = replace(BRIEF, schedule=once, weighted=weighted, pretrained=blank).learn(inputs, classes, 2, seed=0)
    np.testing.assert_allclose(trained.arrays["full.classifier.0.bias"], [-0.1 * slope, 0.1 * slope], rtol=1e-5)


def test_classes_without_photos_do_no_harm() -> None:
    inputs, classes = crops(13, each=8)
    chances = replace(TINY, regions=("lower",)).learn(inputs, 2 * classes, 4, seed=0)(inputs)
    assert np.isfinite(chances).all()
    assert set(chances.argmax(axis=1)) <= {0, 2}


def test_wrong_requests_are_refused() -> None:
    inputs, classes = crops(14, each=3)
    with pytest.raises(UsageError, match=r"RegionCrops\(16\)"):
        BRIEF.learn(inputs[:, :1], classes, 2, 0)
    with pytest.raises(UsageError, match="float64"):
        BRIEF.learn(inputs / 255.0, classes, 2, 0)
    with pytest.raises(UsageError, match="no photographs"):
        BRIEF.learn(inputs[:0], classes[:0], 2, 0)
    for regions in ((), ("full", "full"), ("nose",)):
        with pytest.raises(UsageError, match="regions"):
            DeepGestalt(regions=regions)


def test_presets_are_the_published_and_a_small_one() -> None:
    method = DeepGestalt()
    assert (method.side, method.width, method.regions) == (100, 1.0, ("full", "upper", "middle", "lower"))
    assert (PUBLISHED.optimizer, PUBLISHED.rate, PUBLISHED.momentum, PUBLISHED.clip) == ("sgd", 5e-3, 0.9, 0.1)
    assert small(("full",)).regions == ("full",)
    assert small().side == 48


def test_crops_of_one_grey_stay_finite() -> None:
    assert stretched(np.full((2, 1, 4, 4), 9, np.uint8)).abs().max() == 0
    assert stretched(np.array([[[[7, 8]]], [[[0, 255]]]], np.uint8)).flatten().tolist() == [0, 1, 0, 1]


def ramps(count: int, side: int = 64) -> torch.Tensor:
    """Crops (n, 2, s, s) whose first channel is x and whose second is y, −1 … 1 from edge to edge, plus ½."""
    steps = (torch.arange(side) + 0.5) * 2 / side - 1
    return torch.stack([steps.expand(side, side), steps[:, None].expand(side, side)])[None].repeat(count, 1, 1, 1) + 0.5


def maps_of(ranges: Augmentation, seed: int, count: int = 400) -> NDArray[np.float64]:
    """The maps (n, 2, 3) that augmentation drew, read off ramps: differences between pixels near the middle."""
    seen = altered_regions(ramps(count), torch.Generator().manual_seed(seed), ranges).double().numpy() - 0.5
    across = (seen[:, :, 32, 40] - seen[:, :, 32, 23]) * 64 / 2 / 17
    down = (seen[:, :, 40, 32] - seen[:, :, 23, 32]) * 64 / 2 / 17
    middle = seen[:, :, 31:33, 31:33].mean(axis=(2, 3))
    return np.stack([across, down, middle], axis=2)


def test_augmentation_does_what_it_says_within_its_ranges() -> None:
    identity = maps_of(NOTHING, 0)
    np.testing.assert_allclose(identity, np.broadcast_to([[1, 0, 0], [0, 1, 0]], identity.shape), atol=1e-5)
    turned = maps_of(replace(NOTHING, rotation=5), 1)
    angles = np.degrees(np.arctan2(turned[:, 1, 0], turned[:, 0, 0]))
    np.testing.assert_allclose(turned[:, :, :2] @ turned[:, :, :2].transpose(0, 2, 1), [np.eye(2)] * 400, atol=1e-4)
    assert (np.abs(angles) <= 5).all()
    assert (angles.min() < -4.8) & (angles.max() > 4.8)
    leaning = maps_of(replace(NOTHING, shear=5), 2)
    lean = np.degrees(np.arctan(leaning[:, 0, 1]))
    assert (lean.min() < -4.8) & (lean.max() > 4.8) & (np.abs(lean).max() <= 5.001)
    np.testing.assert_allclose(leaning[:, 1, :2], [[0, 1]] * 400, atol=1e-4)
    zoomed = maps_of(replace(NOTHING, zoom=0.05), 3)
    np.testing.assert_allclose(zoomed[:, 0, 0], zoomed[:, 1, 1], atol=1e-4)
    assert (
        (zoomed[:, 0, 0].min() < 0.952) & (zoomed[:, 0, 0].max() > 1.048) & (np.abs(zoomed - identity).max() <= 0.0501)
    )
    shifted = maps_of(replace(NOTHING, shift=0.05), 4)[:, :, 2] / 2  # in sides of the crop
    assert (shifted.min() < -0.048) & (shifted.max() > 0.048) & (np.abs(shifted).max() <= 0.0501)
    assert abs(np.corrcoef(shifted.T)[0, 1]) < 0.2
    flipped = maps_of(replace(NOTHING, mirror=0.5), 5)
    assert set(flipped[:, 0, 0].round(3)) == {-1.0, 1.0}
    assert 0.4 < (flipped[:, 0, 0] < 0).mean() < 0.6
    np.testing.assert_allclose(flipped[:, 1], [[0, 1, 0]] * 400, atol=1e-5)


def test_augmentation_mirrors_exactly_and_fills_with_middle_grey() -> None:
    images = torch.rand(3, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    mirrored = altered_regions(images, torch.Generator(), replace(NOTHING, mirror=1.0))
    torch.testing.assert_close(mirrored, images.flip(3), atol=1e-5, rtol=0)
    white = altered_regions(torch.ones(50, 1, 8, 8), torch.Generator().manual_seed(1), replace(NOTHING, shift=0.4))
    assert white.min() == pytest.approx(0.5)
    assert functional.relu(white - 1).max() < 1e-6
