"""A landmark network of our own: 96 px face crops in, the 68 points out, differentiable, trained without dlib's labels.

Heatmaps at a quarter of the resolution, read by their expectation (integral regression, Sun et al. 2018), so that a
batch of pictures gives points that gradients flow through.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from ganonym.errors import EnvironmentFault
from ganonym.faces.align import apply, compose, crop, invert, similarity
from ganonym.faces.shape import CANVAS_CENTRE, CANVAS_SCALE
from ganonym.types import CANVAS, LANDMARKS, RGB, Box, Floats, Points
from ganonym.weights import read_tensors, verified_path

INPUT, CELLS = 96, 24
WIDTHS = (16, 32, 64, 112)
# Of the side of a crop, the longer side of the box around the points takes this share; the rest is room for error.
FILL = 0.7
# dlib's detector boxes beside the box around the manual points, mean over 24 London photos: size and downward shift.
BOX_TO_POINTS, BOX_DROP = 0.935, 0.075
MIRROR = np.r_[16:-1:-1, 26:16:-1, 27:31, 35:30:-1, 45:41:-1, 47, 46, 39:35:-1, 41, 40,
               54:47:-1, 59:54:-1, 64:59:-1, 67, 66, 65]  # fmt: skip


class LandmarkNet(nn.Module):
    """Crops (n, 3, 96, 96) in −1…1 → points (n, 68, 2) in −1…1 between the crop's edges, and log heatmaps.

    The heatmaps (n, 68, 24, 24) are log-probabilities over cells. In evaluation mode a face's points do not depend on
    the rest of its batch.
    """

    centres: Tensor

    def __init__(self, widths: tuple[int, int, int, int] = WIDTHS) -> None:
        super().__init__()
        first, second, third, fourth = widths
        self.at48 = _layer(12, first)
        self.at24 = nn.Sequential(_layer(first, second, stride=2), Residual(second))
        self.at12 = nn.Sequential(_layer(second, third, stride=2), Residual(third), Residual(third))
        self.at6 = nn.Sequential(_layer(third, fourth, stride=2), Residual(fourth), Residual(fourth))
        self.up12 = nn.Sequential(_layer(fourth + third, third), Residual(third))
        self.up24 = _layer(third + second, 48)
        self.heat = nn.Conv2d(48, LANDMARKS, 1)
        self.register_buffer("centres", (torch.arange(CELLS) + 0.5) * (2.0 / CELLS) - 1.0, persistent=False)

    def forward(self, crops: Tensor) -> tuple[Tensor, Tensor]:
        at24 = self.at24(self.at48(functional.pixel_unshuffle(crops, 2)))
        at12 = self.at12(at24)
        x = self.up12(torch.cat([_double(self.at6(at12)), at12], dim=1))
        x = self.up24(torch.cat([_double(x), at24], dim=1))
        heat = functional.log_softmax(self.heat(x).to(crops.dtype).flatten(2), dim=-1)
        heat = heat.reshape(-1, LANDMARKS, CELLS, CELLS)
        share = heat.exp()
        points = torch.stack([(share.sum(2) * self.centres).sum(-1), (share.sum(3) * self.centres).sum(-1)], dim=-1)
        return points, heat


class Residual(nn.Module):
    """Two 3×3 convolutions around an identity path; (n, c, h, w) → the same shape."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(_layer(width, width), nn.Conv2d(width, width, 3, padding=1))

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x + self.body(x)
        return out


def _layer(before: int, after: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(before, after, 3, stride, padding=1, bias=False), nn.BatchNorm2d(after), nn.SiLU(inplace=True)
    )


def _double(x: Tensor) -> Tensor:
    return functional.interpolate(x, scale_factor=2, mode="nearest")


def points_on_canvas(network: LandmarkNet, pictures: Tensor) -> Tensor:
    """Landmarks (n, 68, 2) in canvas pixels of pictures (n, 3, 256, 256) in −1…1; differentiable in the pictures.

    The crop is the same for every picture: faces stand where `shape.to_canvas` puts them.
    """
    scale, offset = _canvas_frame()
    theta = torch.tensor([[scale, 0.0, offset[0]], [0.0, scale, offset[1]]], dtype=pictures.dtype)
    theta = theta.to(pictures.device).expand(len(pictures), 2, 3)
    # Sampled at twice the size and averaged, so that fine skin does not alias.
    grid = functional.affine_grid(theta, [len(pictures), 3, 2 * INPUT, 2 * INPUT], align_corners=False)
    fine = functional.grid_sample(pictures, grid, padding_mode="border", align_corners=False)
    points, _ = network(functional.avg_pool2d(fine, 2))
    placed: Tensor = points * scale + points.new_tensor(offset)
    return (placed + 1.0) * (CANVAS / 2) - 0.5


