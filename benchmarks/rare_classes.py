"""What becomes of rare disorders, for each `--small-classes`: `python benchmarks/rare_classes.py`.

A cohort shaped like GestaltMatcher-DB: 500 classes, sizes by a power law, of which 46 % have two to six people, as 118
of its 257 disorders have. No pictures: rows are drawn from the public population, moved by an offset of the class on
the sign axes (families of eight classes share half of it). For each option: the share of photos and of classes that
leave, and of classes that leave under their own name; the correlation of kept coordinates before and after, over what
is released; and how many of the released photos two attackers name. "Label" knows everybody's class and how many photos
each person has, and sees labels only. "Informed" holds all originals, reruns the mechanism, reads the group from the
output and names the person with most photos in it; with codes, whoever has the output's code. "Worst": the highest rate
of a group.
"""

from __future__ import annotations

import argparse
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ganonym.faces.kept import KeptSpace, kept_space
from ganonym.faces.shape import load_shape
from ganonym.privacy.codebook import make_codebook
from ganonym.privacy.expression import ExpressionBudget, quantize_expression
from ganonym.privacy.joint import joint_k_same, shown
from ganonym.privacy.ksame import merged_labels
from ganonym.privacy.population import public_patients
from ganonym.settings import SMALLEST_CLASS, SmallClasses
from ganonym.types import Floats

SLOPE, LARGEST = 1.35, 150
"""Of the power law of class sizes, from two up."""
MORE = 0.25
"""The chance of one more photo of a person, again and again."""
SIGNS, WITHIN = 0.8, 0.35
"""SD of a class's offset on each sign axis; of photos of one person about their mean, in SD of the population. Their
expressions have nothing in common."""
FAMILY = 8
CODES = 32
KINDS = ("sign", "tone", "age", "sex", "expression")


@dataclass(frozen=True, eq=False)
class Cohort:
    """Rows (n, D) of photos, whose they are, the class of each, and its family: a coarser diagnosis."""

    rows: Floats
    owners: list[str]
    labels: list[str]
    families: list[str]


@dataclass(frozen=True, eq=False)
class Outcome:
    """What is shown (n, D), NaN where withheld; labels as released; for each photo whether each attacker names it, as
    the chance of a hit, and the highest rate that its group allows."""

    rows: Floats
    labels: Sequence[str | None]
    informed: Floats
    worst: float

    @property
    def out(self) -> NDArray[np.bool_]:
        return np.isfinite(self.rows[:, 0])


