"""`ganonym sweep`: one folder of photographs released in many ways, each assessed, all on one trade-off curve."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

from ganonym_cli.compare import table_of, trials_of
from ganonym_cli.console import Advance, Output
from ganonym_cli.options import Distinct, Jobs, Json, Quiet, Seed

if TYPE_CHECKING:
    from ganonym.evaluate.assessment import Assessment

SIZES, EPSILONS = "2,5,11,20", "0.5,1,2"
Assess: TypeAlias = "Callable[..., Assessment]"
"""As `run_assessment`: (originals, release, manifest, folder to write, policy=, title=, seed=, jobs=, tell=)."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One way to release: `name` is that of its folder too, `method` joins the settings of one curve.

    `release` writes the release into a folder and says how many pictures it has.
    """

    name: str
    method: str
    release: Callable[[Path, Advance], int]


def run_settings(
    settings: Sequence[Setting],
    out: Path,
    run_one: Callable[[Setting, Path], Assessment],
    warn: Callable[[str], None],
) -> dict[str, Assessment]:
    """The assessment of every setting, by name; `run_one` releases and assesses in `out`/runs/NAME.

    A setting that fails (GanonymError) is told to `warn` and left out: it must not cost the others.
    """
    from ganonym.errors import GanonymError

    found = {}
    for setting in settings:
        try:
            found[setting.name] = run_one(setting, out / "runs" / setting.name)
        except GanonymError as error:
            warn(f"{setting.name} is left out: {error}")
    return found


def lines_of(settings: Sequence[Setting]) -> list[list[str]]:
    """Names of the settings of every method that has several, in their order."""
    methods = dict.fromkeys(each.method for each in settings)
    lines = [[each.name for each in settings if each.method == method] for method in methods]
    return [line for line in lines if len(line) > 1]


def settings_of(
    source: Path,
    manifest: Path,
    mechanisms: Sequence[str],
    k: Sequence[int],
    epsilon: Sequence[float],
    baselines: Sequence[str],
    seed: int,
    jobs: int | None,
    distinct: Path | None = None,
) -> list[Setting]:
    """Every mechanism with every value of its parameter, then the baselines. Raises UsageError on wrong values."""
    from ganonym.baselines.methods import BaselineSettings
    from ganonym.errors import UsageError
    from ganonym.settings import Settings

    common: dict[str, Any] = {"seed": seed, "jobs": jobs or 0}
    wanted: dict[str, Settings] = {}
    for mechanism in mechanisms:
        if mechanism == "k-same":
            wanted |= {f"k-same-k{each}": Settings(mechanism="k-same", k=each, **common) for each in k}
        elif mechanism == "metric":
            wanted |= {f"metric-e{each:g}": Settings(mechanism="metric", epsilon=each, **common) for each in epsilon}
        elif mechanism == "codebook":
            wanted["codebook"] = Settings(mechanism="codebook", **common)
        else:
            raise UsageError(f"--mechanism {mechanism!r} cannot be swept.", "Take k-same, metric or codebook.")
    rows = [
        Setting(name, each.mechanism, _anonymizer(source, manifest, each, distinct)) for name, each in wanted.items()
    ]
    for name in dict.fromkeys(baselines):
        method = BaselineSettings(method=name, jobs=jobs or 0)  # type: ignore[arg-type]  # it refuses what is no method
        rows.append(Setting(name, name, _treatment(source, manifest, method, distinct)))
    return rows


def listed(text: str) -> list[str]:
    """The entries of a list with commas.

    >>> listed("blur, eyebar,")
    ['blur', 'eyebar']
    """
    return [each.strip() for each in text.split(",") if each.strip()]


def assess_files(*arguments: Any, **options: Any) -> Assessment:
    """`run_assessment`, imported when it is needed."""
    from ganonym.evaluate.run_assessment import run_assessment

    return run_assessment(*arguments, **options)


def command(assess: Assess = assess_files) -> Callable[..., None]:
    """The command, given what assesses one release: `app.command("sweep")(command())`."""

    def sweep(
        source: Annotated[Path, typer.Argument(metavar="IN", help="Folder of photographs.", show_default=False)],
        manifest: Annotated[Path, typer.Option(help="CSV: image, subject; optional syndrome, …", show_default=False)],
        out: Annotated[Path, typer.Option("--out", help="Folder to write.", show_default=False)],
        mechanism: Annotated[
            str, typer.Option(help="What protects the shape: k-same, metric, codebook, with commas.")
        ] = "k-same",
        k: Annotated[str | None, typer.Option("-k", help="k-same: group sizes.", show_default=SIZES)] = None,
        epsilon: Annotated[str | None, typer.Option("--epsilon", help="metric: ε.", show_default=EPSILONS)] = None,
        baselines: Annotated[str, typer.Option(help="Well-known methods beside them, with commas.")] = "blur,pixelate",
        policy: Annotated[str, typer.Option(help="public, controlled, internal, or a TOML file.")] = "public",
        distinct: Distinct = None,
        measure: Annotated[
            str | None, typer.Option(help="What usefulness is judged by.", show_default="the first that all have")
        ] = None,
        seed: Seed = 0,
        jobs: Jobs = None,
        as_json: Json = False,
        quiet: Quiet = False,
    ) -> None:
        """Release IN in many ways, assess each, and draw the trade-off curve with intervals."""
        from ganonym.errors import UsageError
        from ganonym.evaluate.compare import compare
        from ganonym.evaluate.report.pages import write_comparison
        from ganonym.evaluate.verdict.policy import load_policy
        from ganonym_cli.plan import numbers

        load_policy(policy)
        for option, value, user in (("-k", k, "k-same"), ("--epsilon", epsilon, "metric")):
            if value is not None and user not in listed(mechanism):
                raise UsageError(f"{option} does nothing: it is of {user}, which --mechanism lacks.", "Leave it out.")
        sizes = numbers(SIZES if k is None else k, "-k")
        budgets = numbers(EPSILONS if epsilon is None else epsilon, "--epsilon")
        if "k-same" in listed(mechanism) and not sizes:
            raise UsageError("-k names no group size.", "Write them with commas: 5,11,20.")
        if "metric" in listed(mechanism) and not budgets:
            raise UsageError("--epsilon names no budget.", "Write them with commas: 0.5,1,2.")
        if any(each != int(each) for each in sizes):
            raise UsageError(f"-k {k!r} holds no whole numbers.", "Write them with commas: 5,11,20.")
        settings = settings_of(
            source, manifest, listed(mechanism), [int(each) for each in sizes], budgets,
            listed(baselines), seed, jobs, distinct,
        )  # fmt: skip
        output = Output(as_json, quiet)
        with output.progress() as advance:

            def run_one(setting: Setting, folder: Path) -> Assessment:
                def told(phase: str, done: int, total: int) -> None:
                    advance(f"{setting.name}: {phase}", done, total)

                if setting.release(folder / "release", told) == 0:
                    raise UsageError("nothing was released.", "Choose a smaller k.")
                return assess(
                    source,
                    folder / "release",
                    manifest,
                    folder,
                    policy=policy,
                    distinct=distinct,
                    title=setting.name,
                    seed=seed,
                    jobs=jobs or os.cpu_count() or 1,
                    tell=told,
                )

            found = run_settings(settings, out, run_one, output.warn)
        comparison = compare(found, measure, trials=trials_of({name: out / "runs" / name for name in found}))
        files = write_comparison(out, comparison, lines_of(settings))
        for note in comparison.notes:
            output.warn(f"Warning: {note}")
        payload = comparison.model_dump(mode="json") | {
            "files": [str(each) for each in files],
            "left_out": [each.name for each in settings if each.name not in found],
        }
        output.result(payload, table_of(comparison), f"Page: {out / 'comparison.html'}")

    return sweep


def _anonymizer(source: Path, manifest: Path, settings: Any, distinct: Path | None) -> Callable[[Path, Advance], int]:
    def release(out: Path, advance: Advance) -> int:
        from ganonym.batch.run import anonymize_folder

        result = anonymize_folder(source, out, settings, manifest=manifest, progress=advance, distinct=distinct)
        return result.anonymized + result.skipped

    return release


def _treatment(source: Path, manifest: Path, settings: Any, distinct: Path | None) -> Callable[[Path, Advance], int]:
    def release(out: Path, advance: Advance) -> int:
        from ganonym.batch.run import baseline_folder

        result = baseline_folder(source, out, settings, manifest=manifest, progress=advance, distinct=distinct)
        return result.anonymized + result.skipped

    return release
