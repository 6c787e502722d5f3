"""Where the work on single photos happens: in this process, or in a pool that survives dying and hanging workers."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import resource_tracker
from pathlib import Path
from typing import Any, Protocol, TypeVar

from pebble import ProcessExpired, ProcessPool

from ganonym.batch.pipeline import Pipeline, Tools
from ganonym.errors import EnvironmentFault, GanonymError, PhotoError
from ganonym.photos.isolate import limit_worker, thread_limit
from ganonym.settings import Settings
from ganonym.types import Refusal

Item = TypeVar("Item")
Result = TypeVar("Result")

_AHEAD = 4  # items in flight per worker: enough to keep it busy while an earlier, slower one is awaited


class Engine(Protocol):
    """Applies `work(tools, item)` to items; results come in the order of the items, whatever the engine.

    PhotoError, lack of memory, an unexpected exception, a crash and a timeout become a Refusal of that item alone;
    any other GanonymError ends the stream.
    """

    def stream(
        self, work: Callable[[Tools, Item], Result], items: Iterable[Item]
    ) -> Iterator[tuple[Item, Result | Refusal]]: ...

    def peak_memory(self) -> int:
        """Highest resident memory of all workers together so far, in bytes (an upper bound)."""
        ...


@contextmanager
def open_engine(pipeline: Pipeline, settings: Settings) -> Iterator[Engine]:
    """The engine that the settings ask for. Workers start at the first item and end with the context."""
    if settings.engine == "serial":
        yield SerialEngine(pipeline, settings)
        return
    engine = PoolEngine(pipeline, settings)
    try:
        yield engine
    finally:
        engine.stop()


class SerialEngine:
    """Everything in this process: for debugging. A crash or an endless loop in a codec is not contained."""

    def __init__(self, pipeline: Pipeline, settings: Settings) -> None:
        self._pipeline, self._settings = pipeline, settings
        self._tools: Tools | None = None

    def stream(
        self, work: Callable[[Tools, Item], Result], items: Iterable[Item]
    ) -> Iterator[tuple[Item, Result | Refusal]]:
        for item in items:
            self._tools = self._tools or self._pipeline.load_tools(self._settings)
            yield item, _guarded(work, self._tools, item)

    def peak_memory(self) -> int:
        return 0


class PoolEngine:
    """Worker processes, each with its own tools. Workers only compute; all writing is the main process's."""

    def __init__(self, pipeline: Pipeline, settings: Settings) -> None:
        self._pipeline, self._settings = pipeline, settings
        self._pool: ProcessPool | None = None
        self._memory: dict[int, int] = {}

    def stream(
        self, work: Callable[[Tools, Item], Result], items: Iterable[Item]
    ) -> Iterator[tuple[Item, Result | Refusal]]:
        waiting: deque[tuple[Item, Future[Any]]] = deque()
        source = iter(items)
        with thread_limit(self._settings.threads):
            while True:
                for item in source:
                    waiting.append((item, self._submit(work, item)))
                    if len(waiting) >= _AHEAD * self._settings.workers:
                        break
                if not waiting:
                    return
                item, future = waiting.popleft()
                try:
                    yield item, self._await(future)
                except BrokenProcessPool:
                    unfinished = [item, *(other for other, _ in waiting)]
                    waiting.clear()
                    self.stop()
                    for item in unfinished:
                        yield item, self._alone(work, item)

    def peak_memory(self) -> int:
        return sum(sorted(self._memory.values())[-self._settings.workers :])

    def stop(self) -> None:
        """End all workers at once."""
        if self._pool is not None:
            self._pool.stop()  # type: ignore[no-untyped-call]
            self._pool.join()
            self._pool = None

    def _submit(self, work: Callable[[Tools, Item], Result], item: Item) -> Future[Any]:
        if self._pool is None:
            resource_tracker.ensure_running()  # of the workers; started by the first of them, it would undo the mask
            self._pool = ProcessPool(
                max_workers=self._settings.workers,
                initializer=_start_worker,
                initargs=(self._pipeline, self._settings),
                context=multiprocessing.get_context("spawn"),
            )
        future: Future[Any]
        try:
            with _uninterrupted():
                future = self._pool.schedule(_perform, args=(work, item), timeout=self._settings.timeout)
        except RuntimeError as error:  # the pool broke since the last item; whoever awaits this one will replace it
            future = Future()
            future.set_exception(BrokenProcessPool(str(error)))
        return future

    def _await(self, future: Future[Any]) -> Any:
        while not wait([future], timeout=1.0).done:
            if self._pool is None or not self._pool.active:
                raise BrokenProcessPool("the pool ended before the task")
        try:
            result, process, memory = future.result()
        except TimeoutError:
            return Refusal(
                "timeout", f"not done after {self._settings.timeout:g} s; raise the timeout, or leave it out"
            )
        except ProcessExpired as error:
            return Refusal("crash", f"the worker process died on it (exit code {error.exitcode})")
        self._memory[process] = memory
        return result

    def _alone(self, work: Callable[[Tools, Item], Result], item: Item) -> Any:
        """One item in a pool with nothing else in flight, so that a death can only be its own."""
        for _ in range(2):
            try:
                return self._await(self._submit(work, item))
            except BrokenProcessPool:
                self.stop()
        raise EnvironmentFault("worker processes die before they can work.", "Is memory short? Try --jobs 1.")


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Put off Ctrl-C. Processes and threads started within never see it: it is the main process that ends them."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


_worker_tools: Tools | GanonymError | None = None


def _start_worker(pipeline: Pipeline, settings: Settings) -> None:
    global _worker_tools
    limit_worker(memory=None)  # no core dumps; no cap on addresses, of which torch reserves many
    try:
        _worker_tools = pipeline.load_tools(settings)
    except GanonymError as error:
        _worker_tools = error
    except Exception as error:
        _worker_tools = EnvironmentFault(f"cannot load the models: {type(error).__name__}: {error}.")


def _perform(work: Callable[[Tools, Item], Result], item: Item) -> tuple[Result | Refusal, int, int]:
    if isinstance(_worker_tools, GanonymError):
        raise _worker_tools
    assert _worker_tools is not None
    return _guarded(work, _worker_tools, item), os.getpid(), resident_peak()


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


def resident_peak() -> int:
    """Highest resident memory of this process so far, in bytes; 0 where the system does not tell (not Linux)."""
    # Not getrusage: its ru_maxrss starts at the parent's size in a spawned child.
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:")), 0)
