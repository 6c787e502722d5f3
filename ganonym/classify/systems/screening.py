"""Binary screening of face photographs, patients against controls (Baek et al. 2025).

Baek et al. (Plast Reconstr Surg 2025;156:112e) tell velocardiofacial syndrome (98 people, 920 photos) from controls (91
people, 463 photos) with a face recogniser and a binary head: accuracy 81 – 88 % at any angle, 95 % on frontal photos.
Here any vector a photo is one's own choice: an embedding of the user's recogniser, normalised landmarks or pixels.

Deviations, where the abstract is silent: the head is a logistic regression, the threshold is chosen by out-of-fold
scores of the training set, the folds and all intervals are by person, and the same screen, trained on photos at any
angle, is rated on all photos and on the frontal ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ganonym.classify.cross_validation import FOLDS, Fold, subject_folds, subjects_of
from ganonym.classify.explain.gradcam import Sight, through_embeddings
from ganonym.classify.learner import CPU, Arrays, Inputs, Method, Trained
from ganonym.classify.look import by_photo
from ganonym.classify.look import embedded as embedding
from ganonym.classify.progress import report
from ganonym.classify.screening.rates import TERMS, Called, Screened, Terms, check_groups, rated
from ganonym.classify.screening.threshold import Rule, check_dealt, choose_threshold
from ganonym.classify.system import Configuration, Strength, System
from ganonym.errors import EnvironmentFault, UsageError
from ganonym.types import RGB, Floats, Points, Pose

YOUDEN = Rule()
_OF_HEAD, _THRESHOLD = "head.", "threshold"


@dataclass(frozen=True, slots=True)
class TrainedLogistic:
    """Vectors (n, d) → probabilities (n, 2) of control and patient; from `mean`, `scale`, `slope` (d,), `offset` ()."""

    mean: Floats
    scale: Floats
    slope: Floats
    offset: Floats

    def __call__(self, inputs: Inputs) -> Floats:
        from scipy.special import expit

        # Row by row: a matrix product may round a row differently in other company.
        score = (((inputs - self.mean) / self.scale) * self.slope).sum(axis=1) + self.offset
        return np.stack([expit(-score), expit(score)], axis=1)

    def logits(self, vectors: Tensor) -> Tensor:
        """Log-odds (n, 2) of embeddings (n, d), differentiable."""
        mean, scale, slope, offset = (
            torch.from_numpy(np.array(array)) for array in (self.mean, self.scale, self.slope, self.offset)
        )
        score = ((vectors.double() - mean) / scale * slope).sum(dim=1) + offset
        return torch.stack([-score, score], dim=1)

    def sight(self, rgb: RGB, points: Points, foundation: Arrays) -> Sight:
        """Through the recognizer that makes the embeddings."""
        return through_embeddings(self.logits, foundation, rgb, points)

    @property
    def arrays(self) -> Arrays:
        return {"mean": self.mean, "scale": self.scale, "slope": self.slope, "offset": self.offset}


def check_two_classes(classes: NDArray[np.intp], count: int) -> None:
    """Raises UsageError unless there are two classes, and photos of both."""
    if count != 2 or len(np.unique(classes)) != 2:
        raise UsageError(
            f"screening tells two classes apart, these are {count}.",
            "Name the patients' as positive (--positive); give photos of patients and of controls.",
        )


@dataclass(frozen=True, slots=True)
class Logistic:
    """Logistic regression on standardised vectors (n, d), of two classes: 0 control, 1 patient.

    `strength` is scikit-learn's C, the inverse of the ridge penalty; both classes count alike, however many photos.
    """

    strength: float = 0.1

    def learn(self, inputs: Inputs, classes: NDArray[np.intp], count: int, seed: int) -> TrainedLogistic:  # noqa: ARG002
        """Nothing is drawn, so `seed` plays no part. Raises UsageError unless both of two classes have photos."""
        from sklearn.linear_model import LogisticRegression

        check_two_classes(classes, count)
        vectors = np.asarray(inputs, np.float64)
        mean, scale = vectors.mean(axis=0), vectors.std(axis=0)
        scale = np.where(scale > 0, scale, 1.0)
        model = LogisticRegression(C=self.strength, class_weight="balanced", max_iter=1000)
        model.fit((vectors - mean) / scale, classes)
        return TrainedLogistic(mean, scale, model.coef_[0].copy(), np.array(model.intercept_[0]))

    def restore(self, arrays: Arrays, count: int) -> TrainedLogistic:
        """Raises EnvironmentFault when `arrays` are not of a logistic regression."""
        shapes = {name: array.shape for name, array in arrays.items()}
        width = shapes.get("slope", ())
        if count != 2 or len(width) != 1 or shapes != {"mean": width, "scale": width, "slope": width, "offset": ()}:
            raise EnvironmentFault(f"{shapes} are no logistic regression of two classes.", "Train it anew.")
        return TrainedLogistic(**{name: np.asarray(array, np.float64) for name, array in arrays.items()})


@dataclass(frozen=True, slots=True)
class Screen:
    """A trained head and the probability from which it calls a photo positive."""

    head: Trained
    threshold: float

    def call(self, inputs: Inputs) -> Called:
        """Inputs (n, ...) → what each photo is called, and by what score."""
        scores = np.asarray(self.head(inputs)[:, 1])
        return Called(scores, scores >= self.threshold)

    @property
    def arrays(self) -> Arrays:
        own = {_OF_HEAD + name: array for name, array in self.head.arrays.items()}
        return {**own, _THRESHOLD: np.array(self.threshold)}


@dataclass(frozen=True, slots=True)
class BinaryScreening:
    """The recipe: a `head` (any system of two classes) and a threshold by `rule` over `folds` of people."""

    head: Method = Logistic()
    rule: Rule = YOUDEN
    folds: int = 5

    def learn(self, inputs: Inputs, positive: NDArray[np.bool_], subjects: Sequence[str], seed: int) -> Screen:
        """From the training set alone, `positive` (n,) and `subjects` a photo each; raises as `choose_threshold`."""
        threshold = choose_threshold(self.head, inputs, positive, subjects, self.rule, seed, self.folds)
        return Screen(self.head.learn(inputs, positive.astype(np.intp), 2, seed), threshold)

    def restore(self, arrays: Arrays) -> Screen:
        """The screen that had these `arrays`. Raises EnvironmentFault when they are of something else."""
        if _THRESHOLD not in arrays:
            raise EnvironmentFault("the file holds no threshold, so it is no screen.", "Train it anew.")
        own = {name.removeprefix(_OF_HEAD): array for name, array in arrays.items() if name != _THRESHOLD}
        return Screen(self.head.restore(own, 2), float(arrays[_THRESHOLD]))


def assess(
    screen: Screen,
    inputs: Inputs,
    positive: NDArray[np.bool_],
    subjects: Sequence[str],
    poses: Sequence[Pose | None],
    seed: int,
    terms: Terms = TERMS,
) -> Screened:
    """Rates of a screen on a test set: inputs (n, ...), `positive` (n,), `subjects` and `poses`, one a photo.

    Raises UsageError without patients or controls.
    """
    check_groups(positive)
    return rated(screen.call(inputs), [screen.threshold], positive, subjects, poses, seed, terms)


def check_people(
    positive: NDArray[np.bool_], subjects: Sequence[str], seed: int, folds: int, inner: int
) -> tuple[Fold, ...]:
    """The folds over `subjects`, of photos `positive` (n,). Raises UsageError where they or their `inner` folds lack
    people of either kind."""
    check_groups(positive)
    classes = positive.astype(np.intp)
    people = subjects_of(classes, subjects)
    if people.min() < 2:
        raise UsageError(
            f"{people[1]} patients and {people[0]} controls cannot be parted.", "Give two people or more of either."
        )
    parts = subject_folds(classes, subjects, seed, folds)
    for fold in parts:
        check_dealt(positive[fold.train], np.array([subjects[photo] for photo in fold.train.tolist()]), inner)
    return parts


def assess_in_folds(
    method: BinaryScreening,
    inputs: Inputs,
    positive: NDArray[np.bool_],
    subjects: Sequence[str],
    poses: Sequence[Pose | None],
    seed: int,
    folds: int = FOLDS,
    terms: Terms = TERMS,
) -> Screened:
    """Rates of the pooled calls of all folds over `subjects`; inputs (n, ...), `positive` (n,), `poses`, one a photo.

    Every fold has a screen of its own: head and threshold from the other folds alone, the threshold on scores of
    `method.folds` inner folds of those. Scores of different folds are of different heads: pooled, they can but lower
    the area under the curve. Progress is reported (`heard`).

    Raises UsageError without two people of either kind, and as `choose_threshold`.
    """
    parts = check_people(positive, subjects, seed, folds, method.folds)
    classes = positive.astype(np.intp)
    scores, called = np.full(len(classes), np.nan), np.zeros(len(classes), np.bool_)
    thresholds = []
    for number, fold in enumerate(parts):
        report("train", number, len(parts))
        own = [subjects[photo] for photo in fold.train.tolist()]
        screen = method.learn(inputs[fold.train], positive[fold.train], own, seed + number)
        calls = screen.call(inputs[fold.test])
        scores[fold.test], called[fold.test] = calls.scores, calls.positive
        thresholds.append(screen.threshold)
    report("train", len(parts), len(parts))
    return rated(Called(scores, called), thresholds, positive, subjects, poses, seed, terms)


class ScreeningConfiguration(Configuration):
    """Logistic regression of inverse penalty `strength`, of two classes."""

    kind = "screening"
    strength: Strength

    def check(self, classes: NDArray[np.intp], count: int) -> None:
        check_two_classes(classes, count)

    def system(self, foundation: Arrays, device: str = CPU) -> System:
        return System(by_photo(embedding(foundation, device)), Logistic(self.strength))
