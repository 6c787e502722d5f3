"""Faces made anew: k-Same on pixels (Newton, Sweeney & Malin 2005), and average skin on the subject's landmarks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from ganonym.faces.align import crop, similarity
from ganonym.faces.appearance import AppearanceModel, attributes, texture_of
from ganonym.faces.condition import condition
from ganonym.faces.coordinates import COMPONENTS as TEXTURE_COMPONENTS
from ganonym.faces.shape import normalize, split, to_canvas
from ganonym.privacy.ksame import GroupMean, k_same
from ganonym.synthesis.generator import compose
from ganonym.synthesis.synthesizer import without_green
from ganonym.types import CANVAS, RGB, Floats, Points, Refusal, luma

REDUCED = 4
COMPONENTS = 100


def align_face(rgb: RGB, points: Points, mean: Points) -> RGB:
    """The face at `points` (68, 2) on the canvas (256, 256, 3), by the similarity to the `mean` shape (68, 2).

    `mean` in the Procrustes frame. Black outside the photo. Raises ValueError when the landmarks coincide.
    """
    return crop(rgb, similarity(points, to_canvas(mean)), CANVAS)


def eigenfaces(pictures: Sequence[RGB]) -> Floats:
    """Coordinates (n, c) of aligned `pictures` (256, 256, 3) in their own PCA space, leading 100 components at most.

    Eigenfaces (Turk & Pentland 1991) of grey 64 x 64 reductions, n of them at most; unscaled, so that distances are
    those of pixels. The sign of each component is the one that makes its largest weight positive.

    >>> pair = [np.full((256, 256, 3), level, np.uint8) for level in (10, 30)]
    >>> bool(abs(np.ptp(eigenfaces(pair)[:, 0]) - 20 * 64) < 0.1)
    True
    """
    side = CANVAS // REDUCED
    grey = np.stack(
        [luma(picture).reshape(side, REDUCED, side, REDUCED).mean(axis=(1, 3)).ravel() for picture in pictures]
    )
    centred = grey - grey.mean(axis=0)
    places, spread, basis = np.linalg.svd(centred, full_matrices=False)
    largest = np.take_along_axis(basis, np.abs(basis).argmax(axis=1)[:, None], axis=1)[:, 0]
    return np.asarray(places * spread * np.where(largest < 0, -1.0, 1.0))[:, :COMPONENTS]


def average_groups(pictures: Sequence[RGB], labels: Sequence[str | None] | None, k: int) -> list[RGB | Refusal]:
    """The mean picture of each one's group, in the order of `pictures` (256, 256, 3), one for each subject.

    Groups of k … 2k − 1 neighbours in PCA space; given `labels`, within a label, and whose label has fewer than k is
    withheld. Members of a group get the same bytes, whatever the order of the pictures. Raises UsageError when there
    are fewer than k without labels.
    """
    if not pictures:
        return []
    places = eigenfaces(pictures)
    members = k_same(places, labels, k, np.ones(places.shape[1]))
    groups: dict[int, list[int]] = {}
    for number, member in enumerate(members):
        if isinstance(member, GroupMean):
            groups.setdefault(member.group, []).append(number)
    means = {group: mean_picture([pictures[number] for number in numbers]) for group, numbers in groups.items()}
    return [member if isinstance(member, Refusal) else means[member.group] for member in members]


def mean_picture(pictures: Sequence[RGB]) -> RGB:
    """Mean of pictures of one size, rounded; summed as whole numbers, so that their order leaves no trace.

    >>> mean_picture([np.full((1, 1, 3), level, np.uint8) for level in (1, 2, 6)]).tolist()
    [[[3, 3, 3]]]
    """
    total = np.zeros(pictures[0].shape, np.int64)
    for picture in pictures:
        total += picture
    return np.round(total / len(pictures)).astype(np.uint8)


def composite(points: Points, tone: int, model: AppearanceModel) -> RGB:
    """The population's mean texture for a `tone` (0 … 5), on the very landmarks (68, 2) of a face; (256, 256, 3).

    Position, size and roll are normalised, everything else of the shape is the subject's, to the pixel: no shape is
    protected. The texture is the mean of the appearance model (Cootes, Edwards & Taylor 1998) given tone and
    expression; sex and age are left at the mean. Raises ValueError when the landmarks coincide.
    """
    shape = normalize(points, model.shape)
    scores, _ = attributes(split(shape, model.shape)[1], tone, None, None, model)
    texture = texture_of((model.attribute_effect @ scores)[:TEXTURE_COMPONENTS], model)
    maps = condition(to_canvas(shape), without_green(texture), model)[None]
    picture = compose(maps, torch.zeros_like(maps[:, :3]))[0]
    pixels: RGB = ((picture + 1) * 127.5).round().clamp(0, 255).byte().permute(1, 2, 0).contiguous().numpy()
    return pixels
