"""Virtual people: deterministic, found by a detector, and each more like themselves than like others."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ganonym.faces.appearance import AppearanceModel
from ganonym.faces.descriptor import describe
from ganonym.faces.find import find_faces, judge_backends
from ganonym.faces.shape import to_canvas
from ganonym.phantom.cohort import PhantomPhoto, phantom_cohort
from ganonym.phantom.people import sample_person
from ganonym.phantom.photos import MOODS, PHOTO, Moment, lit, sample_moment, take_photo, turned
from ganonym.types import Face

PEOPLE = 20
NOSE_TIP, JAW = 30, slice(0, 17)


@pytest.fixture(scope="module")
def cohort() -> list[PhantomPhoto]:
    return list(phantom_cohort(PEOPLE, 2, seed=4))


@pytest.fixture(scope="module")
def faces(cohort: list[PhantomPhoto]) -> list[Face | None]:
    detector, landmarks = judge_backends()
    return [next(iter(find_faces(photo.rgb, detector, landmarks)), None) for photo in cohort]


def still(**changes: object) -> Moment:
    plain = Moment(
        "neutral", np.zeros(6), 0.0, 0.0, 0.0, 1.5, np.zeros(2), np.ones(3), np.zeros(2), 0.0, np.full(3, 0.5)
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


def test_a_cohort_is_its_people_times_its_photos(cohort: list[PhantomPhoto]) -> None:
    assert [(entry.subject, entry.number) for entry in cohort] == [
        (f"phantom-{person:04d}", photo) for person in range(1, PEOPLE + 1) for photo in (1, 2)
    ]
    assert {entry.rgb.shape for entry in cohort} == {(PHOTO, PHOTO, 3)}
    assert len({entry.rgb.tobytes() for entry in cohort}) == 2 * PEOPLE


def test_a_larger_cohort_begins_with_the_smaller_one(cohort: list[PhantomPhoto]) -> None:
    larger = [entry for entry in phantom_cohort(3, 3, seed=4) if entry.number < 3]
    for one, other in zip(larger, cohort, strict=False):
        assert (one.subject, one.number, one.sex, one.age) == (other.subject, other.number, other.sex, other.age)
        assert one.rgb.tobytes() == other.rgb.tobytes()
    assert next(phantom_cohort(1, 1, seed=5)).rgb.tobytes() != cohort[0].rgb.tobytes()


def test_nearly_every_photo_shows_one_face(faces: list[Face | None]) -> None:
    assert sum(face is not None for face in faces) >= 0.95 * len(faces)


def test_people_are_recognised_from_one_photo_to_the_other(
    cohort: list[PhantomPhoto], faces: list[Face | None]
) -> None:
    descriptors = [
        None if face is None else describe(photo.rgb, face.points) for photo, face in zip(cohort, faces, strict=True)
    ]
    pairs = [
        (a, b) for a, b in zip(descriptors[::2], descriptors[1::2], strict=True) if a is not None and b is not None
    ]
    gallery, probes = np.stack([a for a, _ in pairs]), np.stack([b for _, b in pairs])
    distances = np.linalg.norm(probes[:, None] - gallery[None], axis=-1)
    same, different = np.diag(distances), distances[~np.eye(len(pairs), dtype=bool)]
    assert (distances.argmin(axis=1) == np.arange(len(pairs))).mean() >= 0.9
    assert np.median(same) < 0.45 < np.median(different)


def test_people_are_of_every_tone_both_sexes_and_all_ages(model: AppearanceModel) -> None:
    people = [sample_person(model, np.random.default_rng([1, number])) for number in range(300)]
    counts = np.bincount([person.tone for person in people], minlength=6)
    assert counts.min() > 25
    assert 0.4 < np.mean([person.sex == "female" for person in people]) < 0.6
    ages = [person.age for person in people]
    assert min(ages) >= 1
    assert max(ages) <= 85
    assert np.ptp(ages) > 75
    assert 0.25 < np.mean([age < 18 for age in ages]) < 0.42


def test_a_head_that_does_not_turn_stays(model: AppearanceModel) -> None:
    points = to_canvas(model.shape.mean)
    np.testing.assert_allclose(turned(points, 0.0, 0.0), points, atol=1e-9)


@given(st.floats(1, 12), st.floats(1, 8))
def test_the_nose_goes_where_the_head_turns(model: AppearanceModel, yaw: float, pitch: float) -> None:
    points = to_canvas(model.shape.mean)

    def nose(yaw: float, pitch: float) -> np.ndarray:
        moved = turned(points, yaw, pitch)
        return np.asarray(moved[NOSE_TIP] - moved[JAW].mean(axis=0))

    straight = nose(0.0, 0.0)
    assert nose(yaw, 0.0)[0] > straight[0]
    assert nose(-yaw, 0.0)[0] < straight[0]
    assert nose(0.0, pitch)[1] < straight[1]
    assert nose(0.0, -pitch)[1] > straight[1]


@given(st.floats(-12, 12), st.floats(-8, 8))
def test_turning_left_mirrors_turning_right(model: AppearanceModel, yaw: float, pitch: float) -> None:
    points = to_canvas(model.shape.mean)
    centre = (points[0, 0] + points[16, 0]) / 2
    mirror = [2 * centre, 0.0]
    one = turned(points * [-1, 1] + mirror, -yaw, pitch)
    other = turned(points, yaw, pitch) * [-1, 1] + mirror
    np.testing.assert_allclose(one - one.mean(axis=0), other - other.mean(axis=0), atol=1e-6)


def test_light_multiplies_and_slopes() -> None:
    face = np.full((3, 256, 256), 0.4)
    np.testing.assert_allclose(lit(face, still(gain=np.array([1.0, 1.5, 0.5])))[:, 0, 0], [0.4, 0.6, 0.2])
    sloped = lit(face, still(slope=np.array([0.2, 0.0])))
    np.testing.assert_allclose(sloped[0, 7, [0, -1]], [0.32, 0.48])
    assert lit(face, still(gain=np.full(3, 9.0))).max() == 1.0


def test_the_face_is_placed_by_scale_roll_and_shift(model: AppearanceModel) -> None:
    person = sample_person(model, np.random.default_rng(2))
    moment = still(roll=9.0, scale=1.6, shift=np.array([14.0, -9.0]))
    photo = take_photo(person, moment, model, np.random.default_rng(0))
    assert (photo[:5] == round(0.5 * 255)).all()  # the backdrop, without noise
    ((face),) = find_faces(photo, *judge_backends())
    (upright,) = find_faces(take_photo(person, still(), model, np.random.default_rng(0)), *judge_backends())
    angle = np.radians(9.0)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    middle = (PHOTO - 1) / 2
    expected = (upright.points - middle) / 1.5 * 1.6 @ turn.T + middle + [14.0, -9.0]
    assert np.linalg.norm(face.points - expected, axis=1).mean() < 4.0


def test_noise_has_the_stated_spread(model: AppearanceModel) -> None:
    person = sample_person(model, np.random.default_rng(2))
    photo = take_photo(person, still(noise=3.0), model, np.random.default_rng(1))
    assert photo[:40].astype(float).std() == pytest.approx(3.0, rel=0.05)


def test_moments_are_ordinary(model: AppearanceModel) -> None:
    moments = [sample_moment(model, np.random.default_rng([7, number])) for number in range(500)]
    assert max(abs(moment.yaw) for moment in moments) <= 12
    assert max(abs(moment.pitch) for moment in moments) <= 8
    assert max(np.abs(moment.expression).max() for moment in moments) <= 3
    for mood in MOODS:
        shown = np.mean([moment.expression for moment in moments if moment.mood == mood], axis=0)
        named = {name: mean for name, mean in model.expressions.items() if name in MOODS}
        assert min(named, key=lambda name: float(np.linalg.norm(named[name] * 0.85 - shown))) == mood
    neutral = [moment.expression for moment in moments if moment.mood == "neutral"]
    assert 0.3 < len(neutral) / len(moments) < 0.5
    assert np.abs(np.mean(neutral, axis=0)).max() < 0.1
    assert abs(np.mean([moment.yaw for moment in moments])) < 1
