"""Who is tested against whom: frequent disorders the encoder was trained on, and rare ones that it never saw.

As GestaltMatcher is evaluated (Hsieh et al. 2022, Nat Genet; Hustinx et al. 2023, arXiv 2211.06764): one gallery and
test of the frequent disorders; of the rare ones, which have too few patients for one split, ten random ones.

`evaluate` rates a retrieval in four settings: test/gallery F/F, R/R, F/F+R and R/F+R, where F are frequent disorders
and R rare ones; rates of rare settings are means over the splits.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ganonym.classify.case import Case
from ganonym.classify.metrics.rates import places, telling
from ganonym.classify.retrieval.ranking import Encodings, Rows, Search, by_image
from ganonym.errors import UsageError
from ganonym.statistics.intervals import ROUNDS, Estimate, Model, Statistic, few, subject_bootstrap
from ganonym.types import Floats

FREQUENT = 6
SPLITS = 10
FREQUENT_SHARE, RARE_SHARE = 0.1, 0.25
_LISTED = 20


@dataclass(frozen=True, slots=True)
class Split:
    """Indices of the cases in the gallery and of those to test, ascending; no subject is in both."""

    gallery: Rows
    test: Rows


@dataclass(frozen=True, slots=True)
class Plan:
    """Who is tested against whom. `frequent` None and `rare` empty where there are no such disorders.

    The encoder may learn from `frequent.gallery` only. `left_out` are the images that take part in nothing, with
    disorder unknown or of one patient only.
    """

    frequent: Split | None
    rare: tuple[Split, ...]
    left_out: tuple[str, ...] = ()


def frequent_disorders(cases: Sequence[Case], more_than: int = FREQUENT) -> tuple[str, ...]:
    """The disorders with more than `more_than` patients, by name: GestaltMatcher's "frequent" ones."""
    return tuple(sorted(name for name, people in _patients(cases).items() if len(people) > more_than))


def draw(
    cases: Sequence[Case],
    frequent: Collection[str],
    seed: int,
    splits: int = SPLITS,
    frequent_share: float = FREQUENT_SHARE,
    rare_share: float = RARE_SHARE,
) -> Plan:
    """Gallery and test by patient: once for `frequent` disorders, `splits` times for all others ("rare", unseen).

    Of each disorder that share of the patients is tested, at least one, and at least one is in the gallery. The shares
    follow the published sizes (593 of 6354 frequent and 312.3 of 1105 rare images of version 1.0.3); how those were
    drawn is not published. Deterministic by `seed`, whatever the order of cases. Raises UsageError for an image twice
    and for a subject with two disorders, who would be in gallery and test.
    """
    _check(cases)
    patients = {name: sorted(people) for name, people in sorted(_patients(cases).items()) if len(people) > 1}
    common = {name: people for name, people in patients.items() if name in frequent}
    unseen = {name: people for name, people in patients.items() if name not in frequent}
    rng = np.random.default_rng(seed)
    first = _split(cases, common, frequent_share, rng) if common else None
    rare = tuple(_split(cases, unseen, rare_share, rng) for _ in range(splits)) if unseen else ()
    return Plan(first, rare, tuple(case.image for case in cases if case.disorder not in patients))


