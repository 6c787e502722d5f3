"""What a batch does to one photo and one face, as callables, so that the batch itself knows nothing of models."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from ganonym.faces.shape import ShapeModel, load_shape
from ganonym.photos.text import require_text_finder, text_finder
from ganonym.settings import Settings
from ganonym.types import RGB, FaceRecord, Floats, Photograph, Points, PrivateFace, Substitution
from ganonym.weights import read_manifest, verified_path

WEIGHTS = ("appearance", "generator", "blazeface_short", "blazeface_full", "face_mesh", "mesh_offset")


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


def default_pipeline() -> Pipeline:
    """ganonym's own models: the face finder of this machine, the bundled appearance model and generator."""
    return Pipeline(load_tools, load_shape, weights_digest)


def load_tools(settings: Settings) -> Tools:
    """Models of one worker. Raises EnvironmentFault when something is missing or altered."""
    from ganonym.faces.descriptor import describe
    from ganonym.models import analyse, open_models, produce
    from ganonym.photograph import text_reader, treat_photo

    models = open_models(recognizer=settings.verify == "recognizer")
    treat = partial(treat_photo, models=models, background=settings.background, read=text_reader(settings))
    return Tools(partial(analyse, models=models), partial(produce, models=models), treat, describe)


def weights_digest(settings: Settings) -> str:
    """Hex SHA-256 over the digests of the weights, checked on disk, and the names of detector, landmarks and reader.

    Raises EnvironmentFault when weights are absent or altered, or text is to be covered and nothing here finds it.
    """
    from ganonym.faces.find import default_backends

    if settings.covers_text and settings.text == "cover":
        require_text_finder()
    for name in WEIGHTS:
        verified_path(name)
    entries = read_manifest()
    parts = [entries[name].sha256 for name in WEIGHTS] + [backend.name for backend in default_backends()]
    if settings.covers_text:
        parts.append(text_finder() or "no reader")
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
