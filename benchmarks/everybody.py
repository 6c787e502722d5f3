"""Whose face an analysis sees, and what it costs, with dlib and with the default: `python benchmarks/everybody.py`.

`find_everybody` on photographs in which a face hides (`ganonym.faces.obstacles`): the share in which what was found
would cover it, doubtful faces counted, by the rule of `bystanders.py`. Then milliseconds of processor time on the
photographs as they are, and what dlib's HOG, the second look of the default, has in them.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
from bystanders import DATA, SETS, is_found, photographs

from ganonym.faces.everybody import SECOND, find_everybody
from ganonym.faces.find import free_backends, judge_backends
from ganonym.faces.obstacles import OBSTACLES
from ganonym.types import RGB

BACKENDS = {"dlib": judge_backends(), "BlazeFace, mesh": free_backends()}


def milliseconds(photos: list[RGB], look: Callable[[RGB], object]) -> str:
    """Median and mean of processor time."""
    look(photos[0])  # loads the networks
    spent = []
    for rgb in photos:
        started = time.process_time()
        look(rgb)
        spent.append(1000 * (time.process_time() - started))
    return f"{np.median(spent):.0f} (mean {np.mean(spent):.0f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=4, help="photos a set")
    count = parser.parse_args().count
    if not DATA.is_dir():
        raise SystemExit(f"no photographs at {DATA}: set GANONYM_DATA")
    photos = [photo for name in SETS for photo in photographs(name, count)]
    print("| | n | " + " | ".join(BACKENDS) + " |\n|---|---|" + "---|" * len(BACKENDS))
    for label, change in OBSTACLES.items():
        hidden = [change(rgb, points) for rgb, points in photos]
        cells = []
        for backends in BACKENDS.values():
            seen = [(find_everybody(rgb, *backends), truth, rgb.shape[:2]) for rgb, truth in hidden]
            boxes = [([face.box for face in (*s.faces, *s.doubtful)], truth, size) for s, truth, size in seen]
            cells.append(f"{np.mean([is_found(*box) for box in boxes]):.2f}")
        print(f"| {label} | {len(hidden)} | " + " | ".join(cells) + " |", flush=True)
    plain = [rgb for rgb, _ in photos]
    for label, looks in (
        ("ms a photograph", [lambda rgb, b=b: find_everybody(rgb, *b) for b in BACKENDS.values()]),
        ("… the finder alone", [lambda rgb, b=b: b[0].detect(rgb) for b in BACKENDS.values()]),
    ):
        print(f"| {label} | {len(plain)} | " + " | ".join(milliseconds(plain, look) for look in looks) + " |")
    print(f"| … HOG, the second look | {len(plain)} | – | {milliseconds(plain, SECOND.detect)} |")


if __name__ == "__main__":
    main()
