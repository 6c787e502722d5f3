"""dlib's landmarks against hand-set points, and their behaviour under crop, scale and shifted boxes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import data

from ganonym.errors import EnvironmentFault
from ganonym.faces.detect import DlibDetector, resize
from ganonym.faces.landmarks import DlibLandmarks, model_file
from ganonym.types import RGB, Box, Points

MANUAL = {36: 18, 39: 22, 42: 23, 45: 27, 48: 87, 54: 93, 33: 55, 8: 129}
"""iBUG-68 index → index of the same place in London's manual 189-point template."""


@pytest.fixture(scope="module")
def astronaut() -> tuple[RGB, Box]:
    rgb: RGB = np.asarray(data.astronaut())
    return rgb, DlibDetector().detect(rgb)[0]


def interocular(points: Points) -> float:
    return float(np.linalg.norm(points[36] - points[45]))


def worst(a: Points, b: Points) -> float:
    return float(np.linalg.norm(a - b, axis=1).max() / interocular(a))


def test_points_agree_with_manual_ones(london_folder: Path) -> None:
    manual = json.loads((london_folder.parent / "london_points189.json").read_text())
    errors = []
    for path in sorted(london_folder.glob("*_neutral.jpg"))[:20]:
        rgb = np.asarray(Image.open(path).convert("RGB"))
        points = DlibLandmarks().locate(rgb, DlibDetector().detect(rgb)[0])
        template = np.array(manual[f"london-{path.name[:3]}"])
        gap = np.linalg.norm(points[list(MANUAL)] - template[list(MANUAL.values())], axis=1)
        errors.append(gap.mean() / interocular(points))
    assert np.mean(errors) < 0.025  # two careful people differ by about 0.02


def test_order_is_ibugs(astronaut: tuple[RGB, Box]) -> None:
    points = DlibLandmarks().locate(*astronaut)
    assert points.shape == (68, 2)
    assert points.dtype == np.float64
    x, y = points.T
    assert np.all(np.diff(x[:17]) > 0)
    assert y[8] == y.max()
    assert x[36] < x[39] < x[27] < x[42] < x[45]
    assert y[17:27].mean() < y[36:48].mean() < y[33] < y[51] < y[57]


def test_a_cut_moves_the_points_with_it(astronaut: tuple[RGB, Box]) -> None:
    rgb, box = astronaut
    cut = np.array([100, 0])
    moved = replace(box, left=box.left - 100, right=box.right - 100)
    part = np.ascontiguousarray(rgb[:400, 100:400])
    assert worst(DlibLandmarks().locate(rgb, box), DlibLandmarks().locate(part, moved) + cut) < 1e-9


@pytest.mark.parametrize("scale", [2.0, 4.0, 7.0])
def test_a_large_photo_gives_the_same_points(astronaut: tuple[RGB, Box], scale: float) -> None:
    rgb, box = astronaut
    large = resize(rgb, scale)
    edges = [(edge + 0.5) * scale - 0.5 for edge in (box.left, box.top, box.right, box.bottom)]
    points = (DlibLandmarks().locate(large, Box(*edges)) + 0.5) / scale - 0.5
    gap = np.linalg.norm(points - DlibLandmarks().locate(rgb, box), axis=1).mean()
    assert gap / interocular(points) < 0.02


def test_nudging_steadies_the_points(astronaut: tuple[RGB, Box]) -> None:
    rgb, box = astronaut
    shifts = np.random.default_rng(0).normal(0.0, 0.04 * box.width, (20, 2))
    boxes = [Box(box.left + x, box.top + y, box.right + x, box.bottom + y) for x, y in shifts]

    def jitter(model: DlibLandmarks) -> float:
        return float(np.std([model.locate(rgb, moved) for moved in boxes], axis=0).mean())

    assert jitter(DlibLandmarks()) < 0.75 * jitter(DlibLandmarks(nudges=((0.0, 0.0),)))


@pytest.mark.parametrize(
    "box", [Box(-60, -80, 60, 40), Box(480, 480, 600, 600), Box(900, 900, 990, 990), Box(5, 5, 5, 5)]
)
def test_any_box_gives_finite_points(astronaut: tuple[RGB, Box], box: Box) -> None:
    points = DlibLandmarks().locate(astronaut[0], box)
    assert points.shape == (68, 2)
    assert np.isfinite(points).all()


def test_a_missing_model_file_names_the_remedy() -> None:
    with pytest.raises(EnvironmentFault, match="pip install"):
        model_file("shape_predictor_9_face_landmarks.dat")
