"""What released pictures tell of a person beyond his name: sex, age band, ethnicity, syndrome.

The attacker knows the attribute of other released people and learns from their pictures. He is measured against a
control that sees only the released columns: what these tell already is no fault of the pictures. Unit is the subject.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ganonym.errors import UsageError
from ganonym.evaluate.attackers.attacker import Rows, finite
from ganonym.evaluate.findings import Inference
from ganonym.manifest import Row
from ganonym.statistics.intervals import Estimate, proportion
from ganonym.types import Floats

ATTRIBUTES = ("sex", "age", "ethnicity", "syndrome")
SMALLEST_CLASS = 10
FOLDS = 5
STRENGTH = 0.03  # inverse penalty of the logistic regressions: there are few people for so many dimensions
DRAWS = 2000
# Models of different folds learn from much the same people, so their hits are not independent: the variance that a
# bootstrap sees is too small by 1 + tested / taught × folds (Nadeau and Bengio 2003).
DEPENDENCE = (1.0 + FOLDS / (FOLDS - 1)) ** 0.5


def infer_attributes(
    rows: Sequence[Row], columns: Sequence[str], views: Sequence[Rows], seed: int = 0
) -> tuple[list[Inference], list[str]]:
    """Every attribute of the manifest that is not itself among the released `columns`, and notes on those left out.

    `rows` and each of `views` (n, d) are of the same n released photos; a NaN row is a photo without that template.
    """
    subjects = [row.subject for row in rows]
    public = {column: [_value(row, column) for row in rows] for column in columns if column in (*ATTRIBUTES, "site")}
    inferences, notes = [], []
    for name in ATTRIBUTES:
        labels = [_value(row, name) for row in rows]
        if name in columns or not any(labels):
            continue
        try:
            inferences.append(infer(name, labels, views, subjects, public, seed))
        except UsageError as error:
            notes.append(str(error))
    return inferences, notes


def infer(
    name: str,
    labels: Sequence[str | None],
    views: Sequence[Rows],
    subjects: Sequence[str],
    public: Mapping[str, Sequence[str | None]] | None = None,
    seed: int = 0,
) -> Inference:
    """Balanced accuracy of naming the class of a subject, from all of his photos, by people of other folds.

    `labels`, `subjects`, `public` columns and the rows of `views` (n, d) are photo by photo. A subject's label is the
    first that is given. The control is the better of the public columns and blind guessing; whoever has no template is
    answered as the control does. Classes of fewer than SMALLEST_CLASS subjects are left out, and said so in the note.
    Raises UsageError when fewer than two classes remain.
    """
    label_of = _firsts(subjects, labels)
    sizes = {label: list(label_of.values()).count(label) for label in sorted(set(label_of.values()))}
    classes = [label for label, size in sizes.items() if size >= SMALLEST_CLASS]
    small = [label for label in sizes if label not in classes]
    note = f"left out, fewer than {SMALLEST_CLASS} subjects: {', '.join(small)}" if small else ""
    if len(classes) < 2:
        raise UsageError(f"{name} cannot be inferred: fewer than two classes have {SMALLEST_CLASS} subjects.")
    people = [subject for subject, label in label_of.items() if label in classes]
    truth = np.array([classes.index(label_of[subject]) for subject in people])
    place = {subject: index for index, subject in enumerate(people)}
    owner = np.array([place.get(subject, -1) for subject in subjects])
    fold = _folds(truth, seed)
    blind = np.full(len(people), 1.0 / len(classes))

    control, public_logs = blind, np.zeros((len(people), len(classes)))
    columns = _one_hot([_firsts(subjects, values) for values in (public or {}).values()], people)
    if columns.shape[1]:
        logs = _predicted(columns, np.arange(len(people)), truth, fold)
        hits = _hits(logs, truth)
        if _balanced(hits, truth) > 1.0 / len(classes):
            control, public_logs = hits, np.nan_to_num(logs)
    seen = [_predicted(rows[owner >= 0], owner[owner >= 0], truth, fold) for rows in views]
    pictured = _mean_of_acquired(np.stack(seen)) if seen else np.full_like(public_logs, np.nan)
    # Uniform priors on both sides, so the logs add up (naive Bayes).
    hits = np.where(np.isnan(pictured).any(axis=1), control, _hits(np.nan_to_num(pictured) + public_logs, truth))
    return _inference(name, hits, control, truth, note, seed)


def _inference(name: str, hits: Floats, control: Floats, truth: NDArray[np.intp], note: str, seed: int) -> Inference:
    rng = np.random.default_rng(seed)
    drawn, drawn_control = np.zeros(DRAWS), np.zeros(DRAWS)
    kinds = np.unique(truth)
    exact = 0.0
    for kind in kinds:
        members = np.flatnonzero(truth == kind)
        chosen = members[rng.integers(len(members), size=(DRAWS, len(members)))]
        drawn += hits[chosen].mean(axis=1) / len(kinds)
        drawn_control += control[chosen].mean(axis=1) / len(kinds)
        exact += proportion(float(hits[members].sum()), len(members), 0.90).high / len(kinds)
    value, base = _balanced(hits, truth), _balanced(control, truth)
    excess = _widened(drawn - drawn_control, value - base).clip(-1.0, 1.0)
    drawn = _widened(drawn, value).clip(0.0, 1.0)
    # A bootstrap of what never varied says that nothing could.
    upper = float(np.quantile(excess, 0.95)) if np.ptp(excess) > 0 else exact - base
    return Inference(
        kind="attribute",
        name=name,
        subjects=len(truth),
        value=interval(value, drawn),
        control=base,
        excess=interval(value - base, excess),
        excess_upper=upper,
        note=note,
    )


def _widened(drawn: Floats, value: float) -> Floats:
    return np.asarray(value + DEPENDENCE * (drawn - value))


def interval(value: float, drawn: Floats) -> Estimate:
    """`value` with the middle 95 % of bootstrap draws."""
    low, high = np.quantile(drawn, [0.025, 0.975])
    return Estimate(value=float(value), low=min(float(low), float(value)), high=max(float(high), float(value)))


def _predicted(rows: Rows, owner: NDArray[np.intp], truth: NDArray[np.intp], fold: NDArray[np.intp]) -> Floats:
    """Mean log-probability of each class (s, c) over a subject's rows, by a model of subjects of other folds.

    NaN for subjects without a row. `owner` (n,) is the subject of each row.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    classes = int(truth.max()) + 1
    there = finite(rows)
    logs = np.full((len(rows), classes), np.nan)
    for number in np.unique(fold):
        out = fold[owner] == number
        taught, asked = there & ~out, there & out
        if not asked.any() or len(np.unique(truth[owner[taught]])) < classes:
            continue
        model = make_pipeline(
            StandardScaler(), LogisticRegression(C=STRENGTH, class_weight="balanced", max_iter=2000)
        ).fit(rows[taught].astype(np.float64), truth[owner[taught]])
        logs[asked] = model.predict_log_proba(rows[asked].astype(np.float64))
    mean = np.full((len(truth), classes), np.nan)
    for person in np.unique(owner):
        own = logs[owner == person]
        own = own[np.isfinite(own).all(axis=1)]
        if len(own):
            mean[person] = own.mean(axis=0)
    return mean


