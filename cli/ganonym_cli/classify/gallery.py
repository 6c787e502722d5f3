"""`ganonym classify match`, `retrieve` and `fewshot`: galleries and few examples, and the options of their encoders."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ganonym_cli.classify.options import Data, Digest, Encoder, Images, marked, say, simulated, star, workers
from ganonym_cli.console import Output
from ganonym_cli.options import Cache, Device, Jobs, Json, Quiet, Seed, cache_at
from ganonym_cli.table import Table

if TYPE_CHECKING:
    from ganonym.classify.retrieval.protocol import Accuracy


FREQUENT, SPLITS = 6, 10
_PANEL = "Encoders (several: an ensemble, by the mean of their cosine distances)"
Models = Annotated[
    list[Path] | None,
    typer.Option(
        "--model", help="A trained gestaltmatcher or margin model.", show_default=False, rich_help_panel=_PANEL
    ),
]
Encoders = Annotated[
    list[Path] | None,
    typer.Option(
        "--encoder", help="An iResNet as it is (safetensors).", show_default="the bundled one", rich_help_panel=_PANEL
    ),
]
Digests = Annotated[
    list[str] | None,
    typer.Option("--sha256", help="Digest of each --encoder.", show_default=False, rich_help_panel=_PANEL),
]
Onnx = Annotated[
    list[Path] | None,
    typer.Option("--onnx", help="A recognizer of aligned faces (ONNX).", show_default=False, rich_help_panel=_PANEL),
]
OnnxDigests = Annotated[
    list[str] | None,
    typer.Option("--onnx-sha256", help="Digest of each --onnx.", show_default=False, rich_help_panel=_PANEL),
]
Bases = Annotated[
    list[Path] | None,
    typer.Option(
        "--base",
        help="An iResNet that a --model started from; takes no other part.",
        show_default="the bundled one, or an --encoder",
        rich_help_panel=_PANEL,
    ),
]
BaseDigests = Annotated[
    list[str] | None,
    typer.Option("--base-sha256", help="Digest of each --base.", show_default=False, rich_help_panel=_PANEL),
]
Views = Annotated[
    bool,
    typer.Option("--views/--one-view", help="Mirrored and grey too, four views; or as it is.", rich_help_panel=_PANEL),
]
Kept = Annotated[
    Path | None,
    typer.Option(
        "--encodings",
        help="Keep the encodings of the table's photographs (safetensors): written if absent, else read if it fits. "
        "PERSONAL DATA, as private as the photographs.",
        show_default=False,
    ),
]


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
    from ganonym.classify.studies import gallery as studies

    output = Output(as_json, quiet)
    encoders = studies.Encoders(
        tuple(model or ()),
        studies.paired("--encoder", encoder, "--sha256", sha256),
        studies.paired("--onnx", onnx, "--onnx-sha256", onnx_sha256),
        studies.paired("--base", base, "--base-sha256", base_sha256),
        views,
        device,
    )
    study = studies.GalleryStudy(tuple(gallery), images, encoders, encodings, workers(jobs), cache_at(cache))
    with output.progress() as advance:
        matched = studies.match(study, photos, top, advance)
    table = Table("photograph", "disorder", "distance", "nearest photograph")
    for image, nearest in matched.photos.items():
        for place, row in enumerate(nearest):
            table.add_row("" if place else image, row.disorder, f"{row.distance:.3f}", row.case.image)
    say(output, matched.remarks)
    output.result(matched.payload(), table)
    if matched.left_out:
        raise typer.Exit(1)


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
    from ganonym.classify.studies import gallery
    from ganonym.classify.studies import retrieve as studies

    output = Output(as_json, quiet)
    encoders = gallery.Encoders(
        tuple(model or ()),
        gallery.paired("--encoder", encoder, "--sha256", sha256),
        gallery.paired("--onnx", onnx, "--onnx-sha256", onnx_sha256),
        gallery.paired("--base", base, "--base-sha256", base_sha256),
        views,
        device,
    )
    study = gallery.GalleryStudy(tuple(data), images, encoders, encodings, workers(jobs), cache_at(cache))
    with output.progress() as advance:
        retrieval = studies.retrieve(study, studies.Protocol(frequent, splits, pool, seed), advance)
    say(output, retrieval.remarks)
    drawn = f"Splits drawn (seed {seed}); frequent: more than {frequent} patients"
    counted = (
        f"{retrieval.photos} photographs, {retrieval.subjects} people; {len(retrieval.left_out)} photographs left out."
    )
    output.result(
        retrieval.payload(),
        f"{simulated(retrieval.simulated)}{'Published splits' if retrieval.given else drawn}. {counted}",
        shown(retrieval.accuracies),
        *star(any(accuracy.few_people for accuracy in retrieval.accuracies)),
    )


def shown(accuracies: Sequence[Accuracy]) -> Table:
    """A row a setting, test/gallery; "–" where the gallery has no more disorders than the list."""
    ranks = sorted({k for row in accuracies for k in row.top})
    table = Table("setting", "tested", "gallery", "disorders", *(f"top-{k}" for k in ranks))
    for row in accuracies:
        rates = [row.top.get(k) for k in ranks]
        cells = [
            "–" if rate is None else marked(f"{rate.value:.2f} [{rate.low:.2f}, {rate.high:.2f}]", row.few_people)
            for rate in rates
        ]
        table.add_row(
            row.setting, f"{row.test:g}", f"{row.gallery:g}", f"{row.disorders} of {row.candidates:g}", *cells
        )
    return table


def fewshot(
    data: Data,
    images: Images = None,
    ways: Annotated[int, typer.Option("--ways", min=2, help="Novel classes in an episode.")] = 5,
    shots: Annotated[int, typer.Option("--shots", min=1, help="People of each to learn from.")] = 1,
    queries: Annotated[int, typer.Option("--queries", min=1, help="Others of each to be told apart.")] = 1,
    episodes: Annotated[int, typer.Option("--episodes", min=2, help="Episodes to test in.")] = 600,
    frequent: Annotated[
        int | None,
        typer.Option("--frequent", min=0, help="Disorders of more people are base classes.", show_default="6"),
    ] = None,
    base: Annotated[
        list[str] | None,
        typer.Option("--base", metavar="NAME", help="Base class, in place of --frequent; repeatable."),
    ] = None,
    encoder: Encoder = None,
    sha256: Digest = None,
    device: Device = "auto",
    seed: Seed = 0,
    cache: Cache = None,
    jobs: Jobs = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Few-shot learners side by side: base classes teach, novel ones are told apart from a few people of each."""
    from ganonym.classify.fewshot.episodes import Shape
    from ganonym.classify.recipe import Encoder
    from ganonym.classify.studies import fewshot as studies
    from ganonym.classify.studies.study import Study

    output = Output(as_json, quiet)
    study = Study(
        data,
        images,
        encoder=Encoder(encoder, sha256),
        device=device,
        seed=seed,
        jobs=workers(jobs),
        cache=cache_at(cache),
    )
    plan = studies.Episodes(Shape(ways, shots, queries), episodes, frequent, tuple(base or ()))
    with output.progress() as advance:
        result = studies.fewshot(study, plan, advance)
    compared = result.compared
    table = Table("learner", "accuracy", "over episodes", "over people")
    for name, accuracy in compared.learners:
        intervals = (accuracy.over_episodes, accuracy.over_subjects)
        spans = (f"{interval.low:.3f} to {interval.high:.3f}" for interval in intervals)
        table.add_row(name, marked(f"{accuracy.over_episodes.value:.3f}", result.few_people), *spans)
    for name, _ in compared.not_run:
        table.add_row(name, "not run")
    say(output, result.remarks)
    output.result(
        result.payload(),
        f"{simulated(result.simulated)}{ways} ways, {shots} shots, {queries} queries of people; "
        f"chance {compared.chance:.3f}.",
        f"{len(result.base)} base classes: {', '.join(result.base) or 'none'}",
        f"{len(result.novel)} novel classes: {', '.join(result.novel)}",
        table,
        *star(result.few_people),
    )
