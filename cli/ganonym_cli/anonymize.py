"""`ganonym anonymize`, `baseline` and `verify`: a folder of photographs in, a folder of pictures out, checked again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ganonym.baselines.methods import BaselineSettings, Method
from ganonym.configuration import unused
from ganonym_cli import settings_options as option
from ganonym_cli.console import Output
from ganonym_cli.options import Distinct, Json, OutFolder, Profile, Quiet, settings_from
from ganonym_cli.table import Table

if TYPE_CHECKING:
    from ganonym.batch.prepare import Rehearsal
    from ganonym.batch.run import RunResult


def anonymize(
    source: Annotated[Path, typer.Argument(metavar="IN", help="Folder of photographs.", show_default=False)],
    out: OutFolder,
    *,
    manifest: Annotated[
        Path | None,
        typer.Option(help="CSV: image, subject; optional syndrome, sex, age, …", rich_help_panel="Batch"),
    ] = None,
    mechanism: option.Mechanism = None,
    policy: option.Policy = None,
    k: option.K = None,
    keep: option.Keep = None,
    small_classes: option.Small = None,
    link: option.Linked = None,
    epsilon: option.Epsilon = None,
    verify: option.Verify = None,
    i_understand: option.Understood = None,
    output: option.Picture = None,
    background: option.Surroundings = None,
    text: option.Text = None,
    subject_face: option.SubjectFace = None,
    resume: option.Resume = None,
    seed: option.RunSeed = None,
    jobs: option.RunJobs = None,
    distinct: Annotated[
        Path | None,
        typer.Option(help="CSV: in each line, ids of different people who look like one.", rich_help_panel="Batch"),
    ] = None,
    after: Annotated[
        list[Path] | None,
        typer.Option(help="OUT of an earlier release; its people are left out.", rich_help_panel="Batch"),
    ] = None,
    key_file: Annotated[
        Path | None,
        typer.Option(help="Key of the file names.", show_default="OUT/private/key", rich_help_panel="Batch"),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would happen, write nothing.", rich_help_panel="Batch")
    ] = False,
    profile: Profile = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Anonymize the photographs of IN into OUT; exit code 1 when some had to be withheld."""
    from ganonym.batch.job import BatchJob
    from ganonym.batch.prepare import rehearse_batch
    from ganonym.batch.run import run_batch
    from ganonym.batch.wording import forewarnings
    from ganonym.errors import UsageError

    given = option.said(
        mechanism=mechanism,
        policy=policy,
        k=k,
        keep=keep,
        small_classes=small_classes,
        link=link,
        epsilon=epsilon,
        verify=verify,
        i_understand=i_understand,
        output=output,
        background=background,
        text=text,
        subject_face=subject_face,
        resume=resume,
        seed=seed,
        jobs=jobs,
    )
    settings = settings_from(given, profile)
    console = Output(as_json, quiet)
    for warning in forewarnings(settings):
        console.warn(f"Warning: {warning}.")
    if "small_classes" in given and manifest is None:
        raise UsageError("--small-classes does nothing without --manifest: there are no classes.", "Leave it out.")
    job = BatchJob(source, out, settings, manifest, key_file, after or (), distinct)
    if dry_run:
        with console.progress() as advance:
            rehearsal = rehearse_batch(job, progress=advance)
        idle = unused(given, rehearsal.release.guarantee.mechanism)
        _tell_rehearsal(console, rehearsal, idle)
        return
    with console.progress() as advance:
        result = run_batch(job, progress=advance)
    for warning in result.warnings:
        console.warn(f"Warning: {warning}.")
    idle = unused(given, result.mechanism)
    payload = result.to_json() | {"report": str(out / "REPORT.md"), "without_effect": idle}
    cautions = [f"{sentence}." for sentence in result.cautions]
    console.result(
        payload,
        _result_table(result, settings.output),
        result.mechanism_reason,
        result.guarantee,
        *cautions,
        *_idle(idle),
        f"Report: {out / 'REPORT.md'}",
    )
    raise typer.Exit(result.exit_code)


def _idle(options: Sequence[str]) -> list[str]:
    return [f"without effect, because of the mechanism that was chosen: {', '.join(options)}"] * bool(options)


def _tell_rehearsal(output: Output, rehearsal: Rehearsal, idle: list[str]) -> None:
    promise = rehearsal.release.guarantee
    for warning in rehearsal.warnings:
        output.warn(f"Warning: {warning}.")
    output.result(
        rehearsal.to_json() | {"without_effect": idle},
        _rehearsal_table(rehearsal),
        rehearsal.release.why,
        promise.statement,
        *rehearsal.inventory.notes[1:],
        *_idle(idle),
    )


