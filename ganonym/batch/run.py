"""The batch: plan, analyse every photo, privatize them together, produce every face; all of it resumable."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from ganonym.batch.analysis import AnalysisStore
from ganonym.batch.default import default_pipeline
from ganonym.batch.engines import Engine, open_engine
from ganonym.batch.ledger import Ledger
from ganonym.batch.photographs import produce_photographs
from ganonym.batch.pipeline import Pipeline, Tools
from ganonym.batch.prepare import analysis_key, prepare
from ganonym.batch.replacement import open_release
from ganonym.batch.report import count_reasons, photo_warning, write_reports
from ganonym.batch.request import Progress, check_request
from ganonym.batch.review import cautions, photos_to_review
from ganonym.batch.settle import commit, is_done, quarantined
from ganonym.batch.workspace import Workspace, open_ledger
from ganonym.errors import UsageError
from ganonym.files import discard
from ganonym.photos.encode import encode_png
from ganonym.pseudonym import key_mark, read_or_create_key
from ganonym.release_plan import ReleaseItem, ReleasePlan, coverable
from ganonym.settings import Settings
from ganonym.types import FaceRecord, PrivateFace, Refusal
from ganonym.workers import resident_peak


@dataclass(frozen=True, slots=True)
class RunResult:
    """What a run did: outputs produced now or found done, records in quarantine, files ignored, and what it took.

    An output is a face, or with `output` photo a photo, of which a person should look at `review` first and `cautions`
    say what else there is to know. `mechanism_reason` says why it is that mechanism. `rate` is outputs produced a
    second; `peak_memory` the resident bytes of all processes together (an upper bound). `warnings` name photographs:
    for the steward only.
    """

    anonymized: int
    skipped: int
    quarantined: int
    reasons: dict[str, int]
    ignored: dict[str, int]
    mechanism: str
    mechanism_reason: str
    guarantee: str
    seconds: float
    peak_memory: int
    warnings: tuple[str, ...] = ()
    review: int = 0
    cautions: tuple[str, ...] = ()

    @property
    def rate(self) -> float:
        return self.anonymized / self.seconds if self.seconds else 0.0

    @property
    def exit_code(self) -> int:
        """0 when everything was treated, 1 when something is in quarantine."""
        return 1 if self.quarantined else 0


def run_batch(
    source: Path,
    output: Path,
    settings: Settings,
    manifest: Path | None = None,
    key_file: Path | None = None,
    pipeline: Pipeline | None = None,
    progress: Progress | None = None,
    after: Sequence[Path] = (),
    distinct: Path | None = None,
) -> RunResult:
    """Treat every photo below `source`; write OUT/images, OUT/manifest.csv, OUT/REPORT.md and OUT/private.

    `after` names the output folders of earlier releases, whose subjects are withheld from this one; `distinct` a CSV of
    subjects who are different people although their ids or photographs look like one person's.

    Nothing is written before the whole request is checked. A picture appears in OUT/images only once it is verified, on
    the disk and named in the ledger. Killed at any moment and started again with the same arguments, it ends with the
    same bytes. Without `settings.resume` the release in OUT stays as it is until the new one is complete. Raises
    UsageError and EnvironmentFault; whatever is wrong with a single photo goes to quarantine instead.
    """
    started = time.perf_counter()
    pipeline = pipeline or default_pipeline()
    tell = progress or (lambda _phase, _done, _total: None)
    request = check_request(source, output, settings, manifest, key_file, after, distinct, pipeline, tell)
    plan, photos, refused = request.plan, request.photos, dict(request.refused)
    with open_release(output, request.header, settings.resume) as (home, space):
        key = request.key or read_or_create_key(home.key)
        header = request.header | {"key": key_mark(key)}
        with (
            open_ledger(space, header) as ledger,
            AnalysisStore(space.analysis, analysis_key(request, settings)) as store,
            open_engine(pipeline, settings) as engine,
        ):
            found = prepare(source, request, store, engine, pipeline, key, settings, tell)
            release, unclaimed = found.release, found.unclaimed
            plan = replace(plan, notes=(*plan.notes, *found.notes))
            _settle_release(ledger, release, store.digest(photos))
            refused |= {name: why for name, why in unclaimed.items() if not coverable(why, settings)}
            for name, refusal in sorted(refused.items()):
                ledger.settle(quarantined(name, refusal))
            if settings.output == "photo":
                produced, skipped = produce_photographs(
                    source, photos, plan, release, unclaimed, store, key, ledger, space, engine, tell
                )
            else:
                produced, skipped = _produce(release, store, ledger, space, engine, tell)
            memory = resident_peak() + engine.peak_memory()
            reasons = count_reasons(ledger.items.values())
            released = [entry for entry in ledger.items.values() if entry["outcome"] == "anonymized"]
            write_reports(space, plan, release, ledger, key, settings)
            ledger.finish(space.sealed())
    return RunResult(
        anonymized=produced,
        skipped=skipped,
        quarantined=sum(reasons.values()),
        reasons=reasons,
        ignored=dict(plan.ignored),
        mechanism=release.guarantee.mechanism,
        mechanism_reason=release.why,
        guarantee=". ".join(filter(None, [release.guarantee.statement, photo_warning(settings)])),
        seconds=time.perf_counter() - started,
        peak_memory=memory,
        warnings=found.warnings,
        review=photos_to_review(released),
        cautions=cautions(settings, released),
    )


def _settle_release(ledger: Ledger, release: ReleasePlan, analysis: str) -> None:
    """Fix the faces of the release before the first output; later runs must find the same ones."""
    earlier = next((entry for entry in ledger.entries if entry["kind"] == "release"), None)
    if earlier is None:
        ledger.append({"kind": "release", "analysis": analysis, "guarantee": asdict(release.guarantee)})
    elif earlier["analysis"] != analysis:
        raise UsageError(
            "the photos no longer give the faces that the earlier run found (its analysis.jsonl is gone or changed); "
            "mixing both would weaken the guarantee.",
            "Use a new output folder, or --no-resume.",
        )


def _produce(
    release: ReleasePlan, store: AnalysisStore, ledger: Ledger, space: Workspace, engine: Engine, tell: Progress
) -> tuple[int, int]:
    """Produce what the ledger does not show as done; returns how many were produced and how many were done."""
    remaining: list[_Job] = []
    skipped = 0
    for item in release.items:
        if is_done(ledger.items.get(item.name), space):
            skipped += ledger.items[item.name]["outcome"] == "anonymized"
            continue
        discard(space.images / item.output)
        if isinstance(item.face, Refusal):
            ledger.settle(quarantined(item.name, item.face))
        else:
            remaining.append(_Job(item, item.face))
    produced = 0
    done = len(release.items) - len(remaining)
    tell("produce", done, len(release.items))
    jobs = ((job, _record(store, job.item)) for job in remaining)
    for (job, _), outcome in engine.stream(_render, jobs):
        if isinstance(outcome, Refusal):
            ledger.settle(quarantined(job.item.name, outcome))
        else:
            commit(job.item, outcome, ledger, space)
            produced += 1
        done += 1
        tell("produce", done, len(release.items))
    return produced, skipped


def _record(store: AnalysisStore, item: ReleaseItem) -> FaceRecord:
    records = store.read(item.source, item.input)
    assert not isinstance(records, Refusal)
    return next(record for record in records if record.index == item.record_index)


@dataclass(frozen=True, slots=True)
class _Job:
    item: ReleaseItem
    face: PrivateFace


def _render(tools: Tools, work: tuple[_Job, FaceRecord]) -> bytes:
    job, record = work
    return encode_png(tools.produce(job.face, record))
