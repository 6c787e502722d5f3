"""Where on the face a network looks: gradient-weighted class activation maps (Selvaraju et al. 2017), by captum.

How much of a map falls on which part of the face, "perinasal and periorbital" as numbers (cf. Baek et al. 2025), and
the map drawn on the photograph that the crop was cut from. A trained system hands over a `Sight`: its network, the
layer of the last map, and the picture as the network takes it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional

from ganonym.classify.crops import ArcFaceCrop, arcface_matrix
from ganonym.classify.learner import Arrays
from ganonym.classify.networks.iresnet import IResNet, iresnet_of, normalised
from ganonym.errors import EnvironmentFault, UsageError
from ganonym.faces.align import apply, invert
from ganonym.types import RGB, Floats, Points

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
    size = size or (pictures.shape[2], pictures.shape[3])
    cam = _captum().LayerGradCam(network, layer)
    parts: list[Tensor] = [torch.zeros(0, *size)]
    with _still(network), torch.inference_mode(False), torch.enable_grad():
        for start in range(0, len(pictures), AT_ONCE):
            # A copy that wants gradients, so that networks whose weights are frozen have some too.
            seen = pictures[start : start + AT_ONCE].detach().clone().requires_grad_()
            coarse = cam.attribute(seen, wanted[start : start + AT_ONCE], relu_attributions=True).detach()
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


REGIONS = ("brows", "eyes", "nose", "mouth", "jaw", "rest")
_REST = REGIONS.index("rest")

# Outlines among the 68 points and a margin around them as a share of the distance between the outer eye corners. Where
# two overlap the later one has it: the jaw, a coarse area, gives way to the mouth, the skin round an eye to its brow.
_PARTS: tuple[tuple[str, tuple[int, ...], float], ...] = (
    ("jaw", tuple(range(3, 14)), 0.02),
    ("nose", tuple(range(27, 36)), 0.08),
    ("mouth", tuple(range(48, 60)), 0.06),
    ("eyes", tuple(range(36, 42)), 0.11),
    ("eyes", tuple(range(42, 48)), 0.11),
    ("brows", tuple(range(17, 22)), 0.05),
    ("brows", tuple(range(22, 27)), 0.05),
)
_CIRCLE = np.stack([np.cos(np.arange(16) * np.pi / 8), np.sin(np.arange(16) * np.pi / 8)], axis=1)


def regions_of(points: Points, size: tuple[int, int]) -> NDArray[np.intp]:
    """Which of `REGIONS` each pixel of a crop of `size` (h, w) belongs to, (h, w), as an index; each to one.

    `points` (68, 2) are on the crop. A region is the convex hull of its landmarks with a margin: "eyes" is periorbital,
    "nose" perinasal, "jaw" all below and beside the mouth down to the jaw line, "rest" forehead, cheeks and all around.
    The margins are ours. Raises UsageError when a point is not finite or the outer eye corners coincide.
    """
    from scipy.spatial import ConvexHull
    from skimage.draw import polygon

    between = float(np.linalg.norm(points[45] - points[36]))
    if not np.isfinite(points).all() or between == 0.0:
        raise UsageError("these landmarks are no face.", "Leave the photo out.")
    labels = np.full(size, _REST, np.intp)
    for name, landmarks, margin in _PARTS:
        cloud = (points[list(landmarks), None] + margin * between * _CIRCLE).reshape(-1, 2)
        x, y = cloud[ConvexHull(cloud).vertices].T
        labels[polygon(y, x, size)] = REGIONS.index(name)  # type: ignore[no-untyped-call]
    return labels


def region_mass(maps: Floats, points: Floats) -> Floats:
    """Share of each map in each of `REGIONS`, (n, 6), rows sum to 1; NaN for a map that is 0 everywhere.

    `maps` (n, h, w) of at least 0, `points` (n, 68, 2) on the crops. A large region gets much of any map: compare with
    the regions' areas, `region_mass(np.ones_like(maps), points)`. Raises UsageError for a map below 0 or not finite, or
    when there are not as many faces as maps.
    """
    if len(maps) != len(points):
        raise UsageError(f"{len(maps)} maps of {len(points)} faces.", "Give the landmarks of each crop.")
    if not np.isfinite(maps).all() or (maps < 0).any():
        raise UsageError("a map has values that are no mass.", "Give maps of at least 0.")
    mass = np.full((len(maps), len(REGIONS)), np.nan)
    for row, (heat, face) in enumerate(zip(maps, points, strict=True)):
        total = heat.sum()
        if total > 0:
            labels = regions_of(face, heat.shape)
            mass[row] = np.bincount(labels.ravel(), weights=heat.ravel(), minlength=len(REGIONS)) / total
    return mass


def overlay(crop: RGB, heat: Floats, strength: float = 0.5, colours: str = "inferno") -> RGB:
    """A crop (h, w, 3) with a map (h, w) in 0…1 laid over it in matplotlib's `colours`: (h, w, 3) uint8.

    Where the map is 0 the crop shows unchanged, where it is 1 the colour covers `strength` of it. The picture shows the
    face: it is as private as the crop. Raises UsageError when sizes differ.
    """
    from matplotlib import colormaps

    if crop.shape[:2] != heat.shape:
        raise UsageError(f"a map {heat.shape} does not lie on a crop {crop.shape}.", "Compute it at the crop's size.")
    cover = strength * np.clip(heat, 0.0, 1.0)[..., None]
    mixed = (1 - cover) * crop + cover * 255 * colormaps[colours](heat)[..., :3]
    return np.asarray(np.round(mixed)).astype(np.uint8)


_ROWS = 256
"""So many rows at once: colours of a large photograph would take gigabytes."""


def drawn_on_photo(rgb: RGB, heat: Floats, matrix: Floats) -> RGB:
    """The photograph `rgb` (h, w, 3) with a map `heat` (side, side) in 0…1 over the face that it is of.

    `matrix` (2, 3) brings the photograph to the crop that the map lies on. Between its pixels the map is interpolated
    linearly; outside of the crop the photograph is as it was. It shows the person: it is as private as the photograph.
    """
    height, width = heat.shape
    corners = apply(invert(matrix), np.array([[0, 0], [width, 0], [width, height], [0, height]]) - 0.5)
    left, top = np.floor(corners.min(axis=0)).astype(int).clip(0).tolist()
    right, bottom = (np.ceil(corners.max(axis=0)).astype(int) + 1).clip(0).tolist()
    picture = rgb.copy()
    for start in range(top, min(bottom, rgb.shape[0]), _ROWS):
        part = picture[start : min(start + _ROWS, bottom), left:right]
        part[:] = overlay(part, _on_part(heat, matrix, (left, start), part.shape[:2]))
    return picture


def _on_part(heat: Floats, matrix: Floats, corner: tuple[int, int], size: tuple[int, int]) -> Floats:
    """The map as it lies on the part of the photograph of `size` (h, w) whose top left pixel is `corner`; 0 outside."""
    place = apply(matrix, np.array([corner], np.float64))[0]
    # Pillow counts from pixel corners, matrices from pixel centres.
    shift = place + 0.5 - matrix[:, :2] @ np.array([0.5, 0.5])
    part = Image.fromarray(heat.astype(np.float32)).transform(
        (size[1], size[0]),
        Image.Transform.AFFINE,
        np.column_stack([matrix[:, :2], shift]).ravel().tolist(),
        Image.Resampling.BILINEAR,
    )
    return np.asarray(part, np.float64)


Scores: TypeAlias = Callable[[Tensor], Tensor]
"""Pictures, or embeddings of unit length (n, ...) → scores (n, c), of which the higher speaks more for its class."""


@dataclass(frozen=True, slots=True)
class Sight:
    """`network` gives scores of `picture` (1, ...), cut by `matrix` (photo → crop of `side` px); `layer` is its map."""

    network: nn.Module
    layer: nn.Module
    picture: Tensor = field(repr=False)
    matrix: Floats
    side: int


def through_recognizer(scores: Scores, network: IResNet, rgb: RGB, points: Points) -> Sight:
    """Of a system whose `scores` of pictures are made by way of the recognizer `network`."""
    side = network.form.side
    picture = normalised(ArcFaceCrop(side)(rgb, points)[None])
    return Sight(_Scored(scores, network), network.get_submodule("layer4"), picture, arcface_matrix(points, side), side)


def through_embeddings(scores: Scores, foundation: Arrays, rgb: RGB, points: Points) -> Sight:
    """Of a system whose `scores` are of embeddings by the recognizer that it starts from and does not train."""
    recognizer = iresnet_of(foundation)
    return through_recognizer(
        lambda pictures: scores(functional.normalize(recognizer(pictures), dim=1)), recognizer, rgb, points
    )


def no_sight(what: str) -> UsageError:
    """The error of a system that looks at `what`, of which there is no map."""
    return UsageError(f"this system looks at {what}, not at pictures: no map of the face explains it.")


class _Scored(nn.Module):
    """Pictures → scores; `network`, through which they go, is a part of it, so that its layers are found."""

    def __init__(self, scores: Scores, network: nn.Module) -> None:
        super().__init__()
        self.scores, self.network = scores, network

    def forward(self, pictures: Tensor) -> Tensor:
        return self.scores(pictures)
