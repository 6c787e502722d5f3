"""assessment.json: the same assessment gives the same bytes, and a reader of another version finds out."""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import ValidationError

from ganonym.errors import EnvironmentFault, UsageError
from ganonym.evaluate.assessment import SCHEMA_VERSION, Assessment

NAME = "assessment.json"
_SHOWN = 5


def to_json(assessment: Assessment) -> bytes:
    """UTF-8 JSON with sorted keys, two spaces of indent and a final newline. Raises ValueError on NaN or infinity."""
    text = json.dumps(assessment.model_dump(mode="json"), sort_keys=True, indent=2, ensure_ascii=False, allow_nan=False)
    return (text + "\n").encode()


def write_assessment(path: Path, assessment: Assessment) -> None:
    """Put `to_json` at `path`, whole or not at all. Raises EnvironmentFault, and ValueError as `to_json` does."""
    write_whole(path, to_json(assessment))


def write_whole(path: Path, data: bytes) -> None:
    """Put `data` at `path` by way of a temporary sibling. Raises EnvironmentFault."""
    partial = path.with_name(f".{path.name}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_bytes(data)
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise EnvironmentFault(f"cannot write {path}: {error.strerror}.", "Check space and permissions.") from error


def read_assessment(path: Path) -> Assessment:
    """The assessment in a file, or in the folder that holds assessment.json.

    Raises UsageError when it cannot be read, is no JSON, is of another schema version or does not fit the schema.
    """
    file = path / NAME if path.is_dir() else path
    again = "Run ganonym assess again."
    try:
        found = json.loads(file.read_bytes(), parse_constant=_refuse)
    except OSError as error:
        raise UsageError(f"cannot read the assessment {file}: {error.strerror}.", "Name an --out of assess.") from error
    except ValueError as error:
        raise UsageError(f"the assessment {file} is no JSON: {error}.", again) from error
    version = found.get("schema_version") if isinstance(found, dict) else None
    if version != SCHEMA_VERSION:
        raise UsageError(
            f"the assessment {file} is of schema version {version!r}; this ganonym reads {SCHEMA_VERSION}.", again
        )
    try:
        return Assessment.model_validate_json(json.dumps(found))
    except ValidationError as error:
        faults = [f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()]
        more = [f"… and {len(faults) - _SHOWN} more"] if len(faults) > _SHOWN else []
        listed = "; ".join([*faults[:_SHOWN], *more])
        raise UsageError(f"the assessment {file} does not fit the schema: {listed}.", again) from error


def json_schema() -> bytes:
    """JSON Schema (draft 2020-12) of assessment.json, in the same form as `to_json`."""
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **Assessment.model_json_schema()}
    return (json.dumps(schema, sort_keys=True, indent=2, ensure_ascii=False) + "\n").encode()


def _refuse(constant: str) -> float:
    raise ValueError(f"{constant} is no JSON number")
