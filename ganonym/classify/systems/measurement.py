"""Fetal alcohol syndrome and others from facial measurements, as Valentine et al. and Astley and Clarren did.

All three see landmarks (n, 68, 2), in pixels of any picture, and measure them themselves.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from ganonym.classify.cohort import Portrait
from ganonym.classify.explain.gradcam import Sight, no_sight
from ganonym.classify.learner import CPU, Arrays, Inputs
from ganonym.classify.learning.tabular import NAMES, Forest, grown
from ganonym.classify.look import PhotoLook, by_photo
from ganonym.classify.measurement.lengths import MEASUREMENTS, RATIOS, measurements, pairwise_ratios
from ganonym.classify.system import Configuration, Strength, System, SystemMethod
from ganonym.errors import EnvironmentFault, UsageError
from ganonym.types import RGB, Floats, Points

FEATURES = tuple(key for key in MEASUREMENTS if not key.endswith((" right", " left")))
_LOGISTIC = ("mean", "scale", "weights", "bias", "known")
_RULE = ("mean", "sd", "slope", "bias")


def features(points: Inputs) -> Floats:
    """Of landmarks (n, 68, 2) all measurements over the face size, and all ratios between landmarks: (n, 226)."""
    lengths = measurements(np.asarray(points, dtype=np.float64))
    return np.hstack(
        [np.stack([lengths[key] for key in FEATURES], axis=1), pairwise_ratios(np.asarray(points, dtype=np.float64))]
    )


@dataclass(frozen=True, slots=True)
class MeasuredLogistic:
    """Logistic regression on standardised `features`, with an L2 penalty of 1 / `strength` (scikit-learn's C).

    After Valentine et al. (Pediatrics 2017;140:e20162028), who read fetal alcohol syndrome off ratios between
    landmarks at an area under the ROC curve of 0.88. Their landmarks and classifier are FDNA's own: the 68 of iBUG
    and this one stand in. Classes are weighted alike, however rare.
    """

    strength: float = 0.05

    def learn(self, inputs: Inputs, classes: NDArray[np.intp], count: int, seed: int) -> TrainedLogistic:  # noqa: ARG002
        """Of landmarks (n, 68, 2), of two classes at least; nothing is drawn, so `seed` plays no part."""
        from sklearn.linear_model import LogisticRegression

        table = features(inputs)
        mean, scale = table.mean(axis=0), table.std(axis=0)
        scale = np.where(scale > 1e-12, scale, 1.0)
        model = LogisticRegression(C=self.strength, class_weight="balanced", max_iter=2000)
        model.fit((table - mean) / scale, classes)
        weights, bias = model.coef_, model.intercept_
        if len(weights) == 1:  # two classes have one score; half of it each way is the same softmax
            weights, bias = np.vstack([-weights, weights]) / 2, np.concatenate([-bias, bias]) / 2
        return TrainedLogistic(mean, scale, weights, bias, model.classes_.astype(np.int64), count)

    def restore(self, arrays: Arrays, count: int) -> TrainedLogistic:
        mean, scale, weights, bias, known = _taken(arrays, _LOGISTIC)
        width = len(FEATURES) + RATIOS
        if mean.shape != (width,) or scale.shape != (width,) or weights.shape != (len(known), width):
            raise _foreign()
        if bias.shape != known.shape or not _labels(known, count):
            raise _foreign()
        return TrainedLogistic(mean, scale, weights, bias, known.astype(np.int64), count)


class _OfLandmarks:
    """What was learned from landmarks: no network looks at the face."""

    __slots__ = ()

    def sight(self, rgb: RGB, points: Points, foundation: Arrays) -> Sight:  # noqa: ARG002
        """Raises UsageError."""
        raise no_sight("landmarks")


@dataclass(frozen=True, slots=True)
class TrainedLogistic(_OfLandmarks):
    """`mean`, `scale` (d,) of features; `weights` (k, d) and `bias` (k,) of the classes `known` (k,)."""

    mean: Floats
    scale: Floats
    weights: Floats
    bias: Floats
    known: NDArray[np.int64]
    count: int

    def __call__(self, inputs: Inputs) -> Floats:
        # einsum, not a BLAS product: its sums do not depend on how many photos there are.
        scaled = (features(inputs) - self.mean) / self.scale
        logits = np.einsum("nd,kd->nk", scaled, self.weights) + self.bias
        chances = np.exp(logits - logits.max(axis=1, keepdims=True))
        return _spread(chances / chances.sum(axis=1, keepdims=True), self.known, self.count)

    @property
    def arrays(self) -> Arrays:
        return {name: getattr(self, name) for name in _LOGISTIC}


@dataclass(frozen=True, slots=True)
class MeasuredForest:
    """A random forest (Breiman 2001) on `features`: `trees`, leaves of `leaf` photos or more, classes alike."""

    trees: int = 300
    leaf: int = 2

    def learn(self, inputs: Inputs, classes: NDArray[np.intp], count: int, seed: int) -> TrainedForest:
        """Of landmarks (n, 68, 2); deterministic by `seed`."""
        from sklearn.ensemble import RandomForestClassifier

        model = RandomForestClassifier(
            self.trees, min_samples_leaf=self.leaf, class_weight="balanced", random_state=seed % 2**32
        )
        model.fit(features(inputs), classes)
        return TrainedForest(grown(model), model.classes_.astype(np.int64), count)

    def restore(self, arrays: Arrays, count: int) -> TrainedForest:
        """Raises EnvironmentFault when `arrays` are no forest on these features, of `count` classes."""
        *trees, known = _taken(arrays, (*NAMES, "known"))
        forest = Forest(*trees)
        if not _labels(known, count) or not forest.fits(len(FEATURES) + RATIOS, len(known)):
            raise _foreign()
        return TrainedForest(forest, known, count)


@dataclass(frozen=True, slots=True)
class TrainedForest(_OfLandmarks):
    """A `forest` that answers for the classes `known` (k,) of `count`."""

    forest: Forest
    known: NDArray[np.int64]
    count: int

    def __call__(self, inputs: Inputs) -> Floats:
        return _spread(self.forest(features(inputs)), self.known, self.count)

    @property
    def arrays(self) -> Arrays:
        return {**self.forest.arrays, "known": self.known}


def check_controls(classes: NDArray[np.intp], count: int, control: int = 0) -> None:
    """Raises UsageError unless there are two classes, and photos of both."""
    unaffected = classes == control
    if count != 2 or control not in (0, 1) or unaffected.all() or unaffected.sum() < 2:
        raise UsageError(
            "the rule of Astley and Clarren tells patients from controls: two classes, with photos of both.",
            "Choose the logistic regression or the forest for more classes.",
        )


@dataclass(frozen=True, slots=True)
class AstleyClarren:
    """The rule of Astley and Clarren (1996) for fetal alcohol syndrome, as far as landmarks see it.

    They told 42 patients from 84 controls without an error by a small ratio of palpebral fissure to inner-canthal
    distance, a thin upper lip and a smooth philtrum. Here: the first ratio, and the upper vermilion over the face size;
    no landmark sees whether the philtrum is smooth. The score, ours, is the mean of both z-scores among controls with
    its sign turned; a logistic curve fitted to it gives the probability. For two classes, of which `control` is the
    unaffected one.
    """

    control: int = 0

    def learn(self, inputs: Inputs, classes: NDArray[np.intp], count: int, seed: int) -> TrainedRule:  # noqa: ARG002
        """Of landmarks (n, 68, 2). Raises UsageError unless there are two classes, and photos of both."""
        from sklearn.linear_model import LogisticRegression

        check_controls(classes, count, self.control)
        unaffected = classes == self.control
        table = _rule_features(inputs)
        mean, sd = table[unaffected].mean(axis=0), table[unaffected].std(axis=0, ddof=1)
        score = _rule_score(table, mean, sd)
        curve = LogisticRegression(C=1.0, class_weight="balanced").fit(score[:, None], ~unaffected)
        return TrainedRule(mean, sd, curve.coef_[0].copy(), curve.intercept_.copy(), self.control)

    def restore(self, arrays: Arrays, count: int) -> TrainedRule:
        mean, sd, slope, bias = _taken(arrays, _RULE)
        if count != 2 or mean.shape != (2,) or sd.shape != (2,) or slope.shape != (1,) or bias.shape != (1,):
            raise _foreign()
        return TrainedRule(mean, sd, slope, bias, self.control)


@dataclass(frozen=True, slots=True)
class TrainedRule(_OfLandmarks):
    """`mean`, `sd` (2,) of the controls' ratio and lip; `slope` (1,), `bias` (1,) of the logistic curve."""

    mean: Floats
    sd: Floats
    slope: Floats
    bias: Floats
    control: int

    def __call__(self, inputs: Inputs) -> Floats:
        from scipy.special import expit

        patient = expit(self.slope[0] * self.score(inputs) + self.bias[0])
        return np.stack([1 - patient, patient][:: 1 if self.control == 0 else -1], axis=1)

    def score(self, inputs: Inputs) -> Floats:
        """How short fissures are and how thin the lip is, in SD of the controls, (n,): 0 in the mean control."""
        return _rule_score(_rule_features(inputs), self.mean, self.sd)

    @property
    def arrays(self) -> Arrays:
        return {name: getattr(self, name) for name in _RULE}


def _rule_features(points: Inputs) -> Floats:
    lengths = measurements(np.asarray(points, dtype=np.float64))
    return np.stack([lengths["PFLEN/ENEN"], lengths["UVERM"]], axis=1)


def _rule_score(table: Floats, mean: Floats, sd: Floats) -> Floats:
    return np.asarray(-((table - mean) / np.where(sd > 1e-12, sd, 1.0)).mean(axis=1))


def _spread(chances: Floats, known: NDArray[np.int64], count: int) -> Floats:
    """Chances (n, k) of the classes `known` among all `count`, (n, count)."""
    everything = np.zeros((len(chances), count))
    everything[:, known] = chances
    return everything


def _taken(arrays: Arrays, names: tuple[str, ...]) -> tuple[NDArray[Any], ...]:
    if set(arrays) != set(names) or any(not np.isfinite(array).all() for array in arrays.values()):
        raise _foreign()
    return tuple(arrays[name] for name in names)


def _labels(known: NDArray[Any], count: int) -> bool:
    return known.ndim == 1 and 0 < len(np.unique(known)) == len(known) and known.min() >= 0 and known.max() < count


def _foreign() -> EnvironmentFault:
    return EnvironmentFault("these arrays are not of this classifier.", "Train it anew, or name the right file.")


def landmarks(faces: Sequence[Portrait]) -> Inputs:
    """The landmarks (n, 68, 2) of portraits."""
    return np.stack([face.points for face in faces])


class MeasurementConfiguration(Configuration):
    """`strength` is of the logistic regression, `trees` of the forest. No network looks."""

    kind = "measurement"
    network_of_faces = False
    learner: Literal["logistic", "forest", "rule"]
    strength: Strength
    trees: Annotated[int, Field(ge=1, le=100_000)]

    @property
    def pretrained_start(self) -> bool:
        return False

    @property
    def idle(self) -> dict[str, str]:
        used = {"logistic": "strength", "forest": "trees", "rule": ""}[self.learner]
        return {name: f"learner is {self.learner}" for name in ("strength", "trees") if name != used}

    @property
    def keeps_means(self) -> bool:
        return self.learner == "rule"

    def check(self, classes: NDArray[np.intp], count: int) -> None:
        if self.learner == "rule":
            check_controls(classes, count)

    def system(self, foundation: Arrays, device: str = CPU) -> System:  # noqa: ARG002
        learners: Mapping[str, SystemMethod] = {
            "logistic": MeasuredLogistic(self.strength),
            "forest": MeasuredForest(self.trees),
            "rule": AstleyClarren(),
        }
        return System(by_photo(PhotoLook((), landmarks)), learners[self.learner])
