"""Folders: check the job, treat every photo by one method, write reports; all of it resumable."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from ganonym.baselines.methods import BaselineSettings
from ganonym.batch.analysis import AnalysisStore
from ganonym.batch.job import BatchJob, Progress, check_job
from ganonym.batch.outputs import Run, produce_faces, produce_photographs, settle_refused, settle_release
from ganonym.batch.pipeline import Pipeline, default_pipeline, open_engine
from ganonym.batch.prepare import analysis_key, prepare
from ganonym.batch.replacement import open_release
from ganonym.batch.report import Treated, released, report_release, write_reports
from ganonym.batch.wording import cautions, count_reasons, photo_warning, photos_to_review
from ganonym.batch.workspace import open_ledger
from ganonym.pseudonym import key_mark, read_or_create_key
from ganonym.release_plan import coverable
from ganonym.settings import Settings
from ganonym.types import JSON
from ganonym.workers import refuse_unguarded, resident_peak


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

    def to_json(self) -> JSON:
        """All of it; of the warnings, which name photographs, only how many there are, since this may be shared."""
        return asdict(self) | {"warnings": len(self.warnings), "rate": self.rate, "exit_code": self.exit_code}


def anonymize_folder(
    source: Path | str,
    out: Path | str,
    settings: Settings | None = None,
    *,
    manifest: Path | str | None = None,
    key_file: Path | str | None = None,
    after: Sequence[Path | str] = (),
    distinct: Path | str | None = None,
    progress: Progress | None = None,
) -> RunResult:
    """Anonymize every photo below `source` into `out`: see `BatchJob` for the arguments, `run_batch` for the rest.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as empty:
    ...     anonymize_folder(empty, f"{empty}-release", Settings(k=5))
    Traceback (most recent call last):
    ganonym.errors.UsageError: there is no photo in ...
    """
    earlier = tuple(map(Path, after))
    chosen = settings or Settings()
    job = BatchJob(Path(source), Path(out), chosen, _path(manifest), _path(key_file), earlier, _path(distinct))
    return run_batch(job, progress=progress)


def baseline_folder(
    source: Path | str,
    out: Path | str,
    settings: BaselineSettings,
    *,
    manifest: Path | str | None = None,
    key_file: Path | str | None = None,
    distinct: Path | str | None = None,
    progress: Progress | None = None,
) -> RunResult:
    """Treat every photo below `source` by a well-known method that guarantees nothing; as `anonymize_folder`."""
    job = BatchJob(Path(source), Path(out), settings, _path(manifest), _path(key_file), (), _path(distinct))
    return run_batch(job, progress=progress)


def _path(given: Path | str | None) -> Path | None:
    return None if given is None else Path(given)


def run_batch(job: BatchJob, pipeline: Pipeline | None = None, progress: Progress | None = None) -> RunResult:
    """Do a job: write OUT/images, OUT/manifest.csv, OUT/REPORT.md and OUT/private.

    Nothing is written before the whole job is checked. A picture appears in OUT/images only once it is verified, on
    the disk and named in the ledger. Killed at any moment and started again with the same job, it ends with the same
    bytes. Without `settings.resume` the release in OUT stays as it is until the new one is complete. Raises UsageError
    and EnvironmentFault; whatever is wrong with a single photo goes to quarantine instead.
    """
    refuse_unguarded()
    started = time.perf_counter()
    pipeline = pipeline or _pipeline(job)
    tell = progress or (lambda _phase, _done, _total: None)
    checked = check_job(job, pipeline, tell)
    with open_release(job.output, checked.header, job.settings.resume) as (home, space):
        key = checked.key or read_or_create_key(home.key)
        header = checked.header | {"key": key_mark(key)}
        with open_ledger(space, header) as ledger, open_engine(pipeline, job.planning) as engine:
            run = Run(checked, pipeline, key, space, ledger, engine, tell)
            treated = _treat(run)
            memory = resident_peak() + engine.peak_memory()
            reasons = count_reasons(ledger.items.values())
            write_reports(run, treated.report)
            ledger.finish(space.sealed())
    return RunResult(
        anonymized=treated.made,
        skipped=treated.skipped,
        quarantined=sum(reasons.values()),
        reasons=reasons,
        ignored=dict(checked.inventory.ignored),
        mechanism=treated.mechanism,
        mechanism_reason=treated.mechanism_reason,
        guarantee=treated.guarantee,
        seconds=time.perf_counter() - started,
        peak_memory=memory,
        warnings=treated.warnings,
        review=treated.review,
        cautions=treated.cautions,
    )


def _pipeline(job: BatchJob) -> Pipeline:
    if isinstance(job.settings, Settings):
        return default_pipeline()
    from ganonym.batch.baseline import baseline_pipeline  # not above: it needs torch, the anonymizer's main process not

    return baseline_pipeline()


def _treat(run: Run) -> Treated:
    """Every photo by the method that the settings are of."""
    settings = run.checked.job.settings
    if isinstance(settings, Settings):
        return _anonymize(run, settings)
    from ganonym.batch.baseline import apply_baseline

    return apply_baseline(run, settings)


def _anonymize(run: Run, settings: Settings) -> Treated:
    """Analyse every photo, privatize them together, produce every output."""
    with AnalysisStore(run.space.analysis, analysis_key(run.checked)) as store:
        prepared = prepare(run.checked, store, run.engine, run.pipeline, run.key, run.tell)
        release, unclaimed = prepared.release, prepared.unclaimed
        settle_release(run, store.digest(run.checked.photos), {"guarantee": asdict(release.guarantee)})
        withheld = {name: refusal for name, refusal in unclaimed.items() if not coverable(refusal, settings)}
        settle_refused(run, run.checked.refused | withheld)
        if settings.output == "photo":
            made, skipped = produce_photographs(run, release, unclaimed, store)
        else:
            made, skipped = produce_faces(run, release, store)
    inventory = replace(run.checked.inventory, notes=(*run.checked.inventory.notes, *prepared.notes))
    lines = released(run.ledger)
    return Treated(
        made,
        skipped,
        report_release(run, inventory, release, settings),
        mechanism=release.guarantee.mechanism,
        mechanism_reason=release.why,
        guarantee=". ".join(filter(None, [release.guarantee.statement, photo_warning(settings)])),
        warnings=prepared.warnings,
        review=photos_to_review(lines),
        cautions=cautions(settings, lines),
    )
