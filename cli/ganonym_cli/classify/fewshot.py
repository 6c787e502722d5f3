"""`ganonym classify fewshot`."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ganonym_cli.classify.options import Data, Digest, Encoder, Images, cohort_of, marked, reasons_of, star
from ganonym_cli.console import Output
from ganonym_cli.device import Device, device_of
from ganonym_cli.options import Cache, Jobs, Json, Quiet, Seed
from ganonym_cli.table import Table

if TYPE_CHECKING:
    from ganonym.classify.case import Classed
    from ganonym.classify.cohort import Cohort
    from ganonym.classify.fewshot.learners import Compared


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
    from ganonym.classify.encoders import read_foundation
    from ganonym.classify.fewshot.episodes import Shape
    from ganonym.classify.fewshot.learners import check_episodes, compare
    from ganonym.classify.looks import embedded
    from ganonym.errors import UsageError

    output = Output(as_json, quiet)
    if base and frequent is not None:
        raise UsageError("--base and --frequent both say what base classes are.", "Give one of them.")
    shape = Shape(ways, shots, queries)

    def check(them: Classed) -> None:
        check_episodes(them.classes, them.subjects, _base(them, base, frequent), shape)

    look = embedded(read_foundation(encoder, sha256), device_of(device, output))
    with output.progress() as advance:
        cohort = cohort_of(data, images, None, jobs, output, advance, check=check, crops=look.crops, cache=cache)
        taught = _base(cohort, base, frequent)
        seen = look(cohort.portraits)
        found = compare(seen, cohort.classes, cohort.subjects, taught, shape, seed, episodes, tell=advance)
    _tell(output, cohort, found)


def _base(them: Classed, names: list[str] | None, frequent: int | None) -> list[int]:
    from ganonym.classify.case import people_of
    from ganonym.classify.retrieval.protocol import FREQUENT
    from ganonym.errors import UsageError

    unknown = sorted(set(names or ()) - set(them.names))
    if unknown:
        raise UsageError(f"nobody has the disorder {unknown[0]!r}.", f"There are {', '.join(them.names)}.")
    more_than = FREQUENT if frequent is None else frequent
    chosen = names or [name for name, number in people_of(them).items() if number > more_than]
    return [them.names.index(name) for name in chosen]


def _tell(output: Output, cohort: Cohort, found: Compared) -> None:
    """One row a learner; whatever did not take part is named."""
    from ganonym.statistics.intervals import FEW

    shape = found.shape
    people = Counter(number for _, number in set(zip(cohort.subjects, cohort.classes.tolist(), strict=True)))

    def named(numbers: tuple[int, ...]) -> dict[str, int]:
        return {cohort.names[number]: people[number] for number in numbers}

    nobody = tuple(number for number in range(len(cohort.names)) if not people[number])  # no photo of theirs is usable
    left = named((*found.left_out, *nobody))
    few = sum(named(found.novel).values()) < FEW
    table = Table("learner", "accuracy", "over episodes", "over people")
    for name, each in found.learners:
        spans = (f"{one.low:.3f} to {one.high:.3f}" for one in (each.over_episodes, each.over_subjects))
        table.add_row(name, marked(f"{each.over_episodes.value:.3f}", few), *spans)
    for name, _ in found.not_run:
        table.add_row(name, "not run")
    payload: dict[str, Any] = {
        "simulated": cohort.simulated,
        "ways": shape.ways,
        "shots": shape.shots,
        "queries": shape.queries,
        "chance": found.chance,
        "base": named(found.base),
        "novel": named(found.novel),
        "few_people": few,
        "classes_left_out": left,
        "base_not_in_episodes": named(found.base_left_out),
        "training": None
        if found.training is None
        else {"ways": found.training.ways, "shots": found.training.shots, "queries": found.training.queries},
        "learners": {
            name: {
                "episodes": each.episodes,
                "over_episodes": each.over_episodes.model_dump(),
                "over_subjects": each.over_subjects.model_dump(),
            }
            for name, each in found.learners
        },
        "not_run": dict(found.not_run),
        "left_out": reasons_of(cohort.left_out),
    }
    if left:
        listed = ", ".join(f"{name} ({number})" for name, number in left.items())
        output.warn(f"Left out, with fewer than {shape.shots} + {shape.queries} people: {listed}")
    if found.base and found.base_left_out:
        listed = ", ".join(f"{name} ({number})" for name, number in named(found.base_left_out).items())
        output.warn(f"Base classes in no training episode, with too few people: {listed}")
    if found.not_run:
        output.warn(f"Not run, as {found.not_run[0][1]}: {', '.join(name for name, _ in found.not_run)}")
    output.note("Intervals are of 95 %; those over people are over the people asked for, not over those learned from.")
    said = "SIMULATED syndromes. " if cohort.simulated else ""
    output.result(
        payload,
        f"{said}{shape.ways} ways, {shape.shots} shots, {shape.queries} queries of people; chance {found.chance:.3f}.",
        f"{len(found.base)} base classes: {', '.join(named(found.base)) or 'none'}",
        f"{len(found.novel)} novel classes: {', '.join(named(found.novel))}",
        table,
        *star(few),
    )
