"""Photographs of virtual people: expression, head pose, light, camera."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ganonym.faces.align import invert
from ganonym.faces.appearance import AppearanceModel, texture_of
from ganonym.faces.condition import condition
from ganonym.faces.shape import join, to_canvas
from ganonym.phantom.people import Person
from ganonym.types import CANVAS, RGB, Floats, Points

PHOTO = 480


@dataclass(frozen=True, slots=True)
class Moment:
    """What differs between photos of one person.

    `expression` (e,) in SD units; `yaw`, `pitch`, `roll` in degrees; `scale` photo pixels per canvas pixel; `shift`
    (2,) of the face's centre in photo pixels; `gain` (3,) per RGB channel; `slope` (2,) relative change of light
    across the face; `noise` SD in grey levels; `backdrop` (3,) RGB 0…1.
    """

    expression: Floats
    yaw: float
    pitch: float
    roll: float
    scale: float
    shift: Floats
    gain: Floats
    slope: Floats
    noise: float
    backdrop: Floats


def sample_moment(directions: int, rng: np.random.Generator) -> Moment:
    """Draw an ordinary clinic photograph: a mild pose, room light, a plain backdrop."""
    return Moment(
        expression=np.clip(rng.normal(0.0, 1.0, directions), -2.0, 2.0),
        yaw=float(np.clip(rng.normal(0.0, 5.0), -12, 12)),
        pitch=float(np.clip(rng.normal(0.0, 3.0), -8, 8)),
        roll=float(np.clip(rng.normal(0.0, 4.0), -12, 12)),
        scale=float(rng.uniform(1.3, 1.8)),
        shift=rng.normal(0.0, 12.0, 2),
        gain=np.exp(rng.normal(0.0, 0.08) + rng.normal(0.0, 0.03, 3)),
        slope=np.clip(rng.normal(0.0, 0.12, 2), -0.3, 0.3),
        noise=float(rng.uniform(1.0, 4.0)),
        backdrop=rng.uniform(0.3, 0.9) + rng.normal(0.0, 0.03, 3),
    )


def take_photo(person: Person, moment: Moment, model: AppearanceModel, rng: np.random.Generator) -> RGB:
    """Photograph `person` at `moment`: (480, 480, 3). `rng` gives the sensor noise only."""
    maps = condition(posed(person, moment, model), moment_texture(person, moment, model), model).numpy()
    face, mask = lit((maps[:3].astype(np.float64) + 1) / 2, moment), maps[3].astype(np.float64)
    return expose(face, mask, moment, rng)


def posed(person: Person, moment: Moment, model: AppearanceModel) -> Points:
    """Canvas landmarks (68, 2) of the turned face with the moment's expression."""
    expression = moment.expression * model.shape.expression_sd
    return turned(to_canvas(join(person.identity, expression, model.shape)), moment.yaw, moment.pitch)


def moment_texture(person: Person, moment: Moment, model: AppearanceModel) -> NDArray[np.float32]:
    """The person's texture with the moment's expression: RGB (p, 3) over the reference frame, about 0…1."""
    scores = np.zeros(len(model.attribute_sd))
    directions = len(moment.expression)
    scores[:directions] = (moment.expression - model.attribute_mean[:directions]) / model.attribute_sd[:directions]
    neutral = -model.attribute_mean[:directions] / model.attribute_sd[:directions]
    scores[:directions] -= neutral
    return texture_of(person.texture + model.attribute_effect @ scores, model)


def turned(points: Points, yaw: float, pitch: float) -> Points:
    """Canvas landmarks after turning the head, under weak perspective.

    Depth comes from an ellipsoid through the face with the nose standing out, which is good to a few pixels at the
    small angles used here. Positive yaw turns to image right, positive pitch up, in degrees.
    """
    centre = points[[0, 16]].mean(axis=0)
    half_width = float(np.linalg.norm(points[16] - points[0])) / 2
    x, y = (points - centre).T
    depth = half_width * np.sqrt(np.clip(1.2 - (x / half_width) ** 2 - 0.25 * (y / half_width) ** 2, 0.0, None))
    depth[27:36] += half_width * np.array([0.05, 0.12, 0.2, 0.28, 0.08, 0.12, 0.16, 0.12, 0.08])
    cos_yaw, sin_yaw = np.cos(np.radians(yaw)), np.sin(np.radians(yaw))
    cos_pitch, sin_pitch = np.cos(np.radians(pitch)), np.sin(np.radians(pitch))
    turned_x, turned_depth = cos_yaw * x + sin_yaw * depth, cos_yaw * depth - sin_yaw * x
    turned_y = cos_pitch * y - sin_pitch * turned_depth
    moved = np.column_stack([turned_x, turned_y])
    return np.asarray(moved - moved.mean(axis=0) + points.mean(axis=0))


def lit(face: Floats, moment: Moment) -> Floats:
    """`face` (3, 256, 256) in 0…1 under the moment's light: channel gains and a linear slope across the canvas."""
    ramp = np.linspace(-1.0, 1.0, CANVAS)
    light = 1.0 + moment.slope[0] * ramp[None, :] + moment.slope[1] * ramp[:, None]
    return np.asarray(np.clip(face * light * moment.gain[:, None, None], 0.0, 1.0))


def expose(face: Floats, mask: Floats, moment: Moment, rng: np.random.Generator) -> RGB:
    """Place the lit face on the backdrop with the moment's scale, roll and shift, and add sensor noise."""
    layers = np.concatenate([face * mask, mask[None]])
    to_canvas_matrix = invert(placement(moment))
    placed = [
        np.asarray(
            Image.fromarray(layer, mode="F").transform(
                (PHOTO, PHOTO), Image.Transform.AFFINE, _pillow(to_canvas_matrix), Image.Resampling.BICUBIC
            )
        )
        for layer in layers.astype(np.float32)
    ]
    colour, cover = np.stack(placed[:3]), np.clip(placed[3], 0.0, 1.0)
    photo = colour + (1.0 - cover) * np.clip(moment.backdrop * moment.gain, 0.0, 1.0)[:, None, None]
    grainy = photo * 255.0 + rng.normal(0.0, moment.noise, photo.shape)
    return np.ascontiguousarray(np.clip(np.round(grainy), 0, 255).astype(np.uint8).transpose(1, 2, 0))


def placement(moment: Moment) -> Floats:
    """Similarity (2, 3) from canvas to photo pixels: the moment's scale, roll and shift."""
    angle = np.radians(moment.roll)
    linear = moment.scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    middle = np.full(2, (CANVAS - 1) / 2)
    return np.column_stack([linear, np.full(2, (PHOTO - 1) / 2) + moment.shift - linear @ middle])


def _pillow(matrix: Floats) -> tuple[float, ...]:
    """Pillow maps pixel corners, we map pixel centres: shift by half a pixel on both sides."""
    half = np.array([0.5, 0.5])
    offset = matrix[:, 2] + half - matrix[:, :2] @ half
    return tuple(np.column_stack([matrix[:, :2], offset]).ravel().tolist())
