"""A planted spot lands in its region, shares are shares, and the picture shows what was computed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib import colormaps
from numpy.typing import NDArray

from ganonym.classify.explain.gradcam import REGIONS, overlay, region_mass, regions_of
from ganonym.errors import UsageError
from ganonym.faces.shape import load_shape, to_canvas

SIZE = (112, 112)


@pytest.fixture(scope="module")
def face() -> NDArray[np.float64]:
    """The mean face on a crop of 112 px."""
    return to_canvas(load_shape().mean) * 112 / 256


def spot(x: float, y: float, size: tuple[int, int] = SIZE) -> NDArray[np.float64]:
    heat = np.zeros(size)
    heat[round(y), round(x)] = 3.0
    return heat


def test_planted_spots_land_in_their_regions(face: NDArray[np.float64]) -> None:
    between = np.linalg.norm(face[45] - face[36])
    places = {
        "eyes": [face[36:42].mean(axis=0), face[42:48].mean(axis=0), face[36] - [0.08 * between, 0]],
        "brows": [face[19], face[24], face[17:22].mean(axis=0)],
        "nose": [face[30], face[28], face[33] + [0, 0.04 * between], face[31] - [0.07 * between, 0]],
        "mouth": [face[48:60].mean(axis=0), face[62], face[57] + [0, 0.04 * between]],
        "jaw": [face[8] - [0, 0.1 * between], face[5] + [0.08 * between, 0], (face[8] + face[57]) / 2],
        "rest": [[2, 2], [56, 4], (face[1] + face[31]) / 2, (face[19] + face[24]) / 2 - [0, 0.35 * between]],
    }
    assert set(places) == set(REGIONS)
    for name, spots in places.items():
        for x, y in spots:
            (mass,) = region_mass(spot(x, y)[None], face[None])
            assert mass[REGIONS.index(name)] == 1.0, (name, x, y)
            assert mass.sum() == 1.0


def test_regions_mirror_with_the_face(face: NDArray[np.float64]) -> None:
    """Both sides count alike: the mirror image of a symmetric face has the mirror image of its regions."""
    swapped = [*range(16, -1, -1), *range(26, 16, -1), *range(27, 31), *range(35, 30, -1)]
    swapped += [45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40]
    swapped += [*range(54, 47, -1), *range(59, 54, -1), *range(64, 59, -1), *range(67, 64, -1)]
    mirrored = (face * [-1, 1] + [111, 0])[swapped]
    differ = regions_of(mirrored, SIZE) != regions_of(face, SIZE)[:, ::-1]
    assert differ.mean() < 0.002


def test_regions_move_with_the_face_and_grow_with_it(face: NDArray[np.float64]) -> None:
    labels = regions_of(face, SIZE)
    np.testing.assert_array_equal(regions_of(face + np.array([7, 4]), SIZE)[4:, 7:], labels[:-4, :-7])
    shares = np.bincount(regions_of(face * 4, (448, 448)).ravel(), minlength=6) / 448**2
    np.testing.assert_allclose(shares, np.bincount(labels.ravel(), minlength=6) / 112**2, atol=0.01)
    assert labels.shape == SIZE
    assert regions_of(face + 1000, SIZE).min() == REGIONS.index("rest")  # a face outside the crop
    assert regions_of(face, (60, 112)).shape == (60, 112)
    np.testing.assert_array_equal(regions_of(face, (60, 112)), labels[:60])


@settings(max_examples=6, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.5, 50))
def test_shares_sum_to_one_whatever_the_scale(seed: int, scale: float) -> None:
    rng = np.random.default_rng(seed)
    points = to_canvas(load_shape().mean) * 40 / 256 + rng.normal(0, 1, (2, 68, 2))
    maps = rng.random((2, 40, 40)) ** 3
    mass = region_mass(maps, points)
    np.testing.assert_allclose(mass.sum(axis=1), 1.0, atol=1e-12)
    assert (mass >= 0).all()
    np.testing.assert_allclose(region_mass(scale * maps, points), mass, atol=1e-12)
    parts = [
        region_mass(np.where(regions_of(face, (40, 40)) == 1, entry, 0)[None], face[None])
        for entry, face in zip(maps, points, strict=True)
    ]
    assert all(part[0, 1] == pytest.approx(1.0) for part in parts)


def test_an_even_map_has_the_regions_areas(face: NDArray[np.float64]) -> None:
    (mass,) = region_mass(np.full((1, *SIZE), 0.2), face[None])
    areas = np.bincount(regions_of(face, SIZE).ravel(), minlength=6) / 112**2
    np.testing.assert_allclose(mass, areas, atol=1e-12)
    assert (areas > 0.005).all()


def test_picture_is_the_crop_where_the_map_is_nothing_and_colour_where_it_is_one() -> None:
    crop = np.random.default_rng(1).integers(0, 256, (4, 5, 3)).astype(np.uint8)
    heat = np.zeros((4, 5))
    heat[1, 2], heat[3, 3] = 1.0, 0.5
    shown = overlay(crop, heat, strength=0.6, colours="magma")
    assert shown.dtype == np.uint8
    untouched = heat == 0
    np.testing.assert_array_equal(shown[untouched], crop[untouched])
    for value, place in ((1.0, (1, 2)), (0.5, (3, 3))):
        colour = 255 * np.array(colormaps["magma"](value)[:3])
        expected = (1 - 0.6 * value) * crop[place] + 0.6 * value * colour
        np.testing.assert_allclose(shown[place], expected, atol=0.51)
    with pytest.raises(UsageError, match="does not lie"):
        overlay(crop, heat.T)


def test_refusals(face: NDArray[np.float64]) -> None:
    with pytest.raises(UsageError, match="no mass"):
        region_mass(-np.ones((1, 4, 4)), face[None])
    with pytest.raises(UsageError, match="no mass"):
        region_mass(np.full((1, 4, 4), np.nan), face[None])
    with pytest.raises(UsageError, match="2 maps of 1 faces"):
        region_mass(np.ones((2, 4, 4)), face[None])
    with pytest.raises(UsageError, match="no face"):
        regions_of(np.zeros((68, 2)), SIZE)
    broken = face.copy()
    broken[8] = np.nan
    with pytest.raises(UsageError, match="no face"):
        regions_of(broken, SIZE)
