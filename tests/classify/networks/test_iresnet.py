"""iResNets are those of arcface_torch: parameters by name and number, what they compute, what they refuse to load."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.numpy import save_file
from torch import Tensor
from torch.nn import functional

from ganonym.classify.networks.iresnet import (
    SMALL,
    IResNet,
    IResNetForm,
    embeddings,
    form_of,
    iresnet_of,
    load_iresnet,
    normalised,
    published,
)
from ganonym.errors import EnvironmentFault, UsageError

TINY = IResNetForm(blocks=(1, 2, 1, 1), widths=(4, 6, 8, 10), embedding=7, side=32)


def tiny(seed: int = 0) -> IResNet:
    """In evaluation mode, with statistics and slopes that are not those of first weights."""
    network, generator = IResNet(TINY), torch.Generator().manual_seed(seed)
    for name, tensor in network.state_dict().items():
        if tensor.is_floating_point() and name != "features.weight":
            tensor.copy_(0.2 * torch.randn(tensor.shape, generator=generator))
            if name.endswith("running_var"):
                tensor.abs_().add_(0.5)
    return network.eval()


def arrays_of(network: IResNet) -> dict[str, NDArray[np.generic]]:
    return {name: tensor.numpy().copy() for name, tensor in network.state_dict().items()}


def rgb(count: int, side: int = 32) -> NDArray[np.uint8]:
    return np.random.default_rng(count).integers(0, 256, (count, side, side, 3)).astype(np.uint8)


@pytest.mark.parametrize(
    ("depth", "million", "exact"),
    [(18, 24.0, 24_025_600), (34, 34.1, 34_139_328), (50, 43.6, 43_590_848), (100, 65.2, 65_156_160)],
)
def test_published_networks_have_their_number_of_parameters(depth: int, million: float, exact: int) -> None:
    with torch.device("meta"):
        network = IResNet(published(depth))
    result = sum(weight.numel() for weight in network.parameters())
    # By hand: a block a → b has 2a + 9ab + 2b + b + 9bb + 2b, its projection ab + 2b.
    total, before = 27 * 64 + 2 * 64 + 64, 64
    for blocks, width in zip(published(depth).blocks, (64, 128, 256, 512), strict=True):
        for block in range(blocks):
            total += 2 * before + 9 * before * width + 5 * width + 9 * width * width
            total += before * width + 2 * width if block == 0 else 0
            before = width
    total += 2 * 512 + (25_088 * 512 + 512) + 2 * 512
    assert result == total == exact
    assert round(result / 1e6, 1) == million


def test_names_are_those_of_arcface_torch() -> None:
    norm = ["weight", "bias", "running_mean", "running_var", "num_batches_tracked"]
    expected = ["conv1.weight", *(f"bn1.{n}" for n in norm), "prelu.weight"]
    for stage, blocks in enumerate((2, 2, 2, 2), start=1):
        for block in range(blocks):
            at = f"layer{stage}.{block}"
            expected += [*(f"{at}.bn1.{n}" for n in norm), f"{at}.conv1.weight", *(f"{at}.bn2.{n}" for n in norm)]
            expected += [f"{at}.prelu.weight", f"{at}.conv2.weight", *(f"{at}.bn3.{n}" for n in norm)]
            if block == 0:
                expected += [f"{at}.downsample.0.weight", *(f"{at}.downsample.1.{n}" for n in norm)]
    expected += [*(f"bn2.{n}" for n in norm), "fc.weight", "fc.bias", *(f"features.{n}" for n in norm)]
    with torch.device("meta"):
        assert list(IResNet(published(18)).state_dict()) == expected


def test_the_last_map_of_112_px_crops_is_25088_long() -> None:
    with torch.device("meta"):
        network = IResNet(published(50)).eval()
        flat = network.feature_map(torch.zeros(3, 3, 112, 112))
        assert flat.shape == (3, 25_088)
        assert network.head(flat).shape == (3, 512)


def by_hand(state: dict[str, Tensor], x: Tensor, form: IResNetForm) -> tuple[Tensor, Tensor]:
    """What arcface_torch computes, from the state alone: the flattened last map and the embedding."""

    def norm(x: Tensor, at: str) -> Tensor:
        values = (state[f"{at}.{n}"] for n in ("running_mean", "running_var", "weight", "bias"))
        mean, variance, weight, bias = (v.reshape(-1, *[1] * (x.ndim - 2)) for v in values)
        return (x - mean) / (variance + 1e-5).sqrt() * weight + bias

    def slope(x: Tensor, at: str) -> Tensor:
        return torch.where(x > 0, x, x * state[f"{at}.weight"][:, None, None])

    x = slope(norm(functional.conv2d(x, state["conv1.weight"], padding=1), "bn1"), "prelu")
    for stage, blocks in enumerate(form.blocks, start=1):
        for block in range(blocks):
            at, stride = f"layer{stage}.{block}", 2 if block == 0 else 1
            deep = functional.conv2d(norm(x, f"{at}.bn1"), state[f"{at}.conv1.weight"], padding=1)
            deep = slope(norm(deep, f"{at}.bn2"), f"{at}.prelu")
            deep = norm(functional.conv2d(deep, state[f"{at}.conv2.weight"], stride=stride, padding=1), f"{at}.bn3")
            if block == 0:
                x = norm(functional.conv2d(x, state[f"{at}.downsample.0.weight"], stride=2), f"{at}.downsample.1")
            x = x + deep
    flat = norm(x, "bn2").flatten(1)
    return flat, norm(flat @ state["fc.weight"].T + state["fc.bias"], "features")


def test_it_computes_what_arcface_torch_computes() -> None:
    network, images = tiny(), normalised(rgb(3))
    with torch.inference_mode():
        flat, embedding = by_hand(network.state_dict(), images, TINY)
        torch.testing.assert_close(network.feature_map(images), flat, atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(network(images), embedding, atol=1e-5, rtol=1e-4)
        assert torch.equal(network.head(network.feature_map(images)), network(images))
    assert flat.shape == (3, TINY.features)


def test_first_weights_are_the_published_ones() -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = IResNet(SMALL)
    weights = torch.cat([entry.flatten() for name, entry in network.state_dict().items() if entry.ndim == 4])
    assert abs(weights.mean()) < 0.002
    assert weights.std().item() == pytest.approx(0.1, rel=0.02)
    assert network.prelu.weight.unique().tolist() == [0.25]
    assert (network.features.weight == 1).all()
    assert [name for name, entry in network.named_parameters() if not entry.requires_grad] == ["features.weight"]


def test_dropout_comes_from_the_generator_only() -> None:
    network = IResNet(TINY, dropout=0.4).eval()
    flat = torch.ones(200, TINY.features)
    with torch.inference_mode():
        network.fc.weight.fill_(0.0)
        network.fc.bias.zero_()
        network.fc.weight[0] = 1.0 / TINY.features
        plain = network.head(flat)
        state = torch.random.get_rng_state()
        first, again = (network.head(flat, torch.Generator().manual_seed(9)) for _ in range(2))
    assert torch.equal(torch.random.get_rng_state(), state)
    assert torch.equal(first, again)
    assert plain[:, 0].std() == 0
    assert first[:, 0].std() > 0.05
    assert first[:, 0].mean().item() == pytest.approx(plain[0, 0].item(), rel=0.03)  # what is kept is scaled up


def test_red_is_the_first_channel() -> None:
    red = np.zeros((1, 2, 2, 3), np.uint8)
    red[..., 0] = 255
    assert normalised(red)[0, :, 0, 0].tolist() == [1.0, -1.0, -1.0]


def test_a_file_gives_the_same_network_to_the_last_bit(tmp_path: Path) -> None:
    network, crops = tiny(), rgb(5)
    save_file(arrays_of(network), tmp_path / "r.safetensors")
    loaded = load_iresnet(tmp_path / "r.safetensors")
    assert loaded.form == TINY
    assert not loaded.training
    result = embeddings(loaded, crops)
    assert result.tobytes() == embeddings(network, crops).tobytes()
    np.testing.assert_allclose(np.linalg.norm(result, axis=1), 1.0, atol=1e-5)
    plain = embeddings(loaded, crops, unit=False, batch=2)
    np.testing.assert_allclose(plain, network(normalised(crops)).detach().numpy(), atol=1e-5)
    np.testing.assert_allclose(plain / np.linalg.norm(plain, axis=1, keepdims=True), result, atol=1e-5)


def test_half_precision_is_read_and_the_global_generator_left_alone() -> None:
    half = {n: a.astype(np.float16) if a.dtype == np.float32 else a for n, a in arrays_of(tiny()).items()}
    state = torch.random.get_rng_state()
    network = iresnet_of(half)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert network.conv1.weight.dtype == torch.float32
    np.testing.assert_array_equal(network.conv1.weight.detach().numpy(), half["conv1.weight"].astype(np.float32))


def test_forms_are_read_off_the_published_weights() -> None:
    for depth in (18, 34, 50, 100):
        with torch.device("meta"):
            shapes = {name: tuple(entry.shape) for name, entry in IResNet(published(depth)).state_dict().items()}
        views = {name: np.broadcast_to(np.float32(0), shape) for name, shape in shapes.items()}
        assert form_of(views) == published(depth)


@pytest.mark.parametrize("defect", ["missing", "extra", "shape", "foreign", "empty"])
def test_other_weights_are_refused(tmp_path: Path, defect: str) -> None:
    arrays = arrays_of(tiny())
    if defect == "missing":
        del arrays["layer2.1.bn2.running_mean"]
    elif defect == "extra":
        arrays["layer2.1.se.weight"] = np.zeros(3, np.float32)
    elif defect == "shape":
        arrays["conv1.weight"] = arrays["conv1.weight"][:, :1].copy()
    elif defect == "foreign":
        arrays = {"fc.weight": np.zeros(3, np.float32)}
    else:
        arrays = {}
    save_file(arrays, tmp_path / "r.safetensors")
    with pytest.raises(EnvironmentFault, match=r"r\.safetensors: these are not the weights of an iResNet"):
        load_iresnet(tmp_path / "r.safetensors")


def test_pickles_are_refused(tmp_path: Path) -> None:
    torch.save(tiny().state_dict(), tmp_path / "backbone.pth")
    with pytest.raises(EnvironmentFault, match="not a safetensors file"):
        load_iresnet(tmp_path / "backbone.pth")


def test_networks_in_training_and_unknown_depths_are_refused() -> None:
    with pytest.raises(UsageError, match="training mode"):
        embeddings(tiny().train(), rgb(2))
    with pytest.raises(UsageError, match="iResNet-51"):
        published(51)
