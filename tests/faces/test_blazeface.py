"""BlazeFace beside the interpreter and the pipeline it comes from, and under every turn, size and light."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from skimage.data import astronaut, chelsea, coffee

from ganonym.errors import EnvironmentFault
from ganonym.faces.align import unturn
from ganonym.faces.blazeface import FULL, SHORT, BlazeFaceDetector, Network, anchors, blazeface_boxes, merged, outputs
from ganonym.faces.find import find_faces
from ganonym.faces.mesh import MeshLandmarks
from ganonym.onnx_session import open_network
from ganonym.types import RGB, Box
from ganonym.weights import verified_path

from .blazeface_reference import EVERY, REFERENCE, picture

# Detections of mediapipe 0.10.14 (mp.solutions.face_detection) on skimage's astronaut, which is 512 x 512.
MEDIAPIPE = {SHORT: (177.6, 82.9, 272.9, 178.2, 0.922), FULL: (173.7, 67.8, 277.6, 171.7, 0.912)}


def shared(a: Box, b: Box) -> float:
    """Intersection over union."""
    width, height = min(a.right, b.right) - max(a.left, b.left), min(a.bottom, b.bottom) - max(a.top, b.top)
    both = max(width, 0.0) * max(height, 0.0)
    return both / (a.area + b.area - both)


@pytest.fixture(scope="module")
def sitter() -> Box:
    return blazeface_boxes(astronaut())[0]


@pytest.mark.parametrize("network", [SHORT, FULL], ids=lambda network: network.name)
def test_the_networks_answer_as_the_original_interpreter(network: Network) -> None:
    numbers, logits = outputs(network, np.ascontiguousarray(picture(network.side).transpose(0, 3, 1, 2)))
    with np.load(REFERENCE, allow_pickle=False) as kept:
        expected = kept[network.name]
    assert np.abs(np.column_stack([numbers, logits])[::EVERY] - expected).max() < 1e-3


def test_boxes_are_those_of_mediapipe() -> None:
    both = Box(*np.mean([entry[:4] for entry in MEDIAPIPE.values()], axis=0).tolist())
    (result,) = blazeface_boxes(astronaut())
    assert shared(result, both) > 0.9
    assert result.score == pytest.approx(max(entry[4] for entry in MEDIAPIPE.values()), abs=0.03)


def test_anchors_are_as_many_as_rows() -> None:
    for network, count in ((SHORT, 896), (FULL, 2304)):
        middles = anchors(network)
        assert len(middles) == count
        assert middles.min() > 0
        assert middles.max() < 1
    assert anchors(SHORT)[:3].tolist() == [[1 / 32, 1 / 32], [1 / 32, 1 / 32], [3 / 32, 1 / 32]]


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_a_turned_photo_gives_the_same_face(turns: int, sitter: Box) -> None:
    result = blazeface_boxes(np.ascontiguousarray(np.rot90(astronaut(), -turns)), turns=(turns,))[0]
    corners = unturn(np.array([[sitter.left, sitter.top], [sitter.right, sitter.bottom]]), turns, (512, 512))
    low, high = corners.min(axis=0), corners.max(axis=0)
    assert shared(result, Box(*low.tolist(), *high.tolist())) > 0.95


def test_faces_move_with_the_photo(sitter: Box) -> None:
    framed = np.zeros((512, 700, 3), np.uint8)
    framed[:, 60:572] = astronaut()
    result = blazeface_boxes(framed)[0]
    assert shared(result, Box(sitter.left + 60, sitter.top, sitter.right + 60, sitter.bottom)) > 0.75


def test_tiles_find_the_face_that_is_a_thirtieth_of_the_photo() -> None:
    small = np.full((3000, 2400, 3), 120, np.uint8)
    small[1700:2212, 900:1412] = astronaut()
    face = Box(900 + 175, 1700 + 75, 900 + 275, 1700 + 175)
    assert all(shared(box, face) < 0.1 for box in blazeface_boxes(small))
    assert shared(blazeface_boxes(small, tiles=(1, 2, 3))[0], face) > 0.7


def test_a_face_in_the_dark_is_found(sitter: Box) -> None:
    dark: RGB = np.rint(astronaut() * 0.05).astype(np.uint8)
    assert shared(blazeface_boxes(dark)[0], sitter) > 0.7


def test_the_same_photo_gives_the_same_boxes(sitter: Box) -> None:
    assert blazeface_boxes(astronaut(), tiles=(1, 2), turns=(0, 1)) == blazeface_boxes(
        astronaut(), tiles=(1, 2), turns=(0, 1)
    )
    assert blazeface_boxes(astronaut())[0] == sitter


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 900, 3), (900, 2, 3), (17, 16, 3)])
def test_photos_of_any_shape_are_looked_at(shape: tuple[int, int, int]) -> None:
    assert blazeface_boxes(np.zeros(shape, np.uint8), tiles=(1, 2, 3), turns=(0, 1, 2, 3)) == []


ROWS = st.lists(
    st.tuples(st.floats(0, 90), st.floats(0, 90), st.floats(1, 60), st.floats(1, 60), st.floats(0.5, 1)), max_size=12
)


@given(ROWS)
def test_merging_leaves_the_surest_and_nothing_new(rows: list[tuple[float, ...]]) -> None:
    boxes = np.array([(x, y, x + w, y + h, score) for x, y, w, h, score in rows]).reshape(-1, 5)
    results = [Box(*row.tolist()) for row in merged(boxes)]
    assert len(results) <= len(boxes)
    assert [box.score for box in results] == sorted((box.score for box in results), reverse=True)
    assert not len(boxes) or results[0].score == boxes[:, 4].max()
    for row in boxes:  # each is in a mean: something is where it was
        assert any(shared(box, Box(*row[:4].tolist())) > 0 for box in results)


def test_what_goes_with_a_box_is_weighted_with_it() -> None:
    rows = np.array([[0.0, 0, 10, 10, 0.9, 1.0], [1, 1, 11, 11, 0.6, 4.0], [50, 50, 60, 60, 0.7, 7.0]])
    result = merged(rows)
    assert result[:, 4].tolist() == [0.9, 0.7]
    assert result[:, 5].tolist() == pytest.approx([(0.9 * 1 + 0.6 * 4) / 1.5, 7.0])


@pytest.mark.parametrize("turns", [1, 3])
def test_the_detector_leaves_faces_on_their_side_to_another_turn(turns: int) -> None:
    assert BlazeFaceDetector().detect(np.ascontiguousarray(np.rot90(astronaut(), turns))) == []
    (face,) = find_faces(np.ascontiguousarray(np.rot90(astronaut(), turns)), BlazeFaceDetector(), MeshLandmarks())
    assert face.turns == 4 - turns


@pytest.mark.parametrize("degrees", [-40, 40])
def test_the_detector_finds_tilted_faces(degrees: float, sitter: Box) -> None:
    tilted = np.asarray(Image.fromarray(astronaut()).rotate(degrees, center=(225, 130)))
    (box,) = BlazeFaceDetector().detect(tilted)
    assert shared(box, sitter) > 0.6


def test_one_clear_face_ends_the_search_and_small_ones_go_on_with_it() -> None:
    """A crowd's faces, a twenty-fifth of the photo wide, are seen in tiles; beside a portrait, only when asked for."""
    small = np.asarray(Image.fromarray(astronaut()[20:212, 130:322]).resize((120, 120)))
    crowd = np.full((1200, 1500, 3), 120, np.uint8)
    for top, left in ((300, 200), (700, 900), (1000, 1200)):
        crowd[top : top + 120, left : left + 120] = small
    assert len(BlazeFaceDetector().detect(crowd)) == 3
    crowd[:600, 700:1300] = np.asarray(Image.fromarray(astronaut()[20:212, 130:322]).resize((600, 600)))
    assert len(BlazeFaceDetector(every_size=True).detect(crowd)) == 4


def test_a_cat_and_a_cup_have_no_face() -> None:
    assert [BlazeFaceDetector().detect(photo) for photo in (chelsea(), coffee())] == [[], []]


def test_altered_weights_are_not_run(tmp_path) -> None:
    altered = tmp_path / "blazeface_short.onnx"
    altered.write_bytes(verified_path("blazeface_short").read_bytes() + b"!")
    with pytest.raises(EnvironmentFault, match="SHA-256"):
        open_network(altered, "0" * 64)
