"""Small classes merged: nobody is left in a class of fewer than k where that can be helped."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ganonym.privacy.ksame import JOINED, merged_labels
from ganonym.privacy.privatize import privatize
from ganonym.privacy.settings import PrivacySettings
from ganonym.types import Refusal

from .cohorts import MODEL, cohort, kept_groups, read_all

SD = np.array([2.0, 1.0])


@given(st.lists(st.sampled_from(["a", "b", "c", "d", None]), min_size=1, max_size=40), st.integers(2, 9))
def test_every_released_label_has_k_subjects_or_is_the_only_one(labels: list[str | None], k: int) -> None:
    people = np.random.default_rng(len(labels)).standard_normal((len(labels), 2))
    released = merged_labels(people, labels, k, SD)
    counts = Counter(label for label in released if label is not None)
    assert len(counts) <= 1 or min(counts.values()) >= k
    for given_label, shown in zip(labels, released, strict=True):
        assert (shown is None) == (given_label is None)
        assert given_label is None or given_label in str(shown).split(JOINED)
    if (
        Counter(label for label in labels if label is not None)
        and min(Counter(label for label in labels if label is not None).values()) >= k
    ):
        assert released == tuple(labels), "nothing is merged without need"


@given(st.permutations(range(12)))
def test_the_order_of_subjects_does_not_matter(order: list[int]) -> None:
    people = np.random.default_rng(3).standard_normal((12, 2)) * 3
    labels = ["a", "a", "b", "b", "b", "b", "c", "c", "c", "c", "c", "d"]
    plain = merged_labels(people, labels, 3, SD)
    shuffled = merged_labels(people[order], [labels[row] for row in order], 3, SD)
    assert [plain[row] for row in order] == list(shuffled)


def test_the_nearest_class_is_nearest_in_standard_deviations() -> None:
    people = np.array([[0.0, 0.0], [10.0, 0.0], [10.0, 0.0], [0.0, 6.0], [0.0, 6.0]])
    labels = ["rare", "wide", "wide", "high", "high"]
    assert merged_labels(people, labels, 2, np.array([10.0, 1.0]))[0] == "rare or wide"
    assert merged_labels(people, labels, 2, np.array([1.0, 10.0]))[0] == "high or rare"


def test_a_merged_release_keeps_everybody_and_tells_no_rare_label() -> None:
    sizes = {"common": 20, "rare": 2, None: 3}
    names = [label for label, size in sizes.items() for _ in range(size)]
    faces = [replace(face, label=label) for face, label in zip(cohort(25), names, strict=True)]
    result = privatize(faces, MODEL, PrivacySettings(k=5, small_classes="merge"), manifest=True)
    assert result.labels == ("common or rare",) * 22 + (None,) * 3
    withheld = [isinstance(shown, Refusal) for shown in result.faces]
    assert withheld == [False] * 22 + [True] * 3, "who has no label is no class to merge with"
    assert any("stand for several classes" in line for line in result.guarantee.assumptions)
    strict = privatize(faces, MODEL, PrivacySettings(k=5, small_classes="withhold"), manifest=True)
    assert strict.labels == tuple(names)
    assert sum(isinstance(shown, Refusal) for shown in strict.faces) == 5
    assert not any("stand for several classes" in line for line in strict.guarantee.assumptions)


def test_a_small_class_is_a_group_by_itself_and_the_statement_says_so() -> None:
    names: list[str | None] = ["common"] * 30 + ["rare"] * 6 + ["rarest"] * 4
    faces = [replace(face, label=label) for face, label in zip(cohort(40), names, strict=True)]
    result = privatize(faces, MODEL, PrivacySettings(k=11), manifest=True)
    assert [isinstance(shown, Refusal) for shown in result.faces] == [False] * 36 + [True] * 4
    assert "≤ 1/6 = 0.167" in result.guarantee.statement
    assert result.guarantee.rank1 == 1 / 6
    alone = read_all(result.faces[30:36])
    assert len(kept_groups(alone)) == 1, "everybody with the label shows the same kept axes"
    assert any("the label alone narrows to rare 1/6" in line for line in result.guarantee.assumptions)
