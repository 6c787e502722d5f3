"""LPIPS (Zhang et al. 2018): the distance of two pictures as people see it, for training and for assessments."""

from __future__ import annotations

import warnings
from pathlib import Path

from safetensors.torch import load_file
from torch import Tensor, nn

from ganonym.errors import EnvironmentFault


class Perceptual(nn.Module):
    """LPIPS (Zhang et al. 2018) with weights read from a safetensors file; images (n, 3, h, w) in −1…1.

    The `lpips` package itself would download a backbone and unpickle its heads, so only its architecture is used: the
    file holds the state of `lpips.LPIPS(net="alex")` as `safetensors.torch.save_model` writes it. Never trains,
    whatever mode is asked for. Raises EnvironmentFault for weights of anything else.
    """

    def __init__(self, weights: Path) -> None:
        super().__init__()
        import lpips

        with warnings.catch_warnings():  # lpips calls torchvision in a way that it calls deprecated
            warnings.simplefilter("ignore", UserWarning)
            self.network = lpips.LPIPS(net="alex", pretrained=False, pnet_rand=True, verbose=False)
        missing, unexpected = self.network.load_state_dict(load_file(weights), strict=False)
        # lpips knows its heads by two names, lin0 … and lins.0 …; safetensors stores a tensor once.
        if unexpected or any(not name.startswith("lins.") for name in missing):
            raise EnvironmentFault(f"{weights} is not the state of lpips.LPIPS(net='alex').", "Export it once more.")
        self.network.requires_grad_(False)
        self.train()

    def train(self, mode: bool = True) -> Perceptual:
        del mode
        super().train(False)
        return self

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        distance: Tensor = self.network(output, target)
        return distance.mean()
