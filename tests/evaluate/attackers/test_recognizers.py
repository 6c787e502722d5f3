"""Recognizers that the user brings: fed as they were trained, checked before they run. The models are made here."""

from __future__ import annotations

import hashlib
import pickle
import sys
from pathlib import Path

import numpy as np
import pytest

from ganonym.classify.crops import TEMPLATE, ArcFaceCrop
from ganonym.errors import EnvironmentFault, UsageError
from ganonym.evaluate.attackers.attacker import Lesson, Sample, Templates, templates
from ganonym.evaluate.attackers.recognizers import (
    PRESETS,
    OnnxView,
    parse_recognizer,
    recognizer,
)
from ganonym.types import RGB, Floats, Points


def model(path: Path, shape: tuple[str | int, ...] = ("batch", 3, 112, 112), constant: float | None = None) -> OnnxView:
    """Writes a network that gives the means of 16 x 16 blocks, (3 · 7 · 7,), or with `constant` that times them."""
    from onnx import TensorProto, helper

    nodes = [
        helper.make_node("AveragePool", ["picture"], ["pooled"], kernel_shape=[16, 16], strides=[16, 16]),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
        helper.make_node("Mul", ["flat", "factor"], ["template"]),
    ]
    graph = helper.make_graph(
        nodes,
        "blocks",
        [helper.make_tensor_value_info("picture", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("template", TensorProto.FLOAT, None)],
        [helper.make_tensor("factor", TensorProto.FLOAT, [1], [1.0 if constant is None else constant])],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    path.write_bytes(made.SerializeToString())
    return OnnxView(path, hashlib.sha256(path.read_bytes()).hexdigest(), "arcface")


def face(rng: np.random.Generator, side: int = 200) -> tuple[Points, Floats, Floats]:
    """Landmarks of a turned face whose five points fit exactly, and linear part and shift of 112 px crop → photo."""
    angle, size = rng.uniform(-0.6, 0.6), rng.uniform(1.0, 1.3)
    linear = size * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    shift = np.array([side / 2, side / 2]) - linear @ np.array([55.5, 55.5])
    five = TEMPLATE @ linear.T + shift
    points = rng.uniform(0, side, (68, 2))
    points[36:42], points[42:48] = five[0], five[1]
    points[36:42] += np.array([[-3, 0], [-1, -1], [1, -1], [3, 0], [1, 1], [-1, 1]])
    points[30], points[48], points[54] = five[2:]
    return points, linear, shift


def waves(xy: Floats) -> Floats:
    """A smooth coloured picture, defined at every place (…, 2)."""
    x, y = xy[..., 0], xy[..., 1]
    return np.stack([120 + 90 * np.sin(x / 17), 90 + 80 * np.cos(y / 13 + 1), 140 + 60 * np.sin((x + y) / 23)], axis=-1)


def grid(side: int) -> Floats:
    return np.stack(np.meshgrid(np.arange(side), np.arange(side)), axis=-1).astype(np.float64)


def pictured(side: int = 200) -> RGB:
    return waves(grid(side)).round().astype(np.uint8)


def test_the_face_is_brought_to_where_recognizers_expect_it() -> None:
    for seed in range(4):
        points, linear, shift = face(np.random.default_rng(seed))
        there = grid(112) @ linear.T + shift
        inside = ((there > 2) & (there < 197)).all(axis=-1)
        assert inside.mean() > 0.9
        error = ArcFaceCrop()(pictured(), points).astype(np.float64) - waves(there)
        assert np.abs(error[inside]).max() < 2.5


@pytest.mark.parametrize(
    ("preset", "oracle"),
    [
        ("arcface", lambda rgb: (rgb - 127.5) / 127.5),
        ("auraface", lambda rgb: (rgb - 127.5) / 127.5),
        ("adaface", lambda rgb: (rgb[..., ::-1] / 255 - 0.5) / 0.5),
        ("sface", lambda rgb: rgb),
    ],
)
def test_colours_come_in_the_order_and_scale_of_the_preset(tmp_path: Path, preset: str, oracle: object) -> None:
    assert callable(oracle)
    made = model(tmp_path / "blocks.onnx")
    view = OnnxView(made.path, made.sha256, preset)
    points, _, _ = face(np.random.default_rng(5))
    result = view.template(Sample(pictured(), points))
    assert result is not None
    assert view.width == len(result) == 147
    expected = oracle(ArcFaceCrop()(pictured(), points).astype(np.float64)).reshape(7, 16, 7, 16, 3).mean(axis=(1, 3))
    assert np.allclose(result, expected.transpose(2, 0, 1).ravel(), rtol=1e-4, atol=1e-4)


def test_it_attacks_by_cosine_and_travels_to_workers(tmp_path: Path) -> None:
    attacker = recognizer(pickle.loads(pickle.dumps(model(tmp_path / "blocks.onnx"))))
    assert (attacker.name, attacker.approach.tier) == ("blocks (arcface)", "T2")
    rng = np.random.default_rng(6)
    samples = [Sample(pictured(), face(rng)[0]), Sample(pictured()[::-1], face(rng)[0]), Sample(pictured(), None)]
    rows = templates(attacker.view, samples)
    assert np.isnan(rows[2]).all()
    side = Templates(rows, released=False)
    distances = attacker.learn(Lesson(rows[:0], rows[:0], ()))(side, side)
    one, other = rows[0].astype(np.float64), rows[1].astype(np.float64)
    assert distances[0, 1] == pytest.approx(1 - one @ other / np.linalg.norm(one) / np.linalg.norm(other))
    assert distances[0, 0] == pytest.approx(0, abs=1e-9)
    assert np.isnan(distances[2]).all()


def test_the_oracle_clicks_faces_that_no_detector_sees(tmp_path: Path) -> None:
    made = model(tmp_path / "blocks.onnx")
    points, _, _ = face(np.random.default_rng(7))
    hidden = Sample(pictured(), None, oracle=points)
    assert made.template(hidden) is None
    seen = OnnxView(made.path, made.sha256, made.preset, oracle=True).template(hidden)
    assert seen is not None
    assert np.array_equal(seen, made.template(Sample(pictured(), points)))


def refusal(view: OnnxView) -> str:
    points, _, _ = face(np.random.default_rng(8))
    with pytest.raises(EnvironmentFault) as caught:
        view.template(Sample(pictured(), points))
    return str(caught.value)


def test_another_file_than_the_one_meant_does_not_run(tmp_path: Path) -> None:
    made = model(tmp_path / "blocks.onnx")
    wrong = refusal(OnnxView(made.path, "0" * 64, "arcface"))
    assert made.sha256 in wrong
    assert "blocks.onnx" in wrong
    assert "Check the path" in refusal(OnnxView(tmp_path / "none.onnx", made.sha256, "arcface"))


def test_what_is_no_such_network_is_refused(tmp_path: Path) -> None:
    junk = tmp_path / "junk.onnx"
    junk.write_bytes(b"no protobuf at all")
    assert "no ONNX network" in refusal(OnnxView(junk, hashlib.sha256(junk.read_bytes()).hexdigest(), "arcface"))
    shapes: list[tuple[str | int, ...]] = [(1, 3, 160, 160), (1, 112, 112, 3), (8, 3, 112, 112)]
    for index, shape in enumerate(shapes):
        assert "(1, 3, 112, 112)" in refusal(model(tmp_path / f"{index}.onnx", shape))
    assert "no usable template" in refusal(model(tmp_path / "nan.onnx", constant=float("nan")))
    assert "no usable template" in refusal(model(tmp_path / "zero.onnx", constant=0.0))


def test_without_onnxruntime_the_remedy_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = model(tmp_path / "alone.onnx")
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    assert "Reinstall ganonym" in refusal(made)


def test_a_recognizer_is_read_from_the_command_line() -> None:
    digest = "aB" * 32
    view = parse_recognizer(f"onnx:C:/models/w600k_r50.onnx:arcface:{digest}")
    assert (view.path, view.preset, view.sha256) == (Path("C:/models/w600k_r50.onnx"), "arcface", digest.lower())
    for wrong in ("", "onnx", "torch:a:arcface:" + digest, f"onnx::arcface:{digest}", "onnx:a:arcface"):
        with pytest.raises(UsageError, match="onnx:PATH:PRESET:SHA256"):
            parse_recognizer(wrong)
    with pytest.raises(UsageError, match="SHA-256"):
        parse_recognizer("onnx:a.onnx:arcface:123")
    with pytest.raises(UsageError, match="|".join(PRESETS)):
        parse_recognizer(f"onnx:a.onnx:facenet:{digest}")
