"""A run under way: how each item ends, as an output on the disk and in the ledger or as a line that says why not."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeAlias

from ganonym.batch.analysis import AnalysisStore
from ganonym.batch.job import CheckedJob
from ganonym.batch.ledger import Ledger
from ganonym.batch.pipeline import Engine, Pipeline, Tools
from ganonym.batch.workspace import Workspace
from ganonym.errors import PhotoError, UsageError
from ganonym.files import discard, write_output
from ganonym.photos.decode import read_photo
from ganonym.photos.encode import encode_png, prove_clean
from ganonym.pseudonym import refuse_collisions
from ganonym.release_plan import COVERABLE, ReleaseItem, ReleasePlan, release_name
from ganonym.types import JSON, Box, FaceRecord, Photograph, PrivateFace, Progress, Refusal, Substitution
from ganonym.weights import sha256_file

Outcome: TypeAlias = Refusal | tuple[bytes, JSON]
"""Why an item is withheld, or its PNG and what the ledger says of it beside its digests."""


@dataclass(frozen=True, slots=True)
class Run:
    """A run under way: its job, the key of its names, where outputs go, who works, and who is told of it."""

    checked: CheckedJob
    pipeline: Pipeline
    key: bytes
    space: Workspace
    ledger: Ledger
    engine: Engine
    tell: Progress


@dataclass(frozen=True, slots=True)
class PhotoJob:
    """One photo to treat: `item` its subject's face, `faces` what is to become of which of the faces found in it."""

    root: Path
    item: ReleaseItem
    faces: tuple[tuple[int, PrivateFace | Refusal], ...]


def settle_release(run: Run, analysis: str, more: JSON | None = None) -> None:
    """Fix what was found on the photos (its digest `analysis`) before the first output: a resumed run must agree.

    `more` is entered with it. Raises UsageError: outputs of other groups than those that are out could be subtracted.
    """
    earlier = next((entry for entry in run.ledger.entries if entry["kind"] == "release"), None)
    if earlier is None:
        run.ledger.append({"kind": "release", "analysis": analysis, **(more or {})})
    elif earlier["analysis"] != analysis:
        raise UsageError(
            "the photos no longer give the faces that the earlier run found (if private/analysis.jsonl is gone or "
            "changed, that is why); mixing both would weaken the guarantee.",
            "Use a new output folder, or --no-resume.",
        )


def settle_refused(run: Run, refused: Mapping[str, Refusal]) -> None:
    """Enter photos and rows that are withheld whole."""
    for name, refusal in sorted(refused.items()):
        run.ledger.settle(_withheld(name, refusal))


def produce_all(
    run: Run,
    items: Sequence[ReleaseItem],
    work: Callable[[Sequence[ReleaseItem]], Iterable[tuple[ReleaseItem, Outcome]]],
) -> tuple[int, int]:
    """Bring every item to its end, ordered as they come; returns how many outputs were made and how many were there.

    `work` is given those that the ledger does not show as done, their outputs removed, and yields each with its
    outcome.
    """
    remaining = [item for item in items if not _is_done(run.ledger.items.get(item.name), run.space)]
    waiting = {item.name for item in remaining}
    ended = [run.ledger.items[item.name] for item in items if item.name not in waiting]
    for item in remaining:
        discard(run.space.images / item.output)
    made, done = 0, len(ended)
    run.tell("produce", done, len(items))
    for item, outcome in work(remaining):
        if isinstance(outcome, Refusal):
            run.ledger.settle(_withheld(item.name, outcome))
        else:
            _commit(run, item, *outcome)
            made += 1
        done += 1
        run.tell("produce", done, len(items))
    return made, sum(line["outcome"] == "anonymized" for line in ended)