def cohort(space: KeptSpace, classes: int, rng: np.random.Generator) -> Cohort:
    sizes = np.arange(2, LARGEST + 1)
    chances = sizes**-SLOPE / (sizes**-SLOPE).sum()
    people = rng.choice(sizes, size=classes, p=chances)
    signs = np.array([name.startswith("sign") for name in space.names])
    family = rng.standard_normal((classes // FAMILY + 1, len(signs))) * np.sqrt(0.5)
    own = rng.standard_normal((classes, len(signs))) * np.sqrt(0.5)
    offsets = SIGNS * signs * (family[np.arange(classes) // FAMILY] + own) @ space.pull.T
    spread = np.linalg.cholesky(space.covariance + 1e-9 * np.eye(len(space.mean)))
    expressions = sum(name.startswith("expression") for name in space.names)
    rows, owners, labels, families = [], [], [], []
    for number, count in enumerate(people):
        for person in range(count):
            middle = offsets[number] + spread @ rng.standard_normal(len(space.mean))
            for _ in range(rng.geometric(1 - MORE)):
                fresh = spread @ rng.standard_normal(len(space.mean))
                photo = middle + WITHIN * fresh
                photo[-expressions:] = fresh[-expressions:]
                rows.append(space.mean + photo)
                owners.append(f"{number}.{person}")
                labels.append(f"class {number:03d}")
                families.append(f"family {number // FAMILY:02d}")
    return Cohort(np.array(rows), owners, labels, families)


def grouped(data: Cohort, labels: Sequence[str] | None, space: KeptSpace, k: int, small: SmallClasses) -> Outcome:
    joint = joint_k_same(data.rows, data.owners, labels, space, k, small)
    rng = np.random.default_rng(1)
    empty = np.full(data.rows.shape[1], np.nan)
    after = np.array([shown(joint, i, rng) if joint.group[i] >= 0 else empty for i in range(len(data.rows))])
    informed = np.zeros(len(after))
    seen, middles = space.coordinates(after), space.coordinates(joint.middle)
    most = [_most([data.owners[i] for i in np.flatnonzero(joint.group == g)]) for g in range(len(middles))]
    for photo in np.flatnonzero(joint.group >= 0).tolist():
        read = int(np.argmin(((middles - seen[photo]) ** 2).sum(axis=1)))
        informed[photo] = most[read].get(data.owners[photo], 0.0)
    return Outcome(after, joint.labels, informed, float(joint.bounds.max(initial=0.0)))


def _most(owners: Sequence[str]) -> dict[str, float]:
    """The people with most photos, each named as often as another."""
    counts = Counter(owners)
    top = [name for name, count in counts.items() if count == max(counts.values())]
    return dict.fromkeys(top, 1.0 / len(top))


def coded(data: Cohort, labels: Sequence[str], space: KeptSpace) -> Outcome:
    """The library's codebook: a kind for every person, and each photo's expression as the budget rounds it."""
    rng = np.random.default_rng(2)
    book = make_codebook(public_patients(load_shape(), space), CODES)
    lasting, budget = space.lasting, ExpressionBudget()
    photos: dict[str, list[int]] = defaultdict(list)
    for photo, owner in enumerate(data.owners):
        photos[owner].append(photo)
    kinds = {owner: book.code(data.rows[own, :lasting].mean(axis=0)) for owner, own in photos.items()}
    strength = data.rows[:, lasting:] * (np.arange(data.rows.shape[1] - lasting) < budget.directions)
    asked = np.array([quantize_expression(own, np.ones(len(own)), budget.clip, budget.step) for own in strength])
    after = np.array([[*book.draw(kinds[owner], rng), *own] for owner, own in zip(data.owners, asked, strict=True)])
    cells: dict[tuple[object, ...], list[str]] = defaultdict(list)
    keys = [(label, kinds[owner], *own) for label, owner, own in zip(labels, data.owners, asked, strict=True)]
    for key, owner in zip(keys, data.owners, strict=True):
        cells[key].append(owner)
    informed = np.array([_most(cells[key]).get(owner, 0.0) for key, owner in zip(keys, data.owners, strict=True)])
    return Outcome(after, list(labels), informed, 1.0)


def together(first: Outcome, second: Outcome) -> Outcome:
    """The first outcome, and the second where the first withholds."""
    out = first.out
    labels = [a if released else b for a, b, released in zip(first.labels, second.labels, out, strict=True)]
    rows = np.where(out[:, None], first.rows, second.rows)
    return Outcome(rows, labels, np.where(out, first.informed, second.informed), max(first.worst, second.worst))


def joined(data: Cohort, space: KeptSpace) -> list[str]:
    """Labels after classes of fewer than five people have joined the nearest: larger ones keep their names."""
    units: dict[tuple[str, str], list[int]] = defaultdict(list)
    for photo, key in enumerate(zip(data.owners, data.labels, strict=True)):
        units[key].append(photo)
    places = space.coordinates(data.rows) * space.weights
    means = np.array([places[photos].mean(axis=0) for photos in units.values()])
    merged = merged_labels(means, [label for _, label in units], SMALLEST_CLASS, np.ones(places.shape[1]))
    name = dict(zip([label for _, label in units], merged, strict=True))
    return [str(name[label]) for label in data.labels]


def line(data: Cohort, outcome: Outcome, space: KeptSpace) -> list[float]:
    out = np.flatnonzero(outcome.out).tolist()
    before, after = space.coordinates(data.rows[out]), space.coordinates(outcome.rows[out])
    pairs = zip(before.T, after.T, strict=True)
    r = np.array([np.corrcoef(a, b)[0, 1] if b.std() > 1e-9 else 0.0 for a, b in pairs])  # beyond a budget: all alike
    kinds = [float(r[[name.startswith(kind) for name in space.names]].mean()) for kind in KINDS]
    own = [outcome.labels[photo] == data.labels[photo] for photo in out]
    of_label: dict[str | None, list[str]] = defaultdict(list)
    for photo in out:
        of_label[outcome.labels[photo]].append(data.owners[photo])
    most = {label: _most(owners) for label, owners in of_label.items()}
    alone = [most[outcome.labels[photo]].get(data.owners[photo], 0.0) for photo in out]
    classes = {data.labels[photo] for photo, is_own in zip(out, own, strict=True) if is_own}
    everything = len(set(data.labels))
    return [
        len(out) / len(data.rows), len({data.labels[photo] for photo in out}) / everything, len(classes) / everything,
        *kinds, float(np.mean(alone)), float(outcome.informed[out].mean()), outcome.worst,
    ]  # fmt: skip


def options(data: Cohort, space: KeptSpace, k: int) -> dict[str, Callable[[], Outcome]]:
    def merged_first() -> Outcome:
        return grouped(data, joined(data, space), space, k, "class")

    return {
        "withhold": lambda: grouped(data, data.labels, space, k, "withhold"),
        "class (of five and more)": lambda: grouped(data, data.labels, space, k, "class"),
        "class, the rest coded": lambda: together(
            grouped(data, data.labels, space, k, "class"), coded(data, data.labels, space)
        ),
        "class, the rest merged to five": merged_first,
        "merge to k": lambda: grouped(data, data.labels, space, k, "merge"),
        "a coarser label (families)": lambda: grouped(data, data.families, space, k, "class"),
        "codebook for all": lambda: coded(data, data.labels, space),
        "no label released": lambda: grouped(data, None, space, k, "class"),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--classes", type=int, default=500)
    parser.add_argument("-k", type=int, nargs="+", default=[20])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", help="options whose name begins so")
    asked = parser.parse_args()
    space = kept_space()
    cohorts = [cohort(space, asked.classes, np.random.default_rng(seed)) for seed in range(asked.seeds)]
    for data in cohorts:
        people = Counter(label for _, label in set(zip(data.owners, data.labels, strict=True)))
        small = sum(size <= 6 for size in people.values()) / len(people)
        print(f"{len(people)} classes, {sum(people.values())} people, {len(data.rows)} photos; 2-6 people: {small:.2f}")
    heads = ("photos", "classes", "own name", *KINDS, "label", "informed", "worst")
    for k in asked.k:
        print(f"\n| k = {k} | " + " | ".join(heads) + " |\n|" + "---|" * (len(heads) + 1))
        for name in options(cohorts[0], space, k):
            if asked.only and not name.startswith(asked.only):
                continue
            cells = np.array([line(data, options(data, space, k)[name](), space) for data in cohorts])
            print(f"| {name} | " + " | ".join(f"{value:.3f}" for value in cells.mean(axis=0)) + " |", flush=True)
            if len(cells) > 1:
                print(f"  (range of cohorts at most {np.ptp(cells, axis=0).max():.3f})", flush=True)


if __name__ == "__main__":
    main()
