"""The statement of a run: what it says is what the groups are, and its bits add up."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from ganonym.privacy.guarantee import Guarantee
from ganonym.privacy.metric import metric_bits
from ganonym.privacy.privatize import Privatized, privatize
from ganonym.privacy.settings import PrivacySettings
from ganonym.privacy.subject import SubjectFace

from .cohorts import BY_PHOTO, BY_SUBJECT, MODEL, cohort


def released(faces: list[SubjectFace], settings: PrivacySettings, manifest: bool = True) -> Privatized:
    return privatize(faces, MODEL, settings, manifest=manifest)


def says(guarantee: Guarantee, words: str) -> bool:
    return any(words in line for line in guarantee.assumptions)


def test_by_photo_everything_is_inside_the_bound_and_the_bits_are_of_the_group() -> None:
    told = released(cohort(photos=2), BY_PHOTO).guarantee
    start = (
        "re-identification by everything that a face shows, expression included, ≤ 1/5 = 0.200 within the released set"
    )
    assert told.statement.startswith(start)
    groups = int(told.statement.split(" groups of")[0].split()[-1])
    assert "46 photographs of 23 subjects" in told.statement
    assert 46 / 9 <= groups <= 46 / 5
    assert f"over all photographs {groups / 46:.3f}" in told.statement
    assert told.bits["group"] == told.bits["total"] == pytest.approx(math.log2(groups))
    assert (told.rank1, told.short) == (0.2, "k-same by photo: rank-1 ≤ 1/5")
    assert told.bits["mankind"] == 33.0
    assert says(told, "intersect their groups")
    assert not says(told, "no manifest")


def test_by_person_expression_is_outside_and_counted() -> None:
    told = released(cohort(photos=2), BY_SUBJECT).guarantee
    assert told.statement.startswith("re-identification by identity shape, texture, tone, age and sex ≤ 1/5 = 0.200")
    assert told.bits["face"] == pytest.approx(math.log2(4))  # 23 subjects: 5 + 5 + 5 + 8 or 5 + 6 + 6 + 6
    assert told.bits["expression"] == pytest.approx(4 * math.log2(3))
    assert told.bits["total"] == pytest.approx(told.bits["face"] + told.bits["expression"])
    assert says(told, "up to 2 of them and counts once however many, all of a group equally many")
    assert says(told, "expression is outside the 1/5: up to 6.3 bits a photo")


def test_linked_outputs_can_be_counted_and_the_statement_says_what_that_names() -> None:
    """The oracle plays: of a group, people with so many photos each; one guess at random among those who fit."""
    rng = np.random.default_rng(0)
    faces = [face for face in cohort(60, photos=3) if face.seed % 1000 == 0 or rng.random() < 0.5]
    result = released(faces, BY_SUBJECT)
    groups = {face.subject: group for face, group in zip(faces, result.groups, strict=True)}
    photos = Counter(face.subject for face in faces)
    fit = Counter((groups[subject], count) for subject, count in photos.items())
    named = float(np.mean([1 / fit[groups[subject], count] for subject, count in photos.items()]))
    assert named > 0.3
    assert says(result.guarantee, f"counts outputs names up to {named:.3f} of the subjects")
    assert not says(released(faces, BY_PHOTO).guarantee, "counts outputs")


@pytest.mark.parametrize("settings", [BY_PHOTO, BY_SUBJECT], ids=lambda settings: str(settings.link))
def test_without_a_manifest_repeated_people_weaken_the_bound(settings: PrivacySettings) -> None:
    assert says(released(cohort(), settings, manifest=False).guarantee, "to p/5 if nobody is in more than p photos")


def test_the_smallest_group_is_the_one_formed_not_the_one_asked_for() -> None:
    told = released(cohort(9), BY_PHOTO).guarantee
    assert "≤ 1/9" in told.statement
    assert told.bits["group"] == 0.0


def test_a_class_with_unequal_photos_is_bounded_by_who_has_most() -> None:
    common = cohort(12, label="common")
    rare = [replace(face, subject=f"r{face.subject}", label="rare") for face in cohort(6, seed=5)]
    many = [replace(rare[0], row=face.row, seed=900 + place) for place, face in enumerate(cohort(3, seed=6))]
    result = released([*common, *rare, *many], PrivacySettings(k=12))
    told = result.guarantee
    assert told.rank1 == pytest.approx(4 / 9)
    assert "≤ 0.444 within" in told.statement
    assert f"over all photographs {(1 + 4) / 21:.3f}" in told.statement
    assert result.audit is not None
    assert result.audit.bound == pytest.approx(5 / 21)
    equal = released([*common, *rare], PrivacySettings(k=12)).guarantee
    assert equal.rank1 == pytest.approx(1 / 6)
    assert says(equal, "the label alone narrows to rare 1/6")


@pytest.mark.parametrize("photos", [1, 3])
def test_codebook_counts_a_face_once_and_expression_by_photo(photos: int) -> None:
    told = released(cohort(10, photos), PrivacySettings(mechanism="codebook", codes=8)).guarantee
    assert told.bits["face"] == 3.0
    assert told.bits["total"] == pytest.approx(3.0 + 4 * math.log2(3))
    assert told.rank1 == pytest.approx(8 / 10)
    assert says(told, "all with one code") == (photos > 1)


def test_metric_adds_up_over_draws_and_says_what_linking_would_save() -> None:
    settings = PrivacySettings(mechanism="metric", epsilon=0.2)
    one, three = (released(cohort(10, photos), settings).guarantee for photos in (1, 3))
    assert three.bits["face"] == pytest.approx(3 * one.bits["face"])
    assert one.bits["face"] == pytest.approx(metric_bits(8, 0.2))
    assert says(three, "with --link subject it would stay 0.2")
    linked = released(cohort(10, 3), settings.changed(link="subject")).guarantee
    assert linked.bits["face"] == pytest.approx(one.bits["face"])
    assert says(linked, "can be linked")
