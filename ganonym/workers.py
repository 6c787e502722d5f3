"""The one process pool: results in the order of the items, whatever dies, hangs or swells on the way.

    compute(work, items, jobs)              every item must succeed: attacks, phantoms
    in_workers(look, tasks, name_of, ...)   an item is a photo: a PhotoError is one of the results
    Workers(load, processes, ...)           a batch: loaded models in every process, several streams, peak memory

Processes are started afresh (spawn), so nothing of the caller is copied into them. What is sent to them is pickled:
functions are those of a module, or partials of such. As always with spawn, a script that is run as it stands is
imported again by each of them, so that what it does must stand below `if __name__ == "__main__":`.
"""

from __future__ import annotations

import multiprocessing
import os
import resource
import signal
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, TimeoutError, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing import resource_tracker
from pathlib import Path
from typing import Any, Generic, Literal, TypeVar

from pebble import ProcessExpired, ProcessPool

from ganonym.errors import EnvironmentFault, GanonymError, PhotoError, UsageError

Item = TypeVar("Item")
Result = TypeVar("Result")
Tools = TypeVar("Tools")

_AHEAD = 4  # items in flight per worker: enough to keep it busy while an earlier, slower one is awaited
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@dataclass(frozen=True, slots=True)
class Lost:
    """Why an item has no result: its process died ("crash"), took too long ("timeout") or ran out of memory."""

    reason: Literal["crash", "timeout", "memory"]
    detail: str


GUARD = 'In a script, call ganonym below: if __name__ == "__main__":'
_NO_MEMORY = Lost("memory", "not enough memory for it")


def refuse_unguarded() -> None:
    """Raises UsageError in a worker process that is not yet at work, but imports the script that started it."""
    if getattr(multiprocessing.current_process(), "_inheriting", False):  # what CPython's own refusal looks at
        sys.tracebacklimit = 0  # this process ends by it, as many others will: one line of each
        raise UsageError("this script begins anew in every worker process.", GUARD)


def compute(work: Callable[[Item], Result], items: Iterable[Item], jobs: int) -> Iterator[Result]:
    """`work` of every item, in order, in `jobs` processes of one thread each; in this one when `jobs` is 1.

    Errors of `work` are raised. Raises EnvironmentFault when a process dies or has too little memory.

    >>> list(compute(abs, [-3, 2], jobs=1))
    [3, 2]
    """
    if jobs == 1:
        yield from map(work, items)
        return
    for _, result in _stream(work, items, jobs):
        if isinstance(result, Lost):
            raise EnvironmentFault(f"a worker process was lost: {result.detail}.", "Is memory short? Try --jobs 1.")
        yield result


def in_workers(
    look: Callable[[Item], Result], tasks: Iterable[Item], name_of: Callable[[Item], str], jobs: int, patience: float
) -> Iterator[Result | PhotoError]:
    """`look` at every task, each about one photo, in order, in `jobs` processes; in this one when `jobs` is 1.

    A PhotoError is a result, not raised; other errors are raised. A process that dies makes "decoder-crash", one that
    takes longer than `patience` seconds "decoder-timeout", one without memory "too-large". Raises EnvironmentFault
    when processes die before they can work.
    """
    tried = partial(_tried, look)
    for task, result in ((task, tried(task)) for task in tasks) if jobs == 1 else _stream(tried, tasks, jobs, patience):
        yield _photo_error(result, name_of(task)) if isinstance(result, Lost) else result


def _tried(look: Callable[[Item], Result], task: Item) -> Result | PhotoError | Lost:
    try:
        return look(task)
    except PhotoError as error:
        return error
    except MemoryError:
        return _NO_MEMORY


def _photo_error(lost: Lost, name: str) -> PhotoError:
    hostile = "Treat the file as hostile or damaged."
    match lost.reason:
        case "crash":
            return PhotoError("decoder-crash", f"{name!r}: {lost.detail}.", hostile)
        case "timeout":
            return PhotoError("decoder-timeout", f"{name!r} took too long to read.", hostile)
        case "memory":
            return PhotoError("too-large", f"{name!r} needs more memory than allowed.", "Save it smaller.")


def _stream(
    work: Callable[[Item], Result], items: Iterable[Item], jobs: int, timeout: float | None = None
) -> Iterator[tuple[Item, Result | Lost]]:
    """For work that needs no tools."""
    workers = Workers(_nothing, jobs, timeout=timeout)
    try:
        yield from workers.stream(partial(_without_tools, work), items)
    finally:
        workers.stop()


