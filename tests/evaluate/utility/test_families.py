"""Each family of utility against a closed form, scipy or scikit-learn, with planted changes of known size."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.stats import pearsonr

from ganonym.evaluate.findings import Utility
from ganonym.evaluate.utility.agreement import pictures
from ganonym.evaluate.utility.dysmorphology import NAMES, dysmorphology, measures
from ganonym.evaluate.utility.expression import expression, expressions
from ganonym.evaluate.utility.families import detectability
from ganonym.evaluate.utility.features import distances
from ganonym.evaluate.utility.landmarks import area_under_curve, errors, landmarks, pose, turned
from ganonym.evaluate.utility.rows import compared, decide, limits_of_agreement, mean_of, repeatability
from ganonym.faces.measures import LANDMARK_AXES
from ganonym.faces.shape import from_canvas, join, load_shape, normalize, split, to_canvas
from ganonym.statistics.intervals import Estimate, proportion
from ganonym.types import Points


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def named(rows: list[Utility]) -> dict[str, Utility]:
    return {row.name: row for row in rows}


def value(estimate: Estimate | None) -> float:
    assert estimate is not None
    return estimate.value


def rotated(points: Points, degrees: float) -> Points:
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.asarray(points @ np.array([[cos, sin], [-sin, cos]]))


@pytest.mark.parametrize(
    ("low", "high", "decision"),
    [(-0.049, 0.1, "kept"), (-0.2, -0.051, "lost"), (-0.2, 0.0, "undecided"), (-0.05, -0.05, "undecided")],
)
def test_decisions(low: float, high: float, decision: str) -> None:
    for value in (low, high):  # the estimate itself decides nothing
        assert decide(Estimate(value=value, low=low, high=high), 0.05) == decision


def test_a_statistic_that_is_undefined_is_not_evaluated() -> None:
    row = compared("f", "n", (mean_of(np.full(4, np.nan)), mean_of(np.zeros(4))), list("aabb"), rng(), margin=0.05)
    assert row.decision == "not evaluated"
    assert row.released is None


def test_measures_of_originals_agree_with_themselves_and_bias_is_found(cohort: SimpleNamespace) -> None:
    same = named(dysmorphology(cohort.inputs(cohort.points), rng()))
    assert len(same) == 22
    assert value(same["mean correlation over all measures"].released) == pytest.approx(1.0)
    row = same["inner-canthal distance"]
    assert value(row.released) == pytest.approx(1.0)
    assert value(row.difference) == pytest.approx(0.0, abs=1e-9)
    assert "-0.00 … 0.00" in row.note or "0.00 … 0.00" in row.note
    assert row.original is not None  # two photos of one virtual patient
    assert 0.3 < row.original.value < 1.0

    def wider(points: Points) -> Points:
        moved = points.copy()
        moved[39], moved[42] = (
            points[39] + 0.05 * (points[39] - points[42]),
            points[42] - 0.05 * (points[39] - points[42]),
        )
        return moved

    moved = [wider(points) for points in cohort.points]
    result = named(dysmorphology(cohort.inputs(moved), rng()))
    column = list(NAMES).index("ENEN")
    before, after = measures(list(cohort.points))[:, column], measures(moved)[:, column]
    spread = before.std(ddof=1)
    gaps = (after - before) / spread
    row = result["inner-canthal distance"]
    assert value(row.released) == pytest.approx(pearsonr(before, after).statistic)
    assert row.difference is not None
    assert row.difference.value == pytest.approx(gaps.mean())
    assert row.difference.low > 0.3
    low, high = gaps.mean() - 1.96 * np.sqrt(gaps.var(ddof=1)), gaps.mean() + 1.96 * np.sqrt(gaps.var(ddof=1))
    assert limits_of_agreement(gaps) == pytest.approx((low, high))
    assert f"{low:.2f} … {high:.2f}" in row.note
    assert value(result["width of the mouth"].difference) == pytest.approx(0.0, abs=0.05)
    assert set(NAMES) == set(LANDMARK_AXES)


def test_strangers_measures_do_not_agree(cohort: SimpleNamespace) -> None:
    row = dysmorphology(cohort.inputs(cohort.of_others()), rng())[0]
    assert row.released is not None
    assert abs(row.released.value) < 0.25
    assert row.released.high < 0.4


def test_repeatability_is_the_intraclass_correlation() -> None:
    draw = np.random.default_rng(4)
    own = draw.normal(size=400)
    values = np.repeat(own, 2) + 0.5 * draw.normal(size=800)
    subjects = [f"s{photo // 2}" for photo in range(800)]
    result = repeatability(values, subjects, rng())
    pairs = values.reshape(-1, 2)
    between, within = 2 * pairs.mean(axis=1).var(ddof=1), (pairs[:, 0] - pairs[:, 1]).var() / 2
    assert value(result) == pytest.approx((between - within) / (between + within), abs=0.01)
    assert repeatability(values[:8], subjects[:8], rng()) is None


def test_expression_kept_swapped_and_lost(cohort: SimpleNamespace) -> None:
    same = named(expression(cohort.inputs(cohort.points), rng(), 0))
    assert same["label, accuracy"].decision == "kept"
    assert value(same["label, accuracy"].original) > 0.7  # half of the faces are near neither side of 0
    assert value(same["smile, correlation"].released) == pytest.approx(1.0)
    assert value(same["smile, mean absolute error in SD"].released) == pytest.approx(0.0, abs=1e-12)
    assert same["smile, correlation"].original is not None
    model = load_shape()

    def neutral(points: Points) -> Points:
        identity, coefficients = split(normalize(points, model), model)
        return to_canvas(join(identity, 0 * coefficients, model))

    lost = named(expression(cohort.inputs([neutral(points) for points in cohort.points]), rng(), 0))
    assert lost["label, accuracy"].decision == "lost"
    assert lost["label, kappa"].released is not None
    assert abs(lost["label, kappa"].released.value) < 0.25
    assert value(lost["smile, mean absolute error in SD"].released) > 0.4
    unlabelled = replace(cohort, rows=tuple(replace(row, expression=None) for row in cohort.rows))
    rows = named(expression(unlabelled.inputs(cohort.points), rng(), 0))
    assert rows["label"].decision == "not evaluated"
    assert "opening of the eyes, correlation" in rows


def test_openings_of_known_mouth_and_eyes() -> None:
    points = to_canvas(load_shape().mean)
    shut = points.copy()
    shut[[61, 62, 63]] = shut[[67, 66, 65]]
    shut[[37, 38, 43, 44]] = shut[[41, 40, 47, 46]]
    assert expressions([shut])[0, -2:] == pytest.approx([0.0, 0.0], abs=1e-12)
    width = np.linalg.norm(points[48] - points[54])
    gaps = [np.linalg.norm(points[a] - points[b]) for a, b in ((61, 67), (62, 66), (63, 65))]
    assert expressions([rotated(points, 20)])[0, -2] == pytest.approx(np.mean(gaps) / width)


def test_landmark_error_of_a_known_shift_and_after_alignment(cohort: SimpleNamespace) -> None:
    eyes = [points[36:42].mean(axis=0) - points[42:48].mean(axis=0) for points in cohort.points]
    shifted = [p + np.array([0.03, 0.04]) * np.linalg.norm(e) for p, e in zip(cohort.points, eyes, strict=True)]
    inputs = cohort.inputs(shifted, landmark_noise=np.full(160, 0.01))
    assert errors(inputs) == pytest.approx(np.full(160, 0.05))
    rows = named(list(landmarks(inputs, rng())))
    row = rows["error in eye distances"]
    assert (value(row.original), value(row.released)) == pytest.approx((0.01, 0.05))
    assert value(row.difference) == pytest.approx(0.04)
    assert value(rows["AUC@0.08"].released) == pytest.approx(1 - 0.05 / 0.08)
    assert value(rows["failures (no face, or error above 0.08)"].released) == 0.0
    turned_away = [rotated(points, 40) * 2.5 + 9 for points in cohort.points]
    free = cohort.inputs(turned_away, in_place=np.zeros(160, bool))
    assert errors(free) == pytest.approx(np.zeros(160), abs=1e-9)
    assert errors(cohort.inputs(turned_away)).min() > 1.0
    half = [None if index % 2 else points for index, points in enumerate(shifted)]
    rows = named(list(landmarks(cohort.inputs(half), rng())))
    assert value(rows["failures (no face, or error above 0.08)"].released) == pytest.approx(0.5)
    assert value(rows["error in eye distances"].released) == pytest.approx(0.05)
    assert value(rows["AUC@0.08"].released) == pytest.approx((1 - 0.05 / 0.08) / 2)


def test_area_under_curve_is_the_integral() -> None:
    result = np.random.default_rng(6).exponential(0.05, 400)
    result[:20] = np.nan
    grid = np.linspace(0, 0.08, 20001)
    curve = [(result <= limit).mean() for limit in grid]
    assert area_under_curve(result)(np.arange(400)) == pytest.approx(np.trapezoid(curve, grid) / 0.08, abs=1e-4)


def test_pose_of_turned_heads(cohort: SimpleNamespace) -> None:
    tilted = [rotated(points, 10) for points in cohort.points]
    rows = named(list(pose(cohort.inputs(tilted), rng())))
    assert value(rows["roll, mean absolute error in degrees"].released) == pytest.approx(10, abs=1e-6)
    assert value(rows["yaw, mean absolute error in degrees"].released) == pytest.approx(0, abs=1e-6)
    upright = named(list(pose(cohort.inputs(tilted, in_place=np.zeros(160, bool)), rng())))
    assert upright["roll, mean absolute error"].decision == "not evaluated"
    assert turned(rotated(cohort.points[0], 175), rotated(cohort.points[0], -175))[2] == pytest.approx(10, abs=1e-6)


def test_detection_over_subjects_with_the_exact_interval(cohort: SimpleNamespace) -> None:
    shown = [None if index < 16 else points for index, points in enumerate(cohort.points)]  # 8 of 80 subjects
    rows = named(list(detectability(cohort.inputs(shown), rng())))
    row = rows["face found in what was released"]
    exact = proportion(72, 80)
    assert row.released == Estimate(value=exact.value, low=exact.low, high=exact.high)
    assert value(row.original) == 1.0
    assert row.decision in ("undecided", "lost")
    assert value(row.difference) == pytest.approx(-0.1)
    out = np.arange(160) >= 16
    rows = named(list(detectability(cohort.inputs(shown, released=out), rng())))
    assert rows["face found in what was released"].decision == "kept"
    assert value(rows["photos released"].released) == pytest.approx(0.9)
    uneven = replace(cohort, rows=cohort.rows[1:], points=cohort.points[1:])  # the first subject has one photo, unseen
    row = named(list(detectability(uneven.inputs([None, *uneven.points[1:]]), rng())))[
        "face found in what was released"
    ]
    assert value(row.released) == pytest.approx(79 / 80)
    assert value(row.difference) == pytest.approx(-1 / 80)
    nothing = list(detectability(cohort.inputs([None] * 160, released=np.zeros(160, bool)), rng()))
    assert nothing[-1].decision == "not evaluated"


def test_picture_rows_count_zeros_and_skip_what_is_not_measured(cohort: SimpleNamespace) -> None:
    rows = named(list(pictures(cohort.inputs(cohort.points), rng())))
    assert value(rows["SSIM of the face box"].released) == 0.0
    assert value(rows["PSNR outside the face box in dB"].released) == 100.0
    assert rows["PSNR of the face box in dB"].decision == "not evaluated"
    nothing = list(pictures(cohort.inputs(cohort.points, agreement=(None,) * 160), rng()))
    assert {row.decision for row in nothing} == {"not evaluated"}


def test_kernel_distance_is_noise_for_the_same_and_large_for_others(cohort: SimpleNamespace) -> None:
    draw = np.random.default_rng(7)
    features = draw.normal(size=(160, 32))
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    other = features + 0.5
    other /= np.linalg.norm(other, axis=1, keepdims=True)
    holes = features.copy()
    holes[::3] = np.nan

    def kid(released: np.ndarray) -> Utility:  # type: ignore[type-arg]
        inputs = cohort.inputs(cohort.points, original_features=features, released_features=released)
        return next(distances(inputs, rng()))

    same, apart = kid(holes), kid(other)
    assert same.released is not None
    assert apart.released is not None
    assert same.released.low < 0.1
    assert apart.released.low > 10 * abs(same.released.value)
    assert same.original is not None
    assert same.decision == apart.decision == "reported"
    rows = list(distances(cohort.inputs(cohort.points, perceptual=np.r_[np.nan, np.full(159, 0.25)]), rng()))
    assert rows[0].decision == "not evaluated"
    assert value(rows[1].released) == pytest.approx(0.25)
    assert "GANONYM_WEIGHTS" in list(distances(cohort.inputs(cohort.points), rng()))[1].note


def test_inputs_that_do_not_fit_are_refused(cohort: SimpleNamespace) -> None:
    with pytest.raises(ValueError, match="159 entries of released_points for 160 photos"):
        cohort.inputs(cohort.points[1:])
    with pytest.raises(ValueError, match="not released"):
        cohort.inputs(cohort.points, released=np.zeros(160, bool))
    with pytest.raises(ValueError, match="original_crops"):
        cohort.inputs(cohort.points, original_crops=np.zeros((160, 32, 32, 3), np.uint8))
    assert from_canvas(to_canvas(load_shape().mean)) == pytest.approx(load_shape().mean)
