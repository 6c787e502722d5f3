"""Frontal photos are those within the angles; every photo is kept or left."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ganonym.classify.screening.rates import frontal
from ganonym.errors import UsageError
from ganonym.types import Pose

ANGLES = st.floats(-90, 90)
POSES = st.lists(st.one_of(st.none(), st.builds(Pose, ANGLES, ANGLES, ANGLES)), max_size=12)


def test_both_sides_and_the_limit_itself() -> None:
    yaws = [0.0, 15.0, -15.0, 15.1, -15.1, 40.0, float("nan")]
    found = frontal([Pose(yaw, 30.0, 30.0) for yaw in yaws])
    assert found.kept.tolist() == [0, 1, 2]
    assert found.left.tolist() == [3, 4, 5, 6]


def test_pitch_counts_only_when_asked_for() -> None:
    poses = [Pose(0.0, 25.0, 0.0), Pose(0.0, -25.0, 0.0), Pose(0.0, 5.0, 80.0), None]
    assert frontal(poses).kept.tolist() == [0, 1, 2]
    assert frontal(poses, pitch=20.0).kept.tolist() == [2]
    assert frontal(poses, pitch=20.0).left.tolist() == [0, 1, 3]


@given(POSES, st.floats(0, 90), st.one_of(st.none(), st.floats(0, 90)))
def test_every_photo_once_and_a_wider_angle_keeps_more(
    poses: list[Pose | None], yaw: float, pitch: float | None
) -> None:
    found = frontal(poses, yaw, pitch)
    assert sorted([*found.kept, *found.left]) == list(range(len(poses)))
    assert list(found.kept) == sorted(found.kept)
    assert set(found.kept) <= set(frontal(poses, yaw + 1, pitch).kept)
    mirrored = [None if each is None else Pose(-each.yaw, -each.pitch, each.roll) for each in poses]
    assert frontal(mirrored, yaw, pitch).kept.tolist() == found.kept.tolist()


@pytest.mark.parametrize(("yaw", "pitch"), [(-1.0, None), (float("nan"), None), (15.0, -1.0)])
def test_refuses_an_angle_below_nothing(yaw: float, pitch: float | None) -> None:
    with pytest.raises(UsageError, match="cannot turn"):
        frontal([], yaw, pitch)
