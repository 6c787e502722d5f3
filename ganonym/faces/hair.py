"""Hair and background over a face, found by colour and counted as missing: nobody's fringe is a property of skin."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter
from scipy import ndimage

from ganonym.faces.appearance import boundary_of, log_colours, rgb_of
from ganonym.faces.warp import Raster
from ganonym.types import LANDMARKS, Floats, Points

RANK = 24
ROUNDS = 4
# Squared Mahalanobis distance from a face's own skin, in three log colours, beyond which a pixel is not skin.
LIMIT = 9.0
# Within so many px of the outline there is neck, hair and background; beards reach further in.
EDGE = 8
# Brows to mouth: dark in there is not hair. Cheeks and nose: the colours of this face's skin. Indices of the 68 points.
INNER = (18, 19, 20, 21, 22, 23, 24, 25, 45, 54, 48, 36)
SKIN = ((41, 40, 31, 48), (46, 47, 35, 54), (27, 31, 35))


def hidden_by_hair(textures: NDArray[np.float32], reference: Points, raster: Raster) -> NDArray[np.float32]:
    """How much of each pixel is hair or background: (n, p) in 0…1, soft at the edge; below the nose at the rim only.

    `textures` (n, p, 3) RGB in 0…1 over `raster`; `reference` (n, 2) its warp points. Skin is what the
    cheeks, the nose and the middle of the forehead show, shading included.
    """
    upper, outside, inner, skin = _regions(reference.tobytes(), raster)
    brow = int(reference[17:27, 1].min()) - 6
    masks = np.empty(textures.shape[:2], dtype=np.float32)
    for index, texture in enumerate(textures):
        colours = np.log(texture + 0.03)
        centre = np.median(colours[skin], axis=0)
        spread = np.cov(colours[skin].T) + 0.002 * np.eye(3)
        far = np.einsum("pi,ij,pj->p", colours - centre, np.linalg.inv(spread), colours - centre) > LIMIT
        image = np.zeros(raster.size * raster.size, dtype=np.float32)
        image[raster.pixels] = far & ~inner & (upper > 0)
        solid = ndimage.binary_opening(image.reshape(raster.size, raster.size) > 0, iterations=2)
        # Fringes hang: above hair there is hair, also where its colour is that of skin.
        solid[brow::-1] = np.maximum.accumulate(solid[brow::-1], axis=0)
        grown = ndimage.binary_dilation(solid, iterations=7)
        soft = ndimage.gaussian_filter(grown.astype(np.float32), 2.0)
        masks[index] = soft.ravel()[raster.pixels] * upper * outside
    return masks


@lru_cache(maxsize=4)
def _regions(
    outline: bytes, raster: Raster
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_], NDArray[np.bool_]]:
    """Of every covered pixel (p,): how far up it counts, how far outside, whether in the face, whether skin."""
    reference = np.frombuffer(outline).reshape(-1, 2)
    height = np.clip((reference[33, 1] - raster.pixels // raster.size) / 20, 0, 1)
    edge = ~_area([boundary_of(reference, (len(reference) - LANDMARKS - 17) // 2)], raster, grow=-EDGE)
    inner = _area([reference[list(INNER)]], raster, grow=3)
    # Soft as well: a hard edge at the ends of the brows shows as a tick in every face.
    border = np.ones(raster.size * raster.size, dtype=np.float32)
    border[raster.pixels] = ~inner
    outside = ndimage.gaussian_filter(border.reshape(raster.size, raster.size), 3.0).ravel()[raster.pixels]
    skin = _area([reference[list(corners)] for corners in SKIN], raster)
    return np.maximum(height, edge), outside, inner, skin


def fill_hidden(textures: NDArray[np.float32], hidden: NDArray[np.float32]) -> NDArray[np.float32]:
    """Textures (n, p, 3) with their `hidden` (n, p) part replaced by the population's, given the visible part.

    Guessed in log colours, in which light and complexion add up.
    """
    textures = log_colours(textures)
    seen = (1 - hidden)[..., None]
    mean = (textures * seen).sum(axis=0) / np.maximum(seen.sum(axis=0), 1)
    offset = ((textures - mean) * seen).sum(axis=1, keepdims=True) / seen.sum(axis=1, keepdims=True)
    filled = textures * seen + (mean + offset) * (1 - seen)
    for _ in range(ROUNDS):
        mean = filled.mean(axis=0)
        flat = (filled - mean).reshape(len(filled), -1)
        values, vectors = np.linalg.eigh((flat @ flat.T).astype(np.float64))
        order = np.argsort(values)[::-1][: min(RANK, len(filled) - 2)]
        sd = np.sqrt(values[order] / len(filled))
        basis = ((vectors[:, order].T.astype(np.float32) @ flat) / np.sqrt(values[order])[:, None]).astype(np.float32)
        rest = values.sum() / len(filled) - (sd**2).sum()
        noise = max(rest, 0.0) / basis.shape[1] + 1e-6
        for index in range(len(filled)):
            weight = np.repeat(seen[index, :, 0], 3).astype(np.float32)
            coefficients = _given_visible(flat[index], weight, basis, sd, noise)
            guess = mean + (coefficients.astype(np.float32) @ basis).reshape(-1, 3)
            filled[index] = textures[index] * seen[index] + guess * (1 - seen[index])
    return np.clip(rgb_of(filled), 0, 1)


def _given_visible(
    centred: NDArray[np.float32], weight: NDArray[np.float32], basis: NDArray[np.float32], sd: Floats, noise: float
) -> Floats:
    """Posterior mean of the component scores (r,) given the visible entries of one centred row (3p,)."""
    # Neighbouring pixels say the same thing, so their noise counts for more than if each spoke for itself.
    weighted = basis * weight
    gram = (weighted @ basis.T).astype(np.float64) + np.diag(50 * noise / sd**2)
    return np.asarray(np.linalg.solve(gram, (weighted @ centred).astype(np.float64)))


def _area(outlines: Sequence[Points], raster: Raster, grow: int = 0) -> NDArray[np.bool_]:
    """Which covered pixels (p,) lie in one of the polygons, each (m, 2), grown by `grow` px or shrunk."""
    picture = Image.new("L", (raster.size, raster.size))
    for outline in outlines:
        ImageDraw.Draw(picture).polygon([(float(x), float(y)) for x, y in outline], fill=255)
    if grow:
        grown = ImageFilter.MaxFilter if grow > 0 else ImageFilter.MinFilter
        picture = picture.filter(grown(2 * abs(grow) + 1))
    return np.asarray(np.asarray(picture).ravel()[raster.pixels] > 0)
