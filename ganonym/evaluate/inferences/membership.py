"""What released pictures tell beyond names: attributes, who is among the released, and whose faces they borrow.

`membership`: can it be told from the release that a person is in it? `donor_leak`: do outputs look like real people of
whom the generator learned, or whose faces it borrowed? `infer_all`: these, and the attributes of `attributes`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ganonym.errors import UsageError
from ganonym.evaluate.acquire import Seen
from ganonym.evaluate.attackers.attacker import Matcher, Rows, Templates, euclidean, finite, locate, templates
from ganonym.evaluate.attackers.recognizers import DLIB, DlibView
from ganonym.evaluate.findings import Inference
from ganonym.evaluate.inferences.attributes import infer_attributes, interval
from ganonym.evaluate.release import Release
from ganonym.evaluate.scores import People
from ganonym.faces.find import judge_backends
from ganonym.photos.decode import read_photo
from ganonym.statistics.intervals import proportion
from ganonym.types import Floats

VIEWS = ("dlib", "landmarks", "thumbnail")


def infer_all(
    seen: Seen, release: Release, donors: Sequence[tuple[Path, str]], seed: int
) -> tuple[list[Inference], list[str]]:
    """Every inference there are people enough for, and notes on the others.

    Raises PhotoError for a broken donor, UsageError where donors are given and there are too few people to judge.
    """
    out = [index for index, item in enumerate(release.items) if item.released is not None]
    rows = [release.items[index].row for index in out]
    inferences, notes = infer_attributes(rows, release.columns, [seen.released[name][out] for name in VIEWS], seed)
    before, after = seen.originals[DLIB.name], seen.released[DLIB.name]
    try:
        inferences.append(membership(before, after, release.subjects, "recognizer", seed=seed))
    except UsageError as error:
        notes.append(f"not evaluated: {error}")
    if donors:  # asked for: that it cannot be answered is no answer
        inferences.append(donor_leak(after, before, release.subjects, _people(donors), "donors", seed=seed))
    return inferences, notes


def _people(photos: Sequence[tuple[Path, str]]) -> People:
    """Descriptors of donors in whose photo a face is found."""
    samples = locate([read_photo(path.parent, path.name)[0] for path, _ in photos], *judge_backends())
    faces = templates(DlibView(), samples)
    acquired: NDArray[np.bool_] = np.asarray(np.isfinite(faces).all(axis=1))
    return People(faces[acquired], tuple(name for (_, name), there in zip(photos, acquired, strict=True) if there))


FEWEST_SUBJECTS = 10
HALVINGS = 20
DRAWS = 1000
FALSE_MATCHES = 0.01
_ROWS = 256  # looked at together; bounds memory, not the result


def membership(
    originals: Rows,
    released: Rows,
    subjects: Sequence[str],
    name: str,
    matcher: Matcher = euclidean,
    seed: int = 0,
) -> Inference:
    """AUC of telling released subjects from others by how near their originals come to the released set.

    Row i of both (n, d) is photo i of `subjects[i]`; a NaN row has no template or was withheld. The outputs of one half
    of the subjects are hidden in turn, over HALVINGS random halves; nearness is the smallest distance less the mean,
    in standard deviations over the set. Control: 0.5. Interval by bootstrap over subjects. Raises UsageError when
    fewer than FEWEST_SUBJECTS subjects have both an original and an output.
    """
    person, names = _numbered(subjects)
    before, after = finite(originals), finite(released)
    usable = np.intersect1d(person[before], person[after])
    if len(usable) < FEWEST_SUBJECTS:
        raise UsageError(f"membership needs {FEWEST_SUBJECTS} subjects with outputs, there are {len(usable)}.")
    rows = np.flatnonzero(before & np.isin(person, usable))
    columns = np.flatnonzero(after & np.isin(person, usable))
    distances = matcher(Templates(originals[rows], released=False), Templates(released[columns], released=True))
    rng = np.random.default_rng(seed)
    counts = rng.multinomial(len(usable), np.full(len(usable), 1 / len(usable)), size=DRAWS).astype(np.float64)
    won, pairs, drawn_won, drawn_pairs = 0.0, 0.0, np.zeros(DRAWS), np.zeros(DRAWS)
    for _ in range(HALVINGS):
        inside = np.zeros(len(names), dtype=bool)
        inside[rng.permutation(usable)[: len(usable) // 2]] = True
        near = _nearness(distances, inside[person[columns]])
        score = np.array([near[person[rows] == one].mean() for one in usable])
        member = inside[usable]
        beats = (score[:, None] < score[None, :]) + 0.5 * (score[:, None] == score[None, :])
        table = beats * member[:, None] * ~member[None, :]
        won += float(table.sum())
        pairs += float(member.sum() * (~member).sum())
        drawn_won += np.einsum("bi,bi->b", counts @ table, counts)
        drawn_pairs += counts[:, member].sum(axis=1) * counts[:, ~member].sum(axis=1)
    auc, drawn = won / pairs, drawn_won / np.maximum(drawn_pairs, 1.0)
    return Inference(
        kind="membership",
        name=name,
        subjects=len(usable),
        value=interval(auc, drawn),
        control=0.5,
        excess=interval(auc - 0.5, drawn - 0.5),
        excess_upper=float(np.quantile(drawn, 0.95)) - 0.5,
        note=f"AUC over {HALVINGS} random halves",
    )


def donor_leak(
    released: Rows,
    originals: Rows,
    subjects: Sequence[str],
    donors: People,
    name: str,
    matcher: Matcher = euclidean,
    seed: int = 0,
) -> Inference:
    """Share of subjects of whom an output is taken for one of the `donors`, real people but not he.

    Row i of `released` and `originals` (n, d) is photo i of `subjects[i]`. The threshold is the distance to the nearest
    donor that 1 % of the subjects' own originals stay under: with many donors somebody always comes near, so pairs
    cannot set it. Nobody is compared with donors of his own name. Control: the share of originals under the threshold,
    at most 1 %. Raises UsageError when fewer than FEWEST_SUBJECTS subjects have both, or there is no donor.
    """
    there = finite(donors.templates)
    if not there.any():
        raise UsageError("the donor leak needs the faces of donors, none has a template.")
    person, names = _numbered(subjects)
    gallery = Templates(donors.templates[there], released=False)
    own = np.array(subjects, dtype=np.str_)[:, None] == np.array(donors.subjects, dtype=np.str_)[None, there]
    nearest = [
        _nearest(matcher(side, gallery), own, person, len(names))
        for side in (Templates(released, released=True), Templates(originals, released=False))
    ]
    both = np.isfinite(nearest[0]) & np.isfinite(nearest[1])
    count = int(both.sum())
    if count < FEWEST_SUBJECTS:
        raise UsageError(f"the donor leak needs {FEWEST_SUBJECTS} subjects with outputs, there are {count}.")
    ours, theirs = nearest[0][both], nearest[1][both]
    threshold = float(np.sort(theirs)[int(FALSE_MATCHES * count)])
    hits, false = (ours < threshold).astype(np.float64), (theirs < threshold).astype(np.float64)
    chosen = np.random.default_rng(seed).integers(count, size=(DRAWS, count))
    drawn, control = hits[chosen].mean(axis=1), float(false.mean())
    excess = drawn - false[chosen].mean(axis=1)
    exact = proportion(float(hits.sum()), count, 0.90).high - control
    return Inference(
        kind="donor",
        name=name,
        subjects=count,
        value=interval(float(hits.mean()), drawn),
        control=control,
        excess=interval(float(hits.mean()) - control, excess),
        excess_upper=max(float(np.quantile(excess, 0.95)), exact),
        note=f"{int(there.sum())} photos of donors, threshold {threshold:.3f}",
    )


def _nearest(distances: Floats, own: NDArray[np.bool_], person: NDArray[np.intp], count: int) -> Floats:
    """Each subject's smallest distance (n, m) to a donor who is not he, (s,), NaN without a template."""
    nearest = np.full(count, np.inf)
    np.minimum.at(nearest, person, np.where(own | np.isnan(distances), np.inf, distances).min(axis=1))
    return np.where(np.isinf(nearest), np.nan, nearest)


def _nearness(distances: Floats, released: NDArray[np.bool_]) -> Floats:
    """How many SD below its mean each row's (n, m) smallest distance to those `released` (m,) is, (n,), negative."""
    nearness = []
    for start in range(0, len(distances), _ROWS):
        near = distances[start : start + _ROWS, released]
        nearness.append((near.min(axis=1) - near.mean(axis=1)) / np.maximum(near.std(axis=1), 1e-12))
    return np.concatenate(nearness)


def _numbered(subjects: Sequence[str]) -> tuple[NDArray[np.intp], NDArray[np.str_]]:
    names, person = np.unique(np.array(subjects, dtype=np.str_), return_inverse=True)
    return person, names
