"""Training photographs: which are read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ganonym.errors import UsageError
from ganonym_train.left_out import SEEN, one_sidedness, reason_to_leave_out
from ganonym_train.photographs import TrainingPhoto, training_photographs


def test_only_training_sets_with_a_face_are_used(training_folder: Path) -> None:
    photos = list(training_photographs(training_folder))
    assert [photo.name for photo in photos] == [f"{n:02d}-{e}.png" for n in range(12) for e in ("neutral", "smiling")]
    assert [photo.expression for photo in photos] == ["neutral", "smiling"] * 12
    assert photos[0].age is None
    assert photos[2].age is not None
    assert {photo.subject for photo in photos[:2]} == {"person-0"}


def test_a_missing_or_malformed_manifest_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not exist"):
        next(training_photographs(tmp_path))
    (tmp_path / "manifest.csv").write_text("path,subject,expression,age\n")
    with pytest.raises(UsageError, match="lacks the columns set, sex"):
        next(training_photographs(tmp_path))


@pytest.fixture(scope="module")
def photo(training_folder: Path) -> TrainingPhoto:
    return next(training_photographs(training_folder))


def test_what_is_unfit_is_left_out_with_a_reason(photo: TrainingPhoto) -> None:
    """Planted: each fault alone, in a photo that is fit without it."""
    rgb, points = photo.rgb, photo.points
    assert reason_to_leave_out("a.png", rgb, points) is None
    small = (points - points.mean(axis=0)) * 60 / np.linalg.norm(points[16] - points[0]) + points.mean(axis=0)
    assert reason_to_leave_out("a.png", rgb, small) == "too small"
    grey = np.repeat(rgb.mean(axis=2, keepdims=True).astype(np.uint8), 3, axis=2)
    assert reason_to_leave_out("a.png", grey, points) == "grey"
    blue = np.ascontiguousarray(rgb[..., ::-1])
    assert reason_to_leave_out("a.png", blue, points) == "coloured light"
    away = points.copy()
    middle = points[27, 0]
    away[:, 0] = np.where(points[:, 0] < middle, middle + 0.3 * (points[:, 0] - middle), points[:, 0])
    assert reason_to_leave_out("a.png", rgb, away) == "turned away"
    shadow = rgb.copy()
    shadow[:, : int(middle)] //= 4
    assert one_sidedness(shadow, points) > one_sidedness(rgb, points) + 0.5
    assert reason_to_leave_out("a.png", shadow, points) == "light from one side"


def test_names_left_out_are_of_development_photographs(data_manifest: Path) -> None:
    told = {line.split(",")[0].split("/")[-1].split(".")[0] for line in data_manifest.read_text("utf-8").splitlines()}
    assert not {name for names in SEEN.values() for name in names} - told
