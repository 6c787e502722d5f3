"""Encoders of files: the network that was meant, fed RGB, each crop for itself."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.numpy import save_file

from ganonym.classify.encoders import FaceEncoder, TrainedEncoder, read_encoder
from ganonym.classify.learning.fit import seeded
from ganonym.classify.networks.iresnet import IResNet, IResNetForm
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
