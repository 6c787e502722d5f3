"""Classes of fewer than k people: a group by themselves, withheld, or under one name with the nearest class."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from ganonym.privacy.joint import joint_k_same, shown
from ganonym.settings import SmallClasses
from ganonym.types import Floats

from .drawn_rows import kept_space

SPACE = kept_space()
LABELS = ["common"] * 25 + ["rare"] * 6 + ["single"] * 2 + [None] * 12


def cohort(labels: Sequence[str | None], seed: int = 0) -> tuple[Floats, list[str]]:
    rng = np.random.default_rng(seed)
    return rng.multivariate_normal(SPACE.mean, SPACE.covariance, len(labels)), [f"s{i}" for i in range(len(labels))]


@pytest.mark.parametrize("option", ["class", "withhold"])
def test_groups_do_not_mix_labels_and_small_classes_are_treated_as_asked(option: SmallClasses) -> None:
    rows, owners = cohort(LABELS)
    joint = joint_k_same(rows, owners, LABELS, SPACE, 10, option)
    for number in range(len(joint.middle)):
        assert len({LABELS[photo] for photo in np.flatnonzero(joint.group == number)}) == 1
    assert joint.labels == tuple(LABELS)
    withheld = {LABELS[photo] for photo in np.flatnonzero(joint.group < 0)}
    assert withheld == ({"single"} if option == "class" else {"single", "rare"})
    assert sum(joint.sizes) == (43 if option == "class" else 37)
    assert sorted(joint.sizes)[0] == (6 if option == "class" else 10)
    details = {refusal.detail for refusal in joint.refusals if refusal}
    need = "5, the smallest class that may be a group" if option == "class" else "k = 10"
    assert f"only 2 people carry the label 'single', fewer than {need}" in details
    assert {refusal.reason for refusal in joint.refusals if refusal} == {"small-class"}


def test_a_small_class_is_shown_as_one_group_whatever_the_number_of_photos() -> None:
    labels = ["common"] * 10 + ["rare"] * 9
    rows, _ = cohort(labels)
    owners = [f"c{i}" for i in range(10)] + ["a", "a", "a", "a", "b", "c", "d", "e", "f"]
    joint = joint_k_same(rows, owners, labels, SPACE, 10)
    rare = joint.group[-1]
    assert (joint.group[10:] == rare).all()
    assert joint.sizes[rare] == 6
    assert joint.people[rare] == ("a", "b", "c", "d", "e", "f")
    assert joint.bounds[rare] == pytest.approx(4 / 9)  # whoever always says a is right about four photos of nine
    first, last = (shown(joint, photo, np.random.default_rng(1)) for photo in (10, 18))
    assert first.tobytes() == last.tobytes()  # the picture adds nothing to the label
    # Everybody counts once in what the class shows. The stretch moves it along a few directions only: leave them out.
    means = np.vstack([rows[10:14].mean(axis=0), rows[14:]]).mean(axis=0)
    across = np.linalg.svd(SPACE.pull.T)[2][len(SPACE.names) :]
    assert np.allclose(across @ joint.middle[rare], across @ means)


def test_photos_of_few_people_do_not_make_a_class_large() -> None:
    labels = ["common"] * 10 + ["rare"] * 12
    rows, _ = cohort(labels)
    owners = [f"c{i}" for i in range(10)] + ["a", "b", "c"] * 4
    joint = joint_k_same(rows, owners, labels, SPACE, 10)
    assert (joint.group[10:] == -1).all()
    assert joint.refusals[10] is not None
    assert "only 3 people" in joint.refusals[10].detail


def test_merged_classes_have_one_name_and_k_people() -> None:
    rows, owners = cohort(LABELS, 3)
    joint = joint_k_same(rows, owners, LABELS, SPACE, 10, "merge")
    assert {LABELS[photo] for photo in np.flatnonzero(joint.group < 0)} == set()
    names = {joint.labels[photo] for photo in range(len(LABELS)) if LABELS[photo] in ("rare", "single")}
    assert all(len({joint.labels[photo] for photo in part}) == 1 for part in (range(25), range(25, 31), range(31, 33)))
    assert all(name is not None and " or " in name for name in names)
    assert joint.sizes.min() >= 10


def test_a_person_counts_once_when_classes_are_merged() -> None:
    labels = ["rare"] * 12 + ["common"] * 12
    rows, _ = cohort(labels)
    owners = ["a"] * 11 + ["b"] + [f"c{i}" for i in range(12)]
    joint = joint_k_same(rows, owners, labels, SPACE, 5, "merge")
    assert set(joint.labels) == {"common or rare"}  # twelve photos, but two people
    excess = [refusal for refusal in joint.refusals if refusal]
    assert {refusal.reason for refusal in excess} == {"many-photos"}
    assert len(excess) == 11 - len(joint.middle)


def test_without_any_group_everything_is_withheld() -> None:
    labels = ["a", "a", "b", "b"]
    rows, owners = cohort(labels)
    joint = joint_k_same(rows, owners, labels, SPACE, 3)
    assert (joint.group == -1).all()
    assert joint.middle.shape == (0, rows.shape[1])
    with pytest.raises(ValueError, match="photo 0 is withheld"):
        shown(joint, 0, np.random.default_rng(0))
