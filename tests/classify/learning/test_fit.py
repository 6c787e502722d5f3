"""The one descent: rates, order and clipping are what torch's own schedules and samplers would give.

What alters photos in training is what other libraries compute.
"""

from __future__ import annotations

import colorsys
import sys

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from ganonym.classify.learning.fit import Schedule, altered_photos, descend, fit
from ganonym.classify.progress import heard
from ganonym.errors import EnvironmentFault


@pytest.mark.parametrize("steps", [1, 7, 40])
def test_the_cosine_is_torchs(steps: int) -> None:
    ours, theirs = (torch.nn.Parameter(torch.tensor([3.0, -2.0])) for _ in range(2))
    groups = [{"params": [ours], "lr": 0.3}]
    descend(torch.optim.SGD(groups, 0.1, momentum=0.9), lambda _: ours.square().sum(), steps)
    optimizer = torch.optim.SGD([theirs], 0.3, momentum=0.9)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(steps):
        optimizer.zero_grad()
        theirs.square().sum().backward()
        optimizer.step()
        schedule.step()
    assert torch.allclose(ours, theirs, rtol=1e-6)


def test_a_constant_course_keeps_the_rate_and_clipping_bounds_every_value() -> None:
    weight = torch.nn.Parameter(torch.zeros(2))
    slope = torch.tensor([100.0, -0.01])
    descend(torch.optim.SGD([weight], 0.5), lambda _: (weight * slope).sum(), 4, "constant", clip=0.1)
    assert weight.tolist() == pytest.approx([-4 * 0.5 * 0.1, 4 * 0.5 * 0.01])


def test_every_row_is_drawn_once_an_epoch_and_seeds_decide() -> None:
    def rows_of(seed: int) -> list[list[int]]:
        weight = torch.nn.Parameter(torch.ones(1))
        drawn: list[list[int]] = []

        def loss_of(rows: Tensor, generator: torch.Generator) -> Tensor:
            torch.rand(3, generator=generator)  # as augmentations draw
            drawn.append(rows.tolist())
            return weight.sum()

        fit([weight], loss_of, 10, Schedule(epochs=3, batch=3), seed)
        return drawn

    drawn = rows_of(1)
    assert [len(rows) for rows in drawn] == [3] * 9  # the last incomplete batch is left out
    for epoch in range(3):
        assert len(set(np.concatenate(drawn[3 * epoch : 3 * epoch + 3]).tolist())) == 9
    assert drawn[:3] != drawn[3:6]
    assert rows_of(1) == drawn
    assert rows_of(2) != drawn


def test_a_set_smaller_than_a_batch_is_one_batch_and_steps_are_reported() -> None:
    weight = torch.nn.Parameter(torch.ones(1))
    sizes: list[int] = []

    def loss_of(rows: Tensor, generator: torch.Generator) -> Tensor:
        sizes.append(len(rows))
        return weight.sum()

    told: list[tuple[str, int, int]] = []
    with heard(lambda *report: told.append(report)):
        fit([weight], loss_of, 4, Schedule(epochs=2, batch=32), 0)
    assert sizes == [4, 4]
    assert told == [("fit", 1, 2), ("fit", 2, 2)]
    fit([weight], loss_of, 4, Schedule(epochs=0), 0)
    assert sizes == [4, 4]


N = 600


def altered(picture: NDArray[np.uint8], seed: int, n: int = N) -> NDArray[np.float64]:
    generator = torch.Generator().manual_seed(seed)
    photos = altered_photos(np.repeat(picture[None], n, axis=0), generator)
    assert photos.shape == (n, *picture.shape)
    assert photos.dtype == np.uint8
    return photos.astype(np.float64)


def coloured(*rgb: int, side: int = 16) -> NDArray[np.uint8]:
    return np.broadcast_to(np.array(rgb, np.uint8), (side, side, 3)).copy()


def test_half_are_mirrored() -> None:
    picture = coloured(60, 60, 60)
    picture[:, 8:] = 160
    result = altered(picture, 1)
    mirrored = result[:, :, :8].mean(axis=(1, 2, 3)) > result[:, :, 8:].mean(axis=(1, 2, 3))
    assert mirrored.mean() == pytest.approx(0.5, abs=0.06)


def test_one_in_ten_is_grey_by_luma() -> None:
    result = altered(coloured(150, 90, 90), 2)[:, 0, 0]
    grey = (result == result[:, :1]).all(axis=1)
    assert grey.mean() == pytest.approx(0.1, abs=0.035)


def test_one_in_ten_loses_what_is_finer_than_the_smaller_picture() -> None:
    """Columns of one pixel vanish at 50 … 100 px of 112, be the crop 16 px or 112."""
    picture = coloured(80, 80, 80)
    picture[:, ::2] = 160
    result = altered(picture, 3)
    contrast = np.abs(np.diff(result[..., 0], axis=2)).mean(axis=(1, 2)) / result.mean(axis=(1, 2, 3))
    assert (contrast < 0.45).mean() == pytest.approx(0.1, abs=0.035)  # 0.67 × 0.8 as long as it is sharp


def test_light_changes_by_a_fifth_and_colour_by_a_tenth_of_the_circle() -> None:
    # A flat grey picture has no contrast, saturation or hue to change.
    light = altered(coloured(100, 100, 100), 4)[:, 0, 0, 0] / 100
    assert 0.79 <= light.min() < 0.81
    assert 1.19 < light.max() <= 1.21
    assert light.mean() == pytest.approx(1, abs=0.02)
    pixels = altered(coloured(150, 90, 90), 5)[:, 0, 0]
    hues = np.array([colorsys.rgb_to_hsv(*pixel)[0] for pixel in pixels[pixels.std(axis=1) > 0]])
    hues = (hues + 0.5) % 1 - 0.5
    assert -0.11 < hues.min() < -0.09
    assert 0.09 < hues.max() < 0.11
    spread = np.array([np.ptp(pixel) for pixel in pixels[pixels.std(axis=1) > 0]]) / 60
    # Brightness, contrast and saturation may all lower the difference of channels, or all raise it.
    assert 0.8**3 - 0.03 < spread.min() < 0.66
    assert 1.35 < spread.max() < 1.2**3 + 0.03


def test_contrast_changes_about_the_mean() -> None:
    picture = coloured(80, 80, 80)
    picture[:8] = 120
    result = altered(picture, 6)[..., 0]
    ratio = (result[:, 0, 0] - result[:, -1, 0]) / result.mean(axis=(1, 2))
    assert ratio.min() == pytest.approx(0.4 * 0.8, abs=0.03)
    assert ratio.max() == pytest.approx(0.4 * 1.2, abs=0.03)


def test_equal_generators_alter_alike_and_nothing_else_is_touched() -> None:
    picture = np.random.default_rng(7).integers(0, 256, (16, 16, 3)).astype(np.uint8)
    before = torch.random.get_rng_state()
    first, again, other = (altered(picture, seed, 20) for seed in (7, 7, 8))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert not np.array_equal(first[0], first[1])
    assert torch.equal(torch.random.get_rng_state(), before)


def test_without_torchvision_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torchvision.transforms.v2", None)
    with pytest.raises(EnvironmentFault, match=r"ganonym\[classify\]"):
        altered(coloured(1, 2, 3), 0, 1)
