"""Where on the crop a network looks: gradient-weighted class activation maps (Selvaraju et al. 2017), by captum."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from ganonym.errors import EnvironmentFault, UsageError
from ganonym.types import Floats

AT_ONCE = 16


def grad_cam(
    network: nn.Module,
    layer: nn.Module,
    pictures: Tensor,
    target: int | Sequence[int],
    size: tuple[int, int] | None = None,
) -> Floats:
    """How much each place speaks for class `target`, (n, h, w) in 0…1, each map divided by its maximum.

    `pictures` (n, 3, s, s) as `network` takes them; its output (n, c) holds scores before softmax. `target` is one
    class for all or one a picture. `layer` is a part of `network` whose output is (n, d, h', w'); the method is
    published for the last before pooling (`networks.zoo.last_maps`). Maps are brought to `size` (h, w), by default that
    of the pictures, linearly. A map in which nothing speaks for the class is 0 everywhere. The network is looked at in
    evaluation mode and left as it was. Raises EnvironmentFault without captum, UsageError when `layer` has no
    maps and for a class that there is not.
    """
    wanted = [target] * len(pictures) if isinstance(target, int) else list(target)
    if len(wanted) != len(pictures):
        raise UsageError(f"{len(wanted)} targets for {len(pictures)} pictures.", "Give one, or one a picture.")
    with _still(network), torch.inference_mode():
        classes = network(pictures[:1]).shape[1] if len(pictures) else 0
    if wanted and not 0 <= min(wanted) <= max(wanted) < classes:
        raise UsageError(f"the network has classes 0 to {classes - 1}, asked for were {sorted(set(wanted))}.")
    return _maps(network, network, layer, pictures, wanted, size)


def concept_cam(
    network: nn.Module,
    layer: nn.Module,
    pictures: Tensor,
    concept: Floats,
    size: tuple[int, int] | None = None,
) -> Floats:
    """As `grad_cam`, for a network without classes: how much each place speaks for likeness to `concept`.

    `network` gives embeddings (n, d); what is differentiated is the cosine of each with `concept` (d,), say the mean
    embedding of a syndrome.
    """

    def likeness(seen: Tensor) -> Tensor:
        embeddings: Tensor = network(seen)
        return functional.cosine_similarity(embeddings, torch.as_tensor(concept, dtype=embeddings.dtype)[None], dim=1)

    return _maps(likeness, network, layer, pictures, None, size)


def _maps(
    forward: Callable[[Tensor], Tensor],
    network: nn.Module,
    layer: nn.Module,
    pictures: Tensor,
    targets: list[int] | None,
    size: tuple[int, int] | None,
) -> Floats:
    size = size or (pictures.shape[2], pictures.shape[3])
    cam = _captum().LayerGradCam(forward, layer)
    parts: list[Tensor] = [torch.zeros(0, *size)]
    with _still(network), torch.inference_mode(False), torch.enable_grad():
        for start in range(0, len(pictures), AT_ONCE):
            # A copy that wants gradients, so that networks whose weights are frozen have some too.
            seen = pictures[start : start + AT_ONCE].detach().clone().requires_grad_()
            target = None if targets is None else targets[start : start + AT_ONCE]
            coarse = cam.attribute(seen, target, relu_attributions=True).detach()
            if coarse.ndim != 4:
                raise UsageError(f"the layer's output is no map: {tuple(coarse.shape)}.", "Choose one before pooling.")
            parts.append(functional.interpolate(coarse, size, mode="bilinear", align_corners=False)[:, 0])
    maps = torch.cat(parts).double()
    most = maps.amax(dim=(1, 2), keepdim=True)
    return np.asarray((maps / torch.where(most > 0, most, 1.0)).numpy())


@contextmanager
def _still(network: nn.Module) -> Iterator[None]:
    """Evaluation mode for a while; every part gets its own mode back, a frozen one inside a trained one too."""
    before = [(module, module.training) for module in network.modules()]
    network.eval()
    try:
        yield
    finally:
        for module, mode in before:
            module.training = mode


def _captum() -> Any:
    try:
        from captum import attr
    except ImportError as error:
        raise EnvironmentFault("Grad-CAM needs captum.", "Install it: pip install 'ganonym[classify]'") from error
    return attr
