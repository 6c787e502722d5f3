"""`ganonym classify composite`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ganonym_cli.classify.options import Data, Images, Label, Only, cohort_of, reasons_of
from ganonym_cli.console import Output
from ganonym_cli.options import Cache, Jobs, Json, Quiet
from ganonym_cli.table import Table


def composite(
    data: Data,
    out: Annotated[Path, typer.Option("--out", help="Folder to write, new or empty.", show_default=False)],
    images: Images = None,
    against: Annotated[
        str | None,
        typer.Option("--against", metavar="NAME", help="Class to compare with, say the unaffected."),
    ] = None,
    label: Label = None,
    only: Only = None,
    cache: Cache = None,
    jobs: Jobs = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """The mean face of each class of five people or more, and maps of how it differs from another class."""
    import numpy as np

    from ganonym.classify.case import Classed
    from ganonym.classify.cohort import CanvasCrop
    from ganonym.classify.explain.class_faces import check_people, class_faces, file_names
    from ganonym.classify.explain.composite import FEWEST, LENGTHENED, drawn, inside, limit_of
    from ganonym.errors import UsageError
    from ganonym.files import make_folder, write_output
    from ganonym.photos.encode import encode_png

    output = Output(as_json, quiet)
    make_folder(out, 0o750)
    if any(out.iterdir()):
        raise UsageError(f"{out} is not empty.", "Choose another folder.")

    def check(them: Classed) -> None:
        check_people(them, against, only or ())

    with output.progress() as advance:
        wanted = [*only, *([] if against is None else [against])] if only else None
        cohort = cohort_of(
            data,
            images,
            None,
            jobs,
            output,
            advance,
            label=label,
            only=wanted,
            check=check,
            crops=[CanvasCrop()],
            cache=cache,
        )
        found = class_faces(cohort, against, only or (), advance)
    files = file_names([each.name for each in found.faces])
    differences = [each.difference for each in found.faces if each.difference is not None]
    limit = limit_of(differences) if differences else None
    table = Table("class", "people", "photographs", "file", *(["largest shift", "mean luma"] if limit else []))
    told = {}
    for each in found.faces:
        path = out / "composites" / files[each.name]
        write_output(path, encode_png(each.face.rgb))
        row = {"people": each.face.subjects, "photos": each.photos, "composite": str(path)}
        cells = [each.name, str(each.face.subjects), str(each.photos), path.name]
        if each.difference is not None and limit is not None:
            drawing = out / "differences" / files[each.name]
            write_output(drawing, encode_png(drawn(each.face, each.difference, limit)))
            shift = float(np.hypot(*each.difference.shift.T).max())
            luma = float(each.difference.luma[inside(each.difference.points)].mean())
            row |= {"difference": str(drawing), "largest_shift_px": shift, "mean_luma": luma}
            cells += [f"{shift:.1f} px", f"{luma:+.1f}"]
        table.add_row(*cells)
        told[each.name] = row
    if found.left_out:
        listed = ", ".join(f"{name} ({number})" for name, number in found.left_out.items())
        output.warn(f"Left out, with fewer than {FEWEST} people: {listed}")
    fewest = min(each.face.subjects for each in found.faces)
    output.note(
        f"Each composite is the mean of the people in its class, {fewest} or more. That is no privacy guarantee: "
        "a mean of few still resembles each of them."
    )
    if limit is not None:
        output.note(
            f"Maps of differences from {against} share one scale, ±{limit:.0f} grey levels; arrows are {LENGTHENED} "
            "times as long as the shift on the canvas of 256 px."
        )
    payload = {
        "simulated": cohort.simulated,
        "against": against,
        "luma_limit": limit,
        "classes": told,
        "classes_left_out": found.left_out,
        "left_out": reasons_of(cohort.left_out),
    }
    said = "SIMULATED syndromes. " if cohort.simulated else ""
    output.result(payload, f"{said}{len(found.faces)} composites: {out}", table)
