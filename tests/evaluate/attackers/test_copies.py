"""Perceptual hashes and keypoints find copies through JPEG, resizing and light, and nothing among strangers."""

from __future__ import annotations

import io
from collections.abc import Callable

import imagehash
import numpy as np
import pytest
from PIL import Image
from skimage.data import astronaut, chelsea, coffee

from ganonym.evaluate.attack_all import attack_samples
from ganonym.evaluate.attackers.attacker import Attacker, Sample, Templates, templates
from ganonym.evaluate.attackers.copies import (
    FACE_HASH,
    KEYPOINT_MATCHES,
    KEYPOINTS,
    PHOTO_HASH,
    RATIO,
    descriptors,
    perceptual_hash,
)
from ganonym.evaluate.findings import Finding
from ganonym.types import RGB, Floats, Points

PEOPLE = [f"s{index}" for index in range(14)]


def scenes(seed: int, count: int = len(PEOPLE), size: int = 160) -> list[RGB]:
    """Pictures of random blotches with sharp boxes in them, which have corners."""
    rng = np.random.default_rng(seed)
    pictures = []
    for _ in range(count):
        coarse = Image.fromarray(rng.integers(0, 256, (9, 9, 3), dtype=np.uint8))
        rgb = np.array(coarse.resize((size, size), Image.Resampling.BICUBIC))
        for _ in range(25):
            x, y = rng.integers(0, size - 30, 2)
            w, h = rng.integers(8, 30, 2)
            rgb[y : y + h, x : x + w] = rng.integers(0, 256, 3)
        pictures.append(rgb)
    return pictures


def points() -> Points:
    """68 points of which only the means of eyes and mouth matter here."""
    placed = np.full((68, 2), 80.0)
    placed[36:42], placed[42:48], placed[48:60] = (60, 65), (100, 65), (80, 110)
    return placed + np.random.default_rng(0).normal(size=(68, 2)) * 0.1


def jpeg(rgb: RGB) -> RGB:
    buffer = io.BytesIO()
    Image.fromarray(rgb).save(buffer, "JPEG", quality=60)
    return np.asarray(Image.open(buffer))


def smaller(rgb: RGB) -> RGB:
    return np.asarray(Image.fromarray(rgb).resize((130, 130), Image.Resampling.LANCZOS))


def darker(rgb: RGB) -> RGB:
    return (rgb * 0.7).astype(np.uint8)


def covered(rgb: RGB) -> RGB:
    """The middle, where a face would be, painted over."""
    changed = rgb.copy()
    changed[45:115, 45:115] = 128
    return changed


def run(attacker: Attacker, originals: list[RGB], released: list[RGB]) -> Finding:
    before = [Sample(rgb, points()) for rgb in originals]
    after = [Sample(rgb, points() * (len(rgb) / 160)) for rgb in released]
    (outcome,) = attack_samples([attacker], before, after, PEOPLE)
    return outcome


def compare(attacker: Attacker, *samples: Sample) -> Floats:
    rows = Templates(templates(attacker.view, samples), released=False)
    return attacker.learn(None)(rows, rows)  # type: ignore[arg-type]  # nothing to learn


@pytest.mark.parametrize("attacker", [PHOTO_HASH, FACE_HASH, KEYPOINT_MATCHES])
@pytest.mark.parametrize("change", [jpeg, smaller, darker])
def test_copies_are_found(attacker: Attacker, change: Callable[[RGB], RGB]) -> None:
    photos = scenes(1)
    assert run(attacker, photos, [change(rgb) for rgb in photos]).rank1.value > 0.95


@pytest.mark.parametrize("attacker", [PHOTO_HASH, FACE_HASH, KEYPOINT_MATCHES])
def test_strangers_are_at_chance(attacker: Attacker) -> None:
    outcome = run(attacker, scenes(2), scenes(3))
    assert outcome.rank1.low <= outcome.chance <= outcome.rank1.high


def test_a_covered_face_does_not_hide_the_photo() -> None:
    photos = scenes(4)
    released = [covered(rgb) for rgb in photos]
    assert run(KEYPOINT_MATCHES, photos, released).rank1.value > 0.9
    assert run(PHOTO_HASH, photos, released).rank1.value > 0.9
    outcome = run(FACE_HASH, photos, [covered(rgb) for rgb in scenes(5)])
    assert outcome.rank1.low <= outcome.chance <= outcome.rank1.high


