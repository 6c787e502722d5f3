"""Training photographs: read by their manifest, their light taken out, hair over the face filled.

The sets differ in exposure, white balance and saturation by more than people differ in skin. A texture model of both
learns light as if it were a property of people, and its samples have grey and blue skins: so a face's skin gets the
colour that its tone has in daylight.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from kornia.color import lab_to_rgb, rgb_to_lab
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter
from scipy import ndimage

from ganonym.errors import UsageError
from ganonym.faces.appearance import boundary_of
from ganonym.faces.find import find_faces, reading_backends
from ganonym.faces.tone import ita_degrees, lab_of_linear, linear_of, skin_colour
from ganonym.faces.warp import Raster
from ganonym.photos.decode import read_photo
from ganonym.types import LANDMARKS, RGB, Floats, Points, Sex

TRAINING_SETS = ("london", "synthetic")
SEXES: dict[str, Sex] = {"female": "female", "male": "male"}
COLUMNS = {"path", "set", "subject", "expression", "sex", "age"}


@dataclass(frozen=True, slots=True)
class TrainingPhoto:
    """One photograph with its landmarks and the attributes its manifest states."""

    name: str
    subject: str
    smiling: bool
    sex: Sex | None
    age: float | None
    rgb: RGB
    points: Points


def training_photographs(folder: Path) -> Iterator[TrainingPhoto]:
    """Photos of the training sets in `folder`, whose manifest.csv has columns path, set, subject, expression, sex, age.

    Photos in which no face is found are left out. Raises UsageError without such a manifest.
    """
    manifest = folder / "manifest.csv"
    if not manifest.is_file():
        raise UsageError(f"{manifest} does not exist.", "Point --data at a folder with manifest.csv; see checkpoints/.")
    detector, landmarks = reading_backends()
    with manifest.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        absent = COLUMNS - set(reader.fieldnames or ())
        if absent:
            raise UsageError(
                f"{manifest} lacks the columns {', '.join(sorted(absent))}.", "Add them to its first line."
            )
        rows = [row for row in reader if row["set"] in TRAINING_SETS]
    for row in rows:
        rgb, _ = read_photo(folder, row["path"])
        faces = find_faces(rgb, detector, landmarks)
        if faces:
            yield TrainingPhoto(
                name=row["path"],
                subject=row["subject"],
                smiling=row["expression"] == "smiling",
                sex=SEXES.get(row["sex"]),
                age=float(row["age"]) if row["age"] else None,
                rgb=rgb,
                points=faces[0].points,
            )


# Skin lies along one line of hue; chroma is between the medians of the training sets (London 17, synthetic 31).
HUE, CHROMA = np.radians(49.0), 23.0
# Between these ITA, lightness follows the definition ITA = atan((L* - 50) / b*); beyond them it stays.
RANGE = (-55.0, 58.0)
# This share of each deviation stays: complexions differ, and the tone of a photo is an estimate.
KEPT = 0.15
# No colour gets stronger or weaker by more than this factor.
MOST = 1.25
# Colours that far from the hue of skin, in radians, are reflections of sky and leaves, weakened to `REFLECTED`.
FOREIGN, REFLECTED = (0.6, 1.2), 0.3


def daylight(photo: TrainingPhoto) -> TrainingPhoto:
    """`photo` with lightness, saturation and hue moved so that the skin's median comes near the usual one of its ITA.

    Raises as `ita_degrees` does.
    """
    now = lab_of_linear(linear_of(skin_colour(photo.rgb, photo.points)[None]))[0]
    usual = usual_skin(ita_degrees(photo.rgb, photo.points))
    return replace(photo, rgb=recoloured(photo.rgb, now, usual + KEPT * (now - usual)))


def usual_skin(ita: float) -> Floats:
    """CIELAB (3,) of skin of an ITA in degrees: dark skin has less chroma, since less light comes back.

    >>> [round(float(usual_skin(ita)[0])) for ita in (-30, 28, 50)]
    [42, 59, 71]
    """
    lightness = 50.0
    for _ in range(20):  # yellow depends on lightness and lightness on yellow
        chroma = CHROMA * min(lightness / 50.0, 1.0)
        lightness = 50.0 + chroma * np.sin(HUE) * np.tan(np.radians(np.clip(ita, *RANGE)))
    return np.array([lightness, chroma * np.cos(HUE), chroma * np.sin(HUE)])


def recoloured(rgb: RGB, now: Floats, wanted: Floats) -> RGB:
    """`rgb` with CIELAB colour `now` (3,) brought to `wanted` (3,): greys stay grey, black black, white white.

    The odds of lightness, L / (100 - L), are scaled, so nothing is cut off. Chroma is scaled by 0.8 to 1.25, hue
    turned; colours foreign to faces are weakened.
    """
    lab = rgb_to_lab(torch.tensor(rgb).permute(2, 0, 1)[None].float() / 255)[0].double().numpy()
    gain = _odds(wanted[0]) / _odds(now[0])
    lightness = lab[0].clip(0, 100) / 100
    before, after = complex(*now[1:]), complex(*wanted[1:])
    factor = np.clip(abs(after) / max(abs(before), 1e-6), 1 / MOST, MOST)
    colour = (lab[1] + 1j * lab[2]) * factor * np.exp(1j * (np.angle(after) - np.angle(before)))
    foreign = np.interp(np.abs(np.angle(colour * np.exp(-1j * HUE))), FOREIGN, (0, 1))
    colour *= 1 - (1 - REFLECTED) * foreign
    changed = np.stack([100 * gain * lightness / (1 + (gain - 1) * lightness), colour.real, colour.imag])
    picture = lab_to_rgb(torch.from_numpy(changed)[None])[0].clamp(0, 1)
    pixels: RGB = (255 * picture).round().byte().permute(1, 2, 0).contiguous().numpy()
    return pixels


def _odds(lightness: float) -> float:
    inside = min(max(lightness, 1.0), 99.0)
    return inside / (100 - inside)


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
    height = np.clip((reference[33, 1] - raster.pixels // raster.size) / 20, 0, 1)
    edge = ~_area([boundary_of(reference, (len(reference) - LANDMARKS - 17) // 2)], raster, grow=-EDGE)
    upper = np.maximum(height, edge)
    inner = _area([reference[list(INNER)]], raster, grow=3)
    # Soft as well: a hard edge at the ends of the brows shows as a tick in every face.
    border = np.ones(raster.size * raster.size, dtype=np.float32)
    border[raster.pixels] = ~inner
    outside = ndimage.gaussian_filter(border.reshape(raster.size, raster.size), 3.0).ravel()[raster.pixels]
    brow = int(reference[17:27, 1].min()) - 6
    skin = _area([reference[list(outline)] for outline in SKIN], raster)
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


def fill_hidden(textures: NDArray[np.float32], hidden: NDArray[np.float32]) -> NDArray[np.float32]:
    """Textures (n, p, 3) with their `hidden` (n, p) part replaced by the population's, given the visible part."""
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
    return np.asarray(np.clip(filled, 0, 1))


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
