"""N-way K-shot episodes over a labelled set, drawn by subject.

Published episodes draw photographs. Where people were photographed more than once that tests whether a classifier
recognises the person, so here a shot is a subject: support and query never share one.

Scores say how alike embeddings are, one formula for training and for prediction. They are functions of tensors, so
that episodes can be learned from; `float64` is exact enough for either.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from ganonym.errors import UsageError
from ganonym.statistics.intervals import Estimate, subject_bootstrap
from ganonym.types import Floats

EpisodeScore: TypeAlias = Callable[[Tensor, Tensor, Tensor, int], Tensor]
"""Support (m, d), its ways (m,), query (q, d), number of ways → scores (q, ways), of which softmax is taken."""


def class_means(embeddings: Tensor, classes: Tensor, count: int) -> Tensor:
    """Means (c, d) of embeddings (n, d) by class (n,); rows of zeros for classes that do not occur.

    >>> class_means(torch.tensor([[0.0, 2.0], [2.0, 0.0], [5.0, 5.0]]), torch.tensor([0, 0, 2]), 3).tolist()
    [[1.0, 1.0], [0.0, 0.0], [5.0, 5.0]]
    """
    sums = embeddings.new_zeros(count, embeddings.shape[1]).index_add(0, classes, embeddings)
    return sums / torch.bincount(classes, minlength=count).clamp(min=1).to(embeddings.dtype)[:, None]


def squared_distances(one: Tensor, other: Tensor) -> Tensor:
    """Squared Euclidean distances (n, m) of rows (n, d) to rows (m, d), never negative.

    >>> squared_distances(torch.tensor([[3.0, 4.0]]), torch.tensor([[0.0, 0.0], [3.0, 4.0]])).tolist()
    [[25.0, 0.0]]
    """
    own, others = one.square().sum(1, keepdim=True), other.square().sum(1)
    return (own - 2 * one @ other.T + others).clamp(min=0)


def cosines(one: Tensor, other: Tensor) -> Tensor:
    """Cosine similarities (n, m) of rows (n, d) to rows (m, d); 0 to a row of zeros.

    >>> cosines(torch.tensor([[3.0, 4.0]]), torch.tensor([[0.0, 2.0], [0.0, 0.0]])).tolist()
    [[0.800000011920929, 0.0]]
    """
    return functional.normalize(one, dim=1) @ functional.normalize(other, dim=1).T


def prototypical(support: Tensor, ways: Tensor, query: Tensor, count: int) -> Tensor:
    """Prototypical networks (Snell et al. 2017, eq. 2): minus the squared distance to the mean of each way."""
    return -squared_distances(query, class_means(support, ways, count))


def cosine_to_means(support: Tensor, ways: Tensor, query: Tensor, count: int) -> Tensor:
    """Meta-Baseline (Chen et al. 2021, eq. 2) before its temperature: cosine similarity to the mean of each way."""
    return cosines(query, class_means(support, ways, count))


def attention(support: Tensor, classes: Tensor, query: Tensor, count: int, sharpness: float = 1.0) -> Tensor:
    """Matching networks (Vinyals et al. 2016, eq. 1): shares (q, c) of the support's classes, rows sum to 1.

    Each support photo weighs the softmax of its cosine similarity, times `sharpness` (1 in the paper), to the query.
    """
    weights = (sharpness * cosines(query, support)).softmax(dim=1)
    return weights @ functional.one_hot(classes, count).to(weights.dtype)


def matching(support: Tensor, ways: Tensor, query: Tensor, count: int) -> Tensor:
    """Logarithms of `attention`: softmax gives them back, cross-entropy is their negative log-likelihood."""
    return attention(support, ways, query, count).clamp(min=1e-30).log()


Index = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Shape:
    """`ways` classes, of each `shots` subjects to learn from and `queries` others to be told apart, a photo each."""

    ways: int = 5
    shots: int = 1
    queries: int = 5

    def __post_init__(self) -> None:
        if self.ways < 2 or self.shots < 1 or self.queries < 1:
            raise UsageError(f"{self} leaves nothing to choose: an episode needs 2 ways, 1 shot and 1 query at least.")


@dataclass(frozen=True, slots=True)
class Pool:
    """What episodes of one `shape` are drawn from.

    `photos[c]` has for every subject of class c the rows of the set that show it; empty for classes `left_out`, which
    have fewer than shots + queries subjects. `mixed`: subjects with photos of several classes, who are in no episode.
    """

    shape: Shape
    photos: tuple[tuple[Index, ...], ...]
    left_out: tuple[int, ...]
    mixed: tuple[str, ...]

    @property
    def classes(self) -> Index:
        """The classes that episodes are made of, ascending."""
        return np.array([number for number, people in enumerate(self.photos) if people], np.intp)


@dataclass(frozen=True, slots=True)
class Episode:
    """`support` (ways · shots,) and `query` (ways · queries,) rows of the set, each with its place among `classes`.

    `classes` (ways,) are numbers in the whole set; `support_ways` and `query_ways` count from 0 to ways − 1.
    """

    classes: Index
    support: Index
    support_ways: Index
    query: Index
    query_ways: Index


def pool(classes: Index, subjects: Sequence[str], shape: Shape, among: Sequence[int] | None = None) -> Pool:
    """Photos with `classes` (n,) of `subjects` (n) as a pool; only classes `among`, when given.

    Raises UsageError when fewer than `shape.ways` classes have the subjects that an episode takes.

    >>> drawn_from = pool(np.array([0, 0, 1, 1, 2]), ["a", "b", "c", "d", "e"], Shape(ways=2, shots=1, queries=1))
    >>> drawn_from.classes.tolist(), drawn_from.left_out
    ([0, 1], (2,))
    """
    if len(classes) != len(subjects):
        raise UsageError(f"there are {len(classes)} classes, but {len(subjects)} subjects.")
    names, owner = np.unique(np.array(subjects, dtype=str), return_inverse=True)
    of_subject = [np.flatnonzero(owner == index) for index in range(len(names))]
    mixed = tuple(str(name) for name, rows in zip(names, of_subject, strict=True) if len(set(classes[rows])) > 1)
    photos: list[list[Index]] = [[] for _ in range(int(classes.max(initial=-1)) + 1)]
    for rows in of_subject:
        if len(set(classes[rows])) == 1:
            photos[classes[rows[0]]].append(rows)
    wanted = range(len(photos)) if among is None else sorted(set(among))
    enough = [
        number for number in wanted if number < len(photos) and len(photos[number]) >= shape.shots + shape.queries
    ]
    if len(enough) < shape.ways:
        raise UsageError(
            f"{len(enough)} of {len(wanted)} classes have {shape.shots} + {shape.queries} subjects, an episode takes "
            f"{shape.ways}; ask for fewer ways, shots or queries."
        )
    kept = tuple(tuple(people) if number in enough else () for number, people in enumerate(photos))
    return Pool(shape, kept, tuple(number for number in wanted if number not in enough), mixed)


def draw(pool: Pool, rng: np.random.Generator) -> Episode:
    """One episode: classes, of each its subjects, of each one photo, all alike in chance.

    >>> one = draw(pool(np.repeat([0, 1, 2], 4), list("aabbccddeeff"), Shape(2, 1, 1)), np.random.default_rng(0))
    >>> len(one.support), len(one.query), one.query_ways.tolist()
    (2, 2, [0, 1])
    """
    shape = pool.shape
    classes = rng.choice(pool.classes, shape.ways, replace=False)
    rows = np.zeros((shape.ways, shape.shots + shape.queries), np.intp)
    for way, number in enumerate(classes):
        people = pool.photos[number]
        for place, subject in enumerate(rng.permutation(len(people))[: rows.shape[1]]):
            rows[way, place] = people[subject][rng.integers(len(people[subject]))]
    ways = np.arange(shape.ways)
    return Episode(
        classes,
        rows[:, : shape.shots].ravel(),
        ways.repeat(shape.shots),
        rows[:, shape.shots :].ravel(),
        ways.repeat(shape.queries),
    )


EPISODES = 600


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
    vectors = torch.from_numpy(np.asarray(embeddings, np.float64))
    hits, asked, shares = np.zeros(len(vectors)), np.zeros(len(vectors)), np.zeros(episodes)
    for number in range(episodes):
        one = draw(drawn_from, rng)
        ways = torch.from_numpy(one.support_ways)
        scores = score(vectors[one.support], ways, vectors[one.query], len(one.classes)).numpy()
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
