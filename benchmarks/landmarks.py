"""dlib's landmarks beside those of our network: error, failures and time on hand-set points, photographs and samples.

Error is the mean distance of points over the distance of the outer eye corners (NME); a failure is a face above 0.08.
Hand-set points follow another template than dlib's training data: "offset removed" takes away each method's mean
displacement of each point, measured on the people whose points the network was trained on.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

from ganonym.faces.align import apply, crop, invert
from ganonym.faces.appearance import AppearanceModel, load_appearance, sample_texture, texture_of, warp_points
from ganonym.faces.condition import condition
from ganonym.faces.detect import DlibDetector
from ganonym.faces.landmark_network import BOX_DROP, BOX_TO_POINTS, NetworkLandmarks
from ganonym.faces.landmarks import DlibLandmarks, LandmarkModel
from ganonym.faces.shape import join, to_canvas
from ganonym.photos.decode import read_photo
from ganonym.synthesis.generator import BACKDROP
from ganonym.synthesis.synthesizer import load_synthesizer
from ganonym.types import LANDMARKS, RGB, Box, Floats, Points, PrivateFace
from ganonym_train.landmark_sources import DEFINED, held_out, manual_points

FAILURE = 0.08


def nme(found: Points, truth: Points, chosen: Sequence[bool] | None = None) -> float:
    """Mean distance over the outer eye corners' distance in `truth`, over the points that `truth` has."""
    distance = np.linalg.norm(found - truth, axis=1) / np.linalg.norm(truth[36] - truth[45])
    return float(np.nanmean(distance if chosen is None else distance[np.array(chosen)]))


def row(name: str, errors: Sequence[float]) -> None:
    values = np.array(errors)
    half = 1.96 * values.std(ddof=1) / np.sqrt(len(values))
    print(
        f"  {name:<38} NME {values.mean():.4f} ± {half:.4f}  failures {np.mean(values > FAILURE):6.1%}  n {len(values)}"
    )


def box_around(points: Points, rng: np.random.Generator) -> Box:
    """What the detector would have said, give or take 4 % of its size."""
    low, high = points.min(axis=0), points.max(axis=0)
    side = float((high - low).max()) / BOX_TO_POINTS
    x, y = (low + high) / 2 - [0, BOX_DROP * side] + rng.normal(0, 0.04 * side, 2)
    return Box(x - side / 2, y - side / 2, x + side / 2, y + side / 2)


def london(data: Path, methods: list[LandmarkModel]) -> None:
    manual, detector = manual_points(data), DlibDetector()
    unseen = held_out(set(manual))
    photos = {s: read_photo(data, f"london/{s.removeprefix('london-')}_neutral.jpg")[0] for s in sorted(manual)}
    boxes = {s: found[0] for s, rgb in photos.items() if (found := detector.detect(rgb))}
    print(f"london, {len(unseen)} people never trained on, hand-set points ({DEFINED.sum()} of 68)")
    for method in methods:
        started = time.perf_counter()
        found = {s: method.locate(photos[s], box) for s, box in boxes.items()}
        took = (time.perf_counter() - started) / len(found) * 1000
        eyes = {s: np.linalg.norm(manual[s][36] - manual[s][45]) for s in found}
        offset = np.mean([(found[s] - manual[s]) / eyes[s] for s in found if s not in unseen], axis=0)
        test = [s for s in found if s in unseen]
        inner = np.arange(LANDMARKS) >= 17
        row(method.name, [nme(found[s], manual[s]) for s in test])
        row(f"{method.name}, offset removed", [nme(found[s] - offset * eyes[s], manual[s]) for s in test])
        row(f"{method.name}, without jaw", [nme(found[s], manual[s], inner.tolist()) for s in test])
        row(
            f"{method.name}, no jaw, offset removed", [nme(found[s] - offset * eyes[s], manual[s], inner) for s in test]
        )
        print(f"  {method.name:<38} {took:.0f} ms a face")


def agreement(name: str, folder: Path, methods: list[LandmarkModel], most: int) -> None:
    """How far the methods are from each other, and each from itself on moved copies of the photo."""
    rng, detector = np.random.default_rng(3), DlibDetector()
    apart: list[float] = []
    unsteady: dict[str, list[float]] = {method.name: [] for method in methods}
    for path in sorted(folder.glob("*.jpg"))[:most]:
        rgb, _ = read_photo(folder, path.name)
        boxes = detector.detect(rgb)
        if not boxes:
            continue
        found = [method.locate(rgb, boxes[0]) for method in methods]
        apart.append(nme(found[1], found[0]))
        for _ in range(2):
            moved, matrix, box = _moved(rgb, boxes[0], rng)
            for method, points in zip(methods, found, strict=True):
                again = apply(invert(matrix), method.locate(moved, box))
                unsteady[method.name].append(nme(again, points))
    print(f"{name}: no hand-set points")
    row("network against dlib", apart)
    for method in methods:
        row(f"{method.name} against itself, moved", unsteady[method.name])


