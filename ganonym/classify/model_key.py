"""The key by which a trained model knows again whom it learned from, so that nobody tests it on them unawares."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, TypeAlias

from pydantic import Field

from ganonym.classify.case import Case
from ganonym.subjects import canonical_id
from ganonym.weights import sha256_file

PRIVATE, KEY = "private", ".key"
Mark: TypeAlias = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
NO_KEY = "0" * 32
"""The mark in the card of a model that was not written yet."""


@dataclass(frozen=True, slots=True)
class Key:
    """Secret bytes, kept outside the model's folder (`key_place`), by which it knows again whom it learned from."""

    secret: bytes = field(repr=False)

    def digest_of(self, case: Case) -> str:
        """HMAC-SHA256 of a photograph's file, 32 hex digits. Raises OSError."""
        return self._mac("seen", sha256_file(case.path))

    def person_of(self, case: Case) -> str | None:
        """HMAC-SHA256 of a subject in whatever spelling (`canonical_id`), 32 hex digits.

        None where nobody gave the photograph a subject, so that it is called by its own file: that says of nobody who
        it is.
        """
        if case.subject in (str(case.path), case.path.name):
            return None
        return self._mac("subject", canonical_id(case.subject))

    @property
    def mark(self) -> str:
        """A name for the key, of which the key cannot be guessed, 32 hex digits."""
        return self._mac("key", "")

    def _mac(self, use: str, text: str) -> str:
        return hmac.new(self.secret, f"ganonym/classifier/{use}\0{text}".encode(), hashlib.sha256).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class Learned:
    """Of what is to be tested: the images of `photos` that a model has learned from, and one image each of `people` of
    whom it has learned from other photographs."""

    photos: tuple[str, ...]
    people: tuple[str, ...]

    def words(self, tested: str) -> str:
        """What it has learned from, of what is `tested`; "" where nothing.

        >>> Learned((), ("a/1.png",)).words("these photographs")
        'other photographs of 1 of the people on these photographs, of who is on a/1.png among them'
        """
        parts = [f"{len(self.photos)} of {tested}, {self.photos[0]} among them"] if self.photos else []
        if self.people:
            parts.append(
                f"other photographs of {len(self.people)} of the people on {tested}, "
                f"of who is on {self.people[0]} among them"
            )
        return ", and from ".join(parts)


def key_place(folder: Path) -> Path:
    """Where the key of the model in `folder` is kept: beside the folder, never in it, so that it is not shared too.

    >>> key_place(Path("/data/model")).as_posix()
    '/data/private/model.key'
    """
    whole = folder.absolute()
    return whole.parent / PRIVATE / f"{whole.name}{KEY}"
