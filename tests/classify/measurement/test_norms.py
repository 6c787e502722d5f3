"""Norms: the published figures, whom they are for, how ratios inherit them, and those of one's own controls."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from ganonym.classify.measurement.norms import Norm, cohort_norms, norm_of, percentile, ratio_norm, scores, z_score
from ganonym.classify.measurement.norms_file import norms_toml, published, read_norms
from ganonym.errors import UsageError
from ganonym.types import Refusal

BOY = {"age": 10.0, "sex": "male"}


def found(*arguments: object, **more: object) -> Norm:
    norm = norm_of(published(), *arguments, **more)  # type: ignore[arg-type]
    assert isinstance(norm, Norm), norm
    return norm


def refused(*arguments: object, **more: object) -> Refusal:
    norm = norm_of(published(), *arguments, **more)  # type: ignore[arg-type]
    assert isinstance(norm, Refusal), norm
    return norm


@pytest.mark.parametrize(
    ("key", "sex", "mean", "sd"),
    [
        ("EXEX", "male", 82.9, 3.73), ("EXEX", "female", 81.1, 3.55), ("ENEN", "female", 30.6, 2.46),
        ("IPD", "male", 54.0, 3.6), ("IPD", "female", 54.0, 3.6), ("PFLEN", "male", 26.6, 1.74),
        ("PFHGT", "male", 9.9, 1.35), ("ALARW", "female", 30.1, 2.06), ("NOSEL", "male", 49.5, 3.69),
        ("PHIL", "female", 13.1, 2.05), ("UVERM", "male", 7.2, 1.64), ("LVERM", "female", 7.6, 1.81),
        ("MOUTHW", "male", 43.0, 3.71), ("CPHW", "female", 10.4, 1.49), ("FACEH", "male", 110.9, 6.13),
        ("FACEW", "female", 122.2, 5.38), ("JAWW", "male", 92.9, 6.06),
    ],
)  # fmt: skip
def test_published_norms_at_ten(key: str, sex: str, mean: float, sd: float) -> None:
    norm = found(key, "mm", 10.5, sex)
    assert (norm.mean, norm.sd) == (mean, sd)
    assert norm.source


def test_norms_are_of_their_age_and_sex_only() -> None:
    assert refused("ENEN", "mm", 9.99, "male").detail == "norm for age 10 only"
    assert refused("ENEN", "mm", 11.0, "male").reason == "age"
    assert "not known" in refused("ENEN", "mm", None, "male").detail
    assert refused("ENEN", "mm", 10.0, None).reason == "sex"
    assert refused("TIPUP", "mm", **BOY).reason == "none"
    assert found("IPD", "mm", 10.0, None).sex is None
    assert found("PFINC", "face size", 16.9, None).mean == 3.8
    assert refused("PFINC", "face size", 17.0, None).reason == "age"


def test_ancestry_is_read_only_where_it_is_given() -> None:
    assert found("ENEN", "mm", 30.0, "male", "African").mean == 38.5
    assert found("ENEN", "mm", 30.0, "male", "White").mean == 31.4
    assert refused("ENEN", "mm", 30.0, "male").reason == "age"
    assert refused("ENEN", "mm", 12.0, "male", "African").reason == "age"


def test_ratios_inherit_from_both_lengths_at_any_age() -> None:
    for age in (None, 4.0, 10.0, 50.0):
        norm = found("PFLEN/ENEN", "face size", age, "male")
        assert norm.mean == pytest.approx(26.6 / 30.9)
        assert norm.sd == pytest.approx(26.6 / 30.9 * np.hypot(1.74 / 26.6, 2.45 / 30.9))
        assert norm.propagated
        assert norm.ages == "male, age 10 only"
    assert found("FACEINDEX", "mm", **BOY).mean == pytest.approx(100 * 110.9 / 126.3)
    assert found("ENEN", "face width", **BOY).mean == pytest.approx(30.9 / 126.3)
    assert found("ENEN", "interocular", **BOY).mean == pytest.approx(30.9 / 82.9)
    assert refused("PFLEN/ENEN", "face size", 10.0, None).reason == "sex"
    for unit in ("face size", "face width"):
        assert refused("FACEW", unit, **BOY).reason == "none"


def test_one_side_has_the_norm_of_both() -> None:
    assert found("PFLEN right", "mm", **BOY) == replace(found("PFLEN", "mm", **BOY), measure="PFLEN right")


@pytest.mark.parametrize("correlation", [0.0, 0.6])
def test_propagated_spread_is_that_of_drawn_ratios(correlation: float) -> None:
    above, below = found("ENEN", "mm", **BOY), found("EXEX", "mm", **BOY)
    covariance = correlation * above.sd * below.sd
    drawn = np.random.default_rng(4).multivariate_normal(
        [above.mean, below.mean], [[above.sd**2, covariance], [covariance, below.sd**2]], 200_000
    )
    ratios = 100 * drawn[:, 0] / drawn[:, 1]
    norm = ratio_norm(above, below, 100.0, correlation)
    assert norm.mean == pytest.approx(ratios.mean(), rel=0.005)
    assert norm.sd == pytest.approx(ratios.std(), rel=0.01)


def test_ratios_of_unlike_norms_are_refused() -> None:
    with pytest.raises(ValueError, match="is in"):
        ratio_norm(found("ENEN", "mm", **BOY), found("PFINC", "mm", **BOY))


@given(st.floats(-50, 150), st.floats(1, 100), st.floats(0.1, 30), st.integers(2, 500))
def test_percentiles_are_those_of_scipy(value: float, mean: float, sd: float, n: int) -> None:
    norm = Norm("ENEN", mean, sd, "mm", "test")
    assert z_score(value, norm) == pytest.approx((value - mean) / sd)
    assert percentile(value, norm) == pytest.approx(100 * stats.norm.cdf(value, mean, sd), abs=1e-9)
    expected = 100 * stats.t.cdf((value - mean) / (sd * np.sqrt((n + 1) / n)), n - 1)
    assert percentile(value, replace(norm, n=n)) == pytest.approx(expected, abs=1e-6)


def test_percentiles_of_a_small_cohort_are_uniform_among_new_people() -> None:
    rng = np.random.default_rng(8)
    below = []
    for _ in range(4000):
        sample = rng.normal(30, 2, 6)
        norm = Norm("ENEN", sample.mean(), sample.std(ddof=1), "mm", "test", n=6)
        below.append(percentile(rng.normal(30, 2), norm) < 2.5)
    assert np.mean(below) == pytest.approx(0.025, abs=0.008)


def controls() -> tuple[dict[str, np.ndarray], list[str], list[str], list[float]]:
    """200 people with two photos each; women's eyes lie 2 closer, children's 4."""
    rng = np.random.default_rng(2)
    sexes = ["female", "male"] * 100
    ages = [8.0 if index < 100 else 30.0 for index in range(200)]
    own = rng.normal(30, 1.5, 200) - 2 * (np.array(sexes) == "female") - 4 * (np.array(ages) < 12)
    values = np.repeat(own, 2) + np.tile([0.5, -0.5], 200)
    both = [np.repeat(value, 2).tolist() for value in (np.arange(200), sexes, ages)]
    return {"ENEN": values}, [f"p{index}" for index in both[0]], both[1], both[2]


def test_cohort_norms_by_age_and_sex_count_people_not_photos() -> None:
    values, subjects, sexes, ages = controls()
    norms = cohort_norms(values, subjects, "face size", "test", sexes, ages)  # type: ignore[arg-type]
    result = values["ENEN"].reshape(200, 2).mean(axis=1)
    girl = norm_of(norms, "ENEN", "face size", 9.0, "female")
    assert isinstance(girl, Norm)
    mine = result[[index for index in range(100) if index % 2 == 0]]
    assert (girl.mean, girl.sd, girl.n) == (pytest.approx(mine.mean()), pytest.approx(mine.std(ddof=1)), 50)
    assert (girl.low, girl.high, girl.sex) == (6.0, 12.0, "female")
    child = norm_of(norms, "ENEN", "face size", 9.0, None)
    anybody = norm_of(norms, "ENEN", "face size", None, None)
    toddler = norm_of(norms, "ENEN", "face size", 3.0, "male")
    assert isinstance(child, Norm)
    assert isinstance(anybody, Norm)
    assert isinstance(toddler, Norm)
    assert (child.n, anybody.n) == (100, 200)
    assert (toddler.sex, toddler.n) == ("male", 100)  # no control is that young: all boys and men
    read = scores({"ENEN": mine.mean() + 2 * mine.std(ddof=1)}, norms, "face size", 9.0, "female")["ENEN"]
    assert read.z == pytest.approx(2.0)
    assert read.norm == girl


def test_too_few_controls_make_no_norms() -> None:
    values = {"ENEN": np.arange(9.0)}
    with pytest.raises(UsageError, match="9 controls are too few"):
        cohort_norms(values, [str(index) for index in range(9)], "mm", "test")
    with pytest.raises(UsageError, match="too few"):  # many photos of few people
        cohort_norms({"ENEN": np.arange(90.0)}, [str(index % 9) for index in range(90)], "mm", "test")
    with pytest.raises(UsageError, match="the same"):
        cohort_norms({"ENEN": np.ones(20)}, [str(index) for index in range(20)], "mm", "test")


def test_files_keep_norms_to_the_last_bit(tmp_path: Path) -> None:
    values, subjects, sexes, ages = controls()
    norms = cohort_norms(values, subjects, "face size", 'a "clinic" of Zürich\\', sexes, ages)  # type: ignore[arg-type]
    path = tmp_path / "norms.toml"
    path.write_text(norms_toml(norms), encoding="utf-8")
    assert read_norms(path) == norms
    lines = ["Measure,Unit,Mean,SD,Source,Sex,Low,High,N"]
    lines += [
        ",".join(map(str, (n.measure, n.unit, n.mean, n.sd, "x", n.sex or "", n.low, n.high, n.n))) for n in norms
    ]
    table = tmp_path / "norms.CSV"
    table.write_text("\ufeff" + "\r\n".join(lines), encoding="utf-8")
    assert read_norms(table) == tuple(replace(norm, source="x") for norm in norms)


HEAD = "measure,unit,mean,sd,source,sex,low,high,n\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "holds no norms"),
        (HEAD, "holds no norms"),
        (HEAD + "NOSE,mm,1,1,x,,,,\n", "norm 1: unknown measure 'NOSE'"),
        (HEAD + "ENEN,mm,1,1,x,,,,\nENEN,deg,1,1,x,,,,\n", "norm 2: ENEN has no unit 'deg'"),
        (HEAD + "ENEN,mm,1,0,x,,,,\n", "SD must be positive"),
        (HEAD + "ENEN,mm,nan,1,x,,,,\n", "SD must be positive"),
        (HEAD + "ENEN,mm,1,1,,,,,\n", "source missing"),
        (HEAD + "ENEN,mm,1,1,x,boy,,,\n", "neither female nor male"),
        (HEAD + "ENEN,mm,1,1,x,,9,3,\n", "ages 9.0 to 3.0"),
        (HEAD + "ENEN,mm,1,1,x,,,,1\n", "n = 1"),
        (HEAD + "ENEN,mm,1\n", "number of cells"),
        (HEAD.replace("\n", ",colour\n") + "ENEN,mm,1,1,x,,,,,red\n", "unknown column 'colour'"),
    ],
)
def test_wrong_files_are_named_with_their_fault(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "mine.csv"
    path.write_text(text)
    with pytest.raises(UsageError, match=r"mine\.csv") as error:
        read_norms(path)
    assert words in error.value.message
    assert error.value.remedy


def test_norms_as_excel_writes_them_read_the_same(tmp_path: Path) -> None:
    plain, excel = tmp_path / "plain.csv", tmp_path / "excel.csv"
    plain.write_text("measure,unit,mean,sd,source,low,high\nENEN,mm,31.5,2.25,ours,0,12\n")
    excel.write_bytes("measure;unit;mean;sd;source;low;high;;\r\nENEN;mm;31,5;2,25;ours;0;12;;\r\n".encode("utf-16"))
    assert read_norms(excel) == read_norms(plain)


@pytest.mark.parametrize("text", ["norm = 3", "[[norm]\n", "x = 1", "[[norm]]\nmeasure = 'ENEN'\nmale = [1]\n"])
def test_wrong_toml(tmp_path: Path, text: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(UsageError, match=r"mine\.toml"):
        read_norms(path)
    with pytest.raises(UsageError, match=r"none\.toml"):
        read_norms(tmp_path / "none.toml")
