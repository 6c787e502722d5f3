"""What a published system is: its settings, how it looks at people, what it learns, and what comes of it.

Every file of `systems` fills this in; one harness then trains, tests, saves and explains them all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Protocol, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, ValidationError

from ganonym.checked import Checked, refusal
from ganonym.classify.learner import CPU, Arrays, Inputs, Trained
from ganonym.errors import UsageError
from ganonym.types import RGB, Points

if TYPE_CHECKING:
    from ganonym.classify.explain.gradcam import Sight
    from ganonym.classify.look import Look

Epochs: TypeAlias = Annotated[int, Field(ge=1, le=100_000)]
Batch: TypeAlias = Annotated[int, Field(ge=2, le=65_536)]  # of one photo batch normalisation has no statistics
Rate: TypeAlias = Annotated[float, Field(gt=0, le=10)]
Width: TypeAlias = Annotated[int, Field(ge=1, le=16_384)]
Strength: TypeAlias = Annotated[float, Field(gt=0, le=1_000_000)]


def whole(value: object) -> object:
    """For a choice of whole numbers: to Python true is 1 and 1.0 is 1, so that it would take them. ValueError."""
    if isinstance(value, bool | float):
        raise ValueError("not one of the choices")
    return value


class TrainedSystem(Trained, Protocol):
    """What a published system learned: it can be saved, asked and explained."""

    def sight(self, rgb: RGB, points: Points, foundation: Arrays) -> Sight:
        """What a map of the face with landmarks `points` (68, 2) in `rgb` is made of; `foundation` as in `System`.

        Raises UsageError when no network that ends in a map looks at the face.
        """
        ...


class SystemMethod(Protocol):
    """The `Method` of a published system."""

    def learn(self, inputs: Inputs, classes: NDArray[np.intp], count: int, seed: int) -> TrainedSystem: ...

    def restore(self, arrays: Arrays, count: int) -> TrainedSystem: ...


@dataclass(frozen=True, slots=True)
class System:
    """`look` turns a cohort into inputs, `method` learns from them."""

    look: Look
    method: SystemMethod


class Configuration(Checked):
    """Settings of one system, each with its kind and range: frozen and strict.

    What a system has no use for, and what a setting cannot mean, is an error: a UsageError that lists everything.
    """

    kind: ClassVar[str]
    """What recipes call the system."""
    bundled_start: ClassVar[str] = "gestalt"
    """The bundled network that it starts from, where it does and no other is given."""
    network_of_faces: ClassVar[bool] = True
    """Whether a network looks at faces, so that a device plays a part and a map of the face explains it."""

    def __init__(self, /, **settings: Any) -> None:
        try:
            super(Checked, self).__init__(**settings)
        except ValidationError as error:
            raise _refused(type(self), error) from None

    @property
    def pretrained_start(self) -> bool:
        """Whether the system starts from a pretrained network, or takes the form of one."""
        return True

    @property
    def keeps_means(self) -> bool:
        """Whether what is learned holds the mean of each class: of a class of one person, that person."""
        return False

    @property
    def idle(self) -> dict[str, str]:
        """Settings that do nothing beside the others, each with the reason."""
        return {}

    def check(self, classes: NDArray[np.intp], count: int) -> None:
        """Raises UsageError for photos of `classes` (n,), of `count`, that the system cannot learn.

        So a table alone may show that it will fail, before any photo is read.
        """

    def refuse_idle(self, names: Sequence[str]) -> Self:
        """These settings, unless one of `names`, changed on purpose, does nothing beside the others: UsageError."""
        if idle := [f"{name} does nothing, for {self.idle[name]}" for name in names if name in self.idle]:
            raise UsageError(
                f"the settings of {self.kind}: {'; '.join(idle)}.", "Leave it as it is, or change the other, too."
            )
        return self

    def system(self, foundation: Arrays, device: str = CPU) -> System:
        """The system that starts from `foundation`: parameters of a pretrained network, empty where from none.

        Networks of faces compute on `device`, as torch names it; what learns from embeddings or landmarks is small and
        stays on the processor.
        """
        raise NotImplementedError

    @classmethod
    def meaning(cls) -> dict[str, str]:
        """What each setting may be, in words.

        >>> from ganonym.classify.systems import configuration_of
        >>> configuration_of("screening").meaning()
        {'strength': 'a number above 0, up to 1e+06'}
        """
        return {name: _words(schema) for name, schema in cls.model_json_schema().get("properties", {}).items()}


def _refused(kind: type[Configuration], error: ValidationError) -> UsageError:
    """Every mistake, then what the settings in question may be; what all are called where none of those was meant."""
    meant = kind.meaning()
    names = dict.fromkeys(str(mistake["loc"][0]) for mistake in error.errors(include_url=False))
    ranges = [f"{name} is {meant[name]}" for name in names if name in meant]
    remedy = f"{'; '.join(ranges)}." if ranges else f"They are {', '.join(meant) or 'none'}."
    return refusal(error, f"the settings of {kind.kind}", remedy)


def _words(schema: Mapping[str, Any]) -> str:
    """A setting's JSON schema in plain English."""
    if "anyOf" in schema:
        return " or ".join(_words(kind) for kind in schema["anyOf"])
    if "const" in schema:
        return str(schema["const"])
    if "enum" in schema:
        return "one of " + ", ".join(map(str, schema["enum"]))
    if schema["type"] == "boolean":
        return "true or false"
    if schema["type"] == "array":
        return f"a list, each once, of {_words(schema['items']).removeprefix('one of ')}"
    what = "a whole number" if schema["type"] == "integer" else "a number"
    low = f"above {schema['exclusiveMinimum']:g}," if "exclusiveMinimum" in schema else f"from {schema['minimum']}"
    top = f"{schema['maximum']:g}" if schema["type"] == "number" else f"{schema['maximum']}"
    return f"{what} {low} {'up ' if low.startswith('above') else ''}to {top}"
