"""FAN through the real loading path, on weights made here; decoding against face-alignment's own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from face_alignment.models import FAN
from face_alignment.utils import _get_preds_fromhm, transform
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from ganonym.errors import EnvironmentFault
from ganonym.faces import fan
from ganonym.faces.align import apply
from ganonym.faces.blazeface import BlazeFaceDetector
from ganonym.faces.detect import DlibDetector
from ganonym.faces.find import default_backends, reading_backends
from ganonym.faces.landmarks import DlibLandmarks
from ganonym.faces.mesh import MeshLandmarks
from ganonym.types import Box
from ganonym.weights import sha256_file

BOX = Box(40.0, 50.0, 160.0, 180.0)


def write(folder: Path, tensors: dict[str, torch.Tensor], sha256: str = "") -> Path:
    path = folder / "fan.safetensors"
    save_file(tensors, path)
    digest = sha256 or sha256_file(path)
    text = f'[fan-2d]\nfile = "fan.safetensors"\nsha256 = "{digest}"\nlicence = "test"\ntrained_on = ["noise"]\n'
    (folder / "manifest.toml").write_text(text)
    return folder


@pytest.fixture(scope="module")
def network() -> FAN:
    torch.manual_seed(0)
    return FAN(1).eval()


@pytest.fixture
def folder(tmp_path: Path, network: FAN) -> Path:
    return write(tmp_path, network.state_dict())


def photo() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (240, 200, 3), dtype=np.uint8)


def test_present_weights_are_chosen_and_used(folder: Path, network: FAN) -> None:
    detector, landmarks = default_backends(folder)
    assert (detector.name, landmarks.name) == ("dlib-hog", "fan-68")
    points = landmarks.locate(photo(), BOX)
    assert points.shape == (68, 2)
    assert points.dtype == np.float64
    in_input = apply(fan.input_frame(BOX), points)
    assert in_input.min() >= 0.0
    assert in_input.max() <= 255.0
    assert np.array_equal(points, landmarks.locate(photo(), BOX))


def test_the_environment_names_the_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GANONYM_WEIGHTS", str(folder))
    assert default_backends()[1] == fan.FanLandmarks(folder)


def test_absent_weights_mean_the_mesh_for_the_maker_and_dlib_for_readers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GANONYM_WEIGHTS", raising=False)
    for folder in (None, tmp_path, tmp_path / "nowhere"):
        assert default_backends(folder) == (BlazeFaceDetector(), MeshLandmarks())
        assert reading_backends(folder) == (DlibDetector(), DlibLandmarks())


def test_readers_take_fan_too(folder: Path) -> None:
    assert reading_backends(folder) == default_backends(folder)


def test_missing_file_means_the_mesh(folder: Path) -> None:
    (folder / "fan.safetensors").unlink()
    assert isinstance(default_backends(folder)[1], MeshLandmarks)


def test_altered_weights_are_refused(folder: Path) -> None:
    path = folder / "fan.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(EnvironmentFault, match="SHA-256"):
        default_backends(folder)
    with pytest.raises(EnvironmentFault, match="SHA-256"):
        fan.FanLandmarks(folder).locate(photo(), BOX)


def test_pickles_are_refused_even_with_the_right_digest(tmp_path: Path, network: FAN) -> None:
    folder = write(tmp_path, {"x": torch.zeros(1)})
    torch.save(network.state_dict(), folder / "fan.safetensors")
    wrong = sha256_file(folder / "fan.safetensors")
    manifest = (folder / "manifest.toml").read_text().splitlines()
    manifest[2] = f'sha256 = "{wrong}"'
    (folder / "manifest.toml").write_text("\n".join(manifest))
    with pytest.raises(EnvironmentFault, match="not a safetensors file"):
        default_backends(folder)[1].locate(photo(), BOX)


@pytest.mark.parametrize("missing", ["conv1.weight", "l0.bias"])
def test_other_networks_are_refused(tmp_path: Path, network: FAN, missing: str) -> None:
    tensors = {key: value for key, value in network.state_dict().items() if key != missing}
    with pytest.raises(EnvironmentFault, match="2-D FAN"):
        default_backends(write(tmp_path, tensors))[1].locate(photo(), BOX)


@settings(max_examples=30)
@given(st.integers(0, 2**32 - 1))
def test_peaks_are_upstreams(seed: int) -> None:
    heatmaps = np.random.default_rng(seed).random((68, 64, 64), dtype=np.float32)
    highest = heatmaps.reshape(1, 68, -1).argmax(axis=-1)
    oracle, _ = _get_preds_fromhm.py_func(heatmaps[None], highest)  # uncompiled; upstream counts from pixel corners
    np.testing.assert_allclose(fan.peaks(heatmaps) + 0.5, oracle[0])


def test_peaks_find_planted_blobs() -> None:
    centres = np.random.default_rng(0).uniform(3.0, 60.0, (68, 2))
    y, x = np.mgrid[:64, :64]
    squared = (x - centres[:, :1, None]) ** 2 + (y - centres[:, 1:, None]) ** 2
    result = fan.peaks(np.exp(-squared / 4.0).astype(np.float32))
    assert np.abs(result - centres).max() <= 0.2501


def test_input_frame_is_upstreams() -> None:
    width, height = BOX.right - BOX.left, BOX.bottom - BOX.top
    centre = np.array([(BOX.left + BOX.right) / 2, (BOX.top + BOX.bottom) / 2 - 0.12 * height])
    for corner in ([40.0, 50.0], [160.0, 180.0], [100.0, 100.0]):
        oracle = transform(torch.tensor(corner), centre, (width + height) / 195.0, 256.0).numpy()  # whole pixels
        ours = apply(fan.input_frame(BOX), np.array([corner]))[0] + 0.5
        assert np.all(np.abs(ours - oracle - 0.5) <= 0.51)
