"""How well few examples do: accuracy over episodes, and retrieval for disorders seen and never seen in training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from ganonym.classify.fewshot.episodes import Index, Pool, draw
from ganonym.classify.fewshot.scores import EpisodeScore, class_means, cosines
from ganonym.errors import UsageError
from ganonym.statistics.bootstrap import subject_bootstrap
from ganonym.statistics.estimate import Estimate
from ganonym.types import Floats

EPISODES = 600
KS = (1, 5, 10, 30)


@dataclass(frozen=True, slots=True)
class EpisodeAccuracy:
    """Mean accuracy over `episodes`, with two intervals of 95 %.

    `over_episodes` is the one that few-shot papers report: mean ± 1.96 standard errors. Episodes use the same few
    people over and over, so it shrinks with the number of episodes drawn and says nothing about other patients.
    `over_subjects` does: bootstrap over the subjects asked for (not those learned from). `left_out` classes had too
    few subjects.
    """

    episodes: int
    over_episodes: Estimate
    over_subjects: Estimate
    left_out: tuple[int, ...]


def episode_accuracy(
    score: EpisodeScore,
    embeddings: Floats,
    drawn_from: Pool,
    subjects: Sequence[str],
    rng: np.random.Generator,
    episodes: int = EPISODES,
) -> EpisodeAccuracy:
    """Accuracy of `score` on embeddings (n, d) of photos of `subjects` (n).

    SimpleShot is `cosine_to_means` on `prototypes.centred_unit` embeddings. Of equal scores none counts as right: an
    encoder that makes all faces equal scores 0, not the first class.
    """
    found = torch.from_numpy(np.asarray(embeddings, np.float64))
    hits, asked, shares = np.zeros(len(found)), np.zeros(len(found)), np.zeros(episodes)
    for number in range(episodes):
        one = draw(drawn_from, rng)
        ways = torch.from_numpy(one.support_ways)
        scores = score(found[one.support], ways, found[one.query], len(one.classes)).numpy()
        right = place_of_truth(scores, one.query_ways) == 1
        np.add.at(hits, one.query, right)
        np.add.at(asked, one.query, 1)
        shares[number] = right.mean()
    half = 1.96 * float(shares.std(ddof=1)) / float(np.sqrt(episodes)) if episodes > 1 else float("nan")
    mean = float(shares.mean())

    def share(photos: Index) -> float:
        total = asked[photos].sum()
        return float(hits[photos].sum() / total) if total else float("nan")

    rows = np.flatnonzero(asked)
    people = [subjects[int(row)] for row in rows]
    return EpisodeAccuracy(
        episodes,
        Estimate(value=mean, low=mean - half, high=mean + half),
        subject_bootstrap(lambda photos: share(rows[photos]), people, rng),
        drawn_from.left_out,
    )


def place_of_truth(scores: Floats, truth: Index) -> Index:
    """Place (n,) of the true class by scores (n, c), 1 = highest; behind all others that score the same.

    Place c + 1 where the true class has no finite score: a class that is not in the gallery is never found.

    >>> place_of_truth(np.array([[0.1, 0.7, 0.2], [0.5, 0.5, 0.0]]), np.array([2, 0])).tolist()
    [2, 2]
    """
    own = scores[np.arange(len(truth)), truth]
    places = (scores >= own[:, None]).sum(axis=1)
    return np.asarray(np.where(np.isfinite(own), places, scores.shape[1] + 1), np.intp)


def nearest_case(probes: Floats, gallery: Floats, classes: Index, count: int) -> Floats:
    """Scores (p, c) of probes (p, d): the highest cosine similarity to a gallery photo (g, d) of each class.

    −∞ for classes (g,) that the gallery lacks. As GestaltMatcher ranks, with one encoder and one view.
    """
    alike = cosines(_tensor(probes), _tensor(gallery)).numpy()
    best = np.full((count, len(alike)), -np.inf)
    np.maximum.at(best, classes, alike.T)
    return best.T


def nearest_prototype(probes: Floats, gallery: Floats, classes: Index, count: int) -> Floats:
    """Scores (p, c) of probes (p, d): the cosine similarity to the mean of each class's gallery photos (g, d).

    −∞ for classes (g,) that the gallery lacks.
    """
    means = class_means(_tensor(gallery), torch.from_numpy(classes.astype(np.int64)), count)
    known = np.bincount(classes, minlength=count) > 0
    return np.asarray(np.where(known, cosines(_tensor(probes), means).numpy(), -np.inf))


def macro_top_k(scores: Floats, truth: Index, k: int) -> float:
    """Mean over the classes of probes (n,) of the share whose own class is among the `k` highest scores (n, c)."""
    found = place_of_truth(scores, truth) <= k
    return float(np.mean([found[truth == each].mean() for each in np.unique(truth)]))


@dataclass(frozen=True, slots=True)
class Split:
    """Rows of a set as `gallery` and `probes`, no subject in both; `left_out` classes have one subject only."""

    gallery: Index
    probes: Index
    left_out: tuple[int, ...]


def gallery_split(classes: Index, subjects: Sequence[str], rng: np.random.Generator, share: float = 0.3) -> Split:
    """A random `share` of each class's subjects as probes, at least one and never all.

    Classes of one subject stay in the gallery, as in the clinic, where a lone case is still there to be found.
    Subjects of several classes are in the gallery too.
    """
    names = np.array(subjects, dtype=str)
    probe, left_out = np.zeros(len(classes), bool), []
    several = {name for name in np.unique(names) if len(set(classes[names == name])) > 1}
    for each in np.unique(classes):
        people = [name for name in np.unique(names[classes == each]) if name not in several]
        if len(people) < 2:
            left_out.append(int(each))
            continue
        number = min(max(round(share * len(people)), 1), len(people) - 1)
        probe |= np.isin(names, rng.choice(people, number, replace=False))
    return Split(np.flatnonzero(~probe), np.flatnonzero(probe), tuple(left_out))


@dataclass(frozen=True, slots=True)
class Retrieval:
    """Macro top-k accuracy, `top[k]`, of `probes` photos of `among` classes in a gallery of `cases` photos."""

    top: dict[int, float]
    probes: int
    cases: int
    among: int


def retrieval(
    embeddings: Floats,
    classes: Index,
    subjects: Sequence[str],
    split: Split,
    rare: NDArray[np.bool_],
    ks: Sequence[int] = KS,
    *,
    by_mean: bool = False,
) -> dict[str, Retrieval]:
    """Retrieval by the nearest case, or else the nearest class mean, in the four settings of GestaltMatcher's tables.

    `rare` (c,) are classes that the encoder was never trained on, the others frequent ones (whose probes must be held
    out of training, too). Keys "frequent/frequent", "rare/rare", "frequent/all" and "rare/all": probes / gallery.
    Settings without probes are absent. Average `top` over splits drawn anew. Raises UsageError when a subject is on
    both sides.
    """
    names = np.array(subjects, dtype=str)
    both = sorted(set(names[split.gallery]) & set(names[split.probes]))
    if both:
        raise UsageError(f"{len(both)} subjects are in the gallery and among the probes, the first {both[0]}.")
    score = nearest_prototype if by_mean else nearest_case
    found = {}
    for setting, probed, kept in (
        ("frequent/frequent", ~rare, ~rare),
        ("rare/rare", rare, rare),
        ("frequent/all", ~rare, np.ones_like(rare)),
        ("rare/all", rare, np.ones_like(rare)),
    ):
        probes, gallery = split.probes[probed[classes[split.probes]]], split.gallery[kept[classes[split.gallery]]]
        if not len(probes):
            continue
        scores = score(embeddings[probes], embeddings[gallery], classes[gallery], len(rare))
        truth = classes[probes]
        top = {k: macro_top_k(scores, truth, k) for k in ks}
        found[setting] = Retrieval(top, len(probes), len(gallery), len(np.unique(truth)))
    return found


def _tensor(embeddings: Floats) -> torch.Tensor:
    return torch.from_numpy(np.asarray(embeddings, np.float64))
