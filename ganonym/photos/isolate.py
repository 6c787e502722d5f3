"""Decoding in a process of its own, so that a file that crashes, hangs or swells its decoder costs only itself.

    with decode_pool() as pool:
        rgb, digest = read_isolated(pool, root, "a/b.jpg")

A batch with its own pebble pool passes `limit_worker` as (part of) its initializer and every future through `settle`.
"""

from __future__ import annotations

import multiprocessing
import os
import resource
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import TimeoutError
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from pebble import ProcessExpired, ProcessFuture, ProcessPool

from ganonym.errors import PhotoError
from ganonym.photos.decode import read_photo
from ganonym.types import RGB

T = TypeVar("T")
Task = TypeVar("Task")

DECODE_MEMORY = 2 * 2**30
"""Address space for a process that only decodes: a PNG of 200 megapixels and 16 bits takes 1.9 GiB, a JPEG far less."""

DECODE_SECONDS = 60.0
_AHEAD = 8
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def limit_worker(memory: int | None = DECODE_MEMORY) -> None:
    """Limit the calling process for good: no core dumps (they hold photos), and at most `memory` bytes of addresses.

    Address space is not resident memory: processes that import torch reserve several GiB, so give those more, or None
    for no limit. Beyond it allocations fail, which `decode` reports as "too-large".
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if memory is not None:
        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        limit = memory if hard == resource.RLIM_INFINITY else min(memory, hard)
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def decode_pool(workers: int = 1, memory: int | None = DECODE_MEMORY) -> ProcessPool:
    """A pool of limited processes; a dead one is replaced. Started afresh (spawn): nothing of the caller is copied."""
    context = multiprocessing.get_context("spawn")
    return ProcessPool(max_workers=workers, initializer=limit_worker, initargs=(memory,), context=context)


def read_isolated(pool: ProcessPool, root: Path, name: str, timeout: float = DECODE_SECONDS) -> tuple[RGB, str]:
    """`decode.read_photo` in a process of `pool`, at most `timeout` seconds; raises PhotoError as that and `settle`."""
    return settle(pool.schedule(read_photo, args=(root, name), timeout=timeout), name)


def settle(future: ProcessFuture[T], name: str) -> T:
    """The result of a future about photo `name`; a dead or overdue worker becomes a PhotoError.

    Raises PhotoError("decoder-crash"), PhotoError("decoder-timeout") or PhotoError("too-large") (out of memory);
    whatever else the task raised passes through.
    """
    try:
        return future.result()
    except ProcessExpired as error:
        message = f"{name!r} crashed the process that read it (exit code {error.exitcode})."
        raise PhotoError("decoder-crash", message, "Treat the file as hostile or damaged.") from error
    except TimeoutError as error:
        message = f"{name!r} took too long to read."
        raise PhotoError("decoder-timeout", message, "Treat the file as hostile or damaged.") from error
    except MemoryError as error:
        raise PhotoError("too-large", f"{name!r} needs more memory than allowed.", "Save it smaller.") from error


def in_workers(
    look: Callable[[Task], T], tasks: Sequence[Task], name_of: Callable[[Task], str], jobs: int, patience: float
) -> Iterator[T | PhotoError]:
    """`look` at every task, in order, in `jobs` processes of one thread each; in this one when `jobs` is 1.

    A PhotoError, also of a dead worker or one that takes longer than `patience` seconds, is a result; other errors
    are raised. `look` is a function of a module, for it is sent to the processes; so are tasks and results.
    """
    if jobs == 1:
        for task in tasks:
            yield _tried(look, task)
        return
    with thread_limit(1), decode_pool(jobs, memory=None) as pool:
        waiting: deque[tuple[Task, ProcessFuture[T | PhotoError]]] = deque()

        def first() -> T | PhotoError:
            task, future = waiting.popleft()
            try:
                return settle(future, name_of(task))
            except PhotoError as error:
                return error

        for task in tasks:
            waiting.append((task, pool.schedule(_tried, args=(look, task), timeout=patience)))
            if len(waiting) >= _AHEAD:
                yield first()
        while waiting:
            yield first()


def _tried(look: Callable[[Task], T], task: Task) -> T | PhotoError:
    try:
        return look(task)
    except PhotoError as error:
        return error


@contextmanager
def thread_limit(threads: int) -> Iterator[None]:
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
