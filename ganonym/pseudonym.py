"""Keyed names and seeds: HMAC-SHA256, so that nobody without the key can test a guessed name or photo."""

from __future__ import annotations

import base64
import hmac
import secrets
import unicodedata
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath

from ganonym.errors import EnvironmentFault, UsageError
from ganonym.files import write_private
from ganonym.photos.source import twins

KEY_BYTES = 32
FOLDS = 5
_NAME_BYTES = 15  # 120 bits, 24 base32 letters without padding


def read_key(path: Path) -> bytes:
    """The key: the exact bytes of a file of at least 32 bytes. Raises UsageError when short or open to others."""
    try:
        with path.open("rb") as file:
            mode = path.stat().st_mode
            key = file.read(1 << 16)
    except OSError as error:
        raise UsageError(f"cannot read the key file {path}: {error.strerror}.") from error
    if mode & 0o077:
        raise UsageError(
            f"key file {path} is open to other users (mode {mode & 0o777:o}).",
            f"Run: chmod 600 {path}; where that has no effect (FAT, some shares), keep the key on a local disk.",
        )
    if len(key) < KEY_BYTES:
        raise UsageError(
            f"key file {path} holds {len(key)} bytes; at least {KEY_BYTES} are needed.",
            f"Make one: (umask 077; head -c 32 /dev/urandom > {path})",
        )
    return key


def read_or_create_key(path: Path) -> bytes:
    """The key at `path`; 32 random bytes in hexadecimal, mode 600, are put there first when there is none."""
    if not path.exists():
        write_private(path, secrets.token_hex(KEY_BYTES).encode())
    return read_key(path)


def pseudonym(key: bytes, namespace: str, identifier: str) -> str:
    """24 letters (120 bits, lower-case base32) standing for `identifier` in `namespace`.

    HMAC-SHA256 (RFC 2104) over "ganonym/v1", namespace and the NFC form of the identifier, separated by NUL.

    >>> pseudonym(bytes(32), "subject", "Ann") == pseudonym(bytes(32), "subject", "Ann")
    True
    >>> pseudonym(bytes(32), "subject", "Ann") == pseudonym(bytes(32), "image", "Ann")
    False
    """
    return base64.b32encode(_mac(key, namespace, identifier)[:_NAME_BYTES]).decode().lower()


def output_name(key: bytes, photo: str, index: int = 0) -> str:
    """Name under OUT/images for face `index` (0 the largest) of the photo with relative POSIX path `photo`.

    Folder names may be patients' names, so every folder becomes a pseudonym of its whole path: the tree keeps its
    shape, and equal folder names at two places do not show.
    """
    path = PurePosixPath(photo)
    folders = [pseudonym(key, "folder", str(folder)) for folder in reversed(path.parents) if folder.name]
    suffix = f"-{index + 1}" if index else ""
    return "/".join([*folders, pseudonym(key, "image", photo) + suffix + ".png"])


def lone_name(key: bytes, photo: str, index: int = 0) -> str:
    """As `output_name`, but all in one folder and unlike each other: no name tells what belongs to one person or photo.

    Folders are often people, and faces of one photo tell who was photographed with whom.

    >>> lone_name(bytes(32), "Ann/1.png").count("/")
    0
    """
    return pseudonym(key, "image", f"{photo}\0{index}" if index else photo) + ".png"


def deal_folds(key: bytes, circles: Mapping[str, str | None]) -> dict[str, int]:
    """A fold 0 … FOLDS − 1 for each of `circles`, which are to stay together when receivers learn and test.

    A circle is a group or a person, given with its label. Within a label they are put into a keyed order and dealt in
    turn, so that folds have equally many over all and of every class, to within one.

    >>> sorted(deal_folds(bytes(32), dict.fromkeys("abcdef")).values())
    [0, 0, 1, 2, 3, 4]
    """
    order = sorted(circles, key=lambda circle: (circles[circle] or "", pseudonym(key, "fold", circle)))
    return {circle: place % FOLDS for place, circle in enumerate(order)}


def seed_for(key: bytes, seed: int, name: str) -> int:
    """Seed of an output or a subject, 0 … 2⁶³ − 1: a keyed hash of the run's seed and its name, of nothing else."""
    return int.from_bytes(_mac(key, "seed", f"{seed}\0{name}")[:8], "big") >> 1


def key_mark(key: bytes) -> str:
    """A name for the key itself, by which a resumed run knows that it was given the same one."""
    return pseudonym(key, "key", "")


def refuse_collisions(outputs: Iterable[str]) -> None:
    """Raise EnvironmentFault when two outputs share a name; with 120 bits, that means a broken key."""
    meeting = twins(outputs)
    if meeting:
        raise EnvironmentFault(f"{len(meeting)} output names would meet, {meeting[0][0]} first.", "Use another key.")


def _mac(key: bytes, namespace: str, identifier: str) -> bytes:
    text = f"ganonym/v1\0{namespace}\0{unicodedata.normalize('NFC', identifier)}"
    return hmac.digest(key, text.encode("utf-8", "surrogateescape"), "sha256")
