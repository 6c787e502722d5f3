"""From the name of a published system and its settings to the system itself."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from pydantic import ValidationError

from ganonym.classify import configurations as kinds
from ganonym.classify.configurations import Configuration
from ganonym.classify.learning.fit import CPU
from ganonym.classify.looks import System
from ganonym.classify.system import Arrays
from ganonym.errors import UsageError

SYSTEMS: Mapping[str, type[Configuration]] = {
    "deepgestalt": kinds.DeepGestaltConfiguration,
    "gestaltmatcher": kinds.GestaltMatcherConfiguration,
    "margin": kinds.MarginConfiguration,
    "meta-baseline": kinds.MetaBaselineConfiguration,
    "prototypes": kinds.PrototypesConfiguration,
    "cnn": kinds.CnnConfiguration,
    "screening": kinds.ScreeningConfiguration,
    "measurement": kinds.MeasurementConfiguration,
    "ordinal": kinds.OrdinalConfiguration,
    "photo-set": kinds.PhotoSetConfiguration,
}


def configured(kind: str, settings: Mapping[str, Any], changed: Collection[str] = ()) -> Configuration:
    """The configuration of the system called `kind`, from all of its settings.

    Raises UsageError that lists everything that is wrong: the system is unknown, a setting lacks, means nothing there,
    is of another kind or out of range, or was `changed` on purpose and does nothing beside the others.

    >>> configured("measurement", {"learner": "logistic", "strength": 0.0, "trees": 5})
    Traceback (most recent call last):
    ganonym.errors.UsageError: the settings of measurement cannot be used: strength is 0.0. ...
    """
    if kind not in SYSTEMS:
        raise UsageError(f"there is no system {kind!r}.", f"There are {', '.join(SYSTEMS)}.")
    try:
        found = SYSTEMS[kind].model_validate(dict(settings))
    except ValidationError as error:
        raise _refused(kind, settings, error) from None
    if idle := [f"{name} does nothing, for {found.idle[name]}" for name in changed if name in found.idle]:
        raise UsageError(f"the settings of {kind}: {'; '.join(idle)}.", "Leave it as it is, or change the other, too.")
    return found


def system_of(kind: str, settings: Mapping[str, Any], foundation: Arrays, device: str = CPU) -> System:
    """The system called `kind` with all of `settings`. Raises UsageError as `configured` does.

    `foundation`: parameters of the pretrained network that the system starts from (`read_foundation`), empty where it
    starts from none. `device`: where networks of faces compute (`fit.Schedule`); what learns from embeddings or
    landmarks is small and stays on the processor.
    """
    return configured(kind, settings).system(foundation, device)


def meaning(kind: str) -> dict[str, str]:
    """What each setting of a system may be, in words, from its configuration.

    >>> meaning("screening")
    {'strength': 'a number above 0, up to 1e+06'}
    """
    return {name: _words(each) for name, each in SYSTEMS[kind].model_json_schema().get("properties", {}).items()}


def _refused(kind: str, settings: Mapping[str, Any], error: ValidationError) -> UsageError:
    meant = meaning(kind)
    names = dict.fromkeys(str(each["loc"][0]) for each in error.errors())
    lacking = sorted(name for name in names if name not in settings)
    extra = [name for name in names if name not in meant]
    wrong = [name for name in names if name in settings and name in meant]
    parts = [f"they lack {', '.join(lacking)}"] if lacking else []
    parts += [f"they have {', '.join(extra)}, which means nothing"] if extra else []
    parts += [f"{name} is {settings[name]!r}" for name in wrong]
    ranges = [f"{name} must be {meant[name]}" for name in (wrong + lacking)]
    remedy = f"{'; '.join(ranges)}." if ranges else f"They are {', '.join(meant) or 'none'}."
    return UsageError(f"the settings of {kind} cannot be used: {'; '.join(parts)}.", remedy)


def _words(schema: Mapping[str, Any]) -> str:
    """A setting's JSON schema in plain English."""
    if "anyOf" in schema:
        return " or ".join(_words(each) for each in schema["anyOf"])
    if "const" in schema:
        return str(schema["const"])
    if "enum" in schema:
        return "one of " + ", ".join(map(str, schema["enum"]))
    if schema["type"] == "boolean":
        return "true or false"
    if schema["type"] == "array":
        return f"a list, each once, of {_words(schema['items']).removeprefix('one of ')}"
    what = "a whole number" if schema["type"] == "integer" else "a number"
    low = f"above {schema['exclusiveMinimum']:g}," if "exclusiveMinimum" in schema else f"from {schema['minimum']}"
    top = f"{schema['maximum']:g}" if schema["type"] == "number" else f"{schema['maximum']}"
    return f"{what} {low} {'up ' if low.startswith('above') else ''}to {top}"
