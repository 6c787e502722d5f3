"""Cohorts with simulated syndromes: deterministic, the same person from photo to photo, and nothing but the signs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image, ImageDraw
from scipy import ndimage
from scipy.stats import mannwhitneyu
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.model_selection import GroupKFold

from ganonym.errors import UsageError
from ganonym.faces.align import apply
from ganonym.faces.find import find_faces, judge_backends
from ganonym.faces.measures import AXES
from ganonym.faces.shape import normalize
from ganonym.phantom.cohort import PhantomPhoto, PhantomShape, Studio, cohort_of, phantom_cohort, phantom_shapes
from ganonym.phantom.people import patient_of, sample_person
from ganonym.phantom.photos import PHOTO, placement, sample_moment, take_patient_photo, warp_of
from ganonym.phantom.syndromes import HARD, JITTER, Phenotype, draw_phenotype, draw_sham, energy, load_syndromes
from ganonym.types import Floats

CLASSES = {"WBS": 3, "CdLS": 2, "KBG": 1, "control": 3}


@pytest.fixture(scope="module")
def photos() -> list[PhantomPhoto]:
    return list(phantom_cohort(CLASSES, 2, seed=5))


@pytest.fixture(scope="module")
def shapes() -> list[PhantomShape]:
    return list(phantom_shapes({"WBS": 25, "CdLS": 25, "22q11": 25, "control": 25}, 2, seed=6))


def test_everybody_is_there_and_called_a_phantom(photos: list[PhantomPhoto]) -> None:
    told = [(photo.group, photo.subject, photo.number) for photo in photos]
    assert told == [
        (f"PHANTOM-{name}", f"PHANTOM-{name}-{person:04d}", photo)
        for name, people in (("WBS", 3), ("CdLS", 2), ("KBG", 1), ("CONTROL", 3))
        for person in range(1, people + 1)
        for photo in (1, 2)
    ]
    assert {photo.rgb.shape for photo in photos} == {(PHOTO, PHOTO, 3)}
    assert len({photo.rgb.tobytes() for photo in photos}) == len(photos)


def test_a_larger_cohort_begins_with_the_smaller_one(photos: list[PhantomPhoto]) -> None:
    originals = {(photo.subject, photo.number): photo for photo in photos}
    larger = phantom_cohort({"control": 4, "KBG": 2, "CdLS": 1, "WBS": 1}, 3, seed=5)
    shared = [
        (entry, originals[entry.subject, entry.number])
        for entry in larger
        if (entry.subject, entry.number) in originals
    ]
    assert len(shared) == 2 * (3 + 1 + 1 + 1)
    for one, other in shared:
        assert one.rgb.tobytes() == other.rgb.tobytes()
        assert (one.sex, one.age, one.signs) == (other.sex, other.age, other.signs)


def test_shapes_are_those_of_the_photos(photos: list[PhantomPhoto]) -> None:
    for shape, photo in zip(phantom_shapes(CLASSES, 2, seed=5), photos, strict=True):
        np.testing.assert_array_equal(shape.points, photo.points)
        assert (shape.subject, shape.signs, shape.shrink) == (photo.subject, photo.signs, photo.shrink)
        assert photo.shape.points is photo.points


def test_another_seed_gives_other_people(photos: list[PhantomPhoto]) -> None:
    other = next(phantom_cohort(CLASSES, 1, seed=6))
    assert np.abs(other.points - photos[0].points).max() > 5
    assert other.signs != photos[0].signs


def test_a_person_keeps_the_signs_and_only_visible_ones_are_told(photos: list[PhantomPhoto]) -> None:
    for one, other in zip(photos[::2], photos[1::2], strict=True):
        assert one.signs == other.signs
        assert set(one.hpo) <= {sign.sign.hpo for sign in one.signs}
        assert all(sign.sign.axes or sign.sign.texture for sign in one.signs if sign.sign.hpo in one.hpo)
    assert any(set(photo.hpo) < {drawn.sign.hpo for drawn in photo.signs} for photo in photos)
    assert not any(photo.signs for photo in photos if photo.group == "PHANTOM-CONTROL")


def test_the_landmarks_are_where_a_detector_finds_them(photos: list[PhantomPhoto]) -> None:
    detector, landmarks = judge_backends()
    errors = []
    for photo in photos:
        if faces := find_faces(photo.rgb, detector, landmarks):
            eyes = np.linalg.norm(photo.points[36] - photo.points[45])
            errors.append(np.linalg.norm(faces[0].points - photo.points, axis=1).mean() / eyes)
    assert len(errors) >= 0.9 * len(photos)
    assert np.median(errors) < 0.06


def test_photos_of_one_person_differ_by_the_jitter(place: Studio) -> None:
    person = sample_person(place.model, np.random.default_rng(1))
    moment = sample_moment(place.model, np.random.default_rng(1))
    amounts = 1.2 * np.sin(np.arange(len(AXES)))
    patient = patient_of(person, Phenotype((), amounts), place.axes, place.model)
    rng = np.random.default_rng(2)
    plain = warp_of(patient, moment, np.zeros(len(AXES)), place.axes, place.model).marks
    moved = [warp_of(patient, moment, rng.normal(0, JITTER, len(AXES)), place.axes, place.model) for _ in range(40)]
    spread = np.mean([np.sqrt(((entry.marks - plain) ** 2).sum(axis=1).mean()) for entry in moved])
    assert spread == pytest.approx(np.mean([energy(rng.normal(0, JITTER, 23), place.axes) for _ in range(40)]), rel=0.2)
    assert spread < 0.2 * energy(amounts, place.axes)


def fine_detail(rgb: np.ndarray, points: np.ndarray) -> float:
    """Log variance of what a blur of 1 px takes away, within the face."""
    outline = Image.new("L", (PHOTO, PHOTO))
    ImageDraw.Draw(outline).polygon([tuple(point) for point in points[np.r_[0:17, 26:16:-1]].tolist()], fill=255)
    inside = ndimage.binary_erosion(np.asarray(outline) > 0, iterations=10)
    grey = rgb.astype(float).mean(axis=2)
    return float(np.log((grey - ndimage.gaussian_filter(grey, 1.0))[inside].var()))


def test_fine_detail_does_not_tell_patients_from_controls(place: Studio) -> None:
    """The same people at the same moments, once with signs and once with a sham."""
    syndromes = [syndrome for key, syndrome in load_syndromes().items() if key not in HARD]

    def photographed(phenotype: Phenotype, seed: int) -> float:
        rng = np.random.default_rng([seed, 1])
        moment = replace(sample_moment(place.model, rng), noise=0.0)
        patient = patient_of(sample_person(place.model, rng), phenotype, place.axes, place.model)
        warp = warp_of(patient, moment, np.zeros(len(AXES)), place.axes, place.model)
        rgb = take_patient_photo(patient, moment, warp, place.model, rng)
        return fine_detail(rgb, apply(placement(moment), warp.marks[:68]))

    details = []
    for seed in range(45):
        rng = np.random.default_rng([seed, 2])
        signs = draw_phenotype(syndromes[seed % 9], "normal", rng)
        sham = draw_sham(syndromes, "normal", place.axes, rng)
        details.append([photographed(value, seed) for value in (replace(signs, signs=()), sham)])
    patients, controls = np.array(details).T
    assert abs((patients - controls).mean()) < 0.25 * controls.std()
    assert 0.4 < mannwhitneyu(patients, controls).statistic / len(controls) ** 2 < 0.6


def accuracy(shapes: list[PhantomShape], labels: list[str | None], place: Studio) -> float:
    features = np.stack([normalize(shape.points, place.model.shape).ravel() for shape in shapes])
    truth, people = np.array(labels), np.array([shape.subject for shape in shapes])
    right: Floats = np.zeros(len(shapes))
    for fit, test in GroupKFold(5).split(features, truth, people):
        classifier = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto").fit(features[fit], truth[fit])
        right[test] = classifier.predict(features[test]) == truth[test]
    return float(right.mean())


def test_classes_are_told_apart_by_shape_and_shuffled_ones_are_not(shapes: list[PhantomShape], place: Studio) -> None:
    labels = [shape.group for shape in shapes]
    assert accuracy(shapes, labels, place) > 0.75
    order = np.random.default_rng(0).permutation(len(labels) // 2)
    shuffled = [labels[2 * person + photo] for person in order for photo in (0, 1)]
    assert accuracy(shapes, shuffled, place) < 0.4


def test_warps_that_fold_are_rare_and_shown_weaker(shapes: list[PhantomShape]) -> None:
    shrinks = np.array([shape.shrink for shape in shapes])
    assert (shrinks == 1.0).mean() > 0.85
    assert shrinks.min() > 0.4


def test_easy_signs_are_more_marked() -> None:
    drawn = {
        severity: np.mean(
            [sign.severity for shape in phantom_shapes({"NS": 30}, 1, 0, severity=severity) for sign in shape.signs]
        )
        for severity in ("normal", "easy")
    }
    assert drawn["easy"] == pytest.approx(drawn["normal"] + 0.5, abs=0.15)


def test_controls_are_as_strong_as_the_syndromes_present() -> None:
    assert cohort_of({"NS": 1, "control": 5, "WBS": 2}, 1, 0).shams == ("NS", "WBS")
    assert len(cohort_of({"control": 5}, 1, 0).shams) == 9


def test_an_unknown_syndrome_is_named() -> None:
    with pytest.raises(UsageError, match="'XYZ'"):
        next(phantom_cohort({"XYZ": 1}, 1, 0))
