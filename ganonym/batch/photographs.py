"""Whole photos as outputs: one for each photo, named and entered in the ledger as its subject's face would be."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from ganonym.batch.analysis import AnalysisStore
from ganonym.batch.engines import Engine
from ganonym.batch.ledger import Ledger
from ganonym.batch.pipeline import Tools
from ganonym.batch.plan import Plan
from ganonym.batch.settle import commit, is_done, quarantined
from ganonym.batch.workspace import Workspace
from ganonym.errors import PhotoError
from ganonym.files import discard
from ganonym.photos.decode import read_photo
from ganonym.photos.encode import encode_png
from ganonym.pseudonym import output_name, refuse_collisions
from ganonym.release_plan import COVERABLE, ReleaseItem, ReleasePlan
from ganonym.types import JSON, Box, Photograph, PrivateFace, Refusal, Substitution


@dataclass(frozen=True, slots=True)
class PhotoJob:
    """One photo to treat: `item` its subject's face, `faces` what is to become of which of the faces found in it."""

    root: Path
    item: ReleaseItem
    faces: tuple[tuple[int, PrivateFace | Refusal], ...]


def plan_photographs(
    root: Path,
    photos: Sequence[tuple[str, str]],
    plan: Plan,
    release: ReleasePlan,
    refused: Mapping[str, Refusal],
    key: bytes,
) -> list[PhotoJob]:
    """One job for each of `photos`, (name, SHA-256), that shows a face; ordered by output name.

    `refused` says why no face of a photo is released; where that leaves something to cover, it is a job, too.
    """
    by_photo: dict[str, list[ReleaseItem]] = {}
    for item in release.items:
        by_photo.setdefault(item.source, []).append(item)
    jobs = []
    for name, digest in photos:
        items = sorted(by_photo.get(name, ()), key=lambda item: item.index)
        if items:
            jobs.append(PhotoJob(root, items[0], tuple((item.record_index, item.face) for item in items)))
        elif name in refused and refused[name].reason in COVERABLE:
            subject, output = plan.subject_of(name), output_name(key, name, 0)
            jobs.append(PhotoJob(root, ReleaseItem(name, 0, 0, digest, subject, output, refused[name], None), ()))
    refuse_collisions(job.item.output for job in jobs)
    return sorted(jobs, key=lambda job: job.item.output)


def produce_photographs(
    root: Path,
    photos: Sequence[tuple[str, str]],
    plan: Plan,
    release: ReleasePlan,
    refused: Mapping[str, Refusal],
    store: AnalysisStore,
    key: bytes,
    ledger: Ledger,
    space: Workspace,
    engine: Engine,
    tell: Callable[[str, int, int], None],
) -> tuple[int, int]:
    """Produce what the ledger does not show as done; returns how many photos were produced and how many were done."""
    jobs = plan_photographs(root, photos, plan, release, refused, key)
    remaining = [job for job in jobs if not is_done(ledger.items.get(job.item.name), space)]
    waiting = {job.item.name for job in remaining}
    skipped = sum(
        ledger.items[job.item.name]["outcome"] == "anonymized" for job in jobs if job.item.name not in waiting
    )
    for job in remaining:
        discard(space.images / job.item.output)
    produced = 0
    done = len(jobs) - len(remaining)
    tell("produce", done, len(jobs))
    for (job, _), outcome in engine.stream(_treat, _with_substitutions(remaining, store)):
        if isinstance(outcome, Refusal):
            ledger.settle(quarantined(job.item.name, outcome))
        else:
            png, about = outcome
            commit(job.item, png, ledger, space, about)
            produced += 1
        done += 1
        tell("produce", done, len(jobs))
    return produced, skipped


def _with_substitutions(
    jobs: Sequence[PhotoJob], store: AnalysisStore
) -> Iterator[tuple[PhotoJob, tuple[Substitution, ...]]]:
    for job in jobs:
        found = store.read(job.item.source, job.item.input)
        records = {} if isinstance(found, Refusal) else {record.index: record for record in found}
        yield job, tuple((records[index], face) for index, face in job.faces)


def _treat(tools: Tools, work: tuple[PhotoJob, tuple[Substitution, ...]]) -> tuple[bytes, JSON]:
    job, substitutions = work
    rgb, digest = read_photo(job.root, job.item.source)
    if digest != job.item.input:
        raise PhotoError("changed", f"{job.item.source!r} changed during the run.", "Run again when it is still.")
    assert tools.treat is not None
    photograph = tools.treat(rgb, substitutions, job.item.source)
    return encode_png(photograph.rgb), _about(photograph, job.item.face)


def _about(photograph: Photograph, asked: PrivateFace | Refusal) -> JSON:
    """What the ledger says of a photo beside its digests: how its subject's face ended, where what is, and doubts."""
    covered = asked if isinstance(asked, Refusal) else photograph.covered_because
    return {
        "face": "covered" if covered else "synthesized",
        "why": asdict(covered) if covered else None,
        "synthesized": [_corners(box) for box in photograph.synthesized],
        "covered": [_corners(box) for box in photograph.covered],
        "text": None if photograph.text is None else [_corners(box) for box in photograph.text],
        "doubts": [[doubt.why, *_corners(doubt.box)] for doubt in photograph.doubts],
    }


def _corners(box: Box) -> list[float]:
    return [round(value, 1) for value in (box.left, box.top, box.right, box.bottom)]
