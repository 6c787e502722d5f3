"""The spline is SciPy's, the fold check finds planted folds, and the picture goes where the landmarks say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.interpolate import RBFInterpolator

from ganonym.faces.align import apply
from ganonym.faces.measures import AXES, face_marks
from ganonym.faces.shape import to_canvas
from ganonym.phantom.cohort import Studio
from ganonym.phantom.photos import expose_warped, placement, sample_moment
from ganonym.phantom.warp import LEAST_AREA, SMOOTHING, face_warp, thin_plate
from ganonym.types import CANVAS, Points


@pytest.fixture(scope="module")
def mean(place: Studio) -> Points:
    return face_marks(to_canvas(place.model.shape.mean), place.model)


def scattered(seed: int) -> tuple[Points, Points, Points]:
    rng = np.random.default_rng(seed)
    return rng.uniform(0, 255, (60, 2)), rng.normal(0, 3, (60, 2)), rng.uniform(-30, 285, (400, 2))


def test_the_spline_is_that_of_scipy() -> None:
    places, displacements, elsewhere = scattered(0)
    expected = RBFInterpolator(places, displacements, kernel="thin_plate_spline", smoothing=SMOOTHING)(elsewhere)
    np.testing.assert_allclose(thin_plate(places, displacements).displacement(elsewhere), expected, atol=1e-6)


def test_area_is_that_of_small_squares() -> None:
    places, displacements, elsewhere = scattered(1)
    spline, half = thin_plate(places, displacements), 1e-4

    def at(x: float, y: float) -> Points:
        places = elsewhere + np.array([x, y])
        return np.asarray(places + spline.displacement(places))

    across, down = (at(half, 0) - at(-half, 0)) / (2 * half), (at(0, half) - at(0, -half)) / (2 * half)
    expected = across[:, 0] * down[:, 1] - across[:, 1] * down[:, 0]
    np.testing.assert_allclose(spline.area(elsewhere), expected, atol=1e-4)


def test_points_that_coincide_do_no_harm() -> None:
    places, displacements, _ = scattered(2)
    doubled = thin_plate(np.repeat(places, 2, axis=0), np.repeat(displacements, 2, axis=0))
    assert np.isfinite(doubled.displacement(places)).all()


def test_a_planted_fold_is_found_and_shrunk_away(mean: Points) -> None:
    swapped = np.zeros_like(mean)
    swapped[39], swapped[42] = mean[42] - mean[39], mean[39] - mean[42]
    folded = thin_plate(mean + swapped, -swapped)
    assert folded.area(mean).min() < 0
    warp = face_warp(mean, swapped)
    assert 0 < warp.shrink < 0.7
    np.testing.assert_allclose(warp.marks, mean + warp.shrink * swapped)
    fine = np.stack(np.meshgrid(np.arange(0, 256, 1.7), np.arange(0, 256, 1.7)), axis=-1).reshape(-1, 2)
    assert warp.back.area(fine).min() > LEAST_AREA / 2


def test_a_mild_warp_is_not_shrunk_and_keeps_the_rim(place: Studio, mean: Points) -> None:
    displacement = place.axes.displacement((np.array(AXES) == "MOUTHW") * 2.0)
    warp = face_warp(mean, displacement)
    assert warp.shrink == 1.0
    np.testing.assert_allclose(warp.marks + warp.back.displacement(warp.marks), mean, atol=0.3)
    rim = np.array([[-40.0, -40.0], [295.0, 295.0], [-40.0, 295.0]])
    assert np.abs(warp.back.displacement(rim)).max() < 0.05


@pytest.mark.parametrize("landmark", [8, 19, 30, 48, 57])
def test_the_picture_is_where_the_landmarks_are(place: Studio, mean: Points, landmark: int) -> None:
    rng = np.random.default_rng(landmark)
    amounts = np.clip(rng.normal(0.0, 1.0, len(AXES)), -2, 2)
    warp = face_warp(mean, place.axes.displacement(amounts))
    moment = replace(sample_moment(place.model, rng), noise=0.0, backdrop=np.zeros(3))
    y, x = np.mgrid[:CANVAS, :CANVAS]
    spot = np.exp(-((x - mean[landmark, 0]) ** 2 + (y - mean[landmark, 1]) ** 2) / 2 / 2.0**2)
    layers = np.stack([spot, spot, spot, np.zeros_like(spot)]).astype(np.float32)
    photo = expose_warped(layers, warp.back, moment, rng)[..., 0].astype(float)
    rows, columns = np.mgrid[: len(photo), : len(photo)]
    light = photo**2  # its centre hardly depends on how the spot is stretched
    seen = np.array([(columns * light).sum(), (rows * light).sum()]) / light.sum()
    told = apply(placement(moment), warp.marks[landmark : landmark + 1])[0]
    assert np.linalg.norm(seen - told) < 0.8
    unwarped = apply(placement(moment), mean[landmark : landmark + 1])[0]
    assert np.linalg.norm(told - unwarped) > 0.9
