"""What the pose says of heads of known turn: `python benchmarks/turned_heads.py` prints one table.

London's neutral people and drawn ones, nearly frontal, are turned about the vertical by the face mesh's surface, with a
z-buffer, so that the nose hides the far cheek; hair and ears are on rings behind. Their own yaw is taken away first.
Beside them virtual people are turned, whose depth is an ellipsoid: the pose of its exact points, too, is a fifth less
than what was asked for. Estimates by dlib and by BlazeFace with the mesh: heads lost, mean and spread, and the share of
those found that is over the limit. "By depth": the mesh's own depth, between points that mirror one another.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.ndimage import map_coordinates
from scipy.spatial import Delaunay

from ganonym.faces.appearance import load_appearance
from ganonym.faces.blazeface import BlazeFaceDetector
from ganonym.faces.find import find_faces, judge_backends
from ganonym.faces.mesh import find_mesh, ibug_points
from ganonym.faces.pose import estimate_pose
from ganonym.models import LARGEST_YAW
from ganonym.phantom.people import sample_person
from ganonym.phantom.photos import sample_moment, take_photo
from ganonym.photos.decode import read_photo
from ganonym.types import RGB, Box, Floats

ANGLES = (0.0, 15.0, 25.0, 30.0, 35.0, 40.0, 44.0, 50.0)
ESTIMATES = ("dlib", "mesh", "mesh, by depth")
FRONTAL = 6.0
SIDE, BORDER = 480, 60
RINGS = ((1.15, 0.35), (1.35, 0.8), (1.6, 1.3))
"""How far out of the face's outline, and how far behind it in half widths of the face."""

MIRRORED = ((33, 263), (133, 362), (127, 356), (234, 454), (61, 291), (70, 300), (58, 288), (93, 323), (172, 397))


def yaw_by_depth(mesh: Floats) -> float:
    """Yaw in degrees of a mesh (478, 3): how much deeper the points of one side lie than those of the other."""
    left, right = np.array(MIRRORED).T
    x, y, z = (mesh[right] - mesh[left]).mean(axis=0).tolist()
    return float(np.degrees(np.arctan2(z, np.hypot(x, y))))


def turned(rgb: RGB, mesh: Floats, degrees: float) -> RGB:
    """The head of `mesh` (478, 3) turned to image right, before the colour of the photo's border."""
    face = mesh[:468]
    low, high = face.min(axis=0), face.max(axis=0)
    centre, half = (low + high) / 2, float(high[0] - low[0]) / 2
    outline = face[np.unique(Delaunay(face[:, :2]).convex_hull)]
    rings = [
        np.column_stack([centre[:2] + k * (outline[:, :2] - centre[:2]), outline[:, 2] + z * half]) for k, z in RINGS
    ]
    head = np.concatenate([face, *rings])
    axis = np.array([centre[0], centre[1], outline[:, 2].mean() + 0.3 * half])
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    places = (head - axis) @ np.array([[cos, 0, -sin], [0, 1, 0], [sin, 0, cos]]).T + axis
    sources = _seen(places, head[:, :2], Delaunay(head[:, :2]).simplices, rgb.shape[:2])
    shown = np.isfinite(sources[0])
    x, y = np.nan_to_num(sources)
    backdrop = np.median(np.concatenate([rgb[:10].reshape(-1, 3), rgb[:, :10].reshape(-1, 3)]), axis=0)
    bands = [
        np.where(shown, map_coordinates(rgb[..., k].astype(float), [y, x], order=1, mode="nearest"), backdrop[k])
        for k in range(3)
    ]
    return np.stack(bands, axis=-1).clip(0, 255).astype(np.uint8)


def _seen(places: Floats, sources: Floats, triangles: Floats, size: tuple[int, ...]) -> Floats:
    """Where in the photo each pixel's nearest surface comes from: (2, H, W), x then y; NaN where there is none."""
    nearest, taken = np.full(size, np.inf), np.full((2, *size), np.nan)
    for corners in triangles:
        (a, b, c), origin = places[corners], sources[corners]
        left, top = np.maximum(np.floor(places[corners, :2].min(axis=0)).astype(int), 0).tolist()
        right, bottom = (np.ceil(places[corners, :2].max(axis=0)).astype(int) + 1).tolist()
        area = (b[0] - a[0]) * (c[1] - a[1]) - (c[0] - a[0]) * (b[1] - a[1])
        part = np.s_[top:bottom, left:right]
        if abs(area) < 1e-6 or not nearest[part].size:
            continue
        rows, columns = nearest[part].shape
        y, x = np.mgrid[top : top + rows, left : left + columns]
        u = ((x - a[0]) * (c[1] - a[1]) - (c[0] - a[0]) * (y - a[1])) / area
        v = ((b[0] - a[0]) * (y - a[1]) - (x - a[0]) * (b[1] - a[1])) / area
        depth = a[2] + u * (b[2] - a[2]) + v * (c[2] - a[2])
        front = (u >= -1e-6) & (v >= -1e-6) & (u + v <= 1 + 1e-6) & (depth < nearest[part])
        nearest[part][front] = depth[front]
        for k in (0, 1):
            place = origin[0, k] + u * (origin[1, k] - origin[0, k]) + v * (origin[2, k] - origin[0, k])
            taken[k][part][front] = place[front]
    return taken


