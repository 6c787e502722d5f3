"""Photographs of virtual people: expression, head pose, light, camera; of patients, through the warp of their face."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch.nn import functional

from ganonym.faces.align import apply, invert
from ganonym.faces.appearance import AppearanceModel, expression_effect, texture_of
from ganonym.faces.condition import condition
from ganonym.faces.measures import AXES, face_marks
from ganonym.faces.shape import join, to_canvas
from ganonym.phantom.axes import Axes
from ganonym.phantom.people import Patient, Person
from ganonym.phantom.syndromes import JITTER
from ganonym.phantom.texture_signs import with_signs
from ganonym.phantom.warp import FaceWarp, ThinPlate, face_warp
from ganonym.types import CANVAS, RGB, Floats, Points

PHOTO = 480
NEUTRAL = "neutral"
MOODS = ("happy", "sad", "angry", "surprised", "scared", "disgusted")
CALM = 0.4
STRENGTH, UNREST, STRONGEST = (0.6, 1.1), 0.3, 3.0
"""Share of a mood's mean expression that a photo shows; SD of what comes on top; the utmost of a direction, in SD."""


@dataclass(frozen=True, slots=True)
class Moment:
    """What differs between photos of one person.

    `mood` names the expression, `expression` (e,) is it in SD units; `yaw`, `pitch`, `roll` in degrees;
    `scale` photo pixels per canvas pixel; `shift` (2,) of the face's centre in photo pixels; `gain` (3,) per RGB
    channel; `slope` (2,) relative change of light across the face; `noise` SD in grey levels; `backdrop` (3,) RGB 0…1.
    """

    mood: str
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


def sample_expression(model: AppearanceModel, rng: np.random.Generator) -> tuple[str, Floats]:
    """A mood by its name, and the expression (e,) in SD: neutral in two of five, else weak to strong."""
    moods = [mood for mood in MOODS if mood in model.expressions]
    mood = NEUTRAL if rng.random() < CALM or not moods else moods[rng.integers(len(moods))]
    strength = rng.uniform(*STRENGTH) * model.expressions[mood] if mood != NEUTRAL else 0.0
    drawn = strength + rng.normal(0.0, UNREST, len(model.shape.expression_sd))
    return mood, np.clip(drawn, -STRONGEST, STRONGEST)


def sample_moment(model: AppearanceModel, rng: np.random.Generator) -> Moment:
    """Draw an ordinary clinic photograph: an expression, a mild pose, room light, a plain backdrop."""
    mood, expression = sample_expression(model, rng)
    return Moment(
        mood=mood,
        expression=expression,
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
    return texture_of(person.texture + expression_effect(moment.expression, model), model)


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


_NODES = 61  # 8 px apart in the photo: between them the spline is smooth


def expose_warped(layers: NDArray[np.float32], back: ThinPlate, moment: Moment, rng: np.random.Generator) -> RGB:
    """`expose` through a warp: (480, 480, 3).

    `layers` (4, 256, 256) the lit face times its mask, and the mask, in 0…1; `back` from warped to rendered canvas
    positions. `rng` gives the sensor noise.
    """
    places = (source_positions(back, moment) + 0.5) * (2.0 / CANVAS) - 1.0
    warped = functional.grid_sample(
        torch.from_numpy(layers)[None], places.permute(1, 2, 0)[None], mode="bicubic", align_corners=False
    )[0]
    backdrop = torch.from_numpy(np.clip(moment.backdrop * moment.gain, 0.0, 1.0).astype(np.float32))
    uncovered = warped[3].clamp_(0.0, 1.0).neg_().add_(1.0)
    photo = warped[:3].addcmul_(uncovered[None], backdrop[:, None, None])
    grain = torch.from_numpy(rng.standard_normal(tuple(photo.shape), dtype=np.float32))
    grainy = photo.mul_(255.0).add_(grain, alpha=moment.noise).round_().clamp_(0.0, 255.0)
    return np.ascontiguousarray(grainy.to(torch.uint8).permute(1, 2, 0).numpy())


def source_positions(back: ThinPlate, moment: Moment) -> torch.Tensor:
    """Rendered canvas position of each photo pixel: float32 (2, 480, 480), x then y."""
    matrix = invert(placement(moment))
    ticks = np.linspace(0.0, PHOTO - 1.0, _NODES)
    nodes = apply(matrix, np.stack(np.meshgrid(ticks, ticks), axis=-1).reshape(-1, 2))
    coarse = torch.from_numpy(back.displacement(nodes).astype(np.float32)).T.reshape(1, 2, _NODES, _NODES)
    fine = functional.interpolate(coarse.contiguous(), size=(PHOTO, PHOTO), mode="bicubic", align_corners=True)[0]
    linear = torch.from_numpy(matrix.astype(np.float32))[:, :, None, None]
    pixels = torch.arange(PHOTO, dtype=torch.float32)
    return fine.add_(linear[:, 0] * pixels + linear[:, 2]).add_(linear[:, 1] * pixels[:, None])


def sample_jitter(rng: np.random.Generator) -> Floats:
    """What differs between two photos of one face along the axes (a,), in SD."""
    return rng.normal(0.0, JITTER, len(AXES))


def warp_of(patient: Patient, moment: Moment, jitter: Floats, axes: Axes, model: AppearanceModel) -> FaceWarp:
    """The warp of one photo, on the canvas. Fields are frontal: a turned head shows them shortened."""
    marks = face_marks(posed(patient.person, moment, model), model)
    displacement = axes.displacement(patient.shrink * patient.phenotype.amounts + jitter, marks)
    return face_warp(marks, displacement * np.cos(np.radians([moment.yaw, moment.pitch])))


def take_patient_photo(
    patient: Patient, moment: Moment, warp: FaceWarp, model: AppearanceModel, rng: np.random.Generator
) -> RGB:
    """Photograph `patient` at `moment` through `warp`: (480, 480, 3). `rng` gives the sensor noise only."""
    texture = with_signs(moment_texture(patient.person, moment, model), patient.phenotype.textures, model)
    maps = condition(posed(patient.person, moment, model), texture, model).numpy()
    face = lit((maps[:3].astype(np.float64) + 1) / 2, moment)
    layers = np.concatenate([face * maps[3], maps[3:4]]).astype(np.float32)
    return expose_warped(layers, warp.back, moment, rng)
