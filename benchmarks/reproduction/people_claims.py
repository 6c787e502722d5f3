"""Claims about people, rare classes and releases: the reference cohort in, rows of the table out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from reference import CONTROL, Reference, only
from rows import SEED, Row, above, called_in_folds, macro

from ganonym.classify.cross_validation import cross_validated, leaking_folds, subject_folds
from ganonym.classify.fewshot.episodes import Shape
from ganonym.classify.learning.fit import Schedule
from ganonym.classify.metrics.binary import auroc
from ganonym.classify.networks.light import Projection
from ganonym.classify.screening.dysmorphism import affected_chance, list_scores
from ganonym.classify.screening.rates import frontal
from ganonym.classify.systems.meta_baseline import ClassifierBaseline, MetaBaseline


def few_shot(ref: Reference) -> list[Row]:
    """Every class is rare once: nobody of it is learned from, two of its people are in the gallery.

    Rare among rare, and rare among all: GestaltMatcher's settings R/R and R/F+R.
    """
    classes, subjects = ref.cohort.classes, np.array(ref.subjects)
    count = len(ref.cohort.names)
    calls = {(kind, among): np.full(len(classes), -1, np.intp) for kind in ("plain", "meta") for among in ("R", "F+R")}
    probed = np.zeros(len(classes), dtype=bool)
    baseline = ClassifierBaseline(Projection(64), Schedule(40, 128, "sgd", 0.1, decay=5e-4))
    for part in range(3):
        rare = [number for number in range(count) if number % 3 == part]
        frequent = np.flatnonzero(~np.isin(classes, rare))
        places = {number: index for index, number in enumerate(sorted(set(classes[frequent].tolist())))}
        labels = np.array([places[number] for number in classes[frequent].tolist()], dtype=np.intp)
        own = {number: sorted(set(subjects[classes == number]))[:2] for number in rare}
        few = np.flatnonzero(np.isin(subjects, [name for names in own.values() for name in names]))
        probes = np.flatnonzero(np.isin(classes, rare) & ~np.isin(np.arange(len(classes)), few))
        probed[probes] = True
        learned = {
            "plain": baseline.learn(ref.embeddings[frequent], labels, len(places), SEED),
            "meta": MetaBaseline(baseline, Shape(5, 1, 3), steps=300).learn(
                ref.embeddings[frequent], labels, len(places), SEED, subjects[frequent].tolist()
            ),
        }
        for kind, classifier in learned.items():
            for among, gallery in (("R", few), ("F+R", np.concatenate([frequent, few]))):
                taught = classifier.taught(ref.embeddings[gallery], classes[gallery], count)
                calls[kind, among][probes] = taught(ref.embeddings[probes]).argmax(axis=1)
    rows = np.flatnonzero(probed)
    return [
        above(
            f"few-shot meta-learning > plain transfer, rare classes among {said}",
            "Sümer 2023",
            "meta-learning improves retrieval",
            macro(calls["meta", among][rows], classes[rows]),
            macro(calls["plain", among][rows], classes[rows]),
            subjects[rows].tolist(),
        )
        for among, said in (("R", "rare ones"), ("F+R", "all"))
    ]


def angles(ref: Reference) -> list[Row]:
    claim = ("frontal photographs > any angle (screening)", "Baek 2025", "0.95 > 0.81 to 0.88")
    result = frontal([face.pose for face in ref.cohort.portraits])
    if len(result.left) < 10:
        turned = f"{len(result.left)} of {len(ref.subjects)} phantoms turn their heads beyond 15 degrees"
        return [Row(*claim, why=turned)]
    from ganonym.classify.systems.screening import Logistic

    positive = (ref.cohort.classes == ref.cohort.names.index("PHANTOM-22q11")).astype(np.intp)
    right = called_in_folds(Logistic(), ref.embeddings, positive, ref.cohort.subjects, 2) == positive
    ahead = np.isin(np.arange(len(right)), result.kept)

    def among(mask: NDArray[np.bool_]):  # type: ignore[no-untyped-def]
        return lambda photos: float(right[photos[mask[photos]]].mean()) if mask[photos].any() else float("nan")

    return [above(*claim, among(ahead), among(np.ones_like(ahead)), ref.subjects)]


def leaks(ref: Reference) -> list[Row]:
    """The same classifier where photographs, not people, are parted: what such studies overstate."""
    from ganonym.classify.learning.tabular import Discriminant

    classes = ref.cohort.classes
    calls = []
    for folds in (leaking_folds(classes, SEED), subject_folds(classes, ref.subjects, SEED)):
        called = np.full(len(classes), -1, np.intp)
        for fold in folds:
            predict = Discriminant().learn(ref.embeddings[fold.train], classes[fold.train], len(ref.cohort.names), 0)
            called[fold.test] = predict(ref.embeddings[fold.test]).argmax(axis=1)
        calls.append(macro(called, classes))
    return [
        above(
            "folds over photographs > folds over people: a leak",
            "protocol",
            "an inflation to be avoided",
            *calls,
            ref.subjects,
        )
    ]


def dysmorphism(ref: Reference) -> list[Row]:
    """Without an unaffected class patients' lists must look different; with one, its probability says it."""
    from ganonym.classify.learning.tabular import Discriminant

    classes, subjects = ref.cohort.classes, ref.subjects
    control = ref.cohort.names.index(CONTROL)
    affected = classes != control
    chances = cross_validated(Discriminant(), ref.embeddings, classes, subjects, len(ref.cohort.names), SEED)
    unaffected = affected_chance(chances, control)
    patients = np.delete(chances, control, axis=1)
    listed = list_scores(patients / patients.sum(axis=1, keepdims=True), affected, subjects, SEED)
    return [
        above(
            "a score made for dysmorphism > the ranked list alone (AUROC)",
            "JMIR 2024;e42904",
            "D-Score 0.86 > 0.73 and 0.55",
            auroc(unaffected, affected),
            auroc(listed, affected),
            subjects,
        )
    ]


