"""Macro top-k of a retrieval in the four settings of GestaltMatcher: test/gallery F/F, R/R, F/F+R and R/F+R.

F are frequent disorders, R rare ones that the encoder never saw; rare settings are means over the plan's splits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from ganonym.classify.case import Case
from ganonym.classify.metrics.rates import places, telling
from ganonym.classify.retrieval.protocol import Plan, Split, check_tested
from ganonym.classify.retrieval.ranking import Encodings, Rows, Search, by_image
from ganonym.statistics.intervals import ROUNDS, Estimate, Model, Statistic, few, subject_bootstrap
from ganonym.types import Floats


class Accuracy(Model):
    """One setting, test/gallery. `gallery`, `test` photos and `candidates`, disorders in the gallery, are means over
    the splits; `disorders` counts those tested, `people` the patients; `top` is macro top-k by k, for k that can miss.
    `few_people`: the rates are of fewer than ten."""

    setting: str
    gallery: float
    test: float
    candidates: float
    disorders: int
    people: int
    few_people: bool
    splits: int
    top: dict[int, Estimate]


def evaluate(
    plan: Plan,
    cases: Sequence[Case],
    encodings: Encodings,
    rng: np.random.Generator,
    aggregate: Callable[[Sequence[Floats], Rows, Sequence[str]], Search] = by_image,
    rounds: int = ROUNDS,
) -> list[Accuracy]:
    """Macro top-1, 5, 10 and 30 in the settings F/F, R/R, F/F+R and R/F+R, those that `plan` has.

    `aggregate` is one of the searches in `ranking`. Intervals are by bootstrap over the patients tested; gallery and
    encoder stay as they are, so that another gallery's accuracy lies outside more often than one time in twenty (one in
    five of simulated cohorts of 40 patients). A disorder that the gallery lacks is missed. Raises UsageError naming the
    images without encoding.
    """
    check_tested(plan)
    every = [plan.frequent, *plan.rare] if plan.frequent else [*plan.rare]
    used = np.unique(np.concatenate([part for split in every for part in (split.gallery, split.test)]))
    vectors = tuple(_spread(array, used, len(cases)) for array in encodings.of([cases[row].image for row in used]))
    names = sorted({case.disorder for case in cases if case.disorder is not None})
    number = {name: index for index, name in enumerate(names)}
    disorders = np.array([-1 if case.disorder is None else number[case.disorder] for case in cases], dtype=np.intp)
    subjects = [case.subject for case in cases]
    search = aggregate(vectors, disorders, subjects)
    return [_accuracy(setting, splits, disorders, subjects, search, rng, rounds) for setting, splits in _settings(plan)]


def _settings(plan: Plan) -> Iterator[tuple[str, list[Split]]]:
    frequent = plan.frequent
    if frequent is not None:
        yield "F/F", [frequent]
    if plan.rare:
        yield "R/R", list(plan.rare)
    if frequent is not None and plan.rare:
        both = [np.union1d(frequent.gallery, split.gallery) for split in plan.rare]
        yield "F/F+R", [Split(gallery, frequent.test) for gallery in both]
        yield "R/F+R", [Split(gallery, split.test) for gallery, split in zip(both, plan.rare, strict=True)]


def _accuracy(
    setting: str,
    splits: list[Split],
    disorders: Rows,
    subjects: Sequence[str],
    search: Search,
    rng: np.random.Generator,
    rounds: int,
) -> Accuracy:
    tested, candidates = [], []
    for split in splits:
        rows, ranking = search(split.test, split.gallery)
        tested.append((rows, places(ranking.disorders, disorders[rows], len(disorders))))
        candidates.append(ranking.disorders.shape[1])
    people = np.unique(np.concatenate([rows for rows, _ in tested]))
    owners = [subjects[row] for row in people]
    compact = [(np.searchsorted(people, rows), rank) for rows, rank in tested]
    return Accuracy(
        setting=setting,
        gallery=float(np.mean([len(split.gallery) for split in splits])),
        test=float(np.mean([len(rows) for rows, _ in tested])),
        candidates=float(np.mean(candidates)),
        disorders=len(np.unique(disorders[people])),
        people=len(set(owners)),
        few_people=few(owners),
        splits=len(splits),
        top={
            k: subject_bootstrap(_mean_macro(compact, disorders[people], k), owners, rng, rounds)
            for k in telling(min(candidates))
        },
    )


def _mean_macro(tested: Sequence[tuple[Rows, Rows]], classes: Rows, k: int) -> Statistic:
    """Mean over the splits of their macro top-k. A patient drawn twice counts twice in every split that tests them."""
    count = int(classes.max()) + 1
    splits = [(rows, classes[rows], (rank <= k).astype(float)) for rows, rank in tested]

    def statistic(photos: Rows) -> float:
        weight = np.bincount(photos, minlength=len(classes)).astype(float)
        rates = []
        for rows, own, right in splits:
            total = np.bincount(own, weights=weight[rows], minlength=count)
            hits = np.bincount(own, weights=weight[rows] * right, minlength=count)
            drawn = total > 0
            if drawn.any():
                rates.append(float((hits[drawn] / total[drawn]).mean()))
        return float(np.mean(rates)) if rates else float("nan")

    return statistic


def _spread(vectors: Floats, rows: Rows, count: int) -> Floats:
    """`vectors` (r, d) at `rows` of an array (count, d); NaN elsewhere, which no search can use unnoticed."""
    whole = np.full((count, vectors.shape[1]), np.nan)
    whole[rows] = vectors
    return whole
