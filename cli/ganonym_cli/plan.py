"""`ganonym plan`: what each mechanism would promise and give for a release of this size, before any work."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from ganonym_cli.console import Output
from ganonym_cli.options import Json, Quiet, Seed

if TYPE_CHECKING:
    from ganonym.evaluate.forecast import Forecast
    from ganonym.evaluate.verdict.power import Power


def plan(
    subjects: Annotated[int, typer.Option("--subjects", min=2, max=20_000, help="People in the release.")],
    k: Annotated[str, typer.Option("-k", help="k-same: group sizes.")] = "5,11,20",
    codes: Annotated[str, typer.Option("--codes", help="codebook: sizes.")] = "16,32,64",
    epsilon: Annotated[str, typer.Option("--epsilon", help="metric: ε, per population SD.")] = "0.5,1,2",
    directions: Annotated[int, typer.Option(min=1, max=40, help="metric: identity directions.")] = 8,
    seed: Seed = 0,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Forecast privacy and signal of mechanisms and budgets, on virtual shapes of as many people."""
    from ganonym.evaluate.forecast import forecast
    from ganonym.evaluate.verdict.policy import POLICIES, load_policy
    from ganonym.evaluate.verdict.power import power
    from ganonym.faces.shape import load_shape
    from ganonym.privacy.settings import PrivacySettings
    from ganonym.statistics.exact import proportion

    output = Output(as_json, quiet)
    tried = {f"k-same, k = {size:g}": PrivacySettings(k=int(size)) for size in numbers(k, "-k") if size <= subjects}
    tried |= {
        f"codebook, {size:g} codes": PrivacySettings(mechanism="codebook", codes=int(size))
        for size in numbers(codes, "--codes")
    }
    tried |= {
        f"metric, ε = {each:g}": PrivacySettings(
            mechanism="metric", epsilon=each, directions=directions, disperse="subject"
        )
        for each in numbers(epsilon, "--epsilon")
    }
    tried["none (exact shapes)"] = PrivacySettings(mechanism="none", i_understand=True)
    model = load_shape()
    with output.progress() as advance:
        found = {}
        for done, (name, settings) in enumerate(tried.items(), start=1):
            found[name] = forecast(settings, model, subjects, seed)
            advance("try", done, len(tried))
    gates = [each for name in POLICIES for each in power(subjects, load_policy(name))]
    least = proportion(0, subjects, confidence=0.90).high
    payload = {
        "subjects": subjects,
        "simulated": True,
        "least_provable": least,
        "mechanisms": {name: asdict(each) for name, each in found.items()},
        "gates": [asdict(each) for each in gates],
    }
    output.result(
        payload,
        _table(found, subjects),
        _gates(gates, subjects),
        f"With {subjects} subjects no attack can be shown to succeed less often than {least:.3f} "
        "(one-sided 95 % bound when it names nobody).",
    )


def numbers(text: str, option: str) -> list[float]:
    from ganonym.errors import UsageError

    try:
        return [float(each) for each in text.split(",") if each.strip()]
    except ValueError as error:
        raise UsageError(f"{option} {text!r} is no list of numbers.", "Write them with commas: 0.5,1,2.") from error


def _table(found: dict[str, Forecast], subjects: int) -> Table:
    table = Table(
        "mechanism", "declared", "named", "linked", "kept", title=f"{subjects} virtual people, shapes alone, rank-1"
    )
    for name, each in found.items():
        declared = "nothing" if each.bits is None else f"≤ {each.declared:.3f}"
        named, linked = (f"{rate.value:.3f} [{rate.low:.3f}, {rate.high:.3f}]" for rate in (each.named, each.linked))
        table.add_row(name, declared, named, linked, f"{each.kept:.2f}")
    return table


def _gates(gates: list[Power], subjects: int) -> Table:
    table = Table(
        "policy", "gate", "limit", "hits allowed", "perfect passes", "plan for",
        title=f"Which gates {subjects} subjects can pass: one attacker, blind guesses, one photo each",
    )  # fmt: skip
    for each in gates:
        allowed = str(each.allowed) if each.allowed >= 0 else "cannot pass"
        table.add_row(
            each.policy, each.gate, f"≤ {each.limit:.3f}", allowed, f"{each.passes:.1%}", f"{each.needed} subjects"
        )
    return table