def _hits(logs: Floats, truth: NDArray[np.intp]) -> Floats:
    """1 where the likeliest class (s, c) is the true one, 1/t where t of them tie, a blind guess where unknown."""
    unknown = np.isnan(logs).any(axis=1)
    likeliest = logs == logs.max(axis=1, keepdims=True)
    hits = likeliest[np.arange(len(truth)), truth] / np.maximum(likeliest.sum(axis=1), 1)
    return np.asarray(np.where(unknown, 1.0 / logs.shape[1], hits))


def _mean_of_acquired(stacked: Floats) -> Floats:
    """Mean (s, c) over views (v, s, c) that know the subject, NaN where none does."""
    acquired = np.isfinite(stacked)
    count = acquired.sum(axis=0)
    total = np.where(acquired, stacked, 0.0).sum(axis=0)
    return np.asarray(np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0))


def _balanced(hits: Floats, truth: NDArray[np.intp]) -> float:
    return float(np.mean([hits[truth == kind].mean() for kind in np.unique(truth)]))


def _folds(truth: NDArray[np.intp], seed: int) -> NDArray[np.intp]:
    from sklearn.model_selection import StratifiedKFold

    fold = np.zeros(len(truth), dtype=np.intp)
    split = StratifiedKFold(FOLDS, shuffle=True, random_state=seed).split(truth, truth)
    for number, (_, out) in enumerate(split):
        fold[out] = number
    return fold


def _firsts(subjects: Sequence[str], labels: Sequence[str | None]) -> dict[str, str]:
    """The first label given of each subject that has one."""
    firsts: dict[str, str] = {}
    for subject, label in zip(subjects, labels, strict=True):
        if label:
            firsts.setdefault(subject, label)
    return firsts


def _one_hot(columns: Sequence[Mapping[str, str]], people: Sequence[str]) -> Floats:
    """Indicators (s, k) of the values of every column that has more than one; unknown is a value of its own."""
    parts = [np.zeros((len(people), 0))]
    for column in columns:
        values = [column.get(person, "") for person in people]
        kinds = sorted(set(values))
        if len(kinds) > 1:
            parts.append(np.array([[float(value == kind) for kind in kinds] for value in values]))
    return np.concatenate(parts, axis=1)


def _value(row: Row, column: str) -> str | None:
    """The manifest's entry as a class; age in bands of ten years."""
    if column == "age":
        return None if row.age is None else f"{int(row.age // 10) * 10}–{int(row.age // 10) * 10 + 9}"
    value = getattr(row, column)
    return None if value is None else str(value)
