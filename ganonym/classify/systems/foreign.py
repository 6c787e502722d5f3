"""Classifiers that other packages bring by the entry points `ganonym.classifiers`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint

import numpy as np
from numpy.typing import NDArray

from ganonym.classify.crops import ARCFACE_SIDE, ArcFaceCrop
from ganonym.classify.explain.gradcam import Sight
from ganonym.classify.learner import CPU, Arrays, Inputs, Learner, Predictor
from ganonym.classify.look import by_photo, pictured
from ganonym.classify.system import Configuration, System
from ganonym.classify.systems import maker_of
from ganonym.errors import EnvironmentFault, UsageError
from ganonym.types import RGB, Floats, Points

Factory = Callable[[], Learner]


@dataclass(frozen=True, slots=True)
class ForeignTrained:
    """What a learner of another package gave, under the `name` by which it is asked for."""

    name: str
    predictor: Predictor = field(repr=False)

    def __call__(self, inputs: Inputs) -> Floats:
        return np.asarray(self.predictor(inputs), np.float64)

    @property
    def arrays(self) -> Arrays:
        """Its own `arrays`. Raises UsageError when it has none."""
        arrays: Arrays | None = getattr(self.predictor, "arrays", None)
        if arrays is None:
            raise UsageError(
                f"what {self.name} learned cannot be saved: it has no `arrays`.",
                "Ask its makers, or keep it in memory.",
            )
        return arrays

    def sight(self, rgb: RGB, points: Points, foundation: Arrays) -> Sight:
        """Its own `sight`. Raises UsageError when it has none."""
        own: Callable[[RGB, Points, Arrays], Sight] | None = getattr(self.predictor, "sight", None)
        if own is None:
            raise UsageError(f"{self.name} does not say what it looks at: it has no `sight`.")
        return own(rgb, points, foundation)


@dataclass(frozen=True, slots=True)
class ForeignMethod:
    """A learner of another package, made anew by `factory`."""

    name: str
    factory: Factory = field(repr=False)

    def learn(self, inputs: Inputs, classes: NDArray[np.intp], count: int, seed: int) -> ForeignTrained:
        return ForeignTrained(self.name, self.factory().learn(inputs, classes, count, seed))

    def restore(self, arrays: Arrays, count: int) -> ForeignTrained:
        """Raises EnvironmentFault when the learner cannot `restore`."""
        own: Callable[[Arrays, int], Predictor] | None = getattr(self.factory(), "restore", None)
        if own is None:
            raise EnvironmentFault(f"{self.name} cannot read what it wrote: it has no `restore`.", "Train it anew.")
        return ForeignTrained(self.name, own(arrays, count))


class ForeignConfiguration(Configuration):
    """A classifier that was offered as such: nothing to set, aligned crops of 112 px to look at."""

    @property
    def pretrained_start(self) -> bool:
        return False

    @classmethod
    def factory(cls) -> Learner:
        """A learner, new. Made by `configuration_at`."""
        raise NotImplementedError

    def system(self, foundation: Arrays, device: str = CPU) -> System:  # noqa: ARG002
        return System(by_photo(pictured(ArcFaceCrop(ARCFACE_SIDE))), ForeignMethod(self.kind, self.factory))


def configuration_at(points: Sequence[EntryPoint]) -> type[Configuration]:
    """What the entry points of one name offer. Raises UsageError unless it is one, and a classifier."""
    point = points[0]
    if len(points) > 1:
        raise UsageError(f"{maker_of(point.name)} both offer a classifier {point.name!r}.", "Uninstall one of them.")
    try:
        offered = point.load()
    except Exception as error:  # whatever another package does while it is imported
        raise UsageError(
            f"the classifier {point.name!r} of {maker_of(point.name)} cannot be imported "
            f"({type(error).__name__}: {error}).",
            "Mend or uninstall that package.",
        ) from error
    if isinstance(offered, type) and issubclass(offered, Configuration):
        return type(offered.__name__, (offered,), {"kind": point.name, "__module__": offered.__module__})
    if not callable(offered) or not (callable(getattr(offered, "learn", None)) or not isinstance(offered, type)):
        raise _no_classifier(point)

    def factory(_: type[ForeignConfiguration]) -> Learner:
        made: Learner = offered()
        if not callable(getattr(made, "learn", None)):
            raise _no_classifier(point)
        return made

    body = {"kind": point.name, "factory": classmethod(factory), "__module__": __name__}
    made: type[Configuration] = type("ForeignConfiguration", (ForeignConfiguration,), body)
    return made


def _no_classifier(point: EntryPoint) -> UsageError:
    return UsageError(
        f"{point.value}, which {maker_of(point.name)} offers as the classifier {point.name!r}, makes nothing with "
        "`learn`.",
        "It must be a class, or a function without arguments, whose result has learn(inputs, classes, count, seed).",
    )
