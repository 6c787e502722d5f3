"""Reversal undoes what a recognizer cannot see through, and invents no likeness where there is none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.spatial.distance import cdist

from ganonym.errors import UsageError
from ganonym.evaluate.attackers.attacker import Lesson, Sample, Templates, locate, templates
from ganonym.evaluate.attackers.restorer import Crops, regress, regress_in_place, train_restorer
from ganonym.evaluate.attackers.reversal import PIXELS, SIDE, CropView, Restored, Reversal, places
from ganonym.faces.descriptor import DESCRIPTOR
from ganonym.statistics.intervals import proportion
from ganonym.types import Floats

SMALL = 16
TAUGHT = 60


def faces(rng: np.random.Generator, count: int) -> Crops:
    """Invented 16 x 16 pictures that vary in 24 smooth ways, as aligned faces do."""
    coarse = np.random.default_rng(0).integers(0, 256, (24, 4, 4, 3), dtype=np.uint8)
    ways = np.array(
        [np.asarray(Image.fromarray(entry).resize((SMALL, SMALL), Image.Resampling.BICUBIC)) for entry in coarse]
    )
    pictures = 128 + np.einsum("nk,kd->nd", rng.normal(size=(count, 24)) * 0.25, ways.reshape(24, -1) - 128.0)
    return np.asarray(pictures.clip(0, 255), dtype=np.float32)


def scrambled(pictures: Crops) -> Crops:
    """Blocks of 4 x 4 pixels moved about, colours mixed and turned to negatives, a texture laid over."""
    rng = np.random.default_rng(1)
    blocks = pictures.reshape(-1, 4, 4, 4, 4, 3).transpose(0, 1, 3, 2, 4, 5).reshape(-1, 16, 4, 4, 3)
    moved = blocks[:, rng.permutation(16)].reshape(-1, 4, 4, 4, 4, 3).transpose(0, 1, 3, 2, 4, 5)
    mixed = (moved - 128) @ np.array([[-0.5, 0.2, -0.3], [0.3, -0.6, -0.1], [-0.2, 0.1, -0.5]]) + 128
    return np.asarray((mixed.reshape(len(pictures), -1) + rng.normal(size=768) * 30).clip(0, 255), dtype=np.float32)


def numbers(count: int) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
    return np.arange(count, dtype=np.intp)


def rank1(one: Floats | Crops, other: Floats | Crops) -> float:
    return float(np.mean(cdist(one, other).argmin(axis=1) == np.arange(len(one))))


def test_a_fixed_scrambling_is_undone_and_naively_seen_it_hides_everybody() -> None:
    rng = np.random.default_rng(2)
    taught, attacked = faces(rng, TAUGHT), faces(rng, 40)
    restorer = train_restorer(scrambled(taught), taught, numbers(TAUGHT), 5, 0)
    assert rank1(scrambled(attacked), attacked) < 0.15
    assert rank1(restorer(scrambled(attacked)), attacked) > 0.9


def test_pictures_that_say_nothing_are_answered_by_chance() -> None:
    rng = np.random.default_rng(3)
    taught, attacked = faces(rng, TAUGHT), faces(rng, 100)
    restorer = train_restorer(faces(rng, TAUGHT), taught, numbers(TAUGHT), 5, 0)
    result = proportion(round(100 * rank1(restorer(faces(rng, 100)), attacked)), 100)
    assert result.low <= 0.01 <= result.high


def test_the_network_undoes_what_regression_cannot() -> None:
    """Contrast folded at mid-grey is no linear map of the pixels, yet neighbours tell which side a pixel is on."""
    rng = np.random.default_rng(4)

    def folded(pictures: Crops) -> Crops:
        levels = np.where(pictures > 128, 255 - pictures, pictures) * 2
        levels[:, 0::3] = pictures[:, 0::3]
        return np.asarray(levels, dtype=np.float32)

    taught, attacked = faces(rng, 120), faces(rng, 40)
    restorer = train_restorer(folded(taught), taught, numbers(120), 150, 0)
    plain = restorer.regression(folded(attacked)).clip(0, 255)
    errors = [float(np.abs(value - attacked).mean()) for value in (plain, restorer(folded(attacked)))]
    assert errors[1] < 0.8 * errors[0], errors


def test_the_regression_is_ridge_regression() -> None:
    from sklearn.linear_model import Ridge

    rng = np.random.default_rng(5)
    released, originals = faces(rng, 30), faces(rng, 30)
    centred = released.astype(np.float64) - released.mean(axis=0)
    penalty = 0.1 * np.sum(centred**2) / 30
    oracle = Ridge(alpha=penalty).fit(released.astype(np.float64), originals.astype(np.float64))
    asked = faces(rng, 9)
    assert np.allclose(regress(released, originals, 0.1)(asked), oracle.predict(asked.astype(np.float64)), atol=0.05)


def test_the_regression_in_place_is_a_linear_map_of_each_pixels_colour() -> None:
    rng = np.random.default_rng(8)
    originals = faces(rng, 30)
    released = (originals.reshape(30, -1, 3) @ rng.normal(size=(3, 3)).astype(np.float32)).reshape(30, -1) + 7
    asked = np.repeat(released[:1], 2, axis=0)
    asked[1, 300:] = 0.0
    result = regress_in_place(released, originals, 1e-6)(asked)
    assert np.allclose(result[0], originals[0], atol=1.0)
    assert np.allclose(result[1, :300], originals[0, :300], atol=1.0)


def test_the_same_lesson_gives_the_same_restorer_and_no_dice_are_touched() -> None:
    rng = np.random.default_rng(6)
    taught = faces(rng, 20)
    before = torch.random.get_rng_state()
    restored = [train_restorer(scrambled(taught), taught, numbers(20), 4, 0)(taught[:3]) for _ in range(2)]
    assert np.array_equal(*restored)
    assert torch.equal(before, torch.random.get_rng_state())
    assert not np.array_equal(restored[0], train_restorer(scrambled(taught), taught, numbers(20), 4, 1)(taught[:3]))


def test_too_few_people_to_learn_from_is_said() -> None:
    rows = np.zeros((9, CropView().width), dtype=np.float16)
    with pytest.raises(UsageError, match="10 other people, it got 9"):
        Reversal().learn(Lesson(rows, rows, tuple("abcdefghi")))


def test_of_many_pairs_some_from_all_over_are_learned_from() -> None:
    rng = np.random.default_rng(9)
    rows = [rng.integers(0, 256, (31, CropView().width)).astype(np.float16) for _ in range(2)]
    rows[0][4] = np.nan
    names = tuple(f"s{n}" for n in range(31))
    some = [0, 3, 7, 11, 14, 17, 20, 24, 27, 30]  # of the thirty that are whole, every third or so
    part = Lesson(rows[0][some], rows[1][some], tuple(names[n] for n in some))
    asked = rows[1][:2, :PIXELS].astype(np.float32)
    result, wanted = (
        attacker.learn(lesson).restorer(asked)
        for attacker, lesson in ((Reversal(steps=1, most=10), Lesson(*rows, names)), (Reversal(steps=1), part))
    )
    assert np.array_equal(result, wanted)


def test_crops_hold_the_face_where_the_landmarks_of_the_mean_face_lie() -> None:
    view, picture = CropView(), np.zeros((300, 300, 3), dtype=np.uint8)
    points = places(SIDE) * 3 + [20.0, 30.0]
    x, y = (points[30] + 0.5).astype(int)
    picture[y - 3 : y + 4, x - 3 : x + 4] = [250, 120, 10]
    row = view.template(Sample(picture, None, oracle=points))
    assert row is not None
    assert (row.shape, row.dtype) == ((view.width,), np.float16)
    nose = np.round(places(SIDE)[30]).astype(int)
    assert np.abs(row[:PIXELS].reshape(SIDE, SIDE, 3)[nose[1], nose[0]] - [250, 120, 10]).max() < 40
    assert view.template(Sample(picture, None)) is None


def test_dlib_names_restored_real_people_that_it_cannot_name_as_released(london_folder: Path) -> None:
    from ganonym.faces.find import judge_backends

    files = sorted(london_folder.glob("*_neutral.jpg"))[:32]
    samples = locate([np.asarray(Image.open(file).convert("RGB")) for file in files], *judge_backends())
    originals = templates(CropView(), samples)
    texture = np.random.default_rng(7).normal(size=(SIDE, SIDE, 3)) * 30
    mix = np.array([[-0.5, 0.3, -0.2], [0.2, -0.6, -0.1], [-0.3, 0.1, -0.4]])
    pixels = originals[:, :PIXELS].astype(np.float32).reshape(-1, SIDE, SIDE, 3)
    hidden = ((pixels - 128) @ mix + 128 + texture).clip(0, 255).reshape(len(files), -1)
    blind = np.zeros((len(files), DESCRIPTOR))  # of what is released only the pixels may be used
    released = np.concatenate([hidden, blind], axis=1).astype(np.float16)
    taught = Lesson(originals[8:], released[8:], tuple(file.name for file in files[8:]))
    probes, gallery = Templates(released[:8], released=True), Templates(originals[:8], released=False)
    probes.rows[7] = np.nan

    def hits(matcher: Restored) -> int:
        distances = matcher(probes, gallery)
        assert np.isnan(distances[7]).all()
        return int(np.sum(distances[:7].argmin(axis=1) == np.arange(7)))

    as_released = Restored(lambda crops: crops)
    assert hits(as_released) <= 3
    assert hits(Reversal(steps=8).learn(taught)) >= 6
    clean = as_released(Templates(originals[:8], released=True), gallery)
    assert np.array_equal(clean.argmin(axis=1), np.arange(8)), "a crop of 64 px is enough for dlib"
