"""Syndromes kept end to end, photographs in and pictures out: `python benchmarks/phantom_utility.py`.

SIMULATED syndromes: `ganonym phantom` photographs virtual patients (as in mechanisms.py), `ganonym anonymize` releases
them by each mechanism, and two classifiers are trained and tested in four cells (on originals O or released pictures A,
subject-disjoint folds): a shrinkage LDA on landmarks found by dlib, and a small convolutional network on the edges of
64 px crops aligned by them. Macro top-1, with 95 % intervals by bootstrap over subjects for `of OO` (trained on
released, tested on originals, as a share of original on original). A photo without an output, or without a face in it,
is called wrong in the cells that test on it and missing in those that train on it.
"""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from leakage import read_samples
from mechanisms import GROUPS, bootstrap, macro
from numpy.typing import NDArray

from ganonym.classify.learner import Learner
from ganonym.classify.learning.small_network import SmallNetwork
from ganonym.classify.learning.tabular import Discriminant
from ganonym.evaluate.attackers.attacker import Sample
from ganonym.evaluate.utility.four_cells import CELLS, Cell, Side, four_cells
from ganonym.evaluate.utility.inputs import CROP_SIDE, face_crop
from ganonym.faces.shape import load_shape, normalize

MECHANISMS = {
    "k-same, k = 11": ["--mechanism", "k-same", "-k", "11"],
    "codebook, 32 codes": ["--mechanism", "codebook"],
    "metric, ε = 2": ["--mechanism", "metric", "--epsilon", "2", "--link", "subject"],
    "none": ["--mechanism", "none", "--i-understand"],
}


def ganonym(*arguments: str) -> None:
    code = subprocess.run([sys.executable, "-m", "ganonym_cli", *arguments, "--quiet"], check=False).returncode
    if code not in (0, 1):
        raise SystemExit(f"ganonym {arguments[0]} ended with exit code {code}")


def read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def described(samples: list[Sample | None]) -> tuple[Side, Side]:
    """Normalised landmarks (n, 136), and crops (n, 64, 64, 3), with which samples have a face."""
    model = load_shape()
    shapes, crops = np.zeros((len(samples), 136)), np.zeros((len(samples), CROP_SIDE, CROP_SIDE, 3), np.uint8)
    result = np.zeros(len(samples), dtype=bool)
    for row, sample in enumerate(samples):
        picture = None if sample is None else face_crop(sample)
        if sample is not None and sample.points is not None and picture is not None:
            shapes[row], crops[row], result[row] = normalize(sample.points, model).ravel(), picture, True
    return Side(shapes, result), Side(crops, result)


def cells(
    before: tuple[Side, Side], after: tuple[Side, Side], classes: NDArray[np.str_], subjects: NDArray[np.str_]
) -> dict[str, dict[Cell, NDArray[np.bool_]]]:
    """For both classifiers, which photos each cell calls right."""
    numbers = np.unique(classes, return_inverse=True)[1]
    kinds: dict[str, Learner] = {"landmarks": Discriminant(alike=False), "pixels": SmallNetwork()}
    right = {}
    for (kind, classifier), originals, released in zip(kinds.items(), before, after, strict=True):
        calls = four_cells(classifier, originals, released, numbers, subjects.tolist(), 0)
        right[kind] = {cell: calls[cell].right() for cell in CELLS}
    return right


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--subjects", type=int, default=33, help="of each class")
    parser.add_argument("--mechanism", choices=MECHANISMS, action="append", help="repeatable; all without it")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, help="keep photographs and outputs here")
    parser.add_argument("--json", type=Path, help="also write the numbers here")
    arguments = parser.parse_args()
    results: dict[str, object] = {}
    with tempfile.TemporaryDirectory() as temporary:
        root = arguments.out or Path(temporary)
        if not (root / "phantoms").is_dir():
            sizes = ",".join(f"{group}={arguments.subjects}" for group in GROUPS)
            ganonym(
                "phantom", str(root / "phantoms"), "--syndromes", sizes, "--photos", "2", "--seed", str(arguments.seed)
            )
        photos = root / "phantoms" / "photos"
        manifest = root / "phantoms" / "people.csv"
        rows = read(manifest)
        names = [row["image"] for row in rows]
        classes, subjects = np.array([row["syndrome"] for row in rows]), np.array([row["subject"] for row in rows])
        before = described(list(read_samples(photos, names)))
        faces = before[0].found.sum()
        print(f"simulated: {len(rows)} photographs of {len(set(subjects))} people, a face found in {faces}")
        print(f"{'':34}{'':11}{'released':>9}" + "".join(f"{cell:>7}" for cell in CELLS) + f"{'of OO':>20}")
        for name in arguments.mechanism or MECHANISMS:
            out = root / name.replace(" ", "")
            ganonym("anonymize", str(photos), str(out), "--manifest", str(manifest), *MECHANISMS[name])
            outputs = {row["source"]: row["output"] for row in read(out / "private" / "keymap.csv")}
            kept = read_samples(out, list(outputs.values()))
            result = dict(zip(outputs, kept, strict=True))
            right = cells(before, described([result.get(photo) for photo in names]), classes, subjects)
            for kind, entry in right.items():
                rates = {cell: macro(entry[cell], classes) for cell in CELLS}
                low, high = bootstrap([entry["AO"], entry["OO"]], classes, subjects, ratio=True)
                print(
                    f"{name:34}{kind:11}{len(outputs):9d}"
                    + "".join(f"{rates[cell]:7.3f}" for cell in CELLS)
                    + f"{rates['AO'] / rates['OO']:6.2f} [{low:.2f}, {high:.2f}]",
                    flush=True,
                )
                results[f"{name}, {kind}"] = {"released": len(outputs), "macro": rates,
                                              "kept": [rates["AO"] / rates["OO"], low, high]}  # fmt: skip
    if arguments.json:
        record = {"simulated": True, "seed": arguments.seed, "rows": results}
        arguments.json.write_text(json.dumps(record, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