def measured(ref: Reference) -> list[Row]:
    """Fetal alcohol syndrome against controls, by ratios between landmarks, above a coin."""
    from ganonym.classify.systems.measurement import AstleyClarren, MeasuredLogistic

    few = only(ref.cohort, ref.of("FAS", "CONTROL"))
    sick = few.classes == few.names.index("PHANTOM-FAS")
    points = np.stack([face.points for face in few.portraits])
    scores = {
        name: cross_validated(method, points, sick.astype(np.intp), few.subjects, 2, SEED)[:, 1]
        for name, method in (("ratios", MeasuredLogistic()), ("rule", AstleyClarren()))
    }
    coin = np.zeros(len(sick))
    return [
        above(
            "ratios between landmarks tell FAS from controls (AUROC above 0.5)",
            "Valentine 2017",
            "AUROC 0.88",
            auroc(scores["ratios"], sick),
            auroc(coin, sick),
            few.subjects,
        ),
        above(
            "all ratios > two of Astley and Clarren's signs (AUROC)",
            "Valentine 2017",
            "0.88 > 0.86 (manual)",
            auroc(scores["ratios"], sick),
            auroc(scores["rule"], sick),
            few.subjects,
        ),
    ]


def released(ref: Reference) -> list[Row]:
    """Cells after anonymization: nothing is claimed by papers; a release is useful where the gap is small."""
    from ganonym.classify.learning.tabular import Discriminant
    from ganonym.classify.look import embedded
    from ganonym.classify.systems.measurement import MeasuredLogistic

    shown = np.array([face is not None for face in ref.released])
    look = embedded(ref.foundation)
    after = np.zeros_like(ref.embeddings)
    after[shown] = look([face for face in ref.released if face is not None])
    points = np.stack([face.points for face in ref.cohort.portraits])
    moved = np.stack([points[0] if face is None else face.points for face in ref.released])
    classes, rows = ref.cohort.classes, []
    for name, method, before, then in (
        ("embeddings", Discriminant(), ref.embeddings, after),
        ("measurements", MeasuredLogistic(), points, moved),
    ):
        cells = {cell: np.full(len(classes), -1, np.intp) for cell in ("OO", "OA", "AO", "AA")}
        for fold in subject_folds(classes, ref.subjects, SEED):
            for source, inputs in (("O", before), ("A", then)):
                train = fold.train if source == "O" else fold.train[shown[fold.train]]
                predict = method.learn(inputs[train], classes[train], len(ref.cohort.names), SEED)
                cells[source + "O"][fold.test] = predict(before[fold.test]).argmax(axis=1)
                there = fold.test[shown[fold.test]]
                cells[source + "A"][there] = predict(then[there]).argmax(axis=1)
        ceiling = macro(cells["OO"], classes)
        for cell, said in (
            ("AO", "trained on released, tested on originals"),
            ("OA", "trained on originals, tested on released"),
            ("AA", "trained and tested on released"),
        ):
            row = above(
                f"{name}: {said} < originals only",
                "k-same, k = 11",
                "",
                ceiling,
                macro(cells[cell], classes),
                ref.subjects,
            )
            rows.append(replace(row, source="ganonym, k-same, k = 11"))
    return rows
