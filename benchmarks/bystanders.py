"""Faces that a whole photo must not keep, and which look finds them: `python benchmarks/bystanders.py`.

A row for each way in which a face hides: recall by dlib alone, as in version 0.1 (HOG at its finest, and at three
turns, and its network), by BlazeFace, and by both; a face counts as found when what would be covered hides nine tenths
of its landmarks' bounds. Then boxes beside faces, covers in pictures without a face, and seconds of processor time.
"""

from __future__ import annotations

import argparse
import csv
import os
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image
from skimage import data

from ganonym.faces.align import unturn
from ganonym.faces.detect import DlibDetector
from ganonym.faces.find import default_backends, distinct, find_faces
from ganonym.faces.obstacles import OBSTACLES
from ganonym.faces.second_look import _FINE, _by_blazeface, _by_network
from ganonym.synthesis.region import box_region
from ganonym.types import RGB, Box, Points

DATA = Path(os.environ.get("GANONYM_DATA", Path(__file__).parents[2] / "shared" / "data"))
SETS: dict[str, Callable[[dict[str, str]], bool]] = {
    "portraits": lambda row: row["set"] == "portraits",
    "london": lambda row: row["set"] == "london",
    "synthetic": lambda row: row["set"] == "synthetic",
    "emotions": lambda row: row["set"] == "emotions",
    "children": lambda row: row["set"] == "generated" and bool(row["age"]) and float(row["age"]) < 13,
}
SIDE = 900
COARSE = DlibDetector(sides=(960,), threshold=0.6, beside=0.6, every_size=True)
FACELESS = ("coffee", "rocket", "hubble_deep_field", "brick", "grass", "gravel", "coins", "clock")
Look = Callable[[RGB], list[Box]]


def by_dlib(rgb: RGB) -> list[Box]:
    """What version 0.1 looked with."""
    boxes = [*_FINE.detect(rgb), *_by_network(rgb)]
    for turns in (1, 2, 3):
        for box in COARSE.detect(np.ascontiguousarray(np.rot90(rgb, turns))):
            corners = unturn(np.array([[box.left, box.top], [box.right, box.bottom]]), turns, rgb.shape[:2])
            boxes.append(Box(*corners.min(axis=0).tolist(), *corners.max(axis=0).tolist(), box.score))
    return boxes


LOOKS: dict[str, Look] = {"dlib": by_dlib, "BlazeFace": _by_blazeface}


def photographs(name: str, count: int) -> list[tuple[RGB, Points]]:
    """Photos of one set, at most SIDE px long, with the landmarks of their largest face."""
    with (DATA / "manifest.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if SETS[name](row) and (DATA / row["path"]).is_file()]
    results = []
    for row in np.random.default_rng(1).permutation(np.array(rows, dtype=object)):
        with Image.open(DATA / row["path"]) as picture:
            small = picture.convert("RGB")
        small.thumbnail((SIDE, SIDE))
        rgb = np.asarray(small)
        faces = find_faces(rgb, *default_backends())
        if len(faces) == 1:
            results.append((rgb, faces[0].points))
        if len(results) == count:
            break
    return results


def hidden_by(boxes: list[Box], size: tuple[int, int]) -> np.ndarray:
    """Mask (H, W) of what is covered for `boxes`."""
    mask = np.zeros(size, np.bool_)
    for box in boxes:
        box_region(box, size).paint(mask)
    return mask


def is_found(boxes: list[Box], truth: Box, size: tuple[int, int]) -> bool:
    near = [box for box in boxes if box.area <= 4 * truth.area]
    rows = slice(max(round(truth.top), 0), round(truth.bottom) + 1)
    part = hidden_by(near, size)[rows, max(round(truth.left), 0) : round(truth.right) + 1]
    return bool(part.size) and float(part.mean()) > 0.9


def is_apart(box: Box, truth: Box) -> bool:
    """Whether the middle of `box` is outside the face, widened by its size."""
    x, y = (box.left + box.right) / 2, (box.top + box.bottom) / 2
    wide, high = truth.width / 2, truth.height / 2
    return not (truth.left - wide <= x <= truth.right + wide and truth.top - high <= y <= truth.bottom + high)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=6, help="photos a set")
    count = parser.parse_args().count
    if not DATA.is_dir():
        raise SystemExit(f"no photographs at {DATA}: set GANONYM_DATA")
    photos = [photograph for name in SETS for photograph in photographs(name, count)]
    result: dict[tuple[str, str], list[bool]] = defaultdict(list)
    seconds: dict[str, list[float]] = defaultdict(list)
    alarms: dict[str, list[int]] = defaultdict(list)
    for rgb, points in photos:
        for obstacle, change in OBSTACLES.items():
            changed, truth = change(rgb, points)
            size = changed.shape[0], changed.shape[1]
            seen: dict[str, list[Box]] = {}
            for name, look in LOOKS.items():
                started = time.process_time()
                seen[name] = look(changed)
                seconds[name].append(time.process_time() - started)
            seen["all"] = [box for boxes in seen.values() for box in boxes]
            for name, boxes in seen.items():
                result[name, obstacle].append(is_found(boxes, truth, size))
                alarms[name].append(sum(is_apart(box, truth) for box in distinct(boxes)))
    names = [*LOOKS, "all"]
    print(f"| {len(photos)} photos of {len(SETS)} sets | {' | '.join(names)} |\n|---|{'---|' * len(names)}")
    for obstacle in OBSTACLES:
        print(f"| {obstacle} | {' | '.join(f'{np.mean(result[name, obstacle]):.2f}' for name in names)} |")
    print(f"| boxes beside the face, a photo | {' | '.join(f'{np.mean(alarms[name]):.2f}' for name in names)} |")
    for name in LOOKS:
        print(f"{name}: {np.mean(seconds[name]):.2f} s a photo")
    for name in FACELESS:
        picture = getattr(data, name)()
        rgb = picture if picture.ndim == 3 else np.dstack([picture] * 3)
        shares = [hidden_by(look(rgb), rgb.shape[:2]).mean() for look in LOOKS.values()]
        print(f"no face in {name}: covered {', '.join(f'{share:.0%}' for share in shares)} ({', '.join(LOOKS)})")


if __name__ == "__main__":
    main()
