"""Options of commands that are fields of `Settings`: least value, default and help are the field's own.

Nothing that was not said reaches the settings, so every option is None by default; `said` collects what was.
"""

from __future__ import annotations

from typing import Annotated, Any, TypeAlias

import typer
from annotated_types import Ge
from pydantic import BaseModel

from ganonym.settings import (
    Background,
    FaceRule,
    Link,
    MechanismChoice,
    OutputKind,
    ReleasePolicy,
    Settings,
    SmallClasses,
    TextRule,
    Verification,
)
from ganonym_cli.options import Given


def field_option(model: type[BaseModel], name: str, panel: str) -> Any:  # typer's own type, which it does not name
    """The option of a field. One that is true by default becomes `--no-NAME`, one that is false `--NAME`."""
    field = model.model_fields[name]
    flag = f"-{name}" if len(name) == 1 else f"--{name.replace('_', '-')}"
    switch = field.annotation is bool
    if switch and field.default:
        flag = f" /--no-{name.replace('_', '-')}"
    extra = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
    return typer.Option(
        flag,
        min=next((bound.ge for bound in field.metadata if isinstance(bound, Ge)), None),  # type: ignore[arg-type]
        help=field.description,
        show_default=False if switch else str(extra.get("shown", field.default)),  # where the value does not speak
        rich_help_panel=panel,
    )


Mechanism: TypeAlias = Annotated[MechanismChoice | None, field_option(Settings, "mechanism", "Privacy")]
Policy: TypeAlias = Annotated[ReleasePolicy | None, field_option(Settings, "policy", "Privacy")]
K: TypeAlias = Annotated[int | None, field_option(Settings, "k", "Privacy")]
Keep: TypeAlias = Annotated[str | None, field_option(Settings, "keep", "Privacy")]
Small: TypeAlias = Annotated[SmallClasses | None, field_option(Settings, "small_classes", "Privacy")]
Linked: TypeAlias = Annotated[Link | None, field_option(Settings, "link", "Privacy")]
Epsilon: TypeAlias = Annotated[float | None, field_option(Settings, "epsilon", "Privacy")]
Verify: TypeAlias = Annotated[Verification | None, field_option(Settings, "verify", "Privacy")]
Understood: TypeAlias = Annotated[bool | None, field_option(Settings, "i_understand", "Privacy")]
Picture: TypeAlias = Annotated[OutputKind | None, field_option(Settings, "output", "Privacy")]
Surroundings: TypeAlias = Annotated[Background | None, field_option(Settings, "background", "Privacy")]
Text: TypeAlias = Annotated[TextRule | None, field_option(Settings, "text", "Privacy")]
SubjectFace: TypeAlias = Annotated[FaceRule | None, field_option(Settings, "subject_face", "Batch")]
Resume: TypeAlias = Annotated[bool | None, field_option(Settings, "resume", "Batch")]
RunSeed: TypeAlias = Annotated[int | None, field_option(Settings, "seed", "Common")]
RunJobs: TypeAlias = Annotated[int | None, field_option(Settings, "jobs", "Common")]


def said(keep: str | None = None, **options: object) -> Given:
    """What the command line said of the settings; `keep` is given with commas.

    >>> said(keep="signs, age", k=None, seed=0)
    {'keep': ('signs', 'age'), 'seed': 0}
    """
    names = None if keep is None else tuple(name.strip() for name in keep.split(","))
    return {name: value for name, value in {"keep": names, **options}.items() if value is not None}
