"""Encoders of files: the network that was meant, fed RGB, each crop for itself.

Those as ONNX are fed as their preset wants; the networks are made here.
"""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.numpy import save_file

from ganonym.classify.encoders import FaceEncoder, OnnxEncoder, TrainedEncoder, read_encoder
from ganonym.classify.learning.fit import seeded
from ganonym.classify.networks.iresnet import IResNet, IResNetForm
from ganonym.classify.retrieval.encode import of_onnx
from ganonym.errors import EnvironmentFault, UsageError
from ganonym.weights import sha256_file

FORM = IResNetForm(blocks=(1, 1, 1, 1), widths=(4, 4, 6, 8), embedding=10, side=32)


@cache
def network(seed: int = 0) -> IResNet:
    made = seeded(lambda: IResNet(FORM), seed)
    assert isinstance(made, IResNet)
    pictures = torch.randn(16, 3, 32, 32, generator=torch.Generator().manual_seed(seed))
    pictures += pictures[:, :, :1, :1]
    with torch.no_grad():  # running statistics as a trained network has them
        for _ in range(30):
            made(pictures)
    return made.eval()


def written(folder: Path, made: IResNet) -> Path:
    path = folder / "tiny_r10.safetensors"
    save_file({name: value.numpy() for name, value in made.state_dict().items()}, path)
    return path


def crops(n: int, seed: int = 1) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (n, 32, 32, 3)).astype(np.uint8)


def test_it_gives_what_the_network_gives_for_rgb_in_minus_one_to_one(tmp_path: Path) -> None:
    made, photos = network(), crops(5)
    path = written(tmp_path, made)
    encoder: FaceEncoder = read_encoder(path, sha256_file(path).upper())
    assert (encoder.name, encoder.width) == ("tiny_r10", 10)
    fed = np.stack([photos[..., channel] / 255 * 2 - 1 for channel in (0, 1, 2)], axis=1).astype(np.float32)
    with torch.no_grad():
        expected = made(torch.from_numpy(fed)).numpy()
    np.testing.assert_allclose(encoder(photos), expected, atol=1e-5)
    assert not np.allclose(encoder(np.ascontiguousarray(photos[..., ::-1])), expected, atol=0.01)
    assert np.abs(np.linalg.norm(encoder(photos), axis=1) - 1).max() > 0.1


def test_a_crop_alone_is_encoded_as_among_others(tmp_path: Path) -> None:
    path, photos = written(tmp_path, network()), crops(70)
    encoder = read_encoder(path, sha256_file(path))
    alone = np.concatenate([encoder(photos[i : i + 1]) for i in (0, 3, 69)])
    np.testing.assert_allclose(encoder(photos)[[0, 3, 69]], alone, atol=1e-6)
    assert encoder(photos[:0]).shape == encoder(np.zeros(0, np.uint8)).shape == (0, 10)


def test_only_the_file_that_was_meant_is_read(tmp_path: Path) -> None:
    path = written(tmp_path, network())
    with pytest.raises(EnvironmentFault, match=sha256_file(path)) as caught:
        read_encoder(path, "0" * 64)
    assert "give the digest" in caught.value.remedy
    with pytest.raises(EnvironmentFault, match=r"none\.safetensors.*Check the path"):
        read_encoder(tmp_path / "none.safetensors", "0" * 64)
    path.write_bytes(b"a pickle, maybe")
    with pytest.raises(EnvironmentFault, match="not a safetensors file"):
        read_encoder(path, sha256_file(path))
    save_file({"fc.weight": np.zeros((3, 4), np.float32)}, path)
    with pytest.raises(EnvironmentFault, match="not the weights of an iResNet"):
        read_encoder(path, sha256_file(path))


@pytest.mark.parametrize(
    "wrong",
    [
        np.zeros((2, 112, 112, 3), np.uint8),
        np.zeros((2, 3, 32, 32), np.uint8),
        np.zeros((2, 32, 32), np.uint8),
        np.zeros((2, 32, 32, 3), np.float32),
    ],
    ids=lambda wrong: f"{wrong.shape} {wrong.dtype}",
)
def test_other_crops_are_refused(tmp_path: Path, wrong: NDArray[np.uint8]) -> None:
    path = written(tmp_path, network())
    with pytest.raises(UsageError, match=r"\(n, 32, 32, 3\) uint8"):
        read_encoder(path, sha256_file(path))(wrong)


def test_a_trained_classifier_encodes_too() -> None:
    encoder: FaceEncoder = TrainedEncoder("means", 3, lambda photos: photos.mean(axis=(1, 2)))
    assert (encoder.name, encoder.width) == ("means", 3)
    assert encoder(crops(4)).shape == (4, 3)


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


def faces(n: int) -> NDArray[np.uint8]:
    return np.random.default_rng(n).integers(0, 256, (n, 112, 112, 3)).astype(np.uint8)


def blocks(fed: NDArray[np.float64]) -> NDArray[np.float64]:
    return fed.reshape(len(fed), 7, 16, 7, 16, 3).mean(axis=(2, 4)).transpose(0, 3, 1, 2).reshape(len(fed), -1)


@pytest.mark.parametrize("batch", [1, "batch"])
def test_every_crop_has_its_row_however_many_the_network_takes(tmp_path: Path, batch: str | int) -> None:
    encoder: FaceEncoder = model(tmp_path / "blocks.onnx", batch)
    assert (encoder.name, encoder.width) == ("blocks (arcface)", 147)
    photos = faces(5)
    result = encoder(photos)
    np.testing.assert_allclose(result, blocks(photos / 127.5 - 1), atol=1e-4)
    assert np.array_equal(encoder(photos[2:3]), result[2:3])
    assert encoder(photos[:0]).shape == encoder(np.zeros(0, np.uint8)).shape == (0, 147)


def test_colours_are_rgb_but_where_the_preset_wants_bgr(tmp_path: Path) -> None:
    made, photos = model(tmp_path / "blocks.onnx"), faces(3)
    swapped = OnnxEncoder(made.path, made.sha256, "adaface")(photos)
    np.testing.assert_allclose(swapped, blocks(photos[..., ::-1] / 127.5 - 1), atol=1e-4)
    np.testing.assert_allclose(OnnxEncoder(made.path, made.sha256, "sface")(photos), blocks(photos), atol=0.1)
    assert np.abs(swapped - made(photos)).max() > 0.01


def test_one_network_fed_in_another_way_is_another_member_of_an_ensemble(tmp_path: Path) -> None:
    made = model(tmp_path / "blocks.onnx")
    presets = ("arcface", "adaface", "sface")
    results = [of_onnx(made.path, made.sha256, preset) for preset in presets]
    assert len({entry.digest for entry in results}) == 3
    assert of_onnx(made.path, made.sha256).digest == results[0].digest
    assert of_onnx(made.path, made.sha256.upper()).digest == results[0].digest
    assert [entry.side for entry in results] == [112] * 3


def test_what_cannot_be_run_says_why(tmp_path: Path) -> None:
    made, photos = model(tmp_path / "blocks.onnx"), faces(2)
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
