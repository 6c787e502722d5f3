"""How far a long computation is, told from within: what learns need not be handed a listener by everybody above it.

Reports are for people who wait; nothing that is computed may depend on them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from ganonym.types import Progress

_LISTENER: ContextVar[Progress] = ContextVar("listener", default=lambda *_: None)


@contextmanager
def heard(tell: Progress) -> Iterator[None]:
    """While this is entered, `tell` hears what is reported in this thread.

    >>> with heard(lambda *told: print(*told)):
    ...     report("fit", 3, 10)
    fit 3 10
    >>> report("fit", 4, 10)
    """
    token = _LISTENER.set(tell)
    try:
        yield
    finally:
        _LISTENER.reset(token)


def report(phase: str, done: int, total: int) -> None:
    """Tell whoever listens, if anybody does."""
    _LISTENER.get()(phase, done, total)
