"""What a batch does to one photo and one face, as callables, and where it does that: here, or in worker processes.

The batch itself knows nothing of models.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from ganonym.errors import GanonymError, PhotoError
from ganonym.faces.shape import ShapeModel, load_shape
from ganonym.photos.text import require_text_finder, text_finder
from ganonym.settings import Settings
from ganonym.types import RGB, FaceRecord, Floats, Photograph, Points, PrivateFace, Refusal, Substitution
from ganonym.weights import read_manifest, verified_path
from ganonym.workers import Lost, Workers

FINDER_WEIGHTS = ("blazeface_short", "blazeface_full", "face_mesh", "mesh_offset")
WEIGHTS = ("appearance", "generator", "kept", *FINDER_WEIGHTS)
Item = TypeVar("Item")
Result = TypeVar("Result")


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


class Engine:
    """Applies `work(tools, item)` to items; results come in the order of the items, in a pool as in this process.

    PhotoError, lack of memory, an unexpected exception, a crash and a timeout become a Refusal of that item alone;
    any other GanonymError ends the stream. Without `workers` (for debugging), everything happens in this process,
    and a crash or an endless loop in a codec is not contained.
    """

    def __init__(self, load: Callable[[], Tools], workers: Workers[Tools] | None) -> None:
        self._load, self._workers = load, workers
        self._tools: Tools | None = None

    def stream(
        self, work: Callable[[Tools, Item], Result], items: Iterable[Item]
    ) -> Iterator[tuple[Item, Result | Refusal]]:
        """Every item with its result, or with why there is none."""
        if self._workers is None:
            for item in items:
                self._tools = self._tools or self._load()
                yield item, _guarded(work, self._tools, item)
            return
        for item, result in self._workers.stream(partial(_guarded, work), items):
            yield item, _refusal(result) if isinstance(result, Lost) else result

    def peak_memory(self) -> int:
        """Highest resident memory of all workers together so far, in bytes (an upper bound); 0 without workers."""
        return 0 if self._workers is None else self._workers.peak_memory()


@contextmanager
def open_engine(pipeline: Pipeline, settings: Settings) -> Iterator[Engine]:
    """The engine that the settings ask for. Workers start at the first item and end with the context."""
    load = partial(pipeline.load_tools, settings)
    if settings.engine == "serial":
        yield Engine(load, None)
        return
    workers = Workers(load, settings.workers, settings.threads, settings.timeout)
    try:
        yield Engine(load, workers)
    finally:
        workers.stop()


def _refusal(lost: Lost) -> Refusal:
    if lost.reason == "timeout":
        return Refusal("timeout", f"{lost.detail}; raise the timeout, or leave it out")
    return Refusal(lost.reason, lost.detail)


def _guarded(work: Callable[[Tools, Item], Result], tools: Tools, item: Item) -> Result | Refusal:
    try:
        return work(tools, item)
    except PhotoError as error:
        return Refusal(error.reason, str(error))
    except GanonymError:
        raise
    except MemoryError:
        return Refusal("memory", "not enough memory for this photo")
    except Exception as error:
        return Refusal("internal", f"{type(error).__name__}: {error}"[:500])
