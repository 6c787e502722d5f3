"""What a release by k-same may say of itself: the sentence, its numbers, and what it does not cover."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ganonym.errors import GuaranteeBroken
from ganonym.privacy import classes
from ganonym.privacy.audit import Rerun, audit_rows
from ganonym.privacy.crowds import crowds
from ganonym.privacy.guarantee import Guarantee, Released, guarantee
from ganonym.privacy.joint import Joint, joint_k_same, shown
from ganonym.privacy.settings import PrivacySettings

from .drawn_rows import kept_space

SPACE = kept_space()
BY_PHOTO = PrivacySettings(k=10)


def released(joint: Joint, photos: int, subjects: int, labels: int) -> Released:
    return Released(
        subjects=subjects,
        photos=photos,
        most_photos=4,
        directions=4,
        manifest=True,
        sizes=tuple(joint.sizes.tolist()),
        worst=float(joint.bounds.max()),
        mean=joint.mean_bound,
        alone=joint.alone,
        labels=labels,
    )


def with_a_small_class() -> Guarantee:
    rng = np.random.default_rng(0)
    labels = ["common"] * 20 + ["rare"] * 9
    owners = [f"c{i}" for i in range(20)] + ["a", "a", "a", "a", "b", "c", "d", "e", "f"]
    rows = rng.multivariate_normal(SPACE.mean, SPACE.covariance, len(labels))
    return guarantee(BY_PHOTO, released(joint_k_same(rows, owners, labels, SPACE, 10), 29, 26, 2))


def test_the_sentence_says_the_worst_group_and_the_mean_of_all() -> None:
    promise = with_a_small_class()
    assert promise.rank1 == pytest.approx(4 / 9)  # whoever always names the one with four photos of nine
    mean = (20 * (1 / 10) + 9 * (4 / 9)) / 29
    assert "expression included, ≤ 0.444" in promise.statement
    assert f"in 3 groups of at least 6 different people; over all photographs {mean:.3f}" in promise.statement
    assert promise.bits["group"] == promise.bits["total"] == math.log2(3)
    assert any("the label alone narrows to rare 1/6;" in line for line in promise.assumptions)


def test_without_small_classes_the_sentence_is_one_over_k() -> None:
    rng = np.random.default_rng(0)
    rows = rng.multivariate_normal(SPACE.mean, SPACE.covariance, 40)
    joint = joint_k_same(rows, [f"s{i % 20}" for i in range(40)], None, SPACE, 10)
    promise = guarantee(BY_PHOTO, released(joint, 40, 20, 0))
    assert promise.rank1 == pytest.approx(0.1)
    assert promise.short == "k-same by photo: rank-1 ≤ 1/10"
    assert not any("narrows" in line for line in promise.assumptions)
    assert any("intersect" in line for line in promise.assumptions)
    assert any("the bound is divided by a" in line for line in promise.assumptions)


def test_hundreds_of_small_classes_are_not_all_named() -> None:
    alone = tuple((f"class {number:03d}", 7) for number in range(200))
    many = Released(1400, 1400, 1, 4, True, (7,) * 200, 1 / 7, 1 / 7, alone, 200)
    line = next(line for line in guarantee(BY_PHOTO, many).assumptions if "narrows" in line)
    assert "class 011 1/7 and so on for 188 more" in line
    assert "class 012" not in line


def test_groups_that_lack_a_person_are_held_against_k_and_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = np.random.default_rng(0).multivariate_normal(SPACE.mean, SPACE.covariance, 36)
    owners = [f"s{i}" for i in range(36)]
    monkeypatch.setattr(classes, "crowds", lambda places, of, k: crowds(places, of, k - 1))
    joint = joint_k_same(rows, owners, None, SPACE, 10)
    assert joint.sizes.min() == 9
    assert joint.bounds.max() == pytest.approx(0.1)  # the promise does not follow from the groups
    outputs = np.array([shown(joint, photo, np.random.default_rng(photo)) for photo in range(36)])
    with pytest.raises(GuaranteeBroken, match="a group has 9 people, and at least 10 are declared"):
        audit_rows(rows, outputs, np.arange(36), np.array(owners), SPACE, joint.bounds[joint.group], Rerun(joint.group))
