"""What each choice of weights keeps, in coordinates, without drawing: `python benchmarks/kept_weights.py`.

Groups the photographs of a cohort for several weights of the kept axes, and correlates what was read of a photograph
with the row that stands for it: signs (mean), tone, age, sex, expression (mean); and how many of eleven labelled
expressions are named right from the drawn rows, by a discriminant that learned on originals of other people. Weights
are chosen on synthetic people, `--sets portraits london` is for reporting.
"""

from __future__ import annotations

import argparse
import csv
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ganonym.classify.learning.tabular import Discriminant
from ganonym.evaluate.attackers.readings import read
from ganonym.faces.find import find_faces, reading_backends
from ganonym.faces.kept import KeptSpace, kept_space
from ganonym.photos.decode import read_photo
from ganonym.privacy.joint import joint_k_same, shown
from ganonym.types import Floats

DATA = Path(os.environ.get("GANONYM_DATA", Path(__file__).parents[2] / "shared" / "data"))
NAMED = (
    "neutral",
    "happy",
    "sad",
    "angry",
    "surprised",
    "disgusted",
    "scared",
    "exhausted",
    "shocked",
    "smug",
    "playful",
)
KINDS = ("signs", "tone", "age", "sex", "expression")
TRIED = ((1, 3, 2, 2, 1), (1, 3, 2, 2, 1.5), (1, 2, 2, 2, 1.5), (1.2, 2.5, 2, 2.5, 1.3), (1, 2.5, 2, 2.2, 1.4))


def cohort(data: Path, sets: Sequence[str]) -> tuple[Floats, list[str], list[str]]:
    """Coordinates (n, D), subjects and expressions of the photographs of `sets` in which a face is found."""
    with (data / "manifest.csv").open(encoding="utf-8", newline="") as file:
        photos = [row for row in csv.DictReader(file) if row["set"] in sets]
    rows, subjects, expressions = [], [], []
    for photo in photos:
        rgb, _ = read_photo(data, photo["path"])
        faces = find_faces(rgb, *reading_backends())
        if faces:
            rows.append(read(rgb, faces[0].points))
            subjects.append(photo["subject"])
            expressions.append(photo["expression"])
    return np.array(rows), subjects, expressions


def kept(before: Floats, after: Floats, space: KeptSpace) -> dict[str, float]:
    """Mean correlation of each kind of axis."""
    one, other = space.coordinates(before), space.coordinates(after)
    values = [np.corrcoef(pair)[0, 1] for pair in zip(one.T, other.T, strict=True)]
    kinds = ["signs" if name.startswith("sign ") else name.split()[0] for name in space.names]
    return {kind: float(np.mean([r for r, of in zip(values, kinds, strict=True) if of == kind])) for kind in KINDS}


def named(
    before: Floats, after: Floats, subjects: np.ndarray, expressions: np.ndarray, width: int
) -> tuple[float, float]:
    """Share of labelled photographs whose expression is named right, from originals and from what stands for them."""
    labelled = np.isin(expressions, NAMED) & np.char.startswith(subjects, "emotions")
    if not labelled.any():
        return float("nan"), float("nan")
    classes = np.array([NAMED.index(name) for name in expressions[labelled]])
    people, sides = subjects[labelled], (before[labelled][:, -width:], after[labelled][:, -width:])
    right = np.zeros((2, len(classes)), dtype=bool)
    for person in np.unique(people):
        own = people == person
        trained = Discriminant().learn(sides[0][~own], classes[~own], len(NAMED), 0)
        for side, rows in enumerate(sides):
            right[side, own] = trained(rows[own]).argmax(axis=1) == classes[own]
    return float(right[0].mean()), float(right[1].mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--sets", nargs="+", default=["emotions", "generated", "synthetic"])
    parser.add_argument("-k", type=int, default=20)
    given = parser.parse_args()
    if not (given.data / "manifest.csv").is_file():
        parser.exit(1, f"{given.data} has no photographs: point --data or GANONYM_DATA at the development sets.\n")
    rows, subjects, expressions = cohort(given.data, given.sets)
    print(f"{len(rows)} photographs of {len(set(subjects))} people, k = {given.k}; weights of {', '.join(KINDS)}")
    whole = kept_space()
    width = sum(name.startswith("expression") for name in whole.names)
    for tried in TRIED:
        space = kept_space(KINDS, dict(zip(KINDS, map(float, tried), strict=True)))
        joint = joint_k_same(rows, subjects, None, space, given.k)
        out = np.flatnonzero(joint.group >= 0)
        drawn = np.array([shown(joint, photo, np.random.default_rng(photo)) for photo in out.tolist()])
        scores = " ".join(f"{kind} {value:.2f}" for kind, value in kept(rows[out], drawn, space).items())
        names = named(rows[out], drawn, np.array(subjects)[out], np.array(expressions)[out], width)
        print(f"{tried!s:26} {scores} | named {names[1]:.2f} of {names[0]:.2f} on originals", flush=True)


if __name__ == "__main__":
    main()
