"""Settings that check themselves: frozen, strict pydantic models whose mistakes are told in one UsageError."""

from __future__ import annotations

from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from ganonym.errors import UsageError

LONGEST = 80  # characters of a wrong value that a message repeats
MOST = 30  # mistakes that a message lists: more than any settings have


class Checked(BaseModel):
    """A frozen model without coercion: a number in quotes is no number, and an unknown name is a mistake.

    Raises UsageError that lists everything that is wrong; `what` names the model in it, `remedy` ends it.

    >>> class Sizes(Checked):
    ...     k: int = 11
    ...     share: float = 0.5
    >>> Sizes(k="3", shares=0.1)
    Traceback (most recent call last):
    ganonym.errors.UsageError: Sizes: k must be a valid integer, not '3'; unknown shares. Known are: k, share.
    >>> Sizes().changed(k=4)
    Sizes(k=4, share=0.5)
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)
    what: ClassVar[str] = ""
    remedy: ClassVar[str] = ""

    def __init__(self, /, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise refusal(error, self.what or type(self).__name__, self.remedy, type(self)) from None

    def changed(self, **values: Any) -> Self:
        """The same with other values, checked as if written anew: a default that follows from them follows again.

        Raises UsageError as the model does.
        """
        return type(self)(**({name: getattr(self, name) for name in self.model_fields_set} | values))


def refusal(error: ValidationError, where: str, remedy: str = "", model: type[BaseModel] | None = None) -> UsageError:
    """What pydantic found wrong as one UsageError: `where` it is, every mistake, then the remedy.

    With `model` the names that it has are the remedy for one that it has not, where no other is given.
    """
    mistakes = error.errors(include_url=False)
    if not remedy and model is not None and any(mistake["type"] == "extra_forbidden" for mistake in mistakes):
        remedy = f"Known are: {', '.join(model.model_fields)}."
    listed = [*map(_sentence, mistakes[:MOST]), *[f"and {len(mistakes) - MOST} more"] * (len(mistakes) > MOST)]
    return UsageError(f"{where}: {'; '.join(listed)}.", remedy)


def _sentence(mistake: ErrorDetails) -> str:
    place = ".".join(map(str, mistake["loc"]))
    if mistake["type"] == "extra_forbidden":
        return f"unknown {place}"
    if mistake["type"] == "missing":
        return f"{place} is missing"
    # The words of our own validators follow pydantic's prefix.
    text = mistake["msg"].removeprefix("Value error, ").replace("Input should be", "must be", 1)
    if not text.startswith("must "):
        return f"{place}: {text}" if place else text
    value = repr(mistake["input"])
    return f"{place} {text}, not {value if len(value) <= LONGEST else value[:LONGEST] + '…'}".lstrip()