def test_face_hash_is_of_the_face() -> None:
    """It finds the face in another photo, at another place and turned by 90 degrees."""
    photo, other = scenes(6, 2)
    turned = Sample(np.ascontiguousarray(np.rot90(photo)), np.column_stack([points()[:, 1], 159 - points()[:, 0]]))
    face = compare(FACE_HASH, Sample(photo, points()), turned, Sample(other, points()))
    assert face[0, 1] <= 4 < 16 <= face[0, 2]
    assert compare(PHOTO_HASH, Sample(photo, None), turned)[0, 1] >= 16
    assert np.isnan(templates(FACE_HASH.view, [Sample(photo, None)])).all()
    assert np.array_equal(*templates(FACE_HASH.view, [Sample(photo, None, oracle=points()), Sample(photo, points())]))


def test_photo_hash_is_imagehashs() -> None:
    pictures = [astronaut(), chelsea(), coffee(), *scenes(7, 20), astronaut()[:37, :411]]
    ours = [perceptual_hash(Image.fromarray(rgb).convert("L")) for rgb in pictures]
    theirs = [imagehash.phash(Image.fromarray(rgb)) for rgb in pictures]
    assert [entry.tolist() for entry in ours] == [entry.hash.ravel().tolist() for entry in theirs]
    distances = compare(PHOTO_HASH, *(Sample(rgb, None) for rgb in pictures))
    assert distances.tolist() == [[float(one - other) for other in theirs] for one in theirs]


def test_keypoint_matches_are_a_plain_search_over_pairs() -> None:
    photo, other = scenes(8, 2)
    moved = np.roll(photo, 25, axis=1)
    moved[:, :80] = other[:, :80]
    few = np.full_like(photo, 60)
    few[40:80, 50:110] = 200
    results = [descriptors(rgb) for rgb in (photo, moved, few)]
    assert len(results[2]) < len(results[0]) == KEYPOINTS
    expected = np.array([[1 - plain_matches(one, two) / max(len(one), len(two)) for two in results] for one in results])
    assert 0.3 < expected[0, 1] < 0.9
    distances = compare(KEYPOINT_MATCHES, *(Sample(rgb, None) for rgb in (photo, moved, few)))
    assert np.allclose(distances, expected)
    assert distances[0, 0] == 0.0


def plain_matches(one: np.ndarray, two: np.ndarray) -> int:
    """Mutual nearest pairs that pass the ratio test."""
    distances = [[int((a != b).sum()) for b in two] for a in one]
    count = 0
    for row in distances:
        best, second = sorted(row)[:2]
        column = row.index(best)
        count += best < RATIO * second and best == min(distance[column] for distance in distances)
    return count


def test_a_negative_is_no_copy() -> None:
    """All 256 bits differ, which must not come out as none."""
    bits = np.random.default_rng(9).integers(0, 2**16, 1 + KEYPOINTS * 16).astype(np.float32)
    inverse = 65535 - bits
    bits[0] = inverse[0] = KEYPOINTS
    both = Templates(np.stack([bits, inverse]), released=False)
    assert KEYPOINT_MATCHES.matcher(both, both).tolist() == [[0.0, 1.0], [1.0, 0.0]]


def test_places_without_a_keypoint_match_nothing() -> None:
    """Neither the empty place behind 63 keypoints, nor the only keypoint of a photo, which has no rival."""
    bits = np.random.default_rng(12).integers(1, 2**16, (2, 1 + KEYPOINTS * 16)).astype(np.float32)
    bits[:, 0] = KEYPOINTS, KEYPOINTS - 1
    bits[0, 1:17] = bits[1, -16:] = 0
    full, lacking = (Templates(row[None], released=False) for row in bits)
    assert KEYPOINT_MATCHES.matcher(full, lacking) == KEYPOINT_MATCHES.matcher(lacking, full) == 1.0
    bits[:, 0] = 1
    assert KEYPOINT_MATCHES.matcher(full, lacking) == 1.0


def test_photos_without_corners_tie_and_unreadable_ones_are_missing() -> None:
    photo = scenes(10, 1)[0]
    flat, line = np.full((50, 40, 3), 7, np.uint8), photo[:1]
    rows = templates(KEYPOINT_MATCHES.view, [Sample(rgb, None) for rgb in (photo, flat, line, photo[:1, :1])])
    assert rows[:, 0].tolist() == [KEYPOINTS, 0, 0, 0]
    missing = np.full_like(rows[:1], np.nan)
    every = Templates(np.concatenate([rows, missing]), released=False)
    distances = KEYPOINT_MATCHES.matcher(every, every)
    assert (distances[1:4, :4] == 1.0).all()
    assert np.isnan(distances[4]).all()
    assert np.isnan(distances[:, 4]).all()
    outcome = run(KEYPOINT_MATCHES, scenes(11), [flat] * len(PEOPLE))
    assert outcome.rank1.value == pytest.approx(outcome.chance)
    assert outcome.failures == 0
