"""Privacy and syndromes kept, mechanism by mechanism, on shapes of virtual patients: `python benchmarks/mechanisms.py`.

SIMULATED syndromes: nine classes of virtual people with signs drawn by their HPO frequencies, and controls warped as
much without any sign; two photographs each, landmarks exact. No picture is drawn: skin is drawn from the population,
to go with the shape, and what is measured is what a mechanism does to shapes. Macro top-1 of a shrinkage LDA on
normalised landmarks, subject-disjoint folds, in four cells (trained on / tested on originals or released shapes) with
95 % intervals by bootstrap over subjects; `of OO`: trained on released, tested on originals, as a share of original
on original. Released shapes tested by a classifier of originals (`OA`) flatter k-same, whose groups are formed within
labels: the last rows group without. Of the 21 measurements behind HPO terms, `kappa` is Cohen's, of calls beyond 2 SD
photo by photo (what is left of the subject's own signs), `class r` the correlation of the classes' mean z-scores
before and after. Named: the best of the audit's attackers, of photos by photo and of subjects else; linked: one photo
to the other by released identity and skin; declared: the guarantee.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import cohen_kappa_score

from ganonym.classify.learning.tabular import Discriminant
from ganonym.classify.metrics.rates import macro_recall
from ganonym.evaluate.utility.four_cells import CELLS, Cell, Side, four_cells
from ganonym.faces.appearance import load_appearance
from ganonym.faces.kept import KeptSpace, kept_space, with_given
from ganonym.faces.measures import AXES, face_marks, measure
from ganonym.faces.shape import ShapeModel, face_of, from_canvas, load_shape, normalize, split, to_canvas
from ganonym.phantom.axes import face_axes
from ganonym.phantom.cohort import phantom_shapes
from ganonym.phantom.syndromes import load_syndromes
from ganonym.privacy.codebook import make_codebook
from ganonym.privacy.expression import quantize_expression
from ganonym.privacy.population import load_phenotypes, population_draw, sign_axes, virtual_patients
from ganonym.privacy.privatize import ShownFace, privatize
from ganonym.privacy.settings import PrivacySettings
from ganonym.privacy.subject import SubjectFace
from ganonym.statistics.intervals import proportion
from ganonym.types import Floats

GROUPS = ("WBS", "NS", "CdLS", "22q11", "ALGS", "KS", "FAS", "Sotos", "KBG", "control")


WITHIN = 0.3
"""Skin of one person differs between photos by so much of what people differ by."""


def cases() -> dict[str, tuple[PrivacySettings, bool]]:
    """What is compared: settings, and whether the steward gave labels."""
    compared = {f"k-same, k = {k}": (PrivacySettings(k=k), True) for k in (2, 5, 11, 20)}
    compared["k-same, k = 20, by person"] = (PrivacySettings(link="subject"), True)
    compared |= {
        f"codebook, {codes} codes": (PrivacySettings(mechanism="codebook", codes=codes), True)
        for codes in (8, 16, 32, 64, 256)
    }
    compared |= {
        f"metric, ε = {epsilon:g}": (PrivacySettings(mechanism="metric", epsilon=epsilon, link="subject"), True)
        for epsilon in (0.5, 1.0, 2.0, 4.0)
    }
    compared["none"] = (PrivacySettings(mechanism="none", i_understand=True), True)
    compared["k-same, k = 20, without labels"] = (PrivacySettings(), False)
    compared["k-same, k = 20, by person, without labels"] = (PrivacySettings(link="subject"), False)
    return compared


@dataclass(frozen=True)
class Patients:
    """Photographs of virtual patients: faces as privacy sees them, with labels; subjects and classes by photo."""

    faces: list[SubjectFace]
    subjects: NDArray[np.str_]
    classes: NDArray[np.str_]


def patients(each: int, seed: int, model: ShapeModel) -> Patients:
    shapes = list(phantom_shapes(dict.fromkeys(GROUPS, each), 2, seed))
    rng, space = np.random.default_rng([seed, 1]), kept_space()
    number = {name: index for index, name in enumerate(dict.fromkeys(shape.subject for shape in shapes))}
    identities, lasting = len(model.identity_sd), space.lasting
    own = population_draw(rng, space.covariance, len(number))
    faces = []
    for shape in shapes:
        identity, expression = split(normalize(shape.points, model), model)
        row = space.mean + own[number[shape.subject]] + WITHIN * population_draw(rng, space.covariance, 1)[0]
        row[:identities] = identity / model.identity_sd
        row[lasting:] = expression / model.expression_sd
        row = with_given(np.clip(row, -4.0, 4.0), space, shape.age, shape.sex)
        row[:identities] = identity / model.identity_sd  # age and sex are of the skin alone: landmarks stay exact
        seed_of_face = int(rng.integers(2**62))
        faces.append(SubjectFace(shape.subject, row, seed_of_face, number[shape.subject], shape.group))
    return Patients(faces, np.array([s.subject for s in shapes]), np.array([s.group for s in shapes]))


def shape_rows(rows: Floats, model: ShapeModel) -> Floats:
    """Shapes (n, 136) in the Procrustes frame of rows (n, D)."""
    return np.array([from_canvas(face_of(row, model)[0]).ravel() for row in rows])


def cells(before: Floats, after: Floats, who: Patients) -> dict[Cell, NDArray[np.bool_]]:
    """Which photos each cell's classifier calls right, subjects of training and test apart."""
    everybody = np.ones(len(before), dtype=bool)
    classes = np.unique(who.classes, return_inverse=True)[1]
    calls = four_cells(
        Discriminant(alike=False), Side(before, everybody), Side(after, everybody), classes, who.subjects.tolist(), 0
    )
    return {cell: calls[cell].right() for cell in CELLS}


