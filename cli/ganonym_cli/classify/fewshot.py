"""`ganonym classify fewshot`."""

from __future__ import annotations

from typing import Annotated

import typer

from ganonym_cli.classify.options import Data, Digest, Encoder, Images, marked, say, simulated, star, workers
from ganonym_cli.console import Output
from ganonym_cli.options import Cache, Device, Jobs, Json, Quiet, Seed, cache_at
from ganonym_cli.table import Table


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
    from ganonym.classify.chosen import Encoder
    from ganonym.classify.fewshot.episodes import Shape
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
        found = studies.fewshot(study, plan, advance)
    compared = found.compared
    table = Table("learner", "accuracy", "over episodes", "over people")
    for name, accuracy in compared.learners:
        intervals = (accuracy.over_episodes, accuracy.over_subjects)
        spans = (f"{interval.low:.3f} to {interval.high:.3f}" for interval in intervals)
        table.add_row(name, marked(f"{accuracy.over_episodes.value:.3f}", found.few_people), *spans)
    for name, _ in compared.not_run:
        table.add_row(name, "not run")
    say(output, found.remarks)
    output.result(
        found.payload(),
        f"{simulated(found.simulated)}{ways} ways, {shots} shots, {queries} queries of people; "
        f"chance {compared.chance:.3f}.",
        f"{len(found.base)} base classes: {', '.join(found.base) or 'none'}",
        f"{len(found.novel)} novel classes: {', '.join(found.novel)}",
        table,
        *star(found.few_people),
    )
