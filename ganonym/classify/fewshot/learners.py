"""All few-shot learners side by side: they learn from base classes and are tested in the same episodes of novel ones.

The comparison of Sümer et al. 2022 (arXiv 2210.12705) in its plain form: on frozen embeddings every learner is a linear
projection, so that what differs between rows is how it was taught.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ganonym.classify.fewshot.episodes import (
    EPISODES,
    EpisodeAccuracy,
    EpisodeScore,
    Pool,
    Shape,
    cosine_to_means,
    episode_accuracy,
    matching,
    pool,
    prototypical,
)
from ganonym.classify.learning.fit import Schedule, seeded
from ganonym.classify.networks.light import Projection, embedded, tensor_shape
from ganonym.classify.progress import report
from ganonym.classify.systems.meta_baseline import ClassifierBaseline, Lessons, MetaBaseline, episodes_on
from ganonym.classify.systems.prototypes import centred_unit
from ganonym.errors import UsageError
from ganonym.types import Floats

NEAREST_MEAN = "nearest mean (SimpleShot)"
UNCENTRED = "nearest mean (not centred)"
PROTOTYPICAL, MATCHING = "prototypical network", "matching network"
BASELINE, META = "baseline (linear transfer)", "Meta-Baseline"
EPISODIC = (PROTOTYPICAL, MATCHING, META)
TRAINED = (PROTOTYPICAL, MATCHING, BASELINE, META)
QUERIES = 5


@dataclass(frozen=True, slots=True)
class Course:
    """How the trained learners are taught. `steps` of `tasks` episodes each; the published 4000 are for photographs.

    `episodic` is of prototypical and matching networks (Adam at 1e-3, as Snell et al. 2017), `transfer` of the
    baseline and of Meta-Baseline's first stage. `width` is of every projection.
    """

    width: int = 64
    steps: int = 300
    tasks: int = 4
    transfer: Schedule = field(default_factory=lambda: Schedule(40, 128, "sgd", 0.1, decay=5e-4))
    episodic: Schedule = field(default_factory=lambda: Schedule(1, 4, "adam", 1e-3))


@dataclass(frozen=True, slots=True)
class Compared:
    """`learners`: (name, accuracy), over the same episodes. `not_run`: (name, reason) of those that could not learn.

    `base` and `novel` are classes that took part, `left_out` novel ones with fewer than shots + queries subjects.
    `training` is the form of the training episodes, None without any; `base_left_out` were in none of them.
    """

    shape: Shape
    base: tuple[int, ...]
    novel: tuple[int, ...]
    left_out: tuple[int, ...]
    training: Shape | None
    base_left_out: tuple[int, ...]
    learners: tuple[tuple[str, EpisodeAccuracy], ...]
    not_run: tuple[tuple[str, str], ...]

    @property
    def chance(self) -> float:
        return 1.0 / self.shape.ways


def compare(
    embeddings: Floats,
    classes: NDArray[np.intp],
    subjects: Sequence[str],
    base: Collection[int],
    shape: Shape,
    seed: int,
    episodes: int = EPISODES,
    course: Course | None = None,
) -> Compared:
    """Every learner on embeddings (n, d) of photos of `subjects` (n); `base` classes teach, all others are tested.

    Nobody is in support and query of an episode, in training or in test. Without base classes the nearest mean cannot
    be centred and nothing can be trained; training episodes are as those tested, but of fewer ways where there are
    fewer base classes, and of up to 5 queries. Deterministic by `seed`; progress is reported (`heard`).

    Raises UsageError when fewer than `shape.ways`
    novel classes have enough subjects, and for a subject with photos of several classes.
    """
    course = course or Course()
    tested = check_episodes(classes, subjects, base, shape)
    taught = np.flatnonzero(np.isin(classes, list(base)))
    base_classes, labels = np.unique(classes[taught], return_inverse=True)
    people, inputs, labels = [subjects[int(row)] for row in taught], embeddings[taught], labels.astype(np.intp)
    lessons = _lessons(labels, people, shape)
    not_run = _not_run(len(base_classes), lessons)
    ready = [NEAREST_MEAN if len(taught) else UNCENTRED, *(name for name in TRAINED if name not in dict(not_run))]
    rows = []
    for done, name in enumerate(ready):
        report("learners", done, len(ready))
        features, score = _taught(name, embeddings, inputs, labels, people, lessons, course, seed)
        rng = np.random.default_rng(seed)  # anew for each: the same episodes for all
        rows.append((name, episode_accuracy(score, features, tested, subjects, rng, episodes)))
    report("learners", len(ready), len(ready))
    return Compared(
        shape,
        tuple(base_classes.tolist()),
        tuple(tested.classes.tolist()),
        tested.left_out,
        lessons.shape if lessons else None,
        tuple(int(base_classes[number]) for number in lessons.left_out) if lessons else tuple(base_classes.tolist()),
        tuple(rows),
        not_run,
    )


def check_episodes(classes: NDArray[np.intp], subjects: Sequence[str], base: Collection[int], shape: Shape) -> Pool:
    """What episodes of classes that are no `base` are drawn from. Raises UsageError as `compare` does."""
    _one_class_each(classes, subjects)
    novel = [number for number in np.unique(classes).tolist() if number not in base]
    return _tested(classes, subjects, shape, novel)


def _taught(
    name: str,
    embeddings: Floats,
    inputs: Floats,
    labels: NDArray[np.intp],
    people: Sequence[str],
    lessons: Pool | None,
    course: Course,
    seed: int,
) -> tuple[Floats, EpisodeScore]:
    """What the learner makes of all embeddings after its lessons on `inputs`, and how it compares in an episode."""
    if name == UNCENTRED:
        return embeddings, cosine_to_means
    if name == NEAREST_MEAN:
        return centred_unit(embeddings, inputs.mean(axis=0)), cosine_to_means
    count = int(labels.max()) + 1
    baseline = ClassifierBaseline(Projection(course.width), course.transfer)
    if name == BASELINE:
        return baseline.learn(inputs, labels, count, seed).embed(embeddings), cosine_to_means
    assert lessons is not None  # `_not_run` says so
    if name == META:
        method = MetaBaseline(baseline, lessons.shape, course.steps, course.tasks)
        return method.learn(inputs, labels, count, seed, people).embed(embeddings), cosine_to_means
    score = prototypical if name == PROTOTYPICAL else matching
    network = seeded(lambda: Projection(course.width)(tensor_shape(inputs)), seed)
    episodes_on(network, inputs, Lessons(lessons, score, course.steps, course.tasks, course.episodic), seed)
    return np.asarray(embedded(network, embeddings).numpy()), score


def _tested(classes: NDArray[np.intp], subjects: Sequence[str], shape: Shape, novel: Sequence[int]) -> Pool:
    people = _people(classes, subjects)
    enough = sum(people[number] >= shape.shots + shape.queries for number in novel)
    if enough < shape.ways:
        ways = f"Ask for {enough} ways, for" if enough > 1 else "Ask for"
        raise UsageError(
            f"an episode takes {shape.ways} novel classes of {shape.shots} + {shape.queries} people or more; of "
            f"{len(novel)} novel classes {enough} have as many.",
            f"{ways} fewer shots or queries, or for fewer base classes.",
        )
    return pool(classes, subjects, shape, novel)


def _lessons(labels: NDArray[np.intp], people: Sequence[str], shape: Shape) -> Pool | None:
    """What training episodes are drawn from: every class with a subject to ask for is in them."""
    enough = [number for number in _people(labels, people).values() if number > shape.shots]
    if len(enough) < 2:
        return None
    queries = min(QUERIES, min(enough) - shape.shots)
    return pool(labels, people, Shape(min(shape.ways, len(enough)), shape.shots, queries))


def _not_run(base: int, lessons: Pool | None) -> tuple[tuple[str, str], ...]:
    if base < 2:
        return tuple((name, f"there {'is one base class' if base else 'are no base classes'}") for name in TRAINED)
    if lessons is None:
        return tuple((name, "fewer than two base classes have more people than shots") for name in EPISODIC)
    return ()


def _people(classes: NDArray[np.intp], subjects: Sequence[str]) -> dict[int, int]:
    """How many subjects each class has."""
    pairs = set(zip(classes.tolist(), subjects, strict=True))
    return {number: sum(own == number for own, _ in pairs) for number in set(classes.tolist())}


def _one_class_each(classes: NDArray[np.intp], subjects: Sequence[str]) -> None:
    class_of: dict[str, int] = {}
    mixed = sorted(
        {name for name, own in zip(subjects, classes.tolist(), strict=True) if class_of.setdefault(name, own) != own}
    )
    if mixed:
        raise UsageError(
            f"{len(mixed)} subjects have photographs of several classes: {', '.join(mixed[:5])}.",
            "Learned from in one class they would be known in the other; give each person one class.",
        )
