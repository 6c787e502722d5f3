"""`ganonym classify match`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ganonym_cli.classify.ensemble import (
    BaseDigests,
    Bases,
    Digests,
    Encoders,
    Kept,
    Models,
    Onnx,
    OnnxDigests,
    Views,
    ensemble_of,
    refuse_nobody,
    tell_kept,
    told_of,
)
from ganonym_cli.classify.options import Images, cases_of, reasons_of, warn_of, workers
from ganonym_cli.console import Output
from ganonym_cli.device import Device
from ganonym_cli.options import Cache, Jobs, Json, Quiet, cache_at
from ganonym_cli.table import Table


def match(
    photos: Annotated[list[Path], typer.Argument(metavar="PHOTO", help="Photographs.", show_default=False)],
    gallery: Annotated[
        list[Path],
        typer.Option("--gallery", help="A table of cases with disorders, as --data; repeatable.", show_default=False),
    ],
    images: Images = None,
    top: Annotated[int, typer.Option("--top", min=1, help="So many disorders of each.")] = 5,
    model: Models = None,
    encoder: Encoders = None,
    sha256: Digests = None,
    onnx: Onnx = None,
    onnx_sha256: OnnxDigests = None,
    base: Bases = None,
    base_sha256: BaseDigests = None,
    views: Views = True,
    encodings: Kept = None,
    device: Device = "auto",
    cache: Cache = None,
    jobs: Jobs = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """The disorders of a gallery nearest to each photograph, as GestaltMatcher. No diagnosis: a distance of faces."""
    from ganonym.classify.case import Case, roster
    from ganonym.classify.retrieval.gallery import encoded, look
    from ganonym.classify.retrieval.ranking import matches

    output = Output(as_json, quiet)
    ensemble, _ = ensemble_of(model, encoder, sha256, onnx, onnx_sha256, base, base_sha256, views, device, output)
    # Nothing is known of them: every photo is a person of its own, of some disorder or other.
    asked = [Case(name, Path(name), name, "?") for name in dict.fromkeys(map(str, photos))]
    cases = cases_of(gallery, images, output)
    roster(cases)  # refuses a gallery of no disorder before any photograph is looked at
    faces = cache_at(cache)
    with output.progress() as advance:
        known = look(cases, ensemble, encodings, workers(jobs), advance, faces)
        refuse_nobody(known)
        there = encoded(known, ensemble, encodings, advance)
        probes = look(asked, ensemble, None, workers(jobs), cache=faces)
        found = matches(encoded(probes, ensemble), there, known.cases, top)
    table = Table("photograph", "disorder", "distance", "nearest photograph")
    told = {}
    for case, row in zip(probes.cases, found, strict=True):
        told[case.image] = [
            {
                "disorder": each.disorder,
                "distance": each.distance,
                "image": each.case.image,
                "subject": each.case.subject,
            }
            for each in row
        ]
        for place, each in enumerate(row):
            table.add_row("" if place else case.image, each.disorder, f"{each.distance:.3f}", each.case.image)
    tell_kept(output, encodings, known.stored is not None)
    warn_of(known.left_out, output)
    for image, reason in probes.left_out:
        output.warn(f"{image}: {reason}")
    if known.simulated:
        output.note("The gallery holds SIMULATED syndromes.")
    people, names = {case.subject for case in known.cases}, {case.disorder for case in known.cases}
    payload = {
        "simulated": known.simulated,
        "gallery": {
            "photos": len(there.images),
            "subjects": len(people),
            "disorders": len(names),
            "left_out": reasons_of(known.left_out),
        },
        "photos": told,
        "left_out": reasons_of(probes.left_out, "photo"),
    }
    output.result(payload | told_of(ensemble), table)
    if probes.left_out:
        raise typer.Exit(1)
