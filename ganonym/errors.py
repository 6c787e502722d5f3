"""One exception tree. Every error says what was wrong and what to do; the class decides what happens next.

GanonymError
├── PhotoError         this photo cannot be used → quarantine, the batch goes on      (exit 1 at the end)
├── UsageError         the request itself is wrong: arguments, manifest, folders       (exit 2)
├── GuaranteeBroken    an attack beats what the release declares: nothing is released  (exit 3)
└── EnvironmentFault   weights missing or altered, disk full, no permission            (exit 4)

>>> raise UsageError("k is 1.", "Choose 2 or more.")
Traceback (most recent call last):
ganonym.errors.UsageError: k is 1. Choose 2 or more.
>>> UsageError("k is 1.").exit_code
2
"""

from __future__ import annotations


class GanonymError(Exception):
    """Base of all errors that ganonym raises on purpose: a message and, where there is one, the remedy."""

    exit_code = 70

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(f"{message} {remedy}".strip())
        self.message = message
        self.remedy = remedy


class PhotoError(GanonymError):
    """A photo that cannot be treated. `reason` is a stable slug that goes into quarantine.csv.

    >>> PhotoError("truncated", "the file ends early").reason
    'truncated'
    """

    exit_code = 1

    def __init__(self, reason: str, message: str, remedy: str = "") -> None:
        super().__init__(message, remedy)
        self.reason = reason

    def __reduce__(self) -> tuple[type[PhotoError], tuple[str, str, str]]:
        return (PhotoError, (self.reason, self.message, self.remedy))


class UsageError(GanonymError):
    """The request cannot be carried out as given: arguments, manifest or folders."""

    exit_code = 2


class GuaranteeBroken(GanonymError):
    """A measurement contradicts the guarantee: the release must not be made."""

    exit_code = 3


class EnvironmentFault(GanonymError):
    """The machine lacks something: weights, space, permission, a library."""

    exit_code = 4
