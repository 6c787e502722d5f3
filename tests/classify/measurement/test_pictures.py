"""Charts show the norm's centiles and the person's point; drawings show lines where the landmarks are."""

from __future__ import annotations

import io
import re

import numpy as np
import pytest
from PIL import Image
from scipy.stats import norm as normal

from ganonym.classify.measurement.norms import Norm
from ganonym.classify.measurement.norms_file import published
from ganonym.classify.measurement.pictures import CENTILES, LINE, MARKED, drawn, percentile_chart, spans_of
from ganonym.faces.shape import load_shape, to_canvas

NORMS = (
    Norm("ENEN", 30.0, 2.0, "mm", "ours", "female", 0, 10, 40),
    Norm("ENEN", 33.0, 2.5, "mm", "ours", "female", 10, 20, 40),
    Norm("ENEN", 31.0, 3.0, "mm", "ours", None, 0, 20, 90),
)


def test_spans_are_those_of_the_sex_in_order() -> None:
    assert spans_of(NORMS, "ENEN", "mm", "female") == list(NORMS[:2])
    assert spans_of(NORMS, "ENEN", "mm", "male") == [NORMS[2]]
    assert spans_of(NORMS, "ENEN", "interocular", "male") == []
    assert [entry.mean for entry in spans_of(published(), "ENEN", "mm", "male")] == [30.9]


def lines(svg: str) -> list[tuple[float, float, float, float]]:
    """Level lines (x0, y0, x1, y1) of the centiles, in points, from the top."""
    result = re.findall(r'd="M ([\d.]+) ([\d.]+) \nL ([\d.]+) ([\d.]+) \n?"[^>]*clip-path', svg)
    every = [tuple(map(float, entry)) for entry in result]
    return sorted(
        (entry for entry in every if entry[1] == entry[3] and entry[2] > entry[0]), key=lambda entry: entry[1]
    )


def test_centiles_lie_where_the_normal_distribution_has_them_and_the_point_at_its_age() -> None:
    svg = percentile_chart(NORMS[:1], "ENEN", "mm", "female", 4.0, 34.0).decode()
    drawn_lines = lines(svg)
    assert len(drawn_lines) == len(CENTILES)
    heights = [line[1] for line in drawn_lines]
    values = [30 + 2 * normal.ppf(centile / 100) for centile in CENTILES[::-1]]
    slope, start = np.polyfit(values, heights, 1)
    np.testing.assert_allclose(heights, start + slope * np.array(values), atol=0.01)
    point = re.search(r'<use [^>]*x="([\d.]+)" y="([\d.]+)" style="fill: #0067a3', svg)
    assert point is not None
    left, right = drawn_lines[0][0], drawn_lines[0][2]
    assert float(point[1]) == pytest.approx(left + 0.4 * (right - left), abs=0.05)
    assert float(point[2]) == pytest.approx(start + slope * 34, abs=0.05)
    for word in ("ours", "age, years", "mm", "female", ">97<", ">3<"):
        assert word in svg


def test_same_chart_same_bytes_in_both_forms() -> None:
    for form in ("svg", "png"):
        one, other = (percentile_chart(NORMS, "ENEN", "mm", "female", 9, 31.0, form) for _ in range(2))  # type: ignore[arg-type]
        assert one == other
        assert one != percentile_chart(NORMS, "ENEN", "mm", "female", 9, 35.0, form)  # type: ignore[arg-type]
    with Image.open(io.BytesIO(one)) as picture:
        assert picture.format == "PNG"
        assert "Software" not in picture.info


def test_an_unknown_age_is_a_line_across_and_no_norm_is_an_error() -> None:
    svg = percentile_chart(NORMS[2:], "ENEN", "mm", None, None, 31.0).decode()
    assert "stroke: #0067a3" in svg
    assert "fill: #0067a3" not in svg
    with pytest.raises(ValueError, match="no norm of TIPUP"):
        percentile_chart(NORMS, "TIPUP", "mm")


@pytest.mark.parametrize("scale", [0.5, 1.0, 12.0])
def test_lines_are_drawn_between_their_landmarks(scale: float) -> None:
    points = to_canvas(load_shape().mean) * scale
    photo = np.full((round(256 * scale), round(256 * scale), 3), 90, np.uint8)
    picture = drawn(photo, points, {"MOUTHW": "Wide mouth"}, ["FACEW"]).astype(int)
    assert max(picture.shape) <= 1400
    low, high = points.min(axis=0), points.max(axis=0)
    margin = 0.35 * (high - low).max()
    left, top = np.maximum(np.floor(low - margin), 0)
    right, bottom = np.minimum(np.ceil(high + margin), photo.shape[0])
    for colour, ends in ((MARKED, (48, 54)), (LINE, (1, 15))):
        for share in (0.3, 0.6):
            x, y = (1 - share) * points[ends[0]] + share * points[ends[1]]
            column = (x + 0.5 - left) / (right - left) * picture.shape[1] - 0.5
            row = (y + 0.5 - top) / (bottom - top) * picture.shape[0] - 0.5
            near = picture[round(row) - 2 : round(row) + 3, round(column) - 2 : round(column) + 3]
            assert (near == colour).all(axis=-1).any()
    plain = drawn(photo, points, {}, []).astype(int)
    assert not (plain == MARKED).all(axis=-1).any()
    assert not (plain == LINE).all(axis=-1).any()


def test_landmarks_outside_the_photo_are_an_error_and_the_photo_stays_as_it_was() -> None:
    photo = np.full((64, 64, 3), 7, np.uint8)
    points = to_canvas(load_shape().mean)
    with pytest.raises(ValueError, match="outside"):
        drawn(photo, points + 500)
    drawn(photo, points / 4)
    assert (photo == 7).all()
