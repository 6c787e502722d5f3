"""Finders of faces and landmarks side by side: `python benchmarks/landmarks.py` prints one table.

Each finder is a detector with a landmark model: dlib's two, BlazeFace with our landmark network, BlazeFace with the
mesh, and FAN where GANONYM_WEIGHTS names a folder with its weights. Errors are mean distances of points over the one of
the outer eye corners (NME), in percent, then in brackets how many of a hundred photographs have no face found, or one
more than 8 % off. "Against itself": what the finder says of the changed photograph beside what it said of the first,
brought along. "Beside the others": distance to the median of the finders' points, each with its mean displacement on
London taken away, since templates differ.
"""

from __future__ import annotations

import argparse
import csv
import io
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.ndimage import map_coordinates
from skimage import data as samples

from ganonym.faces import obstacles
from ganonym.faces.blazeface import BlazeFaceDetector
from ganonym.faces.detect import Detector, DlibDetector
from ganonym.faces.fan import FanLandmarks, present
from ganonym.faces.find import find_faces
from ganonym.faces.landmark_network import NetworkLandmarks
from ganonym.faces.landmarks import DlibLandmarks, LandmarkModel
from ganonym.faces.mesh import MeshLandmarks
from ganonym.faces.tone import ita_degrees, tone_class
from ganonym.photos.decode import read_photo
from ganonym.types import RGB, Face, Points
from ganonym_train.landmark_sources import held_out, manual_points

FAILURE = 0.08
INNER = np.arange(68) >= 17
SHIFTS = ((1, 0), (-1, 0), (0, 1), (0, -1))


@dataclass
class Finder:
    """A detector and a landmark model, and the seconds that its looks took."""

    name: str
    detector: Detector
    landmarks: LandmarkModel
    seconds: list[float] = field(default_factory=list)

    def faces(self, rgb: RGB, turns: Sequence[int] = (0,)) -> list[Face]:
        started = time.perf_counter()
        faces = find_faces(rgb, self.detector, self.landmarks, turns)
        self.seconds.append(time.perf_counter() - started)
        return faces

    def points(self, rgb: RGB, near: Points | None = None) -> Points | None:
        """Landmarks of the largest face, or of the one nearest to the middle of the points `near`."""
        faces = self.faces(rgb)
        if near is not None:
            faces.sort(key=lambda face: float(np.linalg.norm(face.points.mean(axis=0) - near.mean(axis=0))))
        return faces[0].points if faces else None


def nme(points: Points, truth: Points, chosen: Points | None = None) -> float:
    distance = np.linalg.norm(points - truth, axis=1) / np.linalg.norm(truth[36] - truth[45])
    return float(np.nanmean(distance if chosen is None else distance[chosen]))


def row(label: str, count: int, errors: Sequence[Sequence[float | None]]) -> None:
    """A line of the table: for each finder the errors of its photographs, None where it found no face."""
    cells = []
    for values in errors:
        numbers = np.array([value for value in values if value is not None])
        failed = (sum(value is None for value in values) + int((numbers > FAILURE).sum())) / max(len(values), 1)
        cells.append(f"{100 * numbers.mean():5.2f} ({100 * failed:.0f})" if len(numbers) else "    – (100)")
    print(f"| {label} | {count} | " + " | ".join(cells) + " |", flush=True)


def london(data: Path, finders: Sequence[Finder]) -> list[Points]:
    """Prints accuracy on hand-set points; returns each finder's mean displacement, over eye distances."""
    manual = manual_points(data)
    unseen = held_out(set(manual))
    errors: dict[str, list[list[float | None]]] = {kind: [] for kind in ("raw", "moved", "inner", "inner moved")}
    displacements = []
    for finder in finders:
        points = {}
        for subject in sorted(manual):
            rgb, _ = read_photo(data, f"london/{subject.removeprefix('london-')}_neutral.jpg")
            points[subject] = finder.points(rgb)
        eyes = {subject: np.linalg.norm(truth[36] - truth[45]) for subject, truth in manual.items()}
        apart = [(points[s] - manual[s]) / eyes[s] for s in sorted(manual) if s not in unseen and points[s] is not None]
        displacement = np.nan_to_num(np.mean(apart, axis=0))
        displacements.append(displacement)
        tests = [(points[s], manual[s], eyes[s]) for s in sorted(unseen)]
        errors["raw"].append([p if p is None else nme(p, t) for p, t, _ in tests])
        errors["moved"].append([p if p is None else nme(p - displacement * e, t) for p, t, e in tests])
        errors["inner"].append([p if p is None else nme(p, t, INNER) for p, t, _ in tests])
        errors["inner moved"].append([p if p is None else nme(p - displacement * e, t, INNER) for p, t, e in tests])
    row("hand-set points, London, people never trained on", len(unseen), errors["raw"])
    row("… mean displacement of each point removed", len(unseen), errors["moved"])
    row("… without jaw", len(unseen), errors["inner"])
    row("… without jaw, displacement removed", len(unseen), errors["inner moved"])
    return displacements


