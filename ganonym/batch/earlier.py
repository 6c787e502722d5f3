"""A second batch beside a first: nobody is released twice, because two releases of one person can be intersected.

The first release's groups stay as they are, its outputs too; the new one groups new subjects among themselves. The rule
and its reason: docs/guarantees.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ganonym.batch.ledger import read_ledger
from ganonym.batch.plan import Plan
from ganonym.batch.replacement import ledgers_of
from ganonym.batch.workspace import Workspace
from ganonym.errors import EnvironmentFault, UsageError
from ganonym.subjects import canonical_id
from ganonym.types import Refusal


@dataclass(frozen=True, slots=True)
class Earlier:
    """Who and what was released: canonical ids of subjects, SHA-256 of photographs."""

    subjects: frozenset[str]
    inputs: frozenset[str]


def released_before(folders: Iterable[Path]) -> Earlier:
    """What the output folders of earlier runs released.

    Raises UsageError for a folder without a ledger, EnvironmentFault for a ledger that was altered.
    """
    subjects, inputs = set(), set()
    for folder in folders:
        space = Workspace(folder)
        if not any(ledger.is_file() for ledger in ledgers_of(space)):
            raise UsageError(
                f"{folder} is not an output folder of ganonym: no {space.ledger.relative_to(folder)}.",
                "Name the folder of the earlier release, with its private part.",
            )
        for ledger in ledgers_of(space):
            state = read_ledger(ledger)
            if state.problems:
                raise EnvironmentFault(f"the ledger {ledger} was altered ({state.problems[0]}).")
            for entry in state.entries:
                # Once anonymized counts for good: the picture may have been shared before it was removed.
                if entry.get("outcome") == "anonymized":
                    subjects.add(canonical_id(str(entry["subject"])))
                    inputs.add(str(entry["input"]))
    return Earlier(frozenset(subjects), frozenset(inputs))


def refuse_released(plan: Plan, photos: Sequence[tuple[str, str]], earlier: Earlier) -> dict[str, Refusal]:
    """Those of `photos`, (name, SHA-256) each, whose subject or very file was released before."""
    refused = {}
    for name, digest in photos:
        if digest in earlier.inputs:
            refused[name] = Refusal("released-before", "this very photo was released before")
        elif canonical_id(plan.subject_of(name)) in earlier.subjects:
            detail = "its subject was released before; another group would narrow down who it is"
            refused[name] = Refusal("released-before", detail)
    return refused
