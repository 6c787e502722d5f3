"""Who is tested against whom: frequent disorders the encoder was trained on, and rare ones that it never saw.

As GestaltMatcher is evaluated (Hsieh et al. 2022, Nat Genet; Hustinx et al. 2023, arXiv 2211.06764): one gallery and
test of the frequent disorders; of the rare ones, which have too few patients for one split, ten random ones.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ganonym.classify.case import Case
from ganonym.errors import UsageError

FREQUENT = 6
SPLITS = 10
FREQUENT_SHARE, RARE_SHARE = 0.1, 0.25
_LISTED = 20
Rows = NDArray[np.intp]


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
    found = {}
    for number, parts in roles.items():
        split = Split(*(np.array(parts[name], dtype=np.intp) for name in ("gallery", "test")))
        name = f"split {number}" if number else "the split of frequent disorders"
        if not len(split.gallery) or not len(split.test):
            raise UsageError(f"{name} has no {'test' if len(split.gallery) else 'gallery'}.")
        images = [cases[index].image for index in (*parts["gallery"], *parts["test"])]
        if len(set(images)) < len(images):
            raise UsageError(f"{name} holds {len(images) - len(set(images))} images twice.", "Read each list once.")
        found[number] = split
    frequent = found.pop("", None)
    plan = Plan(frequent, tuple(found[number] for number in sorted(found, key=int)))
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
