"""Landmarks by the face alignment network FAN, from weights that the user has put on this machine."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ganonym.errors import EnvironmentFault
from ganonym.faces.align import apply, crop, invert
from ganonym.types import LANDMARKS, RGB, Box, Floats, Points
from ganonym.weights import read_manifest, read_tensors, verified_path

WEIGHTS_NAME = "fan-2d"
INPUT, HEATMAP = 256, 64


@dataclass(frozen=True, slots=True)
class FanLandmarks:
    """FAN (Bulat & Tzimiropoulos 2017) as the package face-alignment defines it; steadier than dlib on turned heads.

    `folder` holds a `manifest.toml` like ours with an entry `fan-2d` (file, sha256, licence, trained_on) and the
    network's state dict as safetensors. Nothing is ever downloaded, and pickles (upstream's `.pth.tar`) are refused.
    Raises EnvironmentFault from `locate` when the weights are missing, altered or not those of a 2-D FAN.
    """

    folder: Path
    name: str = "fan-68"

    @property
    def weights_files(self) -> tuple[Path, ...]:
        return (verified_path(WEIGHTS_NAME, self.folder),)

    def locate(self, rgb: RGB, box: Box) -> Points:
        import torch
        from face_alignment.utils import flip

        network = _network(self.folder)
        matrix = input_frame(box)
        pixels = np.ascontiguousarray(crop(rgb, matrix, INPUT).transpose(2, 0, 1), dtype=np.float32) / 255.0
        with torch.inference_mode():
            batch = torch.from_numpy(pixels)[None]
            heatmaps = network(batch)[-1] + flip(network(flip(batch))[-1], is_label=True)
        in_input = (peaks(heatmaps[0].numpy()) + 0.5) * (INPUT / HEATMAP) - 0.5
        return apply(invert(matrix), in_input)


def input_frame(box: Box) -> Floats:
    """Matrix (2, 3) from photo to FAN's 256 px input: scaled and raised as in training (face-alignment 1.5)."""
    side = 200.0 / 195.0 * (box.width + box.height)
    x = (box.left + box.right) / 2.0
    y = (box.top + box.bottom) / 2.0 - 0.12 * box.height
    scale = INPUT / side
    middle = (INPUT - 1) / 2.0
    return np.array([[scale, 0.0, middle - scale * x], [0.0, scale, middle - scale * y]])


def peaks(heatmaps: NDArray[np.float32]) -> Points:
    """Where each of the heatmaps (n, h, w) is highest, moved a quarter pixel towards the higher neighbour: (n, 2)."""
    count, height, width = heatmaps.shape
    y, x = np.divmod(heatmaps.reshape(count, -1).argmax(axis=1), width)
    points = np.column_stack([x, y]).astype(np.float64)
    inside = (x > 0) & (x < width - 1) & (y > 0) & (y < height - 1)
    n, y, x = np.flatnonzero(inside), y[inside], x[inside]
    slope_x = heatmaps[n, y, x + 1] - heatmaps[n, y, x - 1]
    slope_y = heatmaps[n, y + 1, x] - heatmaps[n, y - 1, x]
    points[inside] += 0.25 * np.sign(np.column_stack([slope_x, slope_y]))
    return points


def present(folder: Path | None) -> bool:
    """Whether `folder` names weights for FAN and holds the file. Says nothing yet about its digest."""
    if folder is None or not (folder / "manifest.toml").is_file():
        return False
    entry = read_manifest(folder).get(WEIGHTS_NAME)
    return entry is not None and (folder / entry.file).is_file()


def load(folder: Path) -> FanLandmarks:
    """FAN from the weights in `folder`, their digest checked here and again when read. Raises EnvironmentFault."""
    verified_path(WEIGHTS_NAME, folder)
    return FanLandmarks(folder)


@cache
def _network(folder: Path) -> Any:
    path = verified_path(WEIGHTS_NAME, folder)
    tensors, _ = read_tensors(path)

    import torch
    from face_alignment.models import FAN

    stacks = len({key.split(".")[0] for key in tensors if key.startswith("top_m_")})
    try:
        network = FAN(stacks)
        network.load_state_dict({key: torch.from_numpy(np.array(value)) for key, value in tensors.items()})
    except RuntimeError as error:
        raise EnvironmentFault(
            f"{path} does not hold the weights of a 2-D FAN with {LANDMARKS} landmarks ({str(error)[:200]}).",
            "Convert the state dict of face-alignment's 2DFAN-4 to safetensors unchanged.",
        ) from error
    return network.eval()