def produce_faces(run: Run, release: ReleasePlan, store: AnalysisStore) -> tuple[int, int]:
    """A picture of each face of the release; returns as `produce_all` does."""

    def work(items: Sequence[ReleaseItem]) -> Iterator[tuple[ReleaseItem, Outcome]]:
        yield from ((item, item.face) for item in items if isinstance(item.face, Refusal))
        faces = ((item, _record(store, item)) for item in items if isinstance(item.face, PrivateFace))
        for (item, _), outcome in run.engine.stream(_render, faces):
            yield item, outcome

    return produce_all(run, release.items, work)


def produce_photographs(
    run: Run, release: ReleasePlan, refused: Mapping[str, Refusal], store: AnalysisStore
) -> tuple[int, int]:
    """The whole photo of each that shows a face, named as its subject's face would be; returns as `produce_all` does.

    `refused` says why no face of a photo is released; where that leaves something to cover, its photo is made, too.
    """
    jobs = {job.item.name: job for job in _photo_jobs(run, release, refused)}

    def work(items: Sequence[ReleaseItem]) -> Iterator[tuple[ReleaseItem, Outcome]]:
        photos = ((job, _substitutions(job, store)) for job in (jobs[item.name] for item in items))
        for (job, _), outcome in run.engine.stream(_treat, photos):
            yield job.item, outcome

    return produce_all(run, [job.item for job in jobs.values()], work)


def _photo_jobs(run: Run, release: ReleasePlan, refused: Mapping[str, Refusal]) -> list[PhotoJob]:
    """One job for each photo that shows a face, ordered by output name."""
    root, inventory = run.checked.job.source, run.checked.inventory
    by_photo: dict[str, list[ReleaseItem]] = {}
    for item in release.items:
        by_photo.setdefault(item.source, []).append(item)
    jobs = []
    for name, digest in run.checked.photos:
        items = sorted(by_photo.get(name, ()), key=lambda item: item.index)
        if items:
            jobs.append(PhotoJob(root, items[0], tuple((item.record_index, item.face) for item in items)))
        elif name in refused and refused[name].reason in COVERABLE:
            subject, output = inventory.subject_of(name), release_name(run.key, name, 0, run.checked.job.planning)
            jobs.append(PhotoJob(root, ReleaseItem(name, 0, 0, digest, subject, output, refused[name], None), ()))
    refuse_collisions(job.item.output for job in jobs)
    return sorted(jobs, key=lambda job: job.item.output)


def _substitutions(job: PhotoJob, store: AnalysisStore) -> tuple[Substitution, ...]:
    records = store.read(job.item.source, job.item.input)
    by_index = {} if isinstance(records, Refusal) else {record.index: record for record in records}
    return tuple((by_index[index], face) for index, face in job.faces)


def _record(store: AnalysisStore, item: ReleaseItem) -> FaceRecord:
    records = store.read(item.source, item.input)
    assert not isinstance(records, Refusal)
    return next(record for record in records if record.index == item.record_index)


def _render(tools: Tools, work: tuple[ReleaseItem, FaceRecord]) -> tuple[bytes, JSON]:
    item, record = work
    assert isinstance(item.face, PrivateFace)
    return encode_png(tools.produce(item.face, record)), {}


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


def _is_done(line: JSON | None, space: Workspace) -> bool:
    """Whether the ledger's last line of an item stands: withheld, or its output there with the bytes it names."""
    if line is None or line["outcome"] != "anonymized":
        return line is not None
    try:
        return sha256_file(space.images / line["output"]) == str(line["sha256"])
    except OSError:
        return False


def _commit(run: Run, item: ReleaseItem, png: bytes, more: JSON) -> None:
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
        **more,
    }

    def enter(stored: bytes) -> None:
        prove_clean(stored)
        run.ledger.settle(line)

    write_output(run.space.images / item.output, png, enter)


def _withheld(name: str, refusal: Refusal) -> JSON:
    """The ledger's line of an item that is withheld."""
    return {"kind": "item", "name": name, "outcome": "quarantined", **asdict(refusal)}