def beside(label: str, photos: Sequence[RGB], finders: Sequence[Finder], displacements: Sequence[Points]) -> None:
    errors: list[list[float | None]] = [[] for _ in finders]
    for rgb in photos:
        seen = [finder.points(rgb) for finder in finders]
        placed = [
            None if points is None else points - displacement * np.linalg.norm(points[36] - points[45])
            for points, displacement in zip(seen, displacements, strict=True)
        ]
        shapes = [points for points in placed if points is not None]
        for values, points in zip(errors, placed, strict=True):
            values.append(None if points is None else nme(points, np.median(shapes, axis=0)))
    row(label, len(photos), errors)


Change = Callable[[RGB], tuple[RGB, Callable[[Points], Points]]]


def against_itself(label: str, photos: Sequence[RGB], finders: Sequence[Finder], changes: Sequence[Change]) -> None:
    errors: list[list[float | None]] = [[] for _ in finders]
    for finder, values in zip(finders, errors, strict=True):
        for rgb in photos:
            before = finder.points(rgb)
            if before is None:
                continue
            for change in changes:
                changed, bring = change(rgb)
                expected = bring(before)
                visible = np.isfinite(expected).all(axis=1)
                after = finder.points(changed, expected[visible])
                eyes = float(np.linalg.norm(before[36] - before[45]))
                values.append(
                    None if after is None else float(np.linalg.norm(after - expected, axis=1)[visible].mean()) / eyes
                )
    row(label, len(photos) * len(changes), errors)


def encoded(rgb: RGB, quality: int) -> tuple[RGB, Callable[[Points], Points]]:
    stream = io.BytesIO()
    Image.fromarray(rgb).save(stream, "JPEG", quality=quality)
    return np.asarray(Image.open(stream).convert("RGB")), lambda points: points


def resized(rgb: RGB, factor: float) -> tuple[RGB, Callable[[Points], Points]]:
    size = round(rgb.shape[1] * factor), round(rgb.shape[0] * factor)
    scale = np.array(size) / rgb.shape[1::-1]
    return np.asarray(Image.fromarray(rgb).resize(size, Image.Resampling.LANCZOS)), lambda p: (p + 0.5) * scale - 0.5


def shifted(rgb: RGB, step: tuple[int, int]) -> tuple[RGB, Callable[[Points], Points]]:
    return np.ascontiguousarray(np.roll(rgb, step, axis=(1, 0))), lambda points: points + step


def hidden(
    rgb: RGB, finder: Finder, obstacle: Callable[[RGB, Points], obstacles.Hidden]
) -> tuple[RGB, Callable[[Points], Points]]:
    points = finder.points(rgb)
    return (rgb if points is None else obstacle(rgb, points)[0]), lambda entry: entry


def yawed(rgb: RGB, finder: Finder, degrees: float) -> tuple[RGB, Callable[[Points], Points]]:
    """The head turned as if it were an ellipsoid under its landmarks; points that turn away become NaN."""
    points = finder.points(rgb)
    if points is None:
        return rgb, lambda entry: entry
    low, high = points.min(axis=0), points.max(axis=0)
    centre, radii = (low + high) / 2, (high - low) / 2 * [1.05, 1.5]
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))

    def depth(places: Points, where: Points) -> Points:
        return np.sqrt(np.maximum(1 - ((places - where) ** 2 / radii**2).sum(axis=-1), 0.0)) * radii[0]

    def bring(points: Points) -> Points:
        across, forward = points[:, 0] - centre[0], depth(points, centre)
        turned = points.copy()
        turned[:, 0] = centre[0] + cos * across + sin * forward
        turned[-sin * across + cos * forward < 0.15 * radii[0]] = np.nan
        return turned

    y, x = np.mgrid[: rgb.shape[0], : rgb.shape[1]].astype(float)
    grid = np.stack([x, y], axis=-1)
    inside = ((grid - centre) ** 2 / radii**2).sum(axis=-1) < 1
    source = cos * (x - centre[0]) - sin * depth(grid, centre) + centre[0]
    places = np.where(inside, source, x)
    bands = [map_coordinates(rgb[..., band], [y, places], order=1, mode="nearest") for band in range(3)]
    return np.stack(bands, axis=-1), bring


