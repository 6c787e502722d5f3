"""`ganonym anonymize`: a folder of photographs in, a folder of synthesized faces out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ganonym_cli.console import Output
from ganonym_cli.options import Jobs, Json, OutFolder, Profile, Quiet, SeedIfGiven
from ganonym_cli.table import Table

if TYPE_CHECKING:
    from ganonym.batch.prepare import Rehearsal
    from ganonym.batch.run import RunResult
    from ganonym.settings import Settings

PRIVACY, BATCH = "Privacy", "Batch"


def anonymize(
    source: Annotated[Path, typer.Argument(metavar="IN", help="Folder of photographs.", show_default=False)],
    out: OutFolder,
    manifest: Annotated[
        Path | None,
        typer.Option(help="CSV: image, subject; optional syndrome, sex, age, …", rich_help_panel=BATCH),
    ] = None,
    mechanism: Annotated[
        Literal["auto", "k-same", "codebook", "metric", "none"] | None,
        typer.Option(help="What protects the shape.", show_default="auto", rich_help_panel=PRIVACY),
    ] = None,
    k: Annotated[
        int | None, typer.Option("-k", min=2, help="Subjects per group.", show_default="11", rich_help_panel=PRIVACY)
    ] = None,
    small_classes: Annotated[
        Literal["withhold", "merge"] | None,
        typer.Option(help="Classes of fewer than k.", show_default="withhold", rich_help_panel=PRIVACY),
    ] = None,
    epsilon: Annotated[
        float | None,
        typer.Option(help="Of metric; see `ganonym plan`.", show_default="1", rich_help_panel=PRIVACY),
    ] = None,
    disperse: Annotated[
        Literal["photo", "subject", "none"] | None,
        typer.Option(help="One random draw per photo or subject.", show_default="photo", rich_help_panel=PRIVACY),
    ] = None,
    consistent: Annotated[
        bool, typer.Option("--consistent", help="One surrogate for all photos of a subject.", rich_help_panel=PRIVACY)
    ] = False,
    attributes_from: Annotated[
        Literal["group", "subject"] | None,
        typer.Option(help="Of k-same: whose skin tone is shown.", show_default="group", rich_help_panel=PRIVACY),
    ] = None,
    verification: Annotated[
        Literal["default", "recognizer"] | None,
        typer.Option("--verify", help="Add dlib's recognizer.", show_default="default", rich_help_panel=PRIVACY),
    ] = None,
    i_understand: Annotated[
        bool, typer.Option("--i-understand", help="For mechanism none: it protects nobody.", rich_help_panel=PRIVACY)
    ] = False,
    output_kind: Annotated[
        Literal["face", "photo"] | None,
        typer.Option(
            "--output", help="Faces alone, or set into the photos.", show_default="face", rich_help_panel=PRIVACY
        ),
    ] = None,
    background: Annotated[
        Literal["keep", "blur", "grey"] | None,
        typer.Option(help="Of --output photo: all but the faces.", show_default="keep", rich_help_panel=PRIVACY),
    ] = None,
    subject_face: Annotated[
        Literal["only", "left", "right", "top", "bottom", "largest", "smallest"] | None,
        typer.Option(
            help="Which of several faces is the subject's; the manifest's column `face` comes first.",
            show_default="only",
            rich_help_panel=BATCH,
        ),
    ] = None,
    distinct: Annotated[
        Path | None,
        typer.Option(help="CSV: in each line, ids of different people who look like one.", rich_help_panel=BATCH),
    ] = None,
    text: Annotated[
        Literal["auto", "cover", "keep"] | None,
        typer.Option(
            help="Of --output photo: names, dates; auto covers it where the extra `text` is installed.",
            show_default="auto",
            rich_help_panel=PRIVACY,
        ),
    ] = None,
    after: Annotated[
        list[Path] | None,
        typer.Option(help="OUT of an earlier release; its people are left out.", rich_help_panel=BATCH),
    ] = None,
    key_file: Annotated[
        Path | None,
        typer.Option(help="Key of the file names.", show_default="OUT/private/key", rich_help_panel=BATCH),
    ] = None,
    no_resume: Annotated[
        bool,
        typer.Option("--no-resume", help="Start anew; the earlier release goes at the end.", rich_help_panel=BATCH),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would happen, write nothing.", rich_help_panel=BATCH)
    ] = False,
    profile: Profile = None,
    seed: SeedIfGiven = None,
    jobs: Jobs = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Anonymize the photographs of IN into OUT; exit code 1 when some had to be withheld."""
    from ganonym.batch.prepare import rehearse_batch
    from ganonym.batch.report import photo_warning
    from ganonym.batch.review import NOT_LOOKED_FOR
    from ganonym.batch.run import run_batch
    from ganonym.errors import UsageError
    from ganonym.photos.text import require_text_finder, text_finder
    from ganonym.settings import unused

    given: dict[str, object | None] = {
        "mechanism": mechanism,
        "k": k,
        "small_classes": small_classes,
        "epsilon": epsilon,
        "disperse": disperse,
        "consistent": consistent or None,
        "attributes_from": attributes_from,
        "verify": verification,
        "i_understand": i_understand or None,
        "output": output_kind,
        "background": background,
        "subject_face": subject_face,
        "text": text,
        "resume": False if no_resume else None,
        "seed": seed,
        "jobs": jobs,
    }
    settings = settings_from(given, profile)
    output = Output(as_json, quiet)
    if settings.output == "photo" and settings.background != "grey":
        output.warn(f"Warning: {photo_warning(settings)}.")
    if small_classes is not None and manifest is None:
        raise UsageError("--small-classes does nothing without --manifest: there are no classes.", "Leave it out.")
    if settings.covers_text and settings.text == "cover":
        require_text_finder()
    elif settings.covers_text and text_finder() is None:
        output.warn(f"Warning: {NOT_LOOKED_FOR}.")
    if dry_run:
        with output.progress() as advance:
            rehearsal = rehearse_batch(
                source, out, settings, manifest, key_file, progress=advance, after=after or (), distinct=distinct
            )
        idle = unused(given, rehearsal.release.guarantee.mechanism)
        _tell_rehearsal(output, rehearsal, idle)
        return
    with output.progress() as advance:
        result = run_batch(
            source, out, settings, manifest, key_file, progress=advance, after=after or (), distinct=distinct
        )
    for warning in result.warnings:
        output.warn(f"Warning: {warning}.")
    idle = unused(given, result.mechanism)
    # Standard output may be shared, so it tells how many warnings there are: they name photographs.
    payload = asdict(result) | {
        "warnings": len(result.warnings),
        "rate": result.rate,
        "report": str(out / "REPORT.md"),
        "exit_code": result.exit_code,
    }
    said = [f"{sentence}." for sentence in result.cautions]
    output.result(
        payload | {"without_effect": idle},
        _result_table(result, settings.output),
        result.mechanism_reason,
        result.guarantee,
        *said,
        *_idle(idle),
        f"Report: {out / 'REPORT.md'}",
    )
    raise typer.Exit(result.exit_code)


