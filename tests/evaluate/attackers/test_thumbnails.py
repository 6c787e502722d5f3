"""Thumbnails of the inner face, the whole photo and the background: each finds its own leak and nothing else."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageFilter

from ganonym.evaluate.attack_all import attack_samples
from ganonym.evaluate.attackers.attacker import Attacker, Sample, Templates, templates
from ganonym.evaluate.attackers.thumbnails import (
    BACKGROUND,
    INNER_ANCHORS,
    INNER_FACE,
    INNER_SIDE,
    WHOLE_PHOTO,
    face_cover,
    inner_mask,
    photo_thumbnail,
)
from ganonym.evaluate.findings import Finding
from ganonym.types import RGB, Floats, Points

HEIGHT, WIDTH = 120, 160
PEOPLE = [f"s{index}" for index in range(60)]


def face() -> Points:
    """A rough 68-point face of 60 x 70 pixels in the middle of a photo of 120 x 160."""
    jaw = [(80 - 30 * np.cos(t), 55 + 38 * np.sin(t)) for t in np.linspace(0, np.pi, 17)]
    brows = [(x, 42.0) for c in (67, 93) for x in np.linspace(c - 8, c + 8, 5)]
    nose = [(80.0, y) for y in np.linspace(48, 62, 4)] + [(x, 65.0) for x in np.linspace(74, 86, 5)]
    eyes = [(c + 5 * np.cos(t), 50 - 2 * np.sin(t)) for c in (68, 92) for t in np.linspace(np.pi, -np.pi, 7)[:6]]
    mouth = [(80 - 11 * np.cos(t), 75 - 4 * np.sin(t)) for t in np.linspace(0, 2 * np.pi, 13)[:12]]
    inner = [(80 - 7 * np.cos(t), 75 - 2 * np.sin(t)) for t in np.linspace(0, 2 * np.pi, 9)[:8]]
    return np.array([*jaw, *brows, *nose, *eyes, *mouth, *inner], dtype=np.float64)


POINTS = face()
INSIDE = np.zeros((HEIGHT, WIDTH), dtype=bool)
INSIDE[43:87, 58:102] = True  # within the inner face


def scenes(seed: int, count: int = len(PEOPLE)) -> list[RGB]:
    """Pictures of coarse random blotches."""
    rng = np.random.default_rng(seed)
    coarse = [Image.fromarray(rng.integers(0, 256, (20, 26, 3), dtype=np.uint8)) for _ in range(count)]
    return [np.asarray(entry.resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)) for entry in coarse]


def composed(inner: RGB, outer: RGB, mask: np.ndarray = INSIDE) -> RGB:
    return np.where(mask[..., None], inner, outer)


def run(attacker: Attacker, originals: list[RGB], released: list[RGB]) -> Finding:
    before, after = ([Sample(rgb, POINTS) for rgb in rgbs] for rgbs in (originals, released))
    (outcome,) = attack_samples([attacker], before, after, PEOPLE)
    return outcome


def compare(attacker: Attacker, *rgbs: RGB) -> Floats:
    rows = Templates(templates(attacker.view, [Sample(rgb, POINTS) for rgb in rgbs]), released=False)
    return attacker.learn(None)(rows, rows)  # type: ignore[arg-type]  # nothing to learn


def at_chance(outcome: Finding) -> bool:
    return outcome.rank1.low <= outcome.chance <= outcome.rank1.high


@pytest.mark.parametrize("attacker", [INNER_FACE, WHOLE_PHOTO, BACKGROUND])
def test_blurred_photo_is_found_and_strangers_are_not(attacker: Attacker) -> None:
    photos = scenes(1)
    blurred = [np.asarray(Image.fromarray(rgb).filter(ImageFilter.GaussianBlur(4))) for rgb in photos]
    assert run(attacker, photos, blurred).rank1.value > 0.95
    assert at_chance(run(attacker, photos, scenes(2)))


def test_inner_face_is_found_in_other_surroundings_and_nothing_else_is() -> None:
    photos, others = scenes(3), scenes(4)
    assert run(INNER_FACE, photos, [composed(*pair) for pair in zip(photos, others, strict=True)]).rank1.value > 0.95
    everything = np.ones_like(INSIDE)
    everything[:32] = everything[96:] = everything[:, :40] = everything[:, 120:] = False
    faceless = [composed(*pair, everything) for pair in zip(others, photos, strict=True)]
    assert at_chance(run(INNER_FACE, photos, faceless))


def test_inner_face_lies_between_brows_and_chin_without_the_jaw() -> None:
    """Landmarks carried into the thumbnail: the inner ones lie in the ellipse, most of the jaw outside."""
    from ganonym.faces.align import apply, similarity

    anchors = np.array([POINTS[36:42].mean(axis=0), POINTS[42:48].mean(axis=0), POINTS[48:60].mean(axis=0)])
    x, y = np.round(apply(similarity(anchors, INNER_ANCHORS), POINTS)).astype(int).T
    mask = np.pad(inner_mask(), 20)
    inside = mask[y + 20, x + 20]
    assert inside[27:].all()
    assert inside[:17].mean() < 0.5
    assert INNER_FACE.view.width == inner_mask().sum() < INNER_SIDE * INNER_SIDE


def test_whole_photo_is_found_whatever_happens_to_the_face() -> None:
    photos, others = scenes(5), scenes(6)
    assert run(WHOLE_PHOTO, photos, [composed(*pair) for pair in zip(others, photos, strict=True)]).rank1.value == 1.0
    assert not np.isnan(templates(WHOLE_PHOTO.view, [Sample(photos[0], None)])).any()


def test_whole_photo_thumbnail_holds_the_means_of_its_cells() -> None:
    (rgb,) = scenes(7, 1)
    rgb = rgb[:112]
    cells = (rgb @ np.array([0.299, 0.587, 0.114])).reshape(16, 7, 16, 10).mean(axis=(1, 3))
    assert np.abs(photo_thumbnail(rgb) - cells).max() < 1.0


def test_background_sees_all_but_the_face() -> None:
    photos, others = scenes(8), scenes(9)
    cover = face_cover(POINTS, (HEIGHT, WIDTH), 480)[2::4, 1::3]  # (120, 160): its 480 rows and columns sampled
    assert cover[30:95, 48:112].mean() > 0.8  # ears and forehead with it
    assert cover.mean() < 0.4
    swapped = [composed(*pair, cover) for pair in zip(others, photos, strict=True)]
    assert run(BACKGROUND, photos, swapped).rank1.value == 1.0
    kept = np.zeros_like(cover)
    kept[40:90, 56:104] = True  # the face itself, away from the edge of the cover
    assert at_chance(run(BACKGROUND, photos, [composed(*pair, kept) for pair in zip(photos, others, strict=True)]))


def test_background_is_the_same_to_the_last_bit_behind_another_face() -> None:
    photo, other = scenes(10, 2)
    assert compare(BACKGROUND, photo, composed(other, photo))[0, 1] == pytest.approx(0.0, abs=1e-12)
    assert compare(INNER_FACE, photo, composed(other, photo))[0, 1] > 0.3


@pytest.mark.parametrize("attacker", [INNER_FACE, WHOLE_PHOTO, BACKGROUND])
def test_light_plays_no_part_and_a_photo_of_one_grey_ties(attacker: Attacker) -> None:
    one, other = scenes(11, 2)
    flat = np.full_like(one, 90)
    distances = compare(attacker, one, (one // 2 + 60).astype(np.uint8), other, flat)
    assert distances[0, 1] < 0.01 < distances[0, 2]
    assert distances[3].tolist() == [1.0] * 4


def test_faces_are_followed_wherever_they_are_known_to_be() -> None:
    """The oracle's landmarks serve where a detector sees nothing; without any, only the whole photo is left."""
    (rgb,) = scenes(12, 1)
    for attacker in (INNER_FACE, BACKGROUND):
        seen, told, blind = templates(
            attacker.view, [Sample(rgb, POINTS), Sample(rgb, None, oracle=POINTS), Sample(rgb, None)]
        )
        assert np.array_equal(seen, told)
        assert np.isnan(blind).all()
    turned = Sample(np.ascontiguousarray(np.rot90(rgb)), np.column_stack([POINTS[:, 1], WIDTH - 1 - POINTS[:, 0]]))
    one, other = templates(INNER_FACE.view, [Sample(rgb, POINTS), turned])
    assert np.corrcoef(one, other)[0, 1] > 0.99


def test_odd_landmarks_and_sizes_break_nothing() -> None:
    (rgb,) = scenes(13, 1)
    line = np.column_stack([np.arange(68.0), np.arange(68.0)])
    far, tiny = POINTS + 5000, Sample(rgb[:1, :1], POINTS)
    for attacker in (INNER_FACE, WHOLE_PHOTO, BACKGROUND):
        rows = templates(attacker.view, [Sample(rgb, line), Sample(rgb, far), tiny, Sample(rgb, POINTS * 50 - 4000)])
        assert np.isfinite(rows).all()