def without_faces(photos: Sequence[RGB], finders: Sequence[Finder]) -> Iterator[RGB]:
    """Photographs whose heads are painted over, and two of no face."""
    yield from (samples.coffee(), samples.chelsea())
    for rgb in photos:
        boxes = [face.box for finder in finders for face in finder.faces(rgb)]
        if boxes:
            blank = rgb.copy()
            for box in boxes:
                side = max(box.width, box.height)
                top, bottom = max(round(box.top - 0.7 * side), 0), max(round(box.bottom + 0.4 * side), 0)
                blank[top:bottom, max(round(box.left - 0.5 * side), 0) : max(round(box.right + 0.5 * side), 0)] = 128
            yield blank


def false_alarms(photos: Sequence[RGB], finders: Sequence[Finder]) -> None:
    blanks = list(without_faces(photos, finders))
    cells = [f"{100 * np.mean([bool(finder.faces(rgb)) for rgb in blanks]):.1f} %" for finder in finders]
    print(f"| heads painted over: a face is found | {len(blanks)} | " + " | ".join(cells) + " |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("GANONYM_DATA", "../shared/data")))
    parser.add_argument("--photos", type=int, default=40, help="at most so many photographs of a set")
    arguments = parser.parse_args()
    data, most = arguments.data, arguments.photos
    finders = [
        Finder("dlib", DlibDetector(), DlibLandmarks()),
        Finder("BlazeFace, our network", BlazeFaceDetector(), NetworkLandmarks()),
        Finder("BlazeFace, mesh", BlazeFaceDetector(), MeshLandmarks()),
    ]
    folder = Path(os.environ.get("GANONYM_WEIGHTS", "/nowhere"))
    if present(folder):
        finders.append(Finder("dlib, FAN", DlibDetector(), FanLandmarks(folder)))
    else:
        print("FAN is left out: GANONYM_WEIGHTS names no folder with its weights.\n")
    with (data / "manifest.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))

    def of(chosen: Callable[[dict[str, str]], bool]) -> list[RGB]:
        paths = [line["path"] for line in rows if chosen(line)]
        step = max(1, len(paths) // most)
        return [read_photo(data, path)[0] for path in paths[::step][:most]]

    print("| | n | " + " | ".join(finder.name for finder in finders) + " |\n|---|---|" + "---|" * len(finders))
    displacements = london(data, finders)
    synthetic, emotions = of(lambda line: line["set"] == "synthetic"), of(lambda line: line["set"] == "emotions")
    children = of(lambda line: line["set"] == "generated" and line["age"] != "" and float(line["age"]) < 16)
    everyone = of(lambda line: line["set"] in ("synthetic", "generated") and not line["subject"].startswith("c"))
    tones = [(rgb, finders[2].points(rgb)) for rgb in [*everyone, *synthetic, *emotions]]
    dark = [rgb for rgb, points in tones if points is not None and tone_class(ita_degrees(rgb, points)) >= 4]
    for label, photos in (("children", children), ("dark skin (ITA below 10°)", dark[:most]), ("emotions", emotions)):
        beside(f"beside the others: {label}", photos, finders, displacements)
    steady = [*synthetic[: most // 2], *children[: most // 4], *emotions[: most // 4]]
    for label, changes in (
        ("JPEG 90", [partial(encoded, quality=90)]),
        ("JPEG 70", [partial(encoded, quality=70)]),
        ("resized by 0.7", [partial(resized, factor=0.7)]),
        ("shifted by a pixel", [partial(shifted, step=step) for step in SHIFTS]),
    ):
        against_itself(f"against itself: {label}", steady, finders, changes)
    for degrees in (15, 30, 45, 60):
        turning = partial(yawed, finder=finders[2], degrees=degrees)
        against_itself(f"against itself: turned aside by {degrees}°", steady, finders, [turning])
    for label in ("eye bar", "mask", "hand", "5 % brightness", "low contrast", "blurred"):
        change = partial(hidden, finder=finders[2], obstacle=obstacles.OBSTACLES[label])
        against_itself(f"against itself: {label}", steady, finders, [change])
    false_alarms([*synthetic, *children, *emotions, *everyone], finders)
    for finder in finders:
        finder.seconds.clear()
        for rgb in steady:
            finder.faces(rgb)
    cells = [f"{1000 * np.median(finder.seconds):.0f}" for finder in finders]
    print(f"| ms a photograph, detection included, one core | {len(steady)} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