def _rehearsal_table(rehearsal: Rehearsal) -> Table:
    inventory, reasons = rehearsal.inventory, rehearsal.reasons
    table = Table("would be", "number", "of which", title="Dry run: nothing written")
    table.add_row("read", str(len(inventory.photos)), _counts(inventory.formats))
    classes = _counts({label or "unlabelled": n for label, n in inventory.classes.items()})
    table.add_row("subjects", str(rehearsal.subjects), classes)
    table.add_row("faces synthesized", str(rehearsal.faces), "")
    table.add_row("withheld", str(sum(reasons.values())), _counts(reasons))
    if inventory.ignored:
        table.add_row("ignored", str(sum(inventory.ignored.values())), _counts(inventory.ignored))
    if inventory.small:
        withheld = ", ".join(label or "unlabelled" for label in inventory.small)
        table.add_row("classes withheld", str(len(inventory.small)), withheld)
    return table


def _result_table(result: RunResult, output: str) -> Table:
    table = Table("", f"{output}s", "", title=f"Mechanism {result.mechanism}")
    speed = f"{result.rate:.1f} a second, {result.peak_memory / 2**20:.0f} MiB" if result.anonymized else ""
    table.add_row("anonymized", str(result.anonymized), speed)
    if result.skipped:
        table.add_row("done before", str(result.skipped), "")
    table.add_row("withheld", str(result.quarantined), _counts(result.reasons))
    if result.ignored:
        table.add_row("ignored", str(sum(result.ignored.values())), _counts(result.ignored))
    if result.review:
        table.add_row("to look at", str(result.review), "detectors disagree: private/review.csv")
    return table


def _counts(numbers: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {number}" for name, number in numbers.items())


def verify(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder that `ganonym anonymize` wrote.")],
    originals: Annotated[
        Path | None, typer.Option(help="The folder it was made from: check completeness against it.")
    ] = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Check ledger chain, digests, metadata, strays and faces of OUT; exit code 3 when anything is wrong."""
    from ganonym.batch.audit import verify_release

    output = Output(as_json, quiet)
    with output.progress() as advance:
        verification = verify_release(out, originals, advance)
    table = Table("check", "result", title=f"{verification.pictures} pictures, made by {verification.made_by}")
    for check, problems in verification.problems.items():
        table.add_row(check, f"{len(problems)} problems" if problems else "ok")
    said = [problem for problems in verification.problems.values() for problem in problems]
    output.result(verification.to_json(), table, *said, *verification.notes)
    if not verification.sound:
        raise typer.Exit(verification.exit_code)


def baseline(
    method: Annotated[Method, typer.Argument(help="What is done to the faces.", show_default=False)],
    source: Annotated[Path, typer.Argument(metavar="IN", help="Folder of photographs.", show_default=False)],
    out: OutFolder,
    *,
    manifest: Annotated[Path | None, typer.Option(help="CSV: image, subject; optional syndrome, …")] = None,
    strength: Annotated[float | None, option.field_option(BaselineSettings, "strength", "Options")] = None,
    k: Annotated[int | None, option.field_option(BaselineSettings, "k", "Options")] = None,
    resume: Annotated[bool | None, option.field_option(BaselineSettings, "resume", "Options")] = None,
    jobs: Annotated[int | None, option.field_option(BaselineSettings, "jobs", "Common")] = None,
    key_file: Annotated[
        Path | None, typer.Option(help="Key of the file names.", show_default="OUT/private/key")
    ] = None,
    distinct: Distinct = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Treat IN by a well-known method that guarantees nothing; exit code 1 when some photos had to be withheld."""
    from ganonym.batch.run import baseline_folder

    given = option.said(strength=strength, k=k, resume=resume, jobs=jobs)
    settings = BaselineSettings.model_validate({"method": method, **given})
    output = Output(as_json, quiet)
    with output.progress() as advance:
        result = baseline_folder(
            source, out, settings, manifest=manifest, key_file=key_file, distinct=distinct, progress=advance
        )
    payload = result.to_json() | {"report": str(out / "REPORT.md")}
    output.result(payload, _baseline_table(result), f"{result.guarantee}.", f"Report: {out / 'REPORT.md'}")
    raise typer.Exit(result.exit_code)


def _baseline_table(result: RunResult) -> Table:
    table = Table("", "pictures", "", title=result.mechanism.capitalize())
    speed = f"{result.rate:.1f} a second, {result.peak_memory / 2**20:.0f} MiB" if result.anonymized else ""
    table.add_row("made", str(result.anonymized), speed)
    if result.skipped:
        table.add_row("done before", str(result.skipped), "")
    table.add_row("withheld", str(result.quarantined), ", ".join(f"{name} {n}" for name, n in result.reasons.items()))
    if result.ignored:
        named = ", ".join(f"{name} {n}" for name, n in result.ignored.items())
        table.add_row("ignored", str(sum(result.ignored.values())), named)
    return table
