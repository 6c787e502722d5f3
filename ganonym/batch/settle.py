"""How an item of a run ends: its output on the disk and in the ledger, or a line that says why it is withheld."""

from __future__ import annotations

import hashlib
from dataclasses import asdict

from ganonym.batch.ledger import Ledger
from ganonym.batch.workspace import Workspace
from ganonym.files import write_output
from ganonym.photos.encode import prove_clean
from ganonym.release_plan import ReleaseItem
from ganonym.types import JSON, Refusal
from ganonym.weights import sha256_file


def is_done(line: JSON | None, space: Workspace) -> bool:
    """Whether the ledger's last line of an item stands: withheld, or its output there with the bytes it names."""
    if line is None or line["outcome"] != "anonymized":
        return line is not None
    try:
        return sha256_file(space.images / line["output"]) == str(line["sha256"])
    except OSError:
        return False


def commit(item: ReleaseItem, png: bytes, ledger: Ledger, space: Workspace, more: JSON | None = None) -> None:
    """Write one output: checked on the disk, entered in the ledger with `more` about it, then given its name."""
    line = {
        "kind": "item",
        "name": item.name,
        "outcome": "anonymized",
        "source": item.source,
        "index": item.index,
        "subject": item.subject,
        "input": item.input,
        "output": item.output,
        "sha256": hashlib.sha256(png).hexdigest(),
        **(more or {}),
    }

    def enter(stored: bytes) -> None:
        prove_clean(stored)
        ledger.settle(line)

    write_output(space.images / item.output, png, enter)


def quarantined(name: str, refusal: Refusal) -> JSON:
    """The ledger's line of an item that is withheld."""
    return {"kind": "item", "name": name, "outcome": "quarantined", **asdict(refusal)}
