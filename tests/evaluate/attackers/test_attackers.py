"""Each attacker finds the leak planted for it and nothing in noise; invented people except where stated."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter
from scipy.spatial import procrustes

from ganonym.errors import UsageError
from ganonym.evaluate.attack_all import attack_samples
from ganonym.evaluate.attackers.attacker import Attacker, Lesson, Matcher, Sample, Templates, View, locate, templates
from ganonym.evaluate.attackers.landmark_shape import PLAIN_SHAPE, WhitenedShape
from ganonym.evaluate.attackers.recognizers import DLIB, DLIB_ORACLE
from ganonym.evaluate.attackers.thumbnails import THUMBNAIL
from ganonym.evaluate.findings import Finding
from ganonym.evaluate.protocol import ANONYMIZED, OTHER_PHOTO, SAME_PHOTO
from ganonym.types import RGB, Floats, Points


def base_shape() -> Points:
    """A rough 68-point face in pixels of a 160 x 160 picture: jaw arc, brows, nose, eyes, mouth."""
    jaw = [(80 - 55 * np.cos(t), 75 + 65 * np.sin(t)) for t in np.linspace(0, np.pi, 17)]
    brows = [(x, 55.0 - abs(5 - abs(x - c)) * 0.5) for c in (55, 105) for x in np.linspace(c - 15, c + 15, 5)]
    nose = [(80.0, y) for y in np.linspace(65, 90, 4)] + [(x, 97.0) for x in np.linspace(68, 92, 5)]
    eyes = [(c + 10 * np.cos(t), 68 - 4 * np.sin(t)) for c in (57, 103) for t in np.linspace(np.pi, -np.pi, 7)[:6]]
    mouth = [(80 - 22 * np.cos(t), 115 - 9 * np.sin(t)) for t in np.linspace(0, 2 * np.pi, 13)[:12]]
    inner = [(80 - 14 * np.cos(t), 115 - 3 * np.sin(t)) for t in np.linspace(0, 2 * np.pi, 9)[:8]]
    return np.array([*jaw, *brows, *nose, *eyes, *mouth, *inner], dtype=np.float64)


def smooth_noise(rng: np.random.Generator) -> RGB:
    """A 160 x 160 picture of coarse random blotches."""
    coarse = Image.fromarray(rng.integers(0, 256, (14, 14, 3), dtype=np.uint8))
    return np.asarray(coarse.resize((160, 160), Image.Resampling.BICUBIC))


def shapes(rng: np.random.Generator, subjects: int, identity: float, expression: float, noise: float) -> list[Points]:
    """Two shapes a subject: own fixed deviation, per-photo weights of 4 common directions, and jitter (px)."""
    directions = np.linalg.qr(np.random.default_rng(7).normal(size=(136, 4)))[0].T * np.sqrt(136)
    drawn = []
    for _ in range(subjects):
        own = rng.normal(size=(68, 2)) * identity
        for _ in range(2):
            face = (rng.normal(size=4) @ directions).reshape(68, 2) * expression
            drawn.append(base_shape() + own + face + rng.normal(size=(68, 2)) * noise)
    return drawn


def sample(points: Points) -> Sample:
    """A sample of which only the landmarks matter."""
    return Sample(np.zeros((8, 8, 3), dtype=np.uint8), points)


def rank1(outcomes: Iterable[Finding]) -> dict[tuple[str, str], float]:
    return {(outcome.attacker, outcome.setting): outcome.rank1.value for outcome in outcomes}


def compare(attacker: Attacker, samples: list[Sample]) -> Floats:
    """Distances of every sample from every other, of an attacker with nothing to learn."""
    rows = Templates(templates(attacker.view, samples), released=False)
    return attacker.learn(Lesson(rows.rows[:0], rows.rows[:0], ()))(rows, rows)


def twice(count: int) -> list[str]:
    return [f"s{index // 2}" for index in range(2 * count)]


@pytest.mark.parametrize("attacker", [PLAIN_SHAPE, WhitenedShape(), THUMBNAIL])
def test_identity_copy_is_found(attacker: Attacker) -> None:
    rng = np.random.default_rng(1)
    drawn = shapes(rng, 20, identity=3.0, expression=0.3, noise=0.2)
    originals = [Sample(smooth_noise(rng), points) for points in drawn]
    assert rank1(attack_samples([attacker], originals, originals, twice(20)))[attacker.name, SAME_PHOTO] == 1.0


def test_kept_shape_is_found_through_noise_and_any_similarity() -> None:
    rng = np.random.default_rng(2)
    drawn = shapes(rng, 60, identity=2.0, expression=0.5, noise=0.3)
    released = []
    for points in drawn:
        angle, scale = rng.uniform(-0.5, 0.5), rng.uniform(0.4, 3.0)
        turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        released.append(sample((points + rng.normal(size=(68, 2)) * 0.3) @ turn.T + rng.uniform(-50, 50, 2)))
    attackers: list[Attacker] = [PLAIN_SHAPE, WhitenedShape()]
    result = rank1(attack_samples(attackers, [sample(points) for points in drawn], released, twice(60)))
    assert all(value >= 0.95 for value in result.values()), result


def test_other_shapes_stay_inside_the_chance_interval() -> None:
    rng = np.random.default_rng(3)
    originals = [sample(points) for points in shapes(rng, 80, 2.0, 0.5, 0.3)]
    released = [sample(base_shape() + rng.normal(size=(68, 2)) * 2.0) for _ in originals]
    for outcome in attack_samples([PLAIN_SHAPE, WhitenedShape()], originals, released, twice(80)):
        assert outcome.rank1.low <= outcome.chance <= outcome.rank1.high


def test_whitening_discounts_what_varies_within_a_person() -> None:
    rng = np.random.default_rng(4)
    originals = [sample(points) for points in shapes(rng, 60, identity=1.0, expression=3.0, noise=0.2)]
    result = rank1(attack_samples([PLAIN_SHAPE, WhitenedShape()], originals, originals, twice(60)))
    assert result["shape plain", OTHER_PHOTO] < 0.3
    assert result["shape", OTHER_PHOTO] > 0.9


def test_an_informed_attacker_learns_what_the_anonymizer_varies() -> None:
    """Outputs that differ by a large random amount along one direction hide people from all who do not discount it."""
    rng = np.random.default_rng(9)
    originals = shapes(rng, 60, identity=2.0, expression=0.0, noise=0.3)
    direction = rng.normal(size=(68, 2))
    released = [points + 120 * rng.normal() * direction / np.linalg.norm(direction) for points in originals]
    before, after = ([sample(points) for points in those] for those in (originals, released))
    naive = rank1(attack_samples([WhitenedShape()], before, after, twice(60)))
    informed = rank1(attack_samples([WhitenedShape(informed=True)], before, after, twice(60)))
    assert {name for name, _ in informed} == {"shape informed"}
    assert naive["shape", ANONYMIZED] < 0.4
    assert informed["shape informed", ANONYMIZED] > 0.9


def test_an_informed_attacker_is_not_blinded_by_one_face_for_all_photos_of_a_person() -> None:
    """Nothing varies within a person then, which must make linking certain and not impossible."""
    originals = [sample(points) for points in shapes(np.random.default_rng(11), 30, 2.0, 0.5, 0.3)]
    released = [originals[index - index % 2] for index in range(len(originals))]
    result = rank1(attack_samples([WhitenedShape(informed=True)], originals, released, twice(30)))
    assert result["shape informed", ANONYMIZED] == 1.0


@pytest.mark.parametrize("unanswered", [np.s_[:, :], np.s_[-1, -1]], ids=["all", "one"])
def test_an_attacker_without_an_answer_is_an_error(unanswered: tuple[slice | int, slice | int]) -> None:
    """A distance that is no number would pass for a photo that cannot be acquired."""

    @dataclass(frozen=True)
    class Forgetful:
        name: str = "forgetful"
        view: View = PLAIN_SHAPE.view

        def learn(self, lesson: Lesson) -> Matcher:
            matcher = PLAIN_SHAPE.learn(lesson)

            def compared(probes: Templates, gallery: Templates) -> Floats:
                result = matcher(probes, gallery)
                result[unanswered] = np.nan
                return result

            return compared

    originals = [sample(points) for points in shapes(np.random.default_rng(12), 10, 2.0, 0.5, 0.3)]
    with pytest.raises(ArithmeticError, match="forgetful"):
        attack_samples([Forgetful()], originals, originals, twice(10))


def test_a_learned_metric_passes_over_photos_without_a_face() -> None:
    originals = [sample(points) for points in shapes(np.random.default_rng(10), 30, 2.0, 0.5, 0.3)]
    released: list[Sample | None] = [*originals]
    released[0] = released[21] = Sample(originals[0].rgb, None)
    outcomes = {entry.setting: entry for entry in attack_samples([WhitenedShape()], originals, released, twice(30))}
    assert (outcomes[SAME_PHOTO].failures, outcomes[OTHER_PHOTO].failures) == (1, 1)
    assert outcomes[SAME_PHOTO].rank1.value * outcomes[SAME_PHOTO].rank1.n == pytest.approx(29 + 1 / 30)


def test_plain_distance_is_scipys_procrustes_disparity() -> None:
    first, second = shapes(np.random.default_rng(5), 1, 2.0, 0.5, 0.3)
    distances = compare(PLAIN_SHAPE, [sample(first), sample(second)])
    _, _, disparity = procrustes(first, second)
    assert distances[0, 1] ** 2 == pytest.approx(disparity, rel=1e-9)


def test_whitened_shape_needs_enough_other_people() -> None:
    originals = [sample(points) for points in shapes(np.random.default_rng(6), 5, 2.0, 0.5, 0.3)]
    with pytest.raises(UsageError, match="two photos of 5 other people"):
        attack_samples([WhitenedShape()], originals, originals, twice(5))


def test_thumbnail_distance_is_one_minus_correlation_and_ignores_light() -> None:
    rng = np.random.default_rng(7)
    rgb = (smooth_noise(rng) // 2).astype(np.uint8)
    one, other = Sample(rgb, base_shape()), Sample(smooth_noise(rng), base_shape())
    samples = [one, other, Sample((rgb + 90).astype(np.uint8), base_shape())]
    rows, distances = templates(THUMBNAIL.view, samples), compare(THUMBNAIL, samples)
    assert distances[0, 1] == pytest.approx(1 - np.corrcoef(rows[0], rows[1])[0, 1], abs=1e-9)
    assert distances[0, 2] < 0.01
    assert rows.mean(axis=1) == pytest.approx(0, abs=1e-9)
    assert rows.std(axis=1) == pytest.approx(1)


def test_thumbnail_follows_the_face() -> None:
    rgb, points = smooth_noise(np.random.default_rng(8)), base_shape()
    turned = Sample(np.ascontiguousarray(np.rot90(rgb)), np.column_stack([points[:, 1], 159 - points[:, 0]]))
    assert compare(THUMBNAIL, [Sample(rgb, points), turned])[0, 1] < 0.01
    flat = THUMBNAIL.view.template(Sample(np.full((160, 160, 3), 77, dtype=np.uint8), points))
    assert flat is not None
    assert not flat.any()


def test_thumbnail_links_blurred_faces_but_not_strangers() -> None:
    rng = np.random.default_rng(9)
    rgbs = [smooth_noise(rng) for _ in range(80)]
    originals = [Sample(rgb, base_shape()) for rgb in rgbs]
    blurred = [np.asarray(Image.fromarray(rgb).filter(ImageFilter.GaussianBlur(10))) for rgb in rgbs]
    singles = [f"s{index}" for index in range(80)]
    result = rank1(attack_samples([THUMBNAIL], originals, [Sample(rgb, base_shape()) for rgb in blurred], singles))
    assert result["thumbnail", SAME_PHOTO] > 0.9
    strangers = [Sample(smooth_noise(rng), base_shape()) for _ in rgbs]
    (outcome,) = attack_samples([THUMBNAIL], originals, strangers, singles)
    assert outcome.rank1.low <= outcome.chance <= outcome.rank1.high


@pytest.mark.parametrize("attacker", [PLAIN_SHAPE, THUMBNAIL, DLIB])
def test_no_face_gives_no_template(attacker: Attacker) -> None:
    faceless = [Sample(np.zeros((9, 9, 3), dtype=np.uint8), None)]
    assert np.isnan(templates(attacker.view, faceless)).all()
    assert np.isnan(compare(attacker, faceless)).all()
    assert templates(attacker.view, []).shape == (0, attacker.view.width)


def test_dlib_recognizes_a_person_through_size_turn_and_light() -> None:
    from skimage.data import astronaut

    from ganonym.faces.find import judge_backends

    photo = astronaut()[:260, 80:360]
    small = np.asarray(
        Image.fromarray(photo).resize((224, 208), Image.Resampling.LANCZOS).rotate(8, fillcolor=(90,) * 3)
    )
    dark = (photo * 0.7).astype(np.uint8)
    samples = locate([photo, small, dark, np.zeros_like(photo)], *judge_backends())
    assert [entry.points is None for entry in samples] == [False, False, False, True]
    distances = compare(DLIB, samples)[0]
    assert distances[0] == 0.0
    assert (distances[1:3] < 0.35).all()
    assert np.isnan(distances[3])
    blind = Sample(dark, None, oracle=samples[2].points)
    assert compare(DLIB_ORACLE, [samples[0], blind])[0, 1] == distances[2]
    assert np.isnan(compare(DLIB, [samples[0], blind])[0, 1])


def test_every_attacker_names_real_people_across_photos(london_folder: Path) -> None:
    from ganonym.faces.find import judge_backends

    names = sorted(path.name for path in london_folder.glob("*.jpg"))[:24]
    rgbs: list[RGB] = [np.asarray(Image.open(london_folder / name).convert("RGB")) for name in names]
    subjects = [name.split("_")[0] for name in names]
    originals = locate(rgbs, *judge_backends())
    attackers: list[Attacker] = [DLIB, WhitenedShape(), THUMBNAIL]
    result = rank1(attack_samples(attackers, originals, originals, subjects))
    assert result["dlib", OTHER_PHOTO] == result["dlib", ANONYMIZED] == 1.0
    assert result["shape", OTHER_PHOTO] >= 0.75
    assert result["thumbnail", OTHER_PHOTO] >= 0.4
    strangers: list[Sample | None] = [*originals[2:], *originals[:2]]
    swapped = rank1(attack_samples(attackers, originals, strangers, subjects))
    assert swapped["dlib", SAME_PHOTO] == 0.0
