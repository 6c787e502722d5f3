"""Weights on disk become differentiable functions of whole canvases; weights of anything else are refused."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from ganonym.errors import EnvironmentFault
from ganonym.faces.encoder import Encoder, to_input
from ganonym.faces.landmark_network import LandmarkNet, points_on_canvas
from ganonym_train.losses import face_network_of, landmarker_of


@pytest.fixture
def pictures() -> torch.Tensor:
    torch.manual_seed(0)
    return torch.rand(2, 3, 256, 256, requires_grad=True)


def test_a_landmark_file_becomes_a_differentiable_function(tmp_path: Path, pictures: torch.Tensor) -> None:
    network = LandmarkNet().eval()
    save_file(network.state_dict(), tmp_path / "landmarks.safetensors", metadata={"kind": "landmarks"})
    found = landmarker_of(tmp_path / "landmarks.safetensors")(pictures)
    torch.testing.assert_close(found, points_on_canvas(network, pictures))
    found.sum().backward()  # type: ignore[no-untyped-call]
    assert pictures.grad is not None
    assert pictures.grad.abs().max() > 0


def test_an_encoder_file_becomes_vectors_and_feature_maps(tmp_path: Path, pictures: torch.Tensor) -> None:
    network = Encoder().eval()
    save_file(network.state_dict(), tmp_path / "encoder.safetensors", metadata={"kind": "encoder"})
    faces = face_network_of(tmp_path / "encoder.safetensors")
    vectors, maps = faces.embed(pictures), faces.features(pictures)
    torch.testing.assert_close(vectors, network(to_input(pictures)))
    torch.testing.assert_close(vectors.norm(dim=1), torch.ones(2))
    assert [len(each) for each in maps] == [2] * 4
    sum(each.mean() for each in (vectors, *maps)).backward()  # type: ignore[union-attr]
    assert pictures.grad is not None
    assert pictures.grad.abs().max() > 0


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    save_file({"x": torch.zeros(2)}, tmp_path / "x.safetensors", metadata={"kind": "generator"})
    for load in (landmarker_of, face_network_of):
        with pytest.raises(EnvironmentFault):
            load(tmp_path / "x.safetensors")
