"""`ganonym measure`: lengths, angles and ratios of faces, against norms, with the terms they suggest."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ganonym_cli.console import Output
from ganonym_cli.options import Cache, Jobs, Json, Quiet, cache_at

if TYPE_CHECKING:
    from ganonym_cli.measure_photos import Person, Reading, Request
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
    from ganonym.classify.measurement.photo import landmarks_of
    from ganonym_cli import measure_photos

    output = Output(as_json, quiet)
    request = measure_photos.requested(age, sex, ancestry, norms, unit, mm_per_px, iris_px)
    files = measure_photos.listed(photos, people, request)
    measure_photos.check_outputs(files, draw, charts, save_norms)
    faces = cache_at(cache)
    with output.progress() as advance:
        found = landmarks_of([each.path for each in files], jobs or 1, advance, faces)
    readings = [measure_photos.read(person, each, request) for person, each in zip(files, found, strict=True)]
    written = measure_photos.write(readings, request, draw, charts, save_norms)
    for each in readings:
        if each.failed:
            output.warn(f"{each.person.name}: {each.failed}")
        elif each.refused and save_norms is not None:
            output.note(f"{each.person.name} is left out of the norms: {each.refused}")
    output.result(
        _payload(readings, request, written),
        *(part for each in readings if not each.failed for part in _shown(each, request)),
        *(f"Written: {path}" for path in written),
    )
    raise typer.Exit(1 if any(each.failed for each in readings) else 0)


def _payload(readings: list[Reading], request: Request, written: list[Path]) -> dict[str, Any]:
    from dataclasses import asdict

    def one(each: Reading) -> dict[str, Any]:
        if each.failed:
            return {"photo": each.person.name, "error": each.failed}
        measured = {
            key: {"value": score.value, "unit": score.unit, "z": score.z, "percentile": score.percentile}
            | ({"norm": asdict(score.norm)} if score.norm else {"why": score.why})
            for key, score in each.scores.items()
        }
        return {
            "photo": each.person.name,
            "age": each.person.age,
            "sex": each.person.sex,
            "pose": asdict(each.view.pose) if each.view else None,
            "caveats": each.caveats,
            "refused": each.refused,
            "measurements": measured,
            "suggested_terms": [asdict(term) for term in each.terms],
        }

    return {
        "unit": request.unit,
        "norms": request.source,
        "remark": request.remark,
        "photos": [one(each) for each in readings],
        "files": [str(path) for path in written],
        "exit_code": 1 if any(each.failed for each in readings) else 0,
    }


def _shown(reading: Reading, request: Request) -> tuple[Table, ...]:
    """For the terminal: the table, sides left to --json, and under it what speaks against reading too much into it."""
    from rich import box

    from ganonym_cli.table import Table

    terms: dict[str, list[str]] = {}
    for term in reading.terms:
        for key in term.measures:
            terms.setdefault(_both(key), []).append(f"{term.term} {term.hpo}, {term.reliability}")
    table = Table(
        "measure",
        box=box.SIMPLE_HEAD,
        title=f"{reading.person.name}{_known(reading.person)}",
        prose=["measure", SUGGESTS],
    )
    for head in ("value", "unit", "z", "centile"):
        table.add_column(head, justify="left" if head == "unit" else "right", no_wrap=True)
    table.add_column(SUGGESTS)
    lacking: dict[str, list[str]] = {}
    for key, score in reading.scores.items():
        if _both(key) != key:
            continue
        if score.why:
            lacking.setdefault(score.why, []).append(key)
        z = "" if score.z is None else f"{score.z:+.1f}"
        place = "" if score.percentile is None else f"{score.percentile:.1f}"
        suggested = "\n".join(dict.fromkeys(terms.get(key, [])))
        table.add_row(reading.names[key], f"{score.value:.3g}", score.unit, z, place, suggested)
    notes = [f"In this photo {each}." for each in reading.caveats]
    notes += [reading.refused] if reading.refused else []
    notes += [f"{term.term}: {'; '.join(term.caveats)}." for term in reading.terms if term.caveats]
    notes += [f"No z, {why}: {', '.join(keys)}." for why, keys in lacking.items() if why != "no norm"]
    table.caption = "\n".join([*notes, request.remark])
    table.caption_justify = "left"
    return (table,)


def _both(key: str) -> str:
    return key.removesuffix(" right").removesuffix(" left")


def _known(person: Person) -> str:
    known = [person.sex or "", "" if person.age is None else f"{person.age:g} years"]
    return "".join(f", {each}" for each in known if each)
