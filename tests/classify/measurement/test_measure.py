"""`measure`: a file, an array and a picture of one face are measured alike, and what cannot be is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ganonym.classify.measurement.lengths import MEASUREMENTS, measurements
from ganonym.classify.measurement.measure import measure
from ganonym.classify.measurement.norms import Norm
from ganonym.errors import PhotoError, UsageError
from ganonym.faces.tone import ita_degrees
from ganonym.phantom.cohort import phantom_cohort
from ganonym.types import RGB


@pytest.fixture(scope="module")
def photo() -> RGB:
    return next(phantom_cohort(1, photos=1, seed=0)).rgb


def test_a_file_an_array_and_a_picture_are_measured_alike(photo: RGB, tmp_path: Path) -> None:
    Image.fromarray(photo).save(tmp_path / "a.png")
    result = measure(photo, age=10, sex="female")
    for same in (tmp_path / "a.png", str(tmp_path / "a.png"), Image.fromarray(photo)):
        other = measure(same, age=10, sex="female")
        assert other.scores == result.scores
        assert other.terms == result.terms
    exact = measurements(result.points, "face width")
    assert {key: score.value for key, score in result.scores.items()} == pytest.approx(
        {key: float(value) for key, value in exact.items()}
    )
    assert set(result.payload()["measurements"]) == set(MEASUREMENTS)


def test_own_norms_give_z_and_a_frame_has_a_row_a_measurement(photo: RGB) -> None:
    value = float(measurements(measure(photo).points, "mm", 0.5)["ENEN"])
    result = measure(photo, norms=[Norm("ENEN", value - 3.0, 1.5, "mm", "ours", n=30)], mm_per_px=0.5)
    assert result.unit == "mm"
    assert result.scores["ENEN"].z == pytest.approx(2.0)
    frame = result.to_frame().set_index("measure")
    assert list(frame.index) == list(MEASUREMENTS)
    assert frame.loc["ENEN", "z"] == pytest.approx(2.0)
    assert frame["z"].notna().sum() == sum(score.z is not None for score in result.scores.values())


def test_refusals(photo: RGB, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="neither female nor male"):
        measure(photo, sex="boy")
    with pytest.raises(UsageError, match="need a scale"):
        measure(photo, unit="mm")
    with pytest.raises(UsageError, match="is no photo"):
        measure(photo.astype(np.float64))  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="is no photo"):
        measure(photo[..., 0])
    with pytest.raises(PhotoError, match="shows no face"):
        measure(np.full((200, 200, 3), 120, np.uint8))
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 no picture")
    with pytest.raises(PhotoError, match="broken"):
        measure(tmp_path / "broken.jpg")


def test_where_a_face_lies_follows_what_was_drawn() -> None:
    photos = list(phantom_cohort(24, photos=1, seed=5))
    faces = [measure(photo.rgb) for photo in photos]
    read = {name: np.array([face.kept[name] for face in faces]) for name in faces[0].kept}
    tones = [ita_degrees(photo.rgb, face.points) for photo, face in zip(photos, faces, strict=True)]
    ages = np.array([photo.age for photo in photos])
    assert np.corrcoef(read["tone, ITA in degrees"], tones)[0, 1] > 0.7
    assert np.corrcoef(read["age as read, years"], ages)[0, 1] > 0.5
    women = np.array([photo.sex == "female" for photo in photos])
    assert read["sex as read, 1 female"][women].mean() > read["sex as read, 1 female"][~women].mean() + 0.2
