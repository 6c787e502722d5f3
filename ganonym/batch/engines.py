"""Where the work on single photos happens: in this process, or in a pool that survives dying and hanging workers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TypeVar

from ganonym.batch.pipeline import Pipeline, Tools
from ganonym.errors import GanonymError, PhotoError
from ganonym.settings import Settings
from ganonym.types import Refusal
from ganonym.workers import Lost, Workers

Item = TypeVar("Item")
Result = TypeVar("Result")


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