def macro(right: NDArray[np.bool_], classes: NDArray[np.str_]) -> float:
    """Mean over classes of the share of photos called right."""
    return macro_recall(right, np.unique(classes, return_inverse=True)[1])(np.arange(len(classes)))


def bootstrap(
    rights: Sequence[NDArray[np.bool_]],
    classes: NDArray[np.str_],
    subjects: NDArray[np.str_],
    ratio: bool,
    rounds: int = 400,
) -> tuple[float, float]:
    """95 % interval of the macro rate of one cell, or of the ratio of two, over subjects drawn anew within classes."""
    rng = np.random.default_rng(0)
    # Per class the subjects' mean rates: photos of one subject stay together.
    tables = []
    for label in np.unique(classes):
        names = np.unique(subjects[classes == label])
        tables.append(np.array([[right[subjects == name].mean() for name in names] for right in rights]))
    drawn = []
    for _ in range(rounds):
        rates = np.mean([t[:, rng.integers(0, t.shape[1], t.shape[1])].mean(axis=1) for t in tables], axis=0)
        drawn.append(rates[0] / rates[1] if ratio else rates[0])
    low, high = np.quantile(drawn, [0.025, 0.975])
    return float(low), float(high)


def signs(shapes: Floats) -> Floats:
    """Measurements behind HPO terms of shapes (n, 136), as z-scores (n, 21); the hairline has no landmark."""
    model = load_appearance()
    axes = face_axes(model)
    seen = [name not in ("FOREHH", "FOREHW") for name in AXES]
    marks = np.array([face_marks(to_canvas(row.reshape(68, 2)), model) for row in shapes])
    found = measure(marks)
    return np.stack([(found[name] - axes.mean[i]) / axes.sd[i] for i, name in enumerate(AXES)], axis=1)[:, seen]


def agreement(before: Floats, after: Floats, classes: NDArray[np.str_]) -> tuple[float, float]:
    """Kappa of calls (2 SD down, normal, 2 SD up) photo by photo, and the correlation of the classes' mean z-scores."""
    calls = [np.where(np.abs(z) > 2, np.sign(z), 0).astype(int).ravel() for z in (before, after)]
    names = np.unique(classes)
    means = [np.array([z[classes == label].mean(axis=0) for label in names]).ravel() for z in (before, after)]
    return float(cohen_kappa_score(*calls)), float(np.corrcoef(*means)[0, 1])


def row_of_shown(face: ShownFace, model: ShapeModel) -> Floats:
    """Identity and skin (n,) in SD."""
    identity = split(from_canvas(face.points), model)[0] / model.identity_sd
    return np.concatenate([identity, face.texture])


def linked(after: Floats) -> float:
    """How many first photos are nearest to their own subject's second, by identity and skin."""
    first, second = after[::2], after[1::2]
    hits = 0.0
    for row, probe in enumerate(first):
        gaps = ((second - probe) ** 2).sum(axis=1)
        best = np.isclose(gaps, gaps.min())
        hits += float(best[row]) / int(best.sum())
    return hits


