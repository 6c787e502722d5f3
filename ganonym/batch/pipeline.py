"""What a batch does to one photo and one face, as three callables, so that the batch knows nothing of models."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ganonym.faces.shape import ShapeModel
from ganonym.settings import Settings
from ganonym.types import RGB, FaceRecord, Floats, Photograph, Points, PrivateFace, Substitution


@dataclass(frozen=True, slots=True)
class Tools:
    """Loaded models of one worker.

    `analyse(rgb, source)` finds the faces of a photo, largest first, and raises PhotoError("no-face") when there is
    none. `produce(face, record)` renders and verifies one face; it raises PhotoError("verification") rather than
    return anything unproven. `treat(rgb, substitutions, source)` does the same for a whole photo, whose faces come as
    records with what is to become of each, largest first; every face not synthesized is covered. None where only
    faces are made. `describe(rgb, points)` is the recognizer's descriptor of a face, None where there is none.
    """

    analyse: Callable[[RGB, str], list[FaceRecord]]
    produce: Callable[[PrivateFace, FaceRecord], RGB]
    treat: Callable[[RGB, Sequence[Substitution], str], Photograph] | None = None
    describe: Callable[[RGB, Points], Floats] | None = None


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Module-level functions only: a pipeline travels to worker processes, which then load their own tools.

    `weights_digest` is a hex SHA-256 that changes when any weights do.
    """

    load_tools: Callable[[Settings], Tools]
    load_shape_model: Callable[[], ShapeModel]
    weights_digest: Callable[[Settings], str]