def _nothing() -> None:
    return None


def _without_tools(work: Callable[[Item], Result], _tools: None, item: Item) -> Result:
    return work(item)


class Workers(Generic[Tools]):
    """Worker processes, each with tools of its own from `load()`. They start at the first item and end with `stop`.

    They only compute; whoever takes their results writes. `threads`: of arithmetic, in each process. `timeout` in
    seconds, of one item; None for no limit. Ctrl-C never reaches them: it is this process that ends them.
    """

    def __init__(
        self, load: Callable[[], Tools], processes: int, threads: int = 1, timeout: float | None = None
    ) -> None:
        self._load, self._processes, self._threads, self._timeout = load, processes, threads, timeout
        self._pool: ProcessPool | None = None
        self._memory: dict[int, int] = {}

    def stream(
        self, work: Callable[[Tools, Item], Result], items: Iterable[Item]
    ) -> Iterator[tuple[Item, Result | Lost]]:
        """`work(tools, item)` of every item, in order; items are taken a few ahead of what is awaited.

        Errors of `work` and of `load` end the stream. Raises EnvironmentFault when processes die before they can work.
        """
        waiting: deque[tuple[Item, Future[Any]]] = deque()
        source = iter(items)
        with _thread_limit(self._threads):
            while True:
                for item in source:
                    waiting.append((item, self._submit(work, item)))
                    if len(waiting) >= _AHEAD * self._processes:
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
        """Highest resident memory of all processes together so far, in bytes (an upper bound)."""
        return sum(sorted(self._memory.values())[-self._processes :])

    def stop(self) -> None:
        """End all processes at once."""
        if self._pool is not None:
            self._pool.stop()  # type: ignore[no-untyped-call]
            self._pool.join()
            self._pool = None

    def _submit(self, work: Callable[[Tools, Item], Result], item: Item) -> Future[Any]:
        if self._pool is None:
            refuse_unguarded()
            resource_tracker.ensure_running()  # of the workers; started by the first of them, it would undo the mask
            self._pool = ProcessPool(
                max_workers=self._processes,
                initializer=_start_worker,
                initargs=(self._load,),
                context=multiprocessing.get_context("spawn"),
            )
        future: Future[Any]
        try:
            with _uninterrupted():
                future = self._pool.schedule(_perform, args=(work, item), timeout=self._timeout)
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
            return Lost("timeout", f"not done after {self._timeout:g} s")
        except ProcessExpired as error:
            return Lost("crash", f"the worker process died on it (exit code {error.exitcode})")
        except MemoryError:
            return _NO_MEMORY
        self._memory[process] = memory
        return result

    def _alone(self, work: Callable[[Tools, Item], Result], item: Item) -> Any:
        """One item in a pool with nothing else in flight, so that a death can only be its own."""
        for _ in range(2):
            try:
                return self._await(self._submit(work, item))
            except BrokenProcessPool:
                self.stop()
        raise EnvironmentFault(
            "worker processes die before they can work.", f"{GUARD} Otherwise: is memory short? Try fewer jobs."
        )


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Put off Ctrl-C. Processes and threads started within never see it: it is the main process that ends them."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _thread_limit(threads: int) -> Iterator[None]:
    """Let child processes start with this many arithmetic threads; libraries read it when they are loaded."""
    before = {name: os.environ.get(name) for name in _THREADS}
    os.environ.update(dict.fromkeys(_THREADS, str(threads)))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


_worker_tools: Any = None


def _start_worker(load: Callable[[], Any]) -> None:
    global _worker_tools
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # core dumps hold photos
    try:
        _worker_tools = load()
    except GanonymError as error:
        _worker_tools = error
    except Exception as error:
        _worker_tools = EnvironmentFault(f"cannot load the models: {type(error).__name__}: {error}.")


def _perform(work: Callable[[Any, Item], Result], item: Item) -> tuple[Result, int, int]:
    if isinstance(_worker_tools, GanonymError):
        raise _worker_tools
    return work(_worker_tools, item), os.getpid(), resident_peak()


def resident_peak() -> int:
    """Highest resident memory of this process so far, in bytes; 0 where the system does not tell (not Linux)."""
    # Not getrusage: its ru_maxrss starts at the parent's size in a spawned child.
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:")), 0)