def unseen(who: Patients, model: ShapeModel, settings: PrivacySettings) -> None:
    """What a codebook keeps of syndromes it was made without: each class in turn hidden from it, recall of that class.

    `AO` and `OO` as in the table; "known" is the recall with the codebook that knows all.
    """
    names, phenotypes, space = list(load_syndromes()), load_phenotypes(), kept_space()
    rows = np.array([face.row for face in who.faces])
    before = shape_rows(rows, model)
    people = (rows[::2] + rows[1::2])[:, : space.lasting] / 2
    budget = settings.expression
    strength = rows[:, space.lasting :]
    shown = quantize_expression(strength, np.ones(strength.shape[1]), budget.clip, budget.step)
    shown[:, budget.directions :] = 0.0

    def released(hidden: str | None) -> Floats:
        left = phenotypes[[name != hidden for name in names]]
        moved = left.reshape(len(left), -1) @ model.identity_basis.T / model.identity_sd
        book = make_codebook(virtual_patients(with_signs(space, sign_axes(model, left)), moved), settings.codes)
        rng = np.random.default_rng(7)
        codes = np.repeat([book.code(person) for person in people], 2)
        drawn = [np.concatenate([book.draw(code, rng), each]) for code, each in zip(codes, shown, strict=True)]
        return shape_rows(np.array(drawn), model)

    known = cells(before, released(None), who)
    print(f"\ncodebook of {settings.codes} made without one syndrome: recall of that syndrome")
    print(f"{'':16}{'OO':>7}{'AO, known':>11}{'AO, hidden':>12}{'OA, known':>11}{'OA, hidden':>12}")
    totals = []
    for group in GROUPS[:-1]:
        own = who.classes == f"PHANTOM-{group}"
        without = cells(before, released(group), who)
        rates = [known["OO"], known["AO"], without["AO"], known["OA"], without["OA"]]
        totals.append([float(each[own].mean()) for each in rates])
        print(f"{group:16}" + "".join(f"{r:{w}.3f}" for r, w in zip(totals[-1], (7, 11, 12, 11, 12), strict=True)))
    mean = np.mean(totals, axis=0)
    print(f"{'mean':16}" + "".join(f"{r:{w}.3f}" for r, w in zip(mean, (7, 11, 12, 11, 12), strict=True)))


def with_signs(space: KeptSpace, signs: Floats) -> KeptSpace:
    """`space` with other directions of signs (r, m), of population SD 1."""
    axes = np.pad(signs, ((0, 0), (0, space.axes.shape[1] - signs.shape[1])))
    axes /= np.sqrt(np.einsum("ij,jk,ik->i", axes, space.covariance, axes))[:, None]
    others = [place for place, name in enumerate(space.names) if not name.startswith("sign ")]
    names = (*(f"sign {number + 1}" for number in range(len(axes))), *(space.names[place] for place in others))
    return replace(space, names=names, axes=np.concatenate([axes, space.axes[others]]), weights=np.ones(len(names)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--subjects", type=int, default=33, help="of each class")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", help="only mechanisms whose name begins so")
    parser.add_argument("--hidden", action="store_true", help="instead: the codebook on syndromes it does not know")
    parser.add_argument("--json", type=Path, help="also write the numbers here")
    arguments = parser.parse_args()
    model = load_shape()
    who = patients(arguments.subjects, arguments.seed, model)
    before = shape_rows(np.array([face.row for face in who.faces]), model)
    subjects = len(who.faces) // 2
    print(f"simulated: {len(GROUPS)} classes of {arguments.subjects} virtual people, 2 photos each; chance .100")
    if arguments.hidden:
        unseen(who, model, PrivacySettings(mechanism="codebook"))
        return
    print(
        f"{'':50}{'declared':>9}{'named':>22}{'linked':>8}"
        + "".join(f"{c:>7}" for c in CELLS)
        + f"{'of OO':>20}{'kappa':>7}{'class r':>9}"
    )
    measured = signs(before)
    rows = {}
    for name, (settings, labelled) in cases().items():
        if arguments.only and not name.startswith(arguments.only):
            continue
        given = who.faces if labelled else [replace(face, label=None) for face in who.faces]
        result = privatize(given, model, settings, manifest=True)
        shown = [face for face in result.faces if isinstance(face, ShownFace)]
        if result.audit is None or len(shown) < len(given):
            print(f"{name:50}{len(shown)} of {len(given)} photos released: not measured; give more --subjects")
            continue
        after = np.array([from_canvas(face.points).ravel() for face in shown])
        lasting = np.array([row_of_shown(face, model) for face in shown])
        named = proportion(result.audit.hits, result.audit.subjects)
        right = cells(before, after, who)
        rates = {cell: macro(each, who.classes) for cell, each in right.items()}
        low, high = bootstrap([right["AO"], right["OO"]], who.classes, who.subjects, ratio=True)
        kappa, profile = agreement(measured, signs(after), who.classes)
        rows[name] = {
            "declared": result.audit.bound, "named": [named.value, named.low, named.high],
            "linked": linked(lasting) / subjects, "macro": rates,
            "kept": [rates["AO"] / rates["OO"], low, high], "kappa": kappa, "class_r": profile,
            "bits": result.guarantee.bits,
        }  # fmt: skip
        print(
            f"{name:50}{result.audit.bound:9.3f}{named.value:8.3f} [{named.low:.3f}, {named.high:.3f}]"
            f"{rows[name]['linked']:8.3f}"
            + "".join(f"{rates[cell]:7.3f}" for cell in CELLS)
            + f"{rates['AO'] / rates['OO']:6.2f} [{low:.2f}, {high:.2f}]{kappa:7.2f}{profile:9.3f}",
            flush=True,
        )
    if arguments.json:
        record = {"simulated": True, "subjects": arguments.subjects, "seed": arguments.seed, "rows": rows}
        arguments.json.write_text(json.dumps(record, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