def published(cases: Sequence[Case]) -> Plan:
    """The splits that come with a data set, of `Case.split`.

    "gallery", "train" and "val" are the gallery of the frequent disorders, what was learned from or tuned on; "test"
    their test. "gallery 3" and "test 3" are parts of random split 3 of the rare ones: an image may appear once a split.
    Raises UsageError for other names, for a gallery or test without its counterpart, for an image twice in one split,
    and for a subject in gallery and test.
    """
    roles: dict[str, dict[str, list[int]]] = defaultdict(lambda: {"gallery": [], "test": []})
    wrong = []
    for index, case in enumerate(cases):
        role, _, number = (case.split or "").partition(" ")
        role = "gallery" if role in ("train", "val") and not number else role
        if role in ("gallery", "test") and (not number or number.isdecimal()) and case.disorder is not None:
            roles[number][role].append(index)
        else:
            wrong.append(f"{case.image} ({case.split!r})" if case.disorder is not None else f"{case.image} (no label)")
    if wrong:
        raise UsageError(
            f"{len(wrong)} cases are in no published gallery or test: {', '.join(wrong[:_LISTED])}.",
            'Write train, val, gallery or test, or "gallery 3" and "test 3" of a random split.',
        )
    split_of = {}
    for number, parts in roles.items():
        split = Split(*(np.array(parts[name], dtype=np.intp) for name in ("gallery", "test")))
        name = f"split {number}" if number else "the split of frequent disorders"
        if not len(split.gallery) or not len(split.test):
            raise UsageError(f"{name} has no {'test' if len(split.gallery) else 'gallery'}.")
        images = [cases[index].image for index in (*parts["gallery"], *parts["test"])]
        if len(set(images)) < len(images):
            raise UsageError(f"{name} holds {len(images) - len(set(images))} images twice.", "Read each list once.")
        split_of[number] = split
    frequent = split_of.pop("", None)
    plan = Plan(frequent, tuple(split_of[number] for number in sorted(split_of, key=int)))
    always = [] if frequent is None else [frequent]
    for splits in ([*always], *([*always, split] for split in plan.rare)):
        _no_leak(cases, splits)
    return plan


def check_tested(plan: Plan) -> None:
    """Raises UsageError for a plan that tests nobody."""
    if plan.frequent is None and not plan.rare:
        raise UsageError("no disorder has two patients: there is nothing to evaluate.")


def tested(cases: Sequence[Case], plan: Plan) -> list[Case]:
    """The cases under test in any split, each image once: what no encoder may have learned from."""
    splits = [plan.frequent, *plan.rare] if plan.frequent else [*plan.rare]
    return [*{cases[row].image: cases[row] for split in splits for row in split.test.tolist()}.values()]


def _no_leak(cases: Sequence[Case], splits: Sequence[Split]) -> None:
    """Also between frequent and rare: they share a gallery in F/F+R and R/F+R."""
    gallery = {cases[index].subject for split in splits for index in split.gallery.tolist()}
    both = gallery & {cases[index].subject for split in splits for index in split.test.tolist()}
    if both:
        raise UsageError(f"{len(both)} subjects are in gallery and test: {', '.join(sorted(both)[:_LISTED])}.")


def _split(cases: Sequence[Case], patients: dict[str, list[str]], share: float, rng: np.random.Generator) -> Split:
    tested = set()
    for people in patients.values():
        number = min(max(round(share * len(people)), 1), len(people) - 1)
        tested |= {people[index] for index in rng.permutation(len(people))[:number]}
    taking = [index for index, case in enumerate(cases) if case.disorder in patients]
    test = np.array([index for index in taking if cases[index].subject in tested], dtype=np.intp)
    return Split(np.setdiff1d(np.array(taking, dtype=np.intp), test), test)


def _patients(cases: Sequence[Case]) -> dict[str, set[str]]:
    patients: dict[str, set[str]] = defaultdict(set)
    for case in cases:
        if case.disorder is not None:
            patients[case.disorder].add(case.subject)
    return patients


def _check(cases: Sequence[Case]) -> None:
    images, disorder = set(), dict[str, str]()
    for case in cases:
        if case.image in images:
            raise UsageError(f"image {case.image!r} appears twice.", "Give each image once, or use published splits.")
        images.add(case.image)
        if case.disorder is not None and disorder.setdefault(case.subject, case.disorder) != case.disorder:
            raise UsageError(
                f"subject {case.subject!r} has two disorders, {disorder[case.subject]!r} and {case.disorder!r}.",
                "Choose one, or the subject is in gallery and test.",
            )


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