def _canvas_frame() -> tuple[float, tuple[float, float]]:
    """Scale and offset from a crop's −1…1 to the canvas's −1…1."""
    # In Procrustes units the mean face is 0.32 wide and the middle of its box lies 0.018 below its centroid.
    side = 0.32 * CANVAS_SCALE / FILL
    centre = (np.array(CANVAS_CENTRE) + [0.0, 0.018 * CANVAS_SCALE] + 0.5) * (2.0 / CANVAS) - 1.0
    return side / CANVAS, (float(centre[0]), float(centre[1]))


def crop_frame(box: Box) -> Floats:
    """Matrix (2, 3) from photo pixels to the 96 px crop around the face of a detector's `box`."""
    side = max(BOX_TO_POINTS * max(box.width, box.height) / FILL, 1.0)
    return _frame(np.array([(box.left + box.right) / 2, (box.top + box.bottom) / 2 + BOX_DROP * box.height]), side)


def points_frame(points: Points, size: int = INPUT, fill: float = FILL) -> Floats:
    """Matrix (2, 3) to an upright crop of `size` px in which the box around `points` takes the share `fill`."""
    low, high = points.min(axis=0), points.max(axis=0)
    return _frame((low + high) / 2, max(float((high - low).max()) / fill, 1.0), size)


def _frame(centre: Floats, side: float, size: int = INPUT) -> Floats:
    scale = size / side
    return np.column_stack([np.eye(2) * scale, (size - 1) / 2 - scale * centre])


@dataclass(frozen=True, slots=True)
class NetworkLandmarks:
    """The landmark network as a LandmarkModel: a look at the detector's box, then `looks` at the face set upright.

    Each look is at the crop and its mirror image. `weights` names another safetensors file than the bundled one.
    Raises EnvironmentFault from `locate` when the weights are missing, altered or not of this network.
    """

    weights: Path | None = None
    looks: int = 2
    name: str = "network-68"

    @property
    def weights_files(self) -> tuple[Path, ...]:
        return (self.weights or verified_path("landmarks"),)

    def locate(self, rgb: RGB, box: Box) -> Points:
        network = load_landmark_network(self.weights)
        matrix = crop_frame(box)
        points = look(network, rgb, matrix)
        for _ in range(self.looks):
            points = look(network, rgb, _upright(points))
        return points


def look(network: LandmarkNet, rgb: RGB, matrix: Floats) -> Points:
    """Points (68, 2) in photo pixels, from the crop that `matrix` (photo → 96 px) cuts and its mirror image."""
    pixels = np.ascontiguousarray(crop(rgb, matrix, INPUT).transpose(2, 0, 1))
    one = torch.from_numpy(pixels).float() / 127.5 - 1
    with torch.inference_mode():
        found = network(torch.stack([one, one.flip(-1)]))[0].double().numpy()
    mean = (found[0] + found[1][MIRROR] * [-1.0, 1.0]) / 2
    return apply(invert(matrix), (mean + 1.0) * (INPUT / 2) - 0.5)


def _upright(points: Points) -> Floats:
    """Matrix from photo to a crop in which the eyes are level and the face fills its share."""
    left, right = points[36:42].mean(axis=0), points[42:48].mean(axis=0)
    if not np.hypot(*(right - left)) > 1e-6:
        return points_frame(points)
    level = similarity(np.stack([left, right]), np.array([[0.0, 0.0], [float(np.hypot(*(right - left))), 0.0]]))
    return compose(level, points_frame(apply(level, points)))


def load_landmark_network(path: Path | None = None) -> LandmarkNet:
    """The bundled landmark network, verified, or that of the safetensors file at `path`; frozen, in evaluation mode.

    Raises EnvironmentFault.
    """
    return _load(path or verified_path("landmarks"))


@cache
def _load(path: Path) -> LandmarkNet:
    arrays, metadata = read_tensors(path)
    network = LandmarkNet()
    fault = EnvironmentFault(
        f"{path} holds weights that are not of this landmark network.", "Train it: ganonym train landmarks"
    )
    if metadata.get("kind") != "landmarks":
        raise fault
    try:
        missing, surplus = network.load_state_dict(
            {key: torch.tensor(array).float() for key, array in arrays.items()}, strict=False
        )
    except RuntimeError as error:
        raise fault from error
    if surplus or any(not key.endswith("num_batches_tracked") for key in missing):
        raise fault
    return network.eval().requires_grad_(False)
