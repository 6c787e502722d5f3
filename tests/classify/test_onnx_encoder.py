"""Encoders that the user brings as ONNX: fed as their preset wants, one crop at a time. The networks are made here."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from ganonym.classify.encoders import FaceEncoder, OnnxEncoder
from ganonym.classify.retrieval.encode import of_onnx
from ganonym.errors import EnvironmentFault, UsageError


def model(path: Path, batch: str | int = "batch", factor: float = 1.0) -> OnnxEncoder:
    """Writes a network that gives the means of 16 x 16 blocks, (3 · 7 · 7,), times `factor`."""
    from onnx import TensorProto, helper

    nodes = [
        helper.make_node("AveragePool", ["picture"], ["pooled"], kernel_shape=[16, 16], strides=[16, 16]),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
        helper.make_node("Mul", ["flat", "factor"], ["template"]),
    ]
    graph = helper.make_graph(
        nodes,
        "blocks",
        [helper.make_tensor_value_info("picture", TensorProto.FLOAT, (batch, 3, 112, 112))],
        [helper.make_tensor_value_info("template", TensorProto.FLOAT, None)],
        [helper.make_tensor("factor", TensorProto.FLOAT, [1], [factor])],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    path.write_bytes(made.SerializeToString())
    return OnnxEncoder(path, hashlib.sha256(path.read_bytes()).hexdigest())


def crops(n: int) -> NDArray[np.uint8]:
    return np.random.default_rng(n).integers(0, 256, (n, 112, 112, 3)).astype(np.uint8)


def blocks(fed: NDArray[np.float64]) -> NDArray[np.float64]:
    return fed.reshape(len(fed), 7, 16, 7, 16, 3).mean(axis=(2, 4)).transpose(0, 3, 1, 2).reshape(len(fed), -1)


@pytest.mark.parametrize("batch", [1, "batch"])
def test_every_crop_has_its_row_however_many_the_network_takes(tmp_path: Path, batch: str | int) -> None:
    encoder: FaceEncoder = model(tmp_path / "blocks.onnx", batch)
    assert (encoder.name, encoder.width) == ("blocks (arcface)", 147)
    photos = crops(5)
    found = encoder(photos)
    np.testing.assert_allclose(found, blocks(photos / 127.5 - 1), atol=1e-4)
    assert np.array_equal(encoder(photos[2:3]), found[2:3])
    assert encoder(photos[:0]).shape == encoder(np.zeros(0, np.uint8)).shape == (0, 147)


def test_colours_are_rgb_but_where_the_preset_wants_bgr(tmp_path: Path) -> None:
    made, photos = model(tmp_path / "blocks.onnx"), crops(3)
    swapped = OnnxEncoder(made.path, made.sha256, "adaface")(photos)
    np.testing.assert_allclose(swapped, blocks(photos[..., ::-1] / 127.5 - 1), atol=1e-4)
    np.testing.assert_allclose(OnnxEncoder(made.path, made.sha256, "sface")(photos), blocks(photos), atol=0.1)
    assert np.abs(swapped - made(photos)).max() > 0.01


def test_one_network_fed_in_another_way_is_another_member_of_an_ensemble(tmp_path: Path) -> None:
    made = model(tmp_path / "blocks.onnx")
    presets = ("arcface", "adaface", "sface")
    found = [of_onnx(made.path, made.sha256, preset) for preset in presets]
    assert len({each.digest for each in found}) == 3
    assert of_onnx(made.path, made.sha256).digest == found[0].digest
    assert of_onnx(made.path, made.sha256.upper()).digest == found[0].digest
    assert [each.side for each in found] == [112] * 3


def test_what_cannot_be_run_says_why(tmp_path: Path) -> None:
    made, photos = model(tmp_path / "blocks.onnx"), crops(2)
    with pytest.raises(UsageError, match="arcface"):
        OnnxEncoder(made.path, made.sha256, "facenet")
    with pytest.raises(EnvironmentFault, match=made.sha256):
        OnnxEncoder(made.path, "0" * 64)(photos)
    with pytest.raises(EnvironmentFault, match="Check the path"):
        OnnxEncoder(tmp_path / "none.onnx", made.sha256)(photos)
    with pytest.raises(EnvironmentFault, match="no usable template"):
        model(tmp_path / "nan.onnx", factor=float("nan"))(photos)
    with pytest.raises(UsageError, match=r"\(n, 112, 112, 3\) uint8"):
        made(photos[:, :100])
    with pytest.raises(UsageError, match="uint8"):
        made(photos.astype(np.float32))
