"""`ganonym classify retrieve`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

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
from ganonym_cli.classify.models import key_of, unchecked
from ganonym_cli.classify.options import Images, cases_of, marked, reasons_of, star, warn_of, workers
from ganonym_cli.console import Output
from ganonym_cli.device import Device
from ganonym_cli.options import Cache, Jobs, Json, Quiet, Seed, cache_at
from ganonym_cli.table import Table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ganonym.classify.case import Case
    from ganonym.classify.model_folder import Model
    from ganonym.classify.retrieval.evaluate import Accuracy
    from ganonym.classify.retrieval.protocol import Plan

FREQUENT, SPLITS = 6, 10
ALONE = "no second patient has its disorder"


def retrieve(
    data: Annotated[
        list[Path],
        typer.Option(
            "--data",
            help="A manifest, or a table of GestaltMatcher's; repeatable: its split lists.",
            show_default=False,
        ),
    ],
    images: Images = None,
    frequent: Annotated[
        int, typer.Option("--frequent", min=1, help="A disorder of more patients than this is frequent.")
    ] = FREQUENT,
    splits: Annotated[int, typer.Option("--splits", min=1, help="Random splits of the rare disorders.")] = SPLITS,
    pool: Annotated[
        Literal["image", "patient", "disorder", "patient-and-disorder", "fused"],
        typer.Option("--pool", help="Whose photographs count together; fused: by mean vectors."),
    ] = "image",
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
    seed: Seed = 0,
    cache: Cache = None,
    jobs: Jobs = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """GestaltMatcher's test: is the disorder among the nearest? Of frequent (F) and rare (R) ones, test/gallery.

    Splits are the table's where every photograph has one, else drawn by patient. Macro top-k with 95 % intervals over
    patients; the gallery stays as it is.
    """
    import numpy as np

    from ganonym.classify.case import roster
    from ganonym.classify.retrieval.evaluate import evaluate
    from ganonym.classify.retrieval.gallery import encoded, look
    from ganonym.classify.retrieval.ranking import POOLS
    from ganonym.errors import UsageError

    output = Output(as_json, quiet)
    ensemble, models = ensemble_of(model, encoder, sha256, onnx, onnx_sha256, base, base_sha256, views, device, output)
    trained = [*zip(models, model or [], strict=True)]
    with output.progress() as advance:
        everything = cases_of(data, images, output, splits=True)
        given = all(case.split for case in everything)
        if given and (frequent, splits) != (FREQUENT, SPLITS):
            raise UsageError("--frequent and --splits do nothing: the table has its own splits.", "Leave them out.")
        known = roster(everything).cases  # what the table alone shows is said before any photograph is looked at
        plan = planned(known, given, frequent, seed, splits)
        checked = given and refuse(trained, known, plan, output)
        looked = look(everything, ensemble, encodings, workers(jobs), advance, cache_at(cache))
        refuse_nobody(looked)
        cases = looked.cases
        plan = planned(cases, given, frequent, seed, splits)
        if not given:  # drawn among those in whom a face was found
            checked = refuse(trained, cases, plan, output)
        there = encoded(looked, ensemble, encodings, advance)
        found = evaluate(plan, cases, there, np.random.default_rng((seed, 1)), POOLS[pool])
    if not given and any(case.split for case in everything):
        output.warn("Some photographs have no split in the table: the splits are drawn, none of the table's is used.")
    left_out = [*looked.left_out, *((image, ALONE) for image in plan.left_out)]
    tell_kept(output, encodings, looked.stored is not None)
    warn_of(left_out, output)
    payload = {
        "simulated": looked.simulated,
        "splits": "published" if given else "drawn",
        "known_to_be_unseen": checked,
        "pool": pool,
        "photos": len(there.images) - len(plan.left_out),
        "subjects": len({case.subject for case in cases if case.image not in set(plan.left_out)}),
        "settings": {each.setting: each.model_dump(exclude={"setting"}) for each in found},
        "left_out": reasons_of(left_out),
        "learnable": [] if plan.frequent is None else [cases[row].image for row in plan.frequent.gallery.tolist()],
    }
    said = "SIMULATED syndromes. " if looked.simulated else ""
    drawn = "Published splits" if given else f"Splits drawn (seed {seed}); frequent: more than {frequent} patients"
    counted = f"{payload['photos']} photographs, {payload['subjects']} people; {len(left_out)} photographs left out."
    output.result(
        payload | told_of(ensemble),
        f"{said}{drawn}. {counted}",
        shown(found),
        *star(any(each.few_people for each in found)),
    )


def planned(cases: Sequence[Case], given: bool, frequent: int, seed: int, splits: int) -> Plan:
    """The table's own splits where they are `given`, else drawn ones. Raises UsageError where there is none to make."""
    from ganonym.classify.retrieval.protocol import check_tested, draw, frequent_disorders, published

    plan = published(cases) if given else draw(cases, frequent_disorders(cases, frequent), seed, splits)
    check_tested(plan)
    return plan


def refuse(models: Sequence[tuple[Model, Path]], cases: Sequence[Case], plan: Plan, output: Output) -> bool:
    """Whether it is known that no model, of the folders beside them, has learned from whom is under test.

    Raises UsageError for one that has; warns of one whose key is not there, and of one that knows R.
    """
    from ganonym.classify.retrieval.protocol import tested
    from ganonym.errors import UsageError

    under_test = tested(cases, plan)
    rare = {cases[row].disorder for split in plan.rare for row in split.test.tolist()}
    checked = True
    for model, folder in models:
        key = key_of(folder)
        tested_on = f"{len(under_test)} photographs under test"
        learned = "" if key is None else model.learned_from(under_test, key).words(tested_on)
        if learned:
            raise UsageError(
                f"the model has learned from {learned}.",
                "Train it on the gallery of the frequent disorders only; give other people with the same ids others.",
            )
        if key is None:
            output.warn(unchecked(folder))
            checked = False
        met = sorted(rare.intersection(model.card.names))
        if met:
            output.warn(f"A model has learned {', '.join(map(str, met[:5]))}: to it R is not unseen.")
    return checked


def shown(found: Sequence[Accuracy]) -> Table:
    """A row a setting, test/gallery; "–" where the gallery has no more disorders than the list."""
    ranks = sorted({k for each in found for k in each.top})
    table = Table("setting", "tested", "gallery", "disorders", *(f"top-{k}" for k in ranks))
    for each in found:
        rates = [each.top.get(k) for k in ranks]
        cells = [
            "–" if rate is None else marked(f"{rate.value:.2f} [{rate.low:.2f}, {rate.high:.2f}]", each.few_people)
            for rate in rates
        ]
        table.add_row(
            each.setting, f"{each.test:g}", f"{each.gallery:g}", f"{each.disorders} of {each.candidates:g}", *cells
        )
    return table
