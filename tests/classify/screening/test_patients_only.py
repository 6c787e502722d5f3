"""Who learned from patients only knows no unaffected people; each score is what it is said to be; frontal photos."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from ganonym.classify.cohort import Seen
from ganonym.classify.cross_validation import subject_folds
from ganonym.classify.learner import Inputs, Predictor
from ganonym.classify.screening.dysmorphism import PatientsOnly, list_scores, result_list, separations
from ganonym.classify.screening.rates import frontal
from ganonym.classify.systems.prototypes import SimpleShot
from ganonym.errors import UsageError
from ganonym.types import Floats, Pose

UNAFFECTED = 1


def seen(inputs: NDArray[np.float64], classes: NDArray[np.intp], subjects: Sequence[str]) -> Seen:
    return Seen(inputs, classes, tuple(subjects), tuple(str(row) for row in range(len(classes))))


def people(seed: int, each: int = 12) -> tuple[NDArray[np.float64], NDArray[np.intp], list[str]]:
    """Three disorders, each a direction of its own; class 1 is unaffected and lies between them. Two photos each."""
    rng = np.random.default_rng(seed)
    classes = np.repeat(np.arange(4 * each) % 4, 2).astype(np.intp)
    centres = np.array([[3.0, 0, 0, 0], [0, 0, 0, 0], [0, 3, 0, 0], [0, 0, 3, 0]])
    vectors = centres[classes] + rng.normal(0, 1, (len(classes), 4)) + [0, 0, 0, 5]
    return vectors, classes, [f"p{row // 2:02d}" for row in range(len(classes))]


def test_the_unaffected_are_never_learned_and_the_others_keep_their_places() -> None:
    vectors, classes, _ = people(1)
    sick = classes != UNAFFECTED
    result = PatientsOnly(SimpleShot(), UNAFFECTED).learn(vectors, classes, 4, 0)(vectors)
    assert (result[:, UNAFFECTED] == 0).all()
    alone = SimpleShot().learn(vectors[sick], np.array([0, 9, 1, 2])[classes[sick]], 3, 0)(vectors)
    assert result[:, [0, 2, 3]].tobytes() == alone.tobytes()
    assert (result.argmax(axis=1) == classes)[sick].mean() > 0.9
    other = np.where(sick[:, None], vectors, 100.0)
    assert PatientsOnly(SimpleShot(), UNAFFECTED).learn(other, classes, 4, 0)(vectors).tobytes() == result.tobytes()
    with pytest.raises(UsageError, match="no patients"):
        PatientsOnly(SimpleShot(), UNAFFECTED).learn(vectors[~sick], classes[~sick], 4, 0)


def test_separations_are_those_of_scores_by_hand() -> None:
    vectors, classes, subjects = people(2)
    sick = classes != UNAFFECTED
    result = separations(SimpleShot(), seen(vectors, classes, subjects), 4, UNAFFECTED, 3, 4, rounds=50)
    chances, lists = np.full((96, 4), np.nan), np.full((96, 3), np.nan)
    for fold in subject_folds(classes, subjects, 3, 4):
        chances[fold.test] = SimpleShot().learn(vectors[fold.train], classes[fold.train], 4, 0)(vectors[fold.test])
        patients = fold.train[sick[fold.train]]
        labels = np.array([0, 9, 1, 2])[classes[patients]]
        lists[fold.test] = SimpleShot().learn(vectors[patients], labels, 3, 0)(vectors[fold.test])
    assert (result.photos, result.patients, result.unaffected, result.disorders) == (96, 36, 12, 3)
    assert result.unaffected_class.value == pytest.approx(roc_auc_score(sick, 1 - chances[:, UNAFFECTED]))
    assert result.highest.value == pytest.approx(roc_auc_score(sick, lists.max(axis=1)))
    judged = list_scores(result_list(lists), sick, subjects, 3, 4)
    assert result.result_list.value == pytest.approx(roc_auc_score(sick, judged))
    assert result.unaffected_class.low > 0.7
    assert result.highest.low > 0.6


class Memory:
    """Knows whom it learned from, is sure of them, and of nobody else."""

    def learn(self, inputs: Inputs, classes: NDArray[np.intp], count: int, seed: int) -> Predictor:  # noqa: ARG002
        lessons = dict(zip(inputs[:, 0].tolist(), classes.tolist(), strict=True))

        def predict(others: Inputs) -> Floats:
            chances = np.full((len(others), count), 1 / count)
            for row, person in enumerate(others[:, 0].tolist()):
                if person in lessons:
                    chances[row] = np.eye(count)[lessons[person]]
            return chances

        return predict


def test_remembering_patients_does_not_part_them() -> None:
    _, classes, subjects = people(3)
    persons = (np.arange(len(classes)) // 2)[:, None]
    result = separations(Memory(), seen(persons, classes, subjects), 4, UNAFFECTED, 0, rounds=50)
    assert (result.unaffected_class.value, result.highest.value) == (0.5, 0.5)
    assert result.result_list.value == pytest.approx(0.5, abs=0.1)
    alone = [str(row) for row in range(len(classes))]  # with photos for people it is the leak it would be
    assert separations(Memory(), seen(persons, classes, alone), 4, UNAFFECTED, 0, rounds=50).highest.value > 0.9


def test_intervals_of_separations_are_by_person() -> None:
    """Every photo four times over says nothing new."""
    vectors, classes, subjects = people(5)
    once = separations(SimpleShot(), seen(vectors, classes, subjects), 4, UNAFFECTED, 0, 4, rounds=50)
    rows = np.repeat(np.arange(96), 4)
    again = [subjects[row] for row in rows]
    many = separations(SimpleShot(), seen(vectors[rows], classes[rows], again), 4, UNAFFECTED, 0, 4, rounds=50)
    assert (many.photos, many.patients, many.unaffected) == (384, 36, 12)
    for one, other in ((once.unaffected_class, many.unaffected_class), (once.highest, many.highest)):
        assert (other.value, other.low, other.high) == pytest.approx((one.value, one.low, one.high))


def test_what_cannot_be_parted_is_refused() -> None:
    vectors, classes, subjects = people(4)
    for rows, count, said in (
        (classes < 2, 2, "list of one disorder"),
        (classes != UNAFFECTED, 4, "0 unaffected people"),
        (classes == UNAFFECTED, 4, "0 patients"),
        ((classes == UNAFFECTED) | (np.arange(96) < 2), 4, "1 patients and 12 unaffected people"),
    ):
        few = [name for name, kept in zip(subjects, rows, strict=True) if kept]
        with pytest.raises(UsageError, match=said):
            separations(SimpleShot(), seen(vectors[rows], classes[rows], few), count, UNAFFECTED, 0)


ANGLES = st.floats(-90, 90)
POSES = st.lists(st.one_of(st.none(), st.builds(Pose, ANGLES, ANGLES, ANGLES)), max_size=12)


def test_both_sides_and_the_limit_itself() -> None:
    yaws = [0.0, 15.0, -15.0, 15.1, -15.1, 40.0, float("nan")]
    result = frontal([Pose(yaw, 30.0, 30.0) for yaw in yaws])
    assert result.kept.tolist() == [0, 1, 2]
    assert result.left.tolist() == [3, 4, 5, 6]


def test_pitch_counts_only_when_asked_for() -> None:
    poses = [Pose(0.0, 25.0, 0.0), Pose(0.0, -25.0, 0.0), Pose(0.0, 5.0, 80.0), None]
    assert frontal(poses).kept.tolist() == [0, 1, 2]
    assert frontal(poses, pitch=20.0).kept.tolist() == [2]
    assert frontal(poses, pitch=20.0).left.tolist() == [0, 1, 3]


@given(POSES, st.floats(0, 90), st.one_of(st.none(), st.floats(0, 90)))
def test_every_photo_once_and_a_wider_angle_keeps_more(
    poses: list[Pose | None], yaw: float, pitch: float | None
) -> None:
    result = frontal(poses, yaw, pitch)
    assert sorted([*result.kept, *result.left]) == list(range(len(poses)))
    assert list(result.kept) == sorted(result.kept)
    assert set(result.kept) <= set(frontal(poses, yaw + 1, pitch).kept)
    mirrored = [None if pose is None else Pose(-pose.yaw, -pose.pitch, pose.roll) for pose in poses]
    assert frontal(mirrored, yaw, pitch).kept.tolist() == result.kept.tolist()


@pytest.mark.parametrize(("yaw", "pitch"), [(-1.0, None), (float("nan"), None), (15.0, -1.0)])
def test_refuses_an_angle_below_nothing(yaw: float, pitch: float | None) -> None:
    with pytest.raises(UsageError, match="cannot turn"):
        frontal([], yaw, pitch)