def photographs(data: Path, count: int) -> Iterator[tuple[float, list[RGB]]]:
    """For each nearly frontal person the direction of the turns, and the photographs at the angles."""
    paths = [*sorted((data / "london").glob("*_neutral.jpg"))[::2][: count // 2]]
    paths += sorted((data / "generated").glob("*.jpg"))[::9][: count // 2]
    for number, path in enumerate(paths):
        rgb, _ = read_photo(path.parent, path.name)
        scale = SIDE / max(rgb.shape[:2])
        size = round(rgb.shape[1] * scale), round(rgb.shape[0] * scale)
        small = np.asarray(Image.fromarray(rgb).resize(size, Image.Resampling.LANCZOS))
        photo = np.pad(small, ((BORDER, BORDER), (BORDER, BORDER), (0, 0)), mode="edge")
        boxes = BlazeFaceDetector().detect(photo)
        mesh = find_mesh(photo, boxes[0]).points if boxes else np.zeros((478, 3))
        if boxes and boxes[0].width >= 100 and abs(own := yaw_by_depth(mesh)) <= FRONTAL:
            yield _sign(number), [turned(photo, mesh, _sign(number) * angle - own) for angle in ANGLES]


def phantoms(count: int) -> Iterator[tuple[float, list[RGB]]]:
    """Virtual people, as `photographs` gives others."""
    model = load_appearance()
    for number in range(count):
        rng = np.random.default_rng([number, 7])
        person, moment = sample_person(model, rng), sample_moment(model, rng)
        moments = [replace(moment, yaw=_sign(number) * angle) for angle in ANGLES]
        yield _sign(number), [take_photo(person, moment, model, np.random.default_rng(number)) for moment in moments]


def _sign(number: int) -> float:
    return 1.0 if number % 2 else -1.0


def estimates(rgb: RGB) -> tuple[float, float, float]:
    """Yaw in degrees by each of ESTIMATES, NaN where no face is found."""
    dlib = find_faces(rgb, *judge_backends(), turns=(0,))
    boxes: Sequence[Box] = BlazeFaceDetector().detect(rgb)
    mesh = find_mesh(rgb, boxes[0]).points if boxes else None
    return (
        estimate_pose(dlib[0].points).yaw if dlib else float("nan"),
        float("nan") if mesh is None else estimate_pose(ibug_points(mesh)).yaw,
        float("nan") if mesh is None else yaw_by_depth(mesh),
    )


def table(label: str, people: Iterator[tuple[float, list[RGB]]]) -> None:
    yaws = np.array([sign * np.array([estimates(rgb) for rgb in taken]) for sign, taken in people])
    for a, angle in enumerate(ANGLES):
        cells = []
        for values in yaws[:, a].T:  # (people, angles, estimates)
            result = values[np.isfinite(values)]
            over = 100 * np.mean(result > LARGEST_YAW)
            cells.append(f"{len(values) - len(result)} | {result.mean():.1f} ± {result.std():.1f} | {over:.0f} %")
        print(f"| {label} | {len(yaws)} | {angle:.0f}° | " + " | ".join(cells) + " |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("GANONYM_DATA", "../shared/data")))
    parser.add_argument("--count", type=int, default=60, help="people of each kind")
    arguments = parser.parse_args()
    heads = [f"{name}: lost | yaw | over {LARGEST_YAW:.0f}°" for name in ESTIMATES]
    print("| | n | turned by | " + " | ".join(heads) + " |\n|---|---|---|" + "---|" * 3 * len(ESTIMATES))
    table("photographs", photographs(arguments.data, arguments.count))
    table("virtual people", phantoms(arguments.count))


if __name__ == "__main__":
    main()
