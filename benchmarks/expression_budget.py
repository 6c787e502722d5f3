"""What a photo may keep of its expression: `python benchmarks/expression_budget.py`.

For each number of directions, clip and step (in SD): bits a photo; `agree`, the share of London's photographs that a
logistic classifier of smiles (trained on other people's original shapes) calls the same before and after; `right`, how
often it is right about what is released (about originals: first line); and the share of people whose two photographs
find each other by the released expression alone (portraits: years apart; London: neutral and smiling), with exact 95 %
intervals. Before the table: how far each direction belongs to the person, by the correlation between two photographs.
Shapes only, nothing is synthesized.
"""

from __future__ import annotations

import argparse
import csv
import os
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from leakage import photos_of, read_samples
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold

from ganonym.faces.shape import load_shape, normalize, split
from ganonym.privacy.expression import ExpressionBudget, quantize_expression
from ganonym.statistics.intervals import Proportion, proportion
from ganonym.types import Floats

DATA = Path(os.environ.get("GANONYM_DATA", Path(__file__).parents[2] / "shared" / "data"))
BUDGETS = [
    ExpressionBudget(directions=directions, clip=clip, step=step)
    for directions in (6, 5, 4, 3, 2)
    for clip, step in ((1.5, 1.5), (1.0, 1.0), (1.5, 0.75), (1.5, 0.5))
]


@dataclass(frozen=True)
class Photos:
    """Expression coefficients (n, 6) in SD, whose they are, and which photo it is."""

    expression: Floats
    subjects: list[str]
    names: list[str]

    def pairs(self) -> NDArray[np.int64]:
        """The first two photos of everybody who has two, (p, 2)."""
        rows = defaultdict(list)
        for row, subject in enumerate(self.subjects):
            rows[subject].append(row)
        return np.array([row[:2] for row in rows.values() if len(row) > 1])


def read(data: Path, folder: str) -> Photos:
    model, photos = load_shape(), photos_of(data, folder)
    samples = read_samples(data / folder, [photo.name for photo in photos])
    results = [
        (photo, sample.points) for photo, sample in zip(photos, samples, strict=True) if sample.points is not None
    ]
    shapes = [split(normalize(points, model), model)[1] / model.expression_sd for _, points in results]
    return Photos(np.array(shapes), [photo.subject for photo, _ in results], [f"{folder}/{p.name}" for p, _ in results])


def smiling(data: Path, names: list[str]) -> NDArray[np.bool_]:
    with (data / "manifest.csv").open(encoding="utf-8", newline="") as file:
        expression = {row["path"]: row["expression"] for row in csv.DictReader(file)}
    return np.array([expression[name] == "smiling" for name in names])


def released(expression: Floats, budget: ExpressionBudget) -> Floats:
    kept = np.zeros_like(expression)
    first = slice(budget.directions)
    one = np.ones(budget.directions)
    kept[:, first] = [quantize_expression(row, one, budget.clip, budget.step) for row in expression[:, first]]
    return kept


def linked(expression: Floats, pairs: NDArray[np.int64]) -> Proportion:
    """How many people's first photo is nearest to their own second one, by expression; ties count their share."""
    hits = 0.0
    for row, (probe, _) in enumerate(pairs):
        gaps = ((expression[pairs[:, 1]] - expression[probe]) ** 2).sum(axis=1)
        best = np.isclose(gaps, gaps.min())
        hits += float(best[row]) / int(best.sum())
    return proportion(hits, len(pairs))


def called_smiling(before: Floats, after: Floats, smile: NDArray[np.bool_], people: list[str]) -> NDArray[np.bool_]:
    """What a classifier trained on the originals of other people says of `after`."""
    called = np.zeros(len(after), dtype=bool)
    for train, test in GroupKFold(5).split(before, groups=people):
        called[test] = LogisticRegression().fit(before[train], smile[train]).predict(after[test])
    return called


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA)
    data = parser.parse_args().data
    if not (data / "london").is_dir():
        print(f"skipped: no photographs at {data} (set GANONYM_DATA or give --data)")
        return
    london, portraits = read(data, "london"), read(data, "portraits")
    for name, photos in (("portraits, years apart", portraits), ("London, neutral and smiling", london)):
        first, second = photos.expression[photos.pairs()].transpose(1, 2, 0)
        same = " ".join(f"{np.corrcoef(a, b)[0, 1]:.2f}" for a, b in zip(first, second, strict=True))
        print(f"correlation of each direction between two photos of one person, {name}: {same}")
    smile = smiling(data, london.names)
    before = called_smiling(london.expression, london.expression, smile, london.subjects)
    print(f"the classifier is right about {(before == smile).mean():.3f} of {len(smile)} originals")
    print(f"{'directions':>10} {'clip':>5} {'step':>5} {'bits':>5} {'agree':>6} {'right':>6}  linked")
    for budget in BUDGETS:
        shown = released(london.expression, budget)
        after = called_smiling(london.expression, shown, smile, london.subjects)
        rates = [
            linked(shown, london.pairs()),
            linked(released(portraits.expression, budget), portraits.pairs()),
        ]
        cells = "  ".join(f"{r.value:.3f} [{r.low:.3f}, {r.high:.3f}] of {r.n}" for r in reversed(rates))
        print(
            f"{budget.directions:10d} {budget.clip:5.1f} {budget.step:5.2f} {budget.bits(6):5.1f} "
            f"{(before == after).mean():6.3f} {(after == smile).mean():6.3f}  {cells}"
        )


if __name__ == "__main__":
    main()
