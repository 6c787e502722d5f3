"""From the name of a published system and its settings to the system itself."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from ganonym.classify import configurations as kinds
from ganonym.classify.classifier import Arrays
from ganonym.classify.configurations import Configuration
from ganonym.classify.fit import CPU
from ganonym.classify.looks import System
from ganonym.errors import EnvironmentFault, UsageError
from ganonym.weights import read_tensors, sha256_file, verified_path

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


def read_foundation(path: Path | None = None, sha256: str | None = None, kind: str = "gestaltmatcher") -> Arrays:
    """What the system called `kind` starts from: the file at `path`, or the bundled one.

    An iResNet for all but "deepgestalt", which starts from its four region networks. A file of the user's is read only
    when its SHA-256 is `sha256`. Raises EnvironmentFault, and UsageError for a digest without a file or the reverse.
    """
    if path is None:
        if sha256 is not None:
            raise UsageError("--sha256 is the digest of an --encoder, and none is given.", "Give both, or neither.")
        return read_tensors(verified_path("regions" if kind == "deepgestalt" else "gestalt"))[0]
    if not path.is_file():
        raise EnvironmentFault(f"there is no file {path}.", "Give the safetensors file of a pretrained network.")
    found = sha256_file(path)
    if sha256 is None:
        raise UsageError(f"{path} is given without its digest.", f"If you trust the file: --sha256 {found}")
    if found != sha256.lower():
        raise EnvironmentFault(
            f"{path} has SHA-256 {found}, not {sha256}.", "Give its digest with --sha256 if you trust the file."
        )
    return read_tensors(path)[0]


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
