"""Training losses of the generator and the discriminator; all return a scalar tensor."""

from __future__ import annotations

import warnings
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional

from ganonym.errors import EnvironmentFault

Scores = list[list[Tensor]]


def discriminator_hinge(real: Scores, fake: Scores) -> Tensor:
    """Hinge loss over patch scores, averaged over scales (Lim & Ye 2017)."""
    terms = [
        functional.relu(1 - r[-1]).mean() + functional.relu(1 + f[-1]).mean() for r, f in zip(real, fake, strict=True)
    ]
    return torch.stack(terms).mean()


def generator_hinge(fake: Scores) -> Tensor:
    """What the generator wants: high patch scores."""
    return -torch.stack([f[-1].mean() for f in fake]).mean()


def feature_matching(real: Scores, fake: Scores) -> Tensor:
    """Mean L1 between the discriminator's features of paired images (Wang et al. 2018, pix2pixHD)."""
    terms = [
        functional.l1_loss(f, r.detach())
        for rs, fs in zip(real, fake, strict=True)
        for r, f in zip(rs[:-1], fs[:-1], strict=True)
    ]
    return torch.stack(terms).mean()


ENERGY_BANDS, NEIGHBOURHOOD = 3, 16


def band_energy(output: Tensor, target: Tensor) -> Tensor:
    """L1 between the local strength of detail, mean |band| over 16 × 16 pixels, in the three finest bands.

    Where detail lies in a neighbourhood is free, and a picture as sharp as its target costs nothing: the condition
    cannot tell where each hair and pore lies, and whoever is asked for it does best by adding none.

    >>> noise = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    >>> bool(band_energy(noise.flip(-1), noise) < 0.2 * band_energy(0 * noise, noise))
    True
    """
    total = output.new_zeros(())
    for level in range(ENERGY_BANDS):
        coarse, wanted = smooth(output, level), smooth(target, level)
        found, asked = (output - coarse).abs(), (target - wanted).abs()
        total = total + functional.avg_pool2d(found - asked, NEIGHBOURHOOD).abs().mean()
        output, target = coarse, wanted
    return total


def smooth(image: Tensor, level: int) -> Tensor:
    """`image` (n, c, h, w) through the binomial filter 1 4 6 4 1 with its taps 2^level px apart, mirrored at the edges.

    Not decimated ("à trous", Holschneider et al. 1989): a loss on pooled pyramids has a grid, and networks draw it.
    """
    step, channels = 2**level, image.shape[1]
    taps = image.new_tensor([1.0, 4.0, 6.0, 4.0, 1.0]) / 16
    across = taps.reshape(1, 1, 1, 5).expand(channels, 1, 1, 5)
    padded = functional.pad(image, (2 * step,) * 4, mode="reflect")
    rows = functional.conv2d(padded, across, groups=channels, dilation=(1, step))
    return functional.conv2d(rows, across.transpose(2, 3), groups=channels, dilation=(step, 1))


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
