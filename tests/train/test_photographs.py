"""Training photographs: which are read."""

from __future__ import annotations

from pathlib import Path

import pytest

from ganonym.errors import UsageError
from ganonym_train.photographs import training_photographs


def test_only_training_sets_with_a_face_are_used(training_folder: Path) -> None:
    photos = list(training_photographs(training_folder))
    assert [photo.name for photo in photos] == [f"{n:02d}-{e}.png" for n in range(12) for e in ("neutral", "smiling")]
    assert [photo.smiling for photo in photos] == [False, True] * 12
    assert photos[0].age is None
    assert photos[2].age is not None
    assert {photo.subject for photo in photos[:2]} == {"person-0"}


def test_a_missing_or_malformed_manifest_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not exist"):
        next(training_photographs(tmp_path))
    (tmp_path / "manifest.csv").write_text("path,subject,expression,age\n")
    with pytest.raises(UsageError, match="lacks the columns set, sex"):
        next(training_photographs(tmp_path))
