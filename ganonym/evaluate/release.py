"""What is assessed: original photos, who is on them, and what was released of each."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ganonym.manifest import Row


@dataclass(frozen=True, slots=True)
class Item:
    """One original photo with its manifest row. `released` None: nothing was released of it."""

    row: Row
    original: Path
    released: Path | None


@dataclass(frozen=True, slots=True)
class Release:
    """All photos of the manifest in its order.

    `columns` are the manifest columns that are released beside the pictures. `declared_k`: 1/k is the declared bound
    on naming a subject by shape, None without one. `statement` is the release's own sentence, empty without one.
    `extra` are released pictures that belong to no original.
    """

    items: tuple[Item, ...]
    columns: tuple[str, ...]
    declared_k: float | None
    statement: str
    extra: tuple[Path, ...]

    @property
    def subjects(self) -> tuple[str, ...]:
        """The subject of every item."""
        return tuple(item.row.subject for item in self.items)
