"""What pictures tell of attributes, of who is in a release and of donors: planted leaks are found, noise is not."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, roc_auc_score

from ganonym.errors import UsageError
from ganonym.evaluate.attackers.attacker import Templates, euclidean
from ganonym.evaluate.findings import Inference
from ganonym.evaluate.inferences.attributes import infer, infer_attributes
from ganonym.evaluate.inferences.membership import donor_leak, membership
from ganonym.evaluate.scores import People
from ganonym.manifest import Row
from ganonym.types import Floats

SUBJECTS, WIDTH = 120, 32
NAMES = [f"s{index // 2:03d}" for index in range(2 * SUBJECTS)]
SEXES = [("female", "male")[(index // 2) % 2] for index in range(2 * SUBJECTS)]


def noise(seed: int, count: int = 2 * SUBJECTS) -> Floats:
    return np.random.default_rng(seed).normal(size=(count, WIDTH))


def marked(seed: int, labels: list[str], strength: float) -> Floats:
    """Noise, with a class written into one column of it."""
    rows = noise(seed)
    rows[:, 0] += strength * np.array([sorted(set(labels)).index(label) for label in labels])
    return rows


def people(rng: np.random.Generator, count: int, photos: int = 2) -> Floats:
    return rng.normal(size=(count, WIDTH)).repeat(photos, 0) + 0.2 * rng.normal(size=(count * photos, WIDTH))


def strangers(rng: np.random.Generator, count: int) -> People:
    return People(people(rng, count, 1), tuple(f"donor {index}" for index in range(count)))


def consistent(inference: Inference) -> bool:
    return inference.value.low <= inference.value.value <= inference.value.high and (
        inference.excess.low <= inference.excess.value <= inference.excess.high
    )


def test_an_attribute_written_into_pictures_is_found() -> None:
    result = infer("sex", SEXES, [marked(1, SEXES, 4.0)], NAMES)
    assert result.value.value > 0.9
    assert (result.control, result.subjects, result.kind) == (0.5, SUBJECTS, "attribute")
    assert result.excess.low > 0.3
    assert result.excess_upper >= result.excess.value == pytest.approx(result.value.value - 0.5)
    assert consistent(result)


def test_pictures_of_nothing_tell_nothing() -> None:
    for seed in range(4):
        result = infer("sex", SEXES, [noise(seed)], NAMES)
        assert result.excess.low < 0.0 < result.excess.high, seed
        assert consistent(result)


def test_intervals_of_nothing_hold_zero_as_often_as_they_say() -> None:
    """Without regard to what folds share, 83 in 100 did."""
    few = 2 * 60
    results = [
        infer("sex", SEXES[:few], [people(np.random.default_rng(seed), 60)], NAMES[:few], seed=seed)
        for seed in range(60)
    ]
    assert sum(entry.excess.low <= 0.0 <= entry.excess.high for entry in results) >= 55
    assert sum(entry.excess_upper < 0.0 for entry in results) <= 5


def test_a_subjects_own_label_is_never_learned_from() -> None:
    """Photos that name the subject, and nothing else, say nothing of his sex to who learns from other subjects."""
    result = infer("sex", SEXES, [people(np.random.default_rng(2), SUBJECTS) * 9], NAMES)
    assert result.excess.low < 0.0 < result.excess.high


def test_several_views_and_photos_tell_more_than_one() -> None:
    views = [marked(seed, SEXES, 1.5) for seed in (3, 4)]
    one, two = infer("sex", SEXES, views[:1], NAMES), infer("sex", SEXES, views, NAMES)
    assert 0.6 < one.value.value < two.value.value - 0.03


def test_what_released_columns_tell_already_is_no_excess() -> None:
    site = ["north" if sex == "female" else "south" for sex in SEXES]
    told = infer("sex", SEXES, [marked(5, SEXES, 4.0)], NAMES, {"site": site})
    assert told.control == 1.0
    assert told.excess.value <= 0.0
    shuffled = np.random.default_rng(6).permutation(SUBJECTS).repeat(2) % 2
    free = infer("sex", SEXES, [marked(5, SEXES, 4.0)], NAMES, {"site": [str(entry) for entry in shuffled]})
    assert 0.5 <= free.control < 0.65
    assert free.excess.low > 0.2


def test_balance_weighs_classes_not_people() -> None:
    """A rare class that pictures do not show: saying the frequent one always is worth 1/2, not 90 %."""
    labels = ["rare" if index // 2 < 12 else "frequent" for index in range(2 * SUBJECTS)]
    result = infer("syndrome", labels, [noise(7)], NAMES)
    assert result.control == 0.5
    assert 0.3 < result.value.value < 0.7


def test_value_is_balanced_accuracy() -> None:
    labels = ["abc"[(index // 2) % 3] for index in range(2 * SUBJECTS)]
    rows = np.zeros((2 * SUBJECTS, 3))
    said = [(index // 2) % 3 if index // 2 % 5 else 0 for index in range(2 * SUBJECTS)]
    rows[np.arange(2 * SUBJECTS), said] = 9.0
    result = infer("syndrome", labels, [rows], NAMES)
    oracle = balanced_accuracy_score([ord(label) - 97 for label in labels[::2]], said[::2])
    assert result.value.value == pytest.approx(oracle)


def test_no_face_is_answered_blindly_and_small_classes_are_left_out() -> None:
    rows = marked(8, SEXES, 6.0)
    rows[:SUBJECTS] = np.nan
    result = infer("sex", SEXES, [rows], NAMES)
    assert result.value.value == pytest.approx(0.75, abs=0.04)
    labels = [*["rare"] * 18, *SEXES[18:]]
    result = infer("sex", labels, [noise(9)], NAMES)
    assert (result.subjects, result.note) == (SUBJECTS - 9, "left out, fewer than 10 subjects: rare")
    with pytest.raises(UsageError, match="fewer than two classes"):
        infer("sex", ["rare"] * 18 + ["female"] * (2 * SUBJECTS - 18), [noise(9)], NAMES)


def test_attributes_of_a_manifest_that_are_not_released() -> None:
    rows = [
        Row(f"{index}.jpg", NAMES[index], sex=("female", "male")[(index // 2) % 2], age=5.0 + 10 * (index // 80),
            syndrome="one" if index < 30 else None, site="here")
        for index in range(2 * SUBJECTS)
    ]  # fmt: skip
    result, notes = infer_attributes(rows, ["syndrome", "site"], [marked(10, SEXES, 4.0)])
    assert [(entry.name, entry.subjects) for entry in result] == [("sex", SUBJECTS), ("age", SUBJECTS)]
    assert result[0].excess.low > 0.3
    assert 1 / 3 < result[1].control < 0.6  # the syndrome, which is released, goes with the youngest
    assert notes == []
    assert "syndrome" in infer_attributes(rows, [], [noise(1)])[1][0]
    again, _ = infer_attributes(rows, ["syndrome", "site"], [marked(10, SEXES, 4.0)])
    assert again == result


def test_membership_is_found_in_outputs_near_their_originals() -> None:
    originals = people(np.random.default_rng(11), SUBJECTS)
    result = membership(originals, originals + 0.5 * noise(11), NAMES, "dlib")
    assert result.value.value > 0.8
    assert result.excess.low > 0.2
    assert consistent(result)
    assert (result.kind, result.control, result.subjects) == ("membership", 0.5, SUBJECTS)


def test_membership_is_not_found_in_unrelated_outputs() -> None:
    for seed in range(3):
        originals = people(np.random.default_rng(12 + seed), SUBJECTS)
        result = membership(originals, noise(20 + seed), NAMES, "dlib")
        assert result.excess.low < 0.0 < result.excess.high
        assert result.excess_upper < result.excess.high


def test_one_halvings_auc_is_sklearns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ganonym.evaluate.inferences.membership.HALVINGS", 1)
    monkeypatch.setattr("ganonym.evaluate.inferences.membership._ROWS", 7)
    originals = people(np.random.default_rng(13), 20, 1) * np.linspace(0.5, 3.0, 20)[:, None]
    released = originals + 1.5 * noise(13, 20)
    names = [f"s{index:02d}" for index in range(20)]
    result = membership(originals, released, names, "dlib", seed=5)
    rng = np.random.default_rng(5)
    rng.multinomial(20, np.full(20, 1 / 20), size=1000)
    inside = np.zeros(20, dtype=bool)
    inside[rng.permutation(20)[:10]] = True
    distances = euclidean(Templates(originals, False), Templates(released[inside], True))
    near = (distances.min(axis=1) - distances.mean(axis=1)) / distances.std(axis=1)
    assert result.value.value == pytest.approx(roc_auc_score(inside, -near))


def test_membership_leaves_out_who_has_no_output_and_wants_enough_people() -> None:
    originals = people(np.random.default_rng(14), SUBJECTS)
    released = originals.copy()
    released[:40] = np.nan
    originals[41] = np.nan
    assert membership(originals, released, NAMES, "dlib").subjects == SUBJECTS - 20
    released[18:] = np.nan
    with pytest.raises(UsageError, match="10 subjects"):
        membership(originals, released, NAMES, "dlib")


def test_borrowed_faces_are_found_and_their_share_with_them() -> None:
    rng = np.random.default_rng(15)
    originals, donors = people(rng, SUBJECTS), strangers(rng, 50)
    outputs = noise(15)
    outputs[:48] = donors.templates[:48] + 0.1 * outputs[:48]  # of 24 subjects
    result = donor_leak(outputs, originals, NAMES, donors, "dlib")
    assert result.control <= 0.01
    assert result.value.value == pytest.approx(24 / SUBJECTS, abs=0.03)
    assert result.excess.low > 0.1
    assert consistent(result)


def test_subjects_who_are_donors_themselves_are_compared_with_the_others() -> None:
    rng = np.random.default_rng(19)
    originals = people(rng, SUBJECTS)
    donors = People(originals[:80], tuple(NAMES[:80]))
    assert donor_leak(originals, originals, NAMES, donors, "dlib").value.value <= 0.01
    swapped = donor_leak(np.roll(originals, 2, axis=0), originals, NAMES, donors, "dlib")
    assert swapped.value.value == pytest.approx(40 / SUBJECTS, abs=0.02)


def test_faces_of_nobody_are_no_donor_leak() -> None:
    for seed in range(3):
        rng = np.random.default_rng(16 + seed)
        originals, donors = people(rng, SUBJECTS), strangers(rng, 50)
        result = donor_leak(people(rng, SUBJECTS), originals, NAMES, donors, "dlib")
        assert result.excess.low <= 0.01
        assert result.value.value < 0.06
        # With no hit the exact bound stands in for the bootstrap, which knows no more than none.
        assert result.excess_upper > 0.01


def test_the_donor_leak_wants_donors_and_people() -> None:
    rows = noise(17)
    with pytest.raises(UsageError, match="none has a template"):
        donor_leak(rows, rows, NAMES, People(np.full((3, WIDTH), np.nan), tuple("abc")), "dlib")
    few = rows.copy()
    few[18:] = np.nan
    with pytest.raises(UsageError, match="there are 9"):
        donor_leak(few, rows, NAMES, strangers(np.random.default_rng(18), 5), "dlib")