def settings_from(given: dict[str, object | None], profile: str | None) -> Settings:
    """Settings from what the command line gave (None: not given) on top of a profile's name or TOML file."""
    from ganonym.settings import load_settings

    if profile is not None and (profile.endswith(".toml") or Path(profile).is_file()):
        return load_settings(given, file=Path(profile))
    return load_settings(given, profile=profile)


def _idle(options: Sequence[str]) -> list[str]:
    return [f"without effect, because of the mechanism that was chosen: {', '.join(options)}"] * bool(options)


def _tell_rehearsal(output: Output, rehearsal: Rehearsal, idle: list[str]) -> None:
    plan, promise = rehearsal.plan, rehearsal.release.guarantee
    for warning in rehearsal.warnings:
        output.warn(f"Warning: {warning}.")
    payload = {
        "dry_run": True,
        "photos": len(plan.photos),
        "faces": rehearsal.faces,
        "subjects": rehearsal.subjects,
        "formats": dict(plan.formats),
        "classes": {label or "": count for label, count in plan.classes.items()},
        "withheld_classes": [label or "" for label in plan.small],
        "refused": rehearsal.reasons,
        "ignored": dict(plan.ignored),
        "mechanism": promise.mechanism,
        "mechanism_reason": rehearsal.release.why,
        "guarantee": promise.statement,
        "warnings": len(rehearsal.warnings),
        "notes": list(plan.notes),
        "without_effect": idle,
    }
    output.result(
        payload,
        _rehearsal_table(rehearsal),
        rehearsal.release.why,
        promise.statement,
        *plan.notes[1:],
        *_idle(idle),
    )


def _rehearsal_table(rehearsal: Rehearsal) -> Table:
    plan, reasons = rehearsal.plan, rehearsal.reasons
    table = Table("would be", "number", "of which", title="Dry run: nothing written")
    table.add_row("read", str(len(plan.photos)), _counts(plan.formats))
    classes = _counts({label or "unlabelled": n for label, n in plan.classes.items()})
    table.add_row("subjects", str(rehearsal.subjects), classes)
    table.add_row("faces synthesized", str(rehearsal.faces), "")
    table.add_row("withheld", str(sum(reasons.values())), _counts(reasons))
    if plan.ignored:
        table.add_row("ignored", str(sum(plan.ignored.values())), _counts(plan.ignored))
    if plan.small:
        withheld = ", ".join(label or "unlabelled" for label in plan.small)
        table.add_row("classes withheld", str(len(plan.small)), withheld)
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
