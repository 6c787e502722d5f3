"""How well few examples do: accuracy over episodes.

Retrieval for disorders seen and never seen in training is `retrieval.evaluate`, on what `MetricClassifier.embed` gives.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from ganonym.classify.fewshot.episodes import Index, Pool, draw
from ganonym.classify.fewshot.scores import EpisodeScore
from ganonym.statistics.intervals import Estimate, subject_bootstrap
from ganonym.types import Floats

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
