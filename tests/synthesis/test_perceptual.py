"""LPIPS against the package that it is named after."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import NoReturn

import pytest
import torch
from safetensors.torch import save_file, save_model
from torch import nn

from ganonym.errors import EnvironmentFault
from ganonym.synthesis.perceptual import Perceptual


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object, **options: object) -> NoReturn:
        raise AssertionError("a loss must not use the network")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)


@pytest.mark.filterwarnings("ignore:.*:UserWarning:torchvision")
def test_perceptual_is_lpips_read_from_safetensors(
    tmp_path: Path, offline: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    import lpips

    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "hub"))
    torch.manual_seed(4)
    original = lpips.LPIPS(net="alex", pretrained=False, pnet_rand=True, verbose=False).eval()
    for head in original.lins:  # distances are sums with weights of at least 0
        nn.init.uniform_(head.model[-1].weight)
    save_model(original, str(tmp_path / "lpips.safetensors"))
    save_file({"net.other": torch.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(EnvironmentFault, match="not the state of lpips"):
        Perceptual(tmp_path / "other.safetensors")

    loss = Perceptual(tmp_path / "lpips.safetensors")
    output, target = torch.rand(2, 3, 64, 64) * 2 - 1, torch.rand(2, 3, 64, 64) * 2 - 1
    expected = original(output, target).mean()
    assert expected > 0.01
    torch.testing.assert_close(loss(output, target), expected, atol=1e-6, rtol=1e-6)
    assert loss(target, target).item() == pytest.approx(0, abs=1e-6)
    loss.train(True)
    assert not any(module.training for module in loss.modules())
    assert not any(weight.requires_grad for weight in loss.parameters())
    output.requires_grad_()
    loss(output, target).backward()
    assert output.grad is not None
    assert output.grad.abs().sum() > 0
    assert not (tmp_path / "hub").exists()
