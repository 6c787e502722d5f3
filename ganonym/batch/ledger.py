"""Append-only JSONL ledger in which every line carries the hash of the line before it and of itself."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ganonym.errors import EnvironmentFault
from ganonym.files import cannot_write, sync_folder, write_all
from ganonym.types import JSON
from ganonym.weights import sha256_file

GENESIS = "0" * 64


@dataclass(frozen=True, slots=True)
class LedgerState:
    """What a ledger file holds: its sound lines, their size in bytes, and what is wrong with the rest.

    `torn` is the tail a crash left behind: an unsound last line, harmless because nothing follows it.
    """

    entries: tuple[JSON, ...]
    size: int
    torn: str | None
    problems: tuple[str, ...]


def read_ledger(path: Path) -> LedgerState:
    """Read and check a ledger; a missing file is an empty ledger. Raises EnvironmentFault when unreadable."""
    try:
        data = path.read_bytes() if path.exists() else b""
    except OSError as error:
        raise EnvironmentFault(f"cannot read the ledger {path}: {error.strerror}.") from error
    entries: list[JSON] = []
    previous, size = GENESIS, 0
    lines = data.splitlines(keepends=True)
    for number, line in enumerate(lines, start=1):
        entry, fault = _check(line, previous)
        if entry is None:
            where = f"line {number}: {fault}"
            last = number == len(lines)
            return LedgerState(tuple(entries), size, where if last else None, () if last else (where,))
        entries.append(entry)
        previous, size = entry["hash"], size + len(line)
    return LedgerState(tuple(entries), size, None, ())


def refuse_problems(path: Path, state: LedgerState) -> None:
    """Raise EnvironmentFault when more than the last line of the ledger at `path` is unsound."""
    if state.problems:
        raise EnvironmentFault(
            f"the ledger {path} was altered ({state.problems[0]}).", "Use a new output folder; keep this for audit."
        )


def verify_ledger(path: Path) -> list[str]:
    """Everything wrong with a ledger, empty when it is sound and closed.

    Finds any altered, missing, added or reordered line, and a cut-off end unless the cut is just after the closing
    line of an earlier run. Whoever can write the file can forge it whole: keep a copy of the last hash elsewhere to
    exclude that.
    """
    state = read_ledger(path)
    problems = [*state.problems, *([state.torn] if state.torn else [])]
    if not state.entries or state.entries[0].get("kind") != "header":
        problems.append("no header: not a ledger of ganonym, or its beginning is missing")
    elif not problems and state.entries[-1].get("kind") != "closed":
        problems.append("not closed: the run was interrupted, or its end was cut off")
    return problems


class Ledger:
    """An open ledger. Opening drops a torn tail; raises EnvironmentFault when anything else is unsound.

    Entries are JSON objects with a `kind`; `items` holds the last entry of kind "item" under each `name`. `append` adds
    `prev` and `hash` and returns once the line is on the disk.
    """

    def __init__(self, path: Path) -> None:
        state = read_ledger(path)
        refuse_problems(path, state)
        self.entries = list(state.entries)
        self.items = {entry["name"]: entry for entry in state.entries if entry["kind"] == "item"}
        self._path, self._size = path, state.size
        self._last: str = state.entries[-1]["hash"] if state.entries else GENESIS
        try:
            self._handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            os.ftruncate(self._handle, self._size)
            sync_folder(path.parent)
        except OSError as error:
            raise cannot_write(path, error) from error

    def append(self, entry: JSON) -> None:
        """Add one entry. Raises EnvironmentFault when it cannot be stored whole; the ledger is then as before."""
        sealed = _seal(entry, self._last)
        line = canonical(sealed) + b"\n"
        try:
            os.lseek(self._handle, self._size, os.SEEK_SET)
            write_all(self._handle, line)
            os.fsync(self._handle)
        except OSError as error:
            os.ftruncate(self._handle, self._size)
            raise cannot_write(self._path, error) from error
        self.entries.append(sealed)
        if entry["kind"] == "item":
            self.items[entry["name"]] = sealed
        self._last, self._size = sealed["hash"], self._size + len(line)

    def settle(self, item: JSON) -> None:
        """Append an entry of kind "item" unless the last one of that name says the same."""
        if not item.items() <= self.items.get(item["name"], {}).items():
            self.append(item)

    def finish(self, files: Mapping[str, Path]) -> None:
        """Append the closing entry with the SHA-256 of `files` by name, unless the last entry says the same.

        Raises EnvironmentFault.
        """
        try:
            seals = {name: sha256_file(path) for name, path in files.items()}
        except OSError as error:
            raise cannot_write(self._path, error) from error
        last = self.entries[-1] if self.entries else {}
        if last.get("kind") != "closed" or last.get("files") != seals:
            self.append({"kind": "closed", "files": seals})

    def close(self) -> None:
        """Let go of the file; nothing can be appended afterwards."""
        os.close(self._handle)

    def __enter__(self) -> Ledger:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def canonical(value: object) -> bytes:
    """The one JSON text of a value: sorted keys, no spaces, ASCII.

    >>> canonical({"b": 1.5, "a": "é"})
    b'{"a":"\\\\u00e9","b":1.5}'
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False).encode("ascii")


def digest_of(value: object) -> str:
    """Hex SHA-256 of a value's canonical JSON."""
    return hashlib.sha256(canonical(value)).hexdigest()


def _seal(entry: JSON, previous: str) -> JSON:
    body = {**entry, "prev": previous}
    return {**body, "hash": digest_of(body)}


def _check(line: bytes, previous: str) -> tuple[JSON | None, str]:
    try:
        entry = json.loads(line)
    except ValueError:
        return None, "not JSON"
    if not isinstance(entry, dict) or not line.endswith(b"\n") or canonical(entry) + b"\n" != line:
        return None, "not a canonical entry"
    if entry.get("prev") != previous:
        return None, "does not follow the line before it"
    if entry.get("hash") != digest_of({key: value for key, value in entry.items() if key != "hash"}):
        return None, "content does not match its hash"
    return entry, ""
