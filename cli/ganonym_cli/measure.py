"""`ganonym measure`: lengths, angles and ratios of faces, against norms, with the terms they suggest."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ganonym_cli.console import Output
from ganonym_cli.options import Cache, Jobs, Json, Quiet, cache_at

if TYPE_CHECKING:
    from ganonym.classify.measurement.measure import Measurements
    from ganonym.classify.measurement.photos import Person
    from ganonym_cli.table import Table

_NORMS = "What z-scores are read against: a cohort file of --save-norms, or a CSV or TOML of norms."
SUGGESTS = "suggests, reliability"
_UNIT = "Of lengths: face size, interocular, face width or mm."


def measure(
    photos: Annotated[
        list[Path], typer.Argument(metavar="PHOTO...", help="Frontal photos, or folders of them.", show_default=False)
    ],
    age: Annotated[float | None, typer.Option(min=0, max=130, help="Years.", show_default=False)] = None,
    sex: Annotated[str | None, typer.Option(help="female or male.", show_default=False)] = None,
    ancestry: Annotated[
        str | None, typer.Option(help="For norms that differ by it: African, Asian, …", show_default=False)
    ] = None,
    people: Annotated[
        Path | None, typer.Option(help="CSV: image, subject, sex, age, instead of --age and --sex.", show_default=False)
    ] = None,
    norms: Annotated[
        Path | None, typer.Option(help=_NORMS, show_default="published norms, for plausibility only")
    ] = None,
    unit: Annotated[
        str | None, typer.Option(help=_UNIT, show_default="that of --norms, mm with a scale, else face width")
    ] = None,
    mm_per_px: Annotated[
        float | None, typer.Option(help="Millimetres a pixel, by a ruler.", show_default=False)
    ] = None,
    iris_px: Annotated[
        float | None, typer.Option(help="Width of the iris in pixels, taken as 11.7 mm.", show_default=False)
    ] = None,
    draw: Annotated[
        Path | None,
        typer.Option(help="PNG to write (a folder for several photos). It shows the person: keep it private."),
    ] = None,
    charts: Annotated[
        Path | None, typer.Option(help="Folder for percentile charts of one photo, as SVG.", show_default=False)
    ] = None,
    save_norms: Annotated[
        Path | None, typer.Option(help="The photos are controls: write their norms, TOML.", show_default=False)
    ] = None,
    cache: Cache = None,
    jobs: Jobs = 1,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Measure faces; compare with norms by age and sex, and suggest HPO terms for a clinician to judge."""
    from ganonym.classify.measurement.measure import comparison
    from ganonym.classify.measurement.photos import Outputs, measure_photos, people_on, write_files

    output = Output(as_json, quiet)
    against = comparison(
        age=age, sex=sex, ancestry=ancestry, norms=norms, unit=unit, mm_per_px=mm_per_px, iris_px=iris_px
    )
    persons, outputs = people_on(photos, people, against), Outputs(draw, charts, save_norms)
    outputs.check(persons)
    faces = cache_at(cache)
    with output.progress() as advance:
        readings = measure_photos(persons, against, jobs or 1, advance, faces)
    written = write_files(readings, against, outputs)
    for reading in readings:
        if reading.measured is None:
            output.warn(f"{reading.person.name}: {reading.failed}")
        elif reading.measured.refused and save_norms is not None:
            output.note(f"{reading.person.name} is left out of the norms: {reading.measured.refused}")
    code = 1 if any(reading.failed for reading in readings) else 0
    payload = {
        "unit": against.unit,
        "norms": against.source,
        "remark": against.remark,
        "photos": [reading.payload() for reading in readings],
        "files": [str(path) for path in written],
        "exit_code": code,
    }
    output.result(
        payload,
        *(_shown(reading.person, reading.measured) for reading in readings if reading.measured is not None),
        *(f"Written: {path}" for path in written),
    )
    raise typer.Exit(code)


def _shown(person: Person, measurements: Measurements) -> Table:
    """For the terminal: the table, sides left to --json, and under it what speaks against reading too much into it."""
    from rich import box

    from ganonym.classify.measurement.lengths import MEASUREMENTS
    from ganonym_cli.table import Table

    terms: dict[str, list[str]] = {}
    for term in measurements.terms:
        for key in term.measures:
            terms.setdefault(_both(key), []).append(f"{term.term} {term.hpo}, {term.reliability}")
    about = [person.name, person.sex or "", "" if person.age is None else f"{person.age:g} years"]
    table = Table("measure", box=box.SIMPLE_HEAD, title=", ".join(filter(None, about)), prose=["measure", SUGGESTS])
    for head in ("value", "unit", "z", "centile"):
        table.add_column(head, justify="left" if head == "unit" else "right", no_wrap=True)
    table.add_column(SUGGESTS)
    lacking: dict[str, list[str]] = {}
    for key, score in measurements.scores.items():
        if _both(key) != key:
            continue
        if score.why:
            lacking.setdefault(score.why, []).append(key)
        z = "" if score.z is None else f"{score.z:+.1f}"
        centile = "" if score.percentile is None else f"{score.percentile:.1f}"
        suggested = "\n".join(dict.fromkeys(terms.get(key, [])))
        table.add_row(MEASUREMENTS[key].name, f"{score.value:.3g}", score.unit, z, centile, suggested)
    notes = [f"In this photo {caveat}." for caveat in measurements.caveats]
    notes += [measurements.refused] if measurements.refused else []
    notes += [f"{term.term}: {'; '.join(term.caveats)}." for term in measurements.terms if term.caveats]
    notes += [f"No z, {why}: {', '.join(keys)}." for why, keys in lacking.items() if why != "no norm"]
    if measurements.kept:
        places = ", ".join(f"{name} {place:.1f}" for name, place in measurements.kept.items())
        notes.append(f"What a release keeps of this face (as read, in SD unless said): {places}.")
    table.caption = "\n".join([*notes, measurements.remark])
    table.caption_justify = "left"
    return table


def _both(key: str) -> str:
    return key.removesuffix(" right").removesuffix(" left")
