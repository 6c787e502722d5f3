"""What a run asks of the privacy stage."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from ganonym.errors import UsageError
from ganonym.privacy.attributes import AttributeChoice
from ganonym.privacy.expression import ExpressionBudget

Mechanism: TypeAlias = Literal["k-same", "codebook", "none"]
Dispersal: TypeAlias = Literal["photo", "subject", "none"]


@dataclass(frozen=True, slots=True)
class PrivacySettings:
    """Mechanism and budgets of one run. Raises UsageError when they do not fit together.

    `k`, `disperse` concern k-same; `codes`, `codebook_seed` concern codebook (the seed is public). `none` releases
    exact shapes and is refused without `i_understand`.

    >>> PrivacySettings().k
    11
    """

    mechanism: Mechanism = "k-same"
    k: int = 11
    disperse: Dispersal = "photo"
    codes: int = 256
    codebook_seed: int = 0
    expression: ExpressionBudget = field(default_factory=ExpressionBudget)
    attributes: AttributeChoice = field(default_factory=AttributeChoice)
    i_understand: bool = False

    def __post_init__(self) -> None:
        if self.mechanism not in ("k-same", "codebook", "none"):
            raise UsageError(f"unknown mechanism {self.mechanism!r}.", "Choose k-same, codebook or none.")
        if self.disperse not in ("photo", "subject", "none"):
            raise UsageError(f"unknown dispersal {self.disperse!r}.", "Choose photo, subject or none.")
        if self.k < 2:
            raise UsageError(f"k = {self.k} protects nobody.", "Choose k of at least 2; 11 is the default.")
        if self.codes < 1:
            raise UsageError(f"a codebook of {self.codes} shapes is empty.", "Choose at least 1; 256 is the default.")
        if self.mechanism == "none" and not self.i_understand:
            raise UsageError(
                "mechanism none releases exact landmarks, which re-identify people.", "Add --i-understand to insist."
            )
