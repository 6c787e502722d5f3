"""A recipe that is going to be learned: its settings, the network that it starts from, and the system they make."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from ganonym.classify.case import Classed
from ganonym.classify.cohort import Cohort, Seen
from ganonym.classify.encoders import read_foundation
from ganonym.classify.model_folder import Card, Model, digest
from ganonym.classify.recipe import Recipe
from ganonym.classify.system import CPU, Arrays, Configuration, System, asked
from ganonym.errors import UsageError


@dataclass(frozen=True, slots=True)
class Encoder:
    """A network of the user's (safetensors) and its SHA-256, hex; neither is the bundled one."""

    path: Path | None = None
    sha256: str | None = None


BUNDLED = Encoder()


@dataclass(frozen=True, slots=True)
class Chosen:
    """A recipe, its configuration as altered, what its system starts from, and the system."""

    recipe: Recipe
    configuration: Configuration
    foundation: Arrays = field(repr=False)
    system: System

    def check(self, cohort: Classed) -> None:
        """Raises UsageError for classes that the system cannot learn."""
        self.configuration.check(cohort.classes, len(cohort.names))


def chosen_system(
    recipe: Recipe, configuration: Configuration, preset: str, encoder: Encoder = BUNDLED, device: str = CPU
) -> Chosen:
    """The system of a recipe with these settings, which began as its `preset`; its networks compute on `device`.

    Raises UsageError for an encoder that does nothing for this recipe, and for the full preset of one that starts from
    a recognizer, without one: with the bundled encoder it would not be what was published.
    """
    if not configuration.pretrained_start:
        refuse_encoder(encoder, recipe.name)
    elif preset == "full" and encoder.path is None:
        raise UsageError(
            f"--preset full of {recipe.name} starts from a network of yours: the bundled one is small and has seen "
            "virtual people only.",
            "Give its safetensors file with --encoder and its digest with --sha256, or take --preset small.",
        )
    starts = configuration.pretrained_start
    foundation = read_foundation(encoder.path, encoder.sha256, configuration.bundled_start) if starts else {}
    return Chosen(recipe, configuration, foundation, configuration.system(foundation, device))


def refuse_encoder(encoder: Encoder, name: str) -> None:
    """Raises UsageError for a network that the system called `name` does not start from."""
    options = (("--encoder", encoder.path), ("--sha256", encoder.sha256))
    if given := [option for option, value in options if value is not None]:
        raise UsageError(f"{' and '.join(given)}: {name} starts from no pretrained network.", "Leave it out.")


def learned_model(chosen: Chosen, cohort: Cohort, seen: Seen, seed: int) -> Model:
    """What the system learns from a cohort that it has `seen`, ready to be asked. UsageError when training diverged."""
    trained = chosen.system.method.learn(seen.inputs, seen.classes, len(cohort.names), seed)
    asked(trained, seen.inputs[:16])  # what says nothing is not kept
    card = Card(
        settings=chosen.configuration.model_dump(),
        seed=seed,
        names=cohort.names,
        photos=len(cohort.cases),
        subjects=len(set(cohort.subjects)),
        simulated=cohort.simulated,
        foundation=digest(chosen.foundation),
    )
    return Model(chosen.recipe, card, chosen.configuration, chosen.system.look, trained, chosen.foundation)
