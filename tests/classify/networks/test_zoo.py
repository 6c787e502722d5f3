"""The six networks have the published sizes and looks, narrow ones their wiring; only the right weights get in."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file
from torch import nn
from torchvision import models

from ganonym.classify.learning.fit import seeded
from ganonym.classify.networks.zoo import (
    ARCHITECTURES,
    Architecture,
    Pretrained,
    adopt,
    fill,
    last_maps,
    look,
    network,
    prepared,
    skeleton,
)
from ganonym.errors import EnvironmentFault, UsageError
from ganonym.weights import sha256_file

# With 1000 classes: torchvision's tables (without the head for training only), Chollet 2017 (table 3), timm's results.
PUBLISHED = {
    "resnet50": models.ResNet50_Weights.IMAGENET1K_V1.meta["num_params"],
    "densenet121": models.DenseNet121_Weights.IMAGENET1K_V1.meta["num_params"],
    "inception_v3": 23_834_568,
    "xception": 22_855_952,
    "inception_v4": 42_679_816,
    "inception_resnet_v2": 55_843_464,
}


def weights_of(module: nn.Module) -> int:
    return sum(weight.numel() for weight in module.parameters())


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_number_of_weights_is_the_published_one(architecture: Architecture) -> None:
    assert weights_of(skeleton(architecture, 1000)) == PUBLISHED[architecture]


def test_inception_v3_lacks_only_the_auxiliary_head_of_torchvision() -> None:
    import timm  # takes seconds, which every collection would

    with torch.device("meta"):
        auxiliary = timm.create_model("inception_v3", pretrained=False, aux_logits=True).AuxLogits
    whole = models.Inception_V3_Weights.IMAGENET1K_V1.meta["num_params"]
    assert weights_of(skeleton("inception_v3", 1000)) == whole - weights_of(auxiliary)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_look_is_the_published_one(architecture: Architecture) -> None:
    result = look(architecture)
    if architecture in ("resnet50", "densenet121"):
        assert (result.side, result.mean, result.std) == (224, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    else:
        assert (result.side, result.mean, result.std) == (299, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_narrow_network_is_the_full_one_with_an_eighth_of_the_channels(architecture: Architecture) -> None:
    full, narrow = skeleton(architecture, 5), seeded(lambda: network(architecture, 5, 8), 1).eval()
    layers = [module for module in full.modules() if isinstance(module, nn.Conv2d)]
    thin = [module for module in narrow.modules() if isinstance(module, nn.Conv2d)]
    assert len(layers) == len(thin)
    for wide, slim in zip(layers, thin, strict=True):
        assert wide.out_channels == 8 * slim.out_channels
        assert (wide.kernel_size, wide.stride, wide.padding) == (slim.kernel_size, slim.stride, slim.padding)
        assert (wide.groups == wide.in_channels) == (slim.groups == slim.in_channels)
    assert 1 / 64 <= weights_of(narrow) / weights_of(full) < 1 / 50
    seen: list[torch.Size] = []
    last_maps(narrow).register_forward_hook(lambda *entry: seen.append(entry[2].shape))
    with torch.inference_mode():
        pictures = torch.randn(2, 3, 112, 112, generator=torch.Generator().manual_seed(0))
        scores = narrow(pictures)
        assert scores.shape == (2, 5)
        assert torch.isfinite(scores).all()
        pooled = narrow.forward_features(pictures).mean(dim=(2, 3))  # global average pooling, nothing else
        torch.testing.assert_close(narrow.get_classifier()(pooled), scores, atol=1e-4, rtol=1e-4)
    assert seen[0][:2] == (2, narrow.num_features)
    assert seen[0][2] >= 2


def test_first_weights_are_the_seeds_and_he_s() -> None:
    before = torch.random.get_rng_state()
    one, same, other = (seeded(lambda: network("resnet50", 3, 8), seed).state_dict() for seed in (1, 1, 2))
    assert torch.equal(torch.random.get_rng_state(), before)
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not torch.equal(one["conv1.weight"], other["conv1.weight"])
    convolution = one["layer4.0.conv3.weight"]  # 64 → 256 channels, 1 × 1
    assert convolution.std().item() == pytest.approx((2 / 256) ** 0.5, rel=0.02)
    assert not one["layer4.0.bn3.weight"].any()  # a block that adds nothing yet
    assert one["bn1.running_var"].tolist() == [1.0] * 8


def test_pictures_are_resized_and_normalised_in_rgb() -> None:
    crops = np.zeros((1, 8, 8, 3), np.uint8)
    crops[..., 0], crops[..., 2] = 255, 51
    ready = prepared(crops, 12, look("resnet50"))
    assert ready.shape == (1, 3, 12, 12)
    for channel, value in enumerate([(1 - 0.485) / 0.229, -0.456 / 0.224, (0.2 - 0.406) / 0.225]):
        assert ready[0, channel].numpy() == pytest.approx(value, abs=1e-5)
    edge = np.zeros((1, 8, 8, 3), np.uint8)
    edge[:, :, 4:] = 255
    steep = prepared(edge, 12, look("xception"))
    assert steep.min() >= -1 and steep.max() <= 1  # noqa: PT018 — cubics overshoot
    assert (steep[0, 0].diff(dim=1) >= -1e-6).all()
    with pytest.raises(UsageError, match="float64"):
        prepared(crops / 255, 12, look("resnet50"))


def test_the_users_weights_get_in_by_digest_and_the_head_stays(tmp_path: Path) -> None:
    source = seeded(lambda: network("densenet121", 1000, 8), 1)
    path = tmp_path / "weights.safetensors"
    arrays = {name: tensor.numpy() for name, tensor in source.state_dict().items()}
    without = {name: array for name, array in arrays.items() if not name.endswith("num_batches_tracked")}
    save_file({**without, "AuxLogits.fc.bias": np.zeros(2, np.float32)}, path)
    learner = seeded(lambda: network("densenet121", 4, 8), 2)
    head = learner.get_classifier().weight.detach().clone()
    adopt(learner, Pretrained(path, sha256_file(path).upper()))
    assert torch.equal(learner.get_classifier().weight, head)
    given, taken = source.state_dict(), learner.state_dict()
    for name, tensor in taken.items():
        assert name.startswith("classifier.") or torch.equal(tensor, given[name]), name
    assert all(weight.requires_grad for weight in learner.parameters())
    with pytest.raises(EnvironmentFault, match="declared was"):
        adopt(learner, Pretrained(path, "0" * 64))
    with pytest.raises(EnvironmentFault, match="absent"):
        adopt(learner, Pretrained(tmp_path / "none.safetensors", "0" * 64))
    with pytest.raises(EnvironmentFault, match="does not fit"):
        adopt(seeded(lambda: network("resnet50", 4, 8), 2), Pretrained(path, sha256_file(path)))


def test_arrays_of_another_shape_or_name_are_refused() -> None:
    narrow = seeded(lambda: network("resnet50", 3, 8), 1)
    arrays = {name: tensor.numpy() for name, tensor in narrow.state_dict().items()}
    bare = skeleton("resnet50", 3, 8)
    fill(bare, arrays, "here")
    assert torch.equal(bare.state_dict()["fc.weight"], narrow.state_dict()["fc.weight"])
    for changed in (
        {**arrays, "fc.weight": arrays["fc.weight"][:2]},
        {**arrays, "more": np.zeros(1)},
        {name: array for name, array in arrays.items() if name != "bn1.running_mean"},
    ):
        with pytest.raises(EnvironmentFault, match="here does not fit"):
            fill(skeleton("resnet50", 3, 8), changed, "here")


def test_what_there_is_not() -> None:
    with pytest.raises(UsageError, match="vgg16"):
        skeleton("vgg16", 3)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="by 3"):
        network("resnet50", 3, 3)