def _moved(rgb: RGB, box: Box, rng: np.random.Generator) -> tuple[RGB, Floats, Box]:
    """The photo turned up to 8°, scaled by 0.7…1.2, and a box that is 4 % off."""
    angle, scale = np.radians(rng.uniform(-8, 8)), rng.uniform(0.7, 1.2)
    linear = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    height, width = rgb.shape[:2]
    middle = np.array([width - 1, height - 1]) / 2
    matrix = np.column_stack([linear, middle - linear @ middle])
    centre = apply(matrix, np.array([[(box.left + box.right) / 2, (box.top + box.bottom) / 2]]))[0]
    side = scale * box.width
    x, y = centre + rng.normal(0, 0.04 * side, 2)
    moved = Box(x - side / 2, y - side / 2, x + side / 2, y + side / 2)
    return crop(rgb, matrix, (width, height)), matrix, moved


def sample_picture(model: AppearanceModel, rng: np.random.Generator, exaggerated: bool) -> tuple[RGB, Points]:
    """A fresh sample on the canvas and its exact points."""
    shape = model.shape
    identity = rng.standard_normal(len(shape.identity_sd)).clip(-2.5, 2.5)
    if exaggerated:
        identity[rng.integers(len(identity), size=4)] = rng.choice([-3.0, 3.0], 4)
    expression = rng.standard_normal(len(shape.expression_sd)).clip(-2, 2)
    points = to_canvas(join(identity * shape.identity_sd, expression * shape.expression_sd, shape))
    points = warp_points(points, shape.mean, model.forehead)[:LANDMARKS]
    coefficients = sample_texture(rng.standard_normal(len(model.attribute_sd)).clip(-1.5, 1.5), model, rng)
    maps = condition(points, texture_of(coefficients, model), model)
    picture = maps[:3] * maps[3] + BACKDROP * (1 - maps[3])
    return ((picture + 1) * 127.5).round().clamp(0, 255).byte().permute(1, 2, 0).contiguous().numpy(), points


def samples(count: int, methods: list[LandmarkModel]) -> None:
    model, changes = load_appearance(), np.random.default_rng(21)

    def blurred(rgb: RGB) -> RGB:
        return np.asarray(Image.fromarray(rgb).filter(ImageFilter.GaussianBlur(3)))

    def grainy(rgb: RGB) -> RGB:
        return (rgb + changes.normal(0, 25, rgb.shape)).round().clip(0, 255).astype(np.uint8)

    kinds: list[tuple[str, bool, Callable[[RGB], RGB]]] = [
        ("plain", False, lambda rgb: rgb),
        ("blur, SD 3 px", False, blurred),
        ("grain, SD 25", False, grainy),
        ("four directions at 3 SD", True, lambda rgb: rgb),
    ]
    print("fresh samples of the appearance model, exact points, 256 px")
    for name, exaggerated, change in kinds:
        rng = np.random.default_rng(2026)
        errors: dict[str, list[float]] = {method.name: [] for method in methods}
        for _ in range(count):
            rgb, points = sample_picture(model, rng, exaggerated)
            rgb, box = change(rgb), box_around(points, rng)
            for method in methods:
                errors[method.name].append(nme(method.locate(rgb, box), points))
        for method in methods:
            row(f"{method.name}, {name}", errors[method.name])
    synthesizer, rng = load_synthesizer(), np.random.default_rng(5)
    errors = {method.name: [] for method in methods}
    for number in range(count // 2):
        _, points = sample_picture(model, rng, exaggerated=False)
        rgb = synthesizer.render(PrivateFace(points, number % 6, None, None, number))
        box = box_around(points, rng)
        for method in methods:
            errors[method.name].append(nme(method.locate(rgb, box), points))
    for method in methods:
        row(f"{method.name}, generator's pictures", errors[method.name])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("GANONYM_DATA", "../shared/data")))
    parser.add_argument("--weights", type=Path, help="safetensors file (default: the bundled one)")
    parser.add_argument("--samples", type=int, default=100)
    parser.add_argument("--photos", type=int, default=156, help="photographs of a set without hand-set points")
    arguments = parser.parse_args()
    methods: list[LandmarkModel] = [DlibLandmarks(), NetworkLandmarks(arguments.weights)]
    samples(arguments.samples, methods)
    if not arguments.data.is_dir():
        print(f"no photographs at {arguments.data}: set GANONYM_DATA")
        return
    london(arguments.data, methods)
    agreement("lisa", arguments.data / "lisa", methods, arguments.photos)
    agreement("synthetic", arguments.data / "synthetic", methods, arguments.photos)


if __name__ == "__main__":
    main()
