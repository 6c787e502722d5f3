"""Syndromes kept end to end, photographs in and pictures out: `python benchmarks/phantom_utility.py`.

SIMULATED syndromes: `ganonym phantom` photographs virtual patients (as in mechanisms.py), `ganonym anonymize` releases
them by each mechanism, and two classifiers are trained and tested in four cells (on originals O or released pictures A,
subject-disjoint folds): a shrinkage LDA on landmarks found by dlib, and a small convolutional network on 64 px crops
aligned by them. Macro top-1, with 95 % intervals by bootstrap over subjects for `of OO` (trained on released, tested on
originals, as a share of original on original). A photo without an output, or without a face in it, is called wrong in
the cells that test on it and missing in those that train on it.
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
import torch
from leakage import read_samples
from mechanisms import CELLS, GROUPS, bootstrap, macro
from numpy.typing import NDArray
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.model_selection import StratifiedGroupKFold
from torch import nn
from torch.nn import functional

from ganonym.evaluate.sample import Sample
from ganonym.faces.align import crop, similarity
from ganonym.faces.shape import load_shape, normalize, to_canvas
from ganonym.types import CANVAS, Floats

SIDE, EPOCHS = 64, 30
MECHANISMS = {
    "k-same, k = 11": ["--mechanism", "k-same"],
    "k-same, k = 11, not re-dispersed": ["--mechanism", "k-same", "--disperse", "none"],
    "codebook, 32 codes": ["--mechanism", "codebook"],
    "metric, ε = 2": ["--mechanism", "metric", "--epsilon", "2", "--disperse", "subject"],
    "none": ["--mechanism", "none", "--i-understand"],
}


def ganonym(*arguments: str) -> None:
    code = subprocess.run([sys.executable, "-m", "ganonym_cli", *arguments, "--quiet"], check=False).returncode
    if code not in (0, 1):
        raise SystemExit(f"ganonym {arguments[0]} ended with exit code {code}")


def read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


class Network(nn.Sequential):
    """Three convolutions and a linear layer: 64 px colour crops → classes."""

    def __init__(self, classes: int) -> None:
        layers: list[nn.Module] = []
        for before, after in ((3, 24), (24, 48), (48, 96)):
            layers += [nn.Conv2d(before, after, 3, padding=1), nn.BatchNorm2d(after), nn.ReLU(), nn.MaxPool2d(2)]
        super().__init__(*layers, nn.Flatten(), nn.Dropout(0.3), nn.Linear(96 * (SIDE // 8) ** 2, classes))


def fit_network(crops: NDArray[np.uint8], classes: NDArray[np.int64], count: int) -> Network:
    """Adam with cosine decay; mirrored, shifted and relit at random, all from one seed."""
    torch.manual_seed(0)
    network = Network(count)
    optimizer = torch.optim.AdamW(network.parameters(), 2e-3, weight_decay=1e-2)
    images, labels = pixels(crops), torch.from_numpy(classes)
    steps = EPOCHS * (len(images) // 32)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(steps):
        rows = torch.randint(len(images), (32,))
        batch = images[rows]
        batch = torch.where(torch.rand(32, 1, 1, 1) < 0.5, batch.flip(3), batch)
        batch = torch.roll(batch, tuple(torch.randint(-2, 3, (2,)).tolist()), dims=(2, 3))
        batch = batch * (1 + 0.2 * torch.randn(32, 1, 1, 1)) + 0.1 * torch.randn(32, 3, 1, 1)
        optimizer.zero_grad()
        functional.cross_entropy(network(batch), labels[rows], label_smoothing=0.1).backward()
        optimizer.step()
        schedule.step()
    return network.eval()


def pixels(crops: NDArray[np.uint8]) -> torch.Tensor:
    return torch.from_numpy(crops).permute(0, 3, 1, 2).float() / 127.5 - 1


def described(samples: list[Sample | None]) -> tuple[Floats, NDArray[np.uint8], NDArray[np.bool_]]:
    """Normalised landmarks (n, 136), crops (n, 64, 64, 3), and which samples have a face."""
    model = load_shape()
    place = to_canvas(model.mean) * (SIDE / CANVAS)
    shapes, crops = np.zeros((len(samples), 136)), np.zeros((len(samples), SIDE, SIDE, 3), np.uint8)
    found = np.array([sample is not None and sample.points is not None for sample in samples])
    for row, sample in enumerate(samples):
        if sample is not None and sample.points is not None:
            shapes[row] = normalize(sample.points, model).ravel()
            crops[row] = crop(sample.rgb, similarity(sample.points, place), SIDE)
    return shapes, crops, found


def cells(
    before: tuple[Floats, NDArray[np.uint8], NDArray[np.bool_]],
    after: tuple[Floats, NDArray[np.uint8], NDArray[np.bool_]],
    classes: NDArray[np.str_],
    subjects: NDArray[np.str_],
) -> dict[str, dict[str, NDArray[np.bool_]]]:
    """For both classifiers, which photos each cell calls right."""
    names, numbers = np.unique(classes, return_inverse=True)
    right = {kind: {cell: np.zeros(len(classes), dtype=bool) for cell in CELLS} for kind in ("landmarks", "pixels")}
    split = StratifiedGroupKFold(5, shuffle=True, random_state=0)
    for train, test in split.split(before[0], classes, subjects):
        for source, data in (("O", before), ("A", after)):
            rows = train[data[2][train]]
            lda = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto").fit(data[0][rows], numbers[rows])
            network = fit_network(data[1][rows], numbers[rows], len(names))
            for target, others in (("O", before), ("A", after)):
                with torch.inference_mode():
                    called = network(pixels(others[1][test])).argmax(dim=1).numpy()
                seen, cell = others[2][test], source + target
                right["landmarks"][cell][test] = (lda.predict(others[0][test]) == numbers[test]) & seen
                right["pixels"][cell][test] = (called == numbers[test]) & seen
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
        print(f"simulated: {len(rows)} photographs of {len(set(subjects))} people, a face found in {before[2].sum()}")
        print(f"{'':34}{'':11}{'released':>9}" + "".join(f"{cell:>7}" for cell in CELLS) + f"{'of OO':>20}")
        for name in arguments.mechanism or MECHANISMS:
            out = root / name.replace(" ", "")
            ganonym("anonymize", str(photos), str(out), "--manifest", str(manifest), *MECHANISMS[name])
            outputs = {row["source"]: row["output"] for row in read(out / "private" / "keymap.csv")}
            kept = read_samples(out, list(outputs.values()))
            found = dict(zip(outputs, kept, strict=True))
            right = cells(before, described([found.get(photo) for photo in names]), classes, subjects)
            for kind, each in right.items():
                rates = {cell: macro(each[cell], classes) for cell in CELLS}
                low, high = bootstrap([each["AO"], each["OO"]], classes, subjects, ratio=True)
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
