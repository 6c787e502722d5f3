"""What a steward demands of a release: limits of the gates (protocol §3.8), from a built-in policy or a TOML file."""

from __future__ import annotations

import hashlib
import json
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ganonym.checked import refusal
from ganonym.errors import UsageError

POLICIES = ("public", "controlled", "internal")

Mode: TypeAlias = Literal["required", "required if public", "report", "off"]
"""required: the release depends on it; required if public: where any original may be public; report: shown only."""

Share: TypeAlias = Annotated[float, Field(gt=0.0, le=1.0)]


class Rule(BaseModel):
    """Whether a gate counts."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    mode: Mode


class RateRule(Rule):
    """Upper bounds of the share of subjects named and of its advantage over chance; None: no limit."""

    rate: Share | None = None
    advantage: Share | None = None


class ExcessRule(Rule):
    """Upper bound of what is told beyond what is public anyway."""

    excess: Share


class InferenceRule(ExcessRule):
    """`attributes` that must be evaluated; with none named, all that could be are judged."""

    attributes: Annotated[tuple[str, ...], Field(strict=False)] = ()


class GroupRule(Rule):
    """`factor` times the limits of singling out, in groups of `smallest` subjects or more; what `small` ones mean."""

    factor: Annotated[float, Field(ge=1.0)]
    smallest: Annotated[int, Field(ge=2)]
    small: Literal["inconclusive", "report"]


class MetadataRule(Rule):
    """Subjects that share their released columns, at least."""

    smallest_class: Annotated[int, Field(ge=1)]


class Policy(BaseModel):
    """All limits. `inconclusive` and `not_evaluated` say whether such a verdict is accepted by the exit code.

    >>> strict = Policy.load("public")
    >>> strict.singling_out.rate, strict.inconclusive
    (0.09, 'refuse')
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    name: Annotated[str, Field(min_length=1, max_length=80)]
    valid_days: Annotated[int, Field(ge=1, le=3650)]
    inconclusive: Literal["refuse", "accept"]
    not_evaluated: Literal["refuse", "accept"]
    integrity: Rule
    controls: Rule
    singling_out: RateRule
    same_photo: RateRule
    linkability: RateRule
    reversal: RateRule
    inference: InferenceRule
    donors: ExcessRule
    groups: GroupRule
    metadata: MetadataRule
    guarantee: Rule
    utility: Rule

    @classmethod
    def load(cls, given: str | Path) -> Policy:
        """A built-in policy ("public", "controlled", "internal"), or a TOML file that alters one: see `load_policy`.

        Raises UsageError listing every unknown key and wrong value.

        >>> Policy.load("public").singling_out.rate
        0.09
        """
        return load_policy(given)

    def digest(self) -> str:
        """Hex SHA-256 over every limit."""
        text = json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()


def load_policy(given: str | Path) -> Policy:
    """A built-in policy by name, or a TOML file that says `base = "…"` and what differs from it.

    An altered policy never goes by a built-in name. Raises UsageError listing every unknown key and wrong value.
    """
    if given in POLICIES:
        return _checked(_built_in(str(given)), f"policy {given}")
    path = Path(given)
    if not path.is_file():
        raise UsageError(
            f"no policy called {str(given)!r}, and no such file.", f"There are: {', '.join(POLICIES)}; or a TOML file."
        )
    altered = _read(path)
    base = altered.pop("base", None)
    if base not in POLICIES:
        raise UsageError(f"{path} does not say what it alters.", f'Add: base = "{POLICIES[0]}" (or {POLICIES[1:]}).')
    name = altered.setdefault("name", f"{base}, altered by {path.name}")
    if name in POLICIES:
        raise UsageError(f"{path} calls itself {name}, a built-in policy.", "Give it a name of its own.")
    return _checked(_merged(_built_in(base), altered), str(path))


def _built_in(name: str) -> dict[str, Any]:
    return _read(Path(__file__).parent / "policies" / f"{name}.toml")


def _merged(base: dict[str, Any], altered: dict[str, Any]) -> dict[str, Any]:
    both = dict(base)
    for key, value in altered.items():
        section = base.get(key)
        both[key] = {**section, **value} if isinstance(section, dict) and isinstance(value, dict) else value
    return both


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read the policy {path}: {error}.", "It must be TOML in UTF-8.") from error


def _checked(values: dict[str, Any], where: str) -> Policy:
    try:
        return Policy.model_validate(values)
    except ValidationError as error:
        raise refusal(error, where, "Compare it with ganonym/evaluate/verdict/policies/*.toml.") from None
