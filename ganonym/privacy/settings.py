"""What a run asks of the privacy stage."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal, TypeAlias, get_args

from ganonym.errors import UsageError
from ganonym.privacy.attributes import AttributeChoice
from ganonym.privacy.expression import ExpressionBudget

AttributeSource: TypeAlias = Literal["group", "subject"]
Mechanism: TypeAlias = Literal["k-same", "codebook", "metric", "none"]
SmallClasses: TypeAlias = Literal["withhold", "merge"]
Dispersal: TypeAlias = Literal["photo", "subject", "none"]


@dataclass(frozen=True, slots=True)
class PrivacySettings:
    """Mechanism and budgets of one run. Raises UsageError when they do not fit together.

    `k`, `small_classes` (of fewer than k subjects) and `attributes_from` (a random member of the group, or the subject,
    as with all other mechanisms) concern k-same; `codes`, `codebook_seed` concern codebook (the
    seed is public); `epsilon` (per population SD) and `directions` (how many identity coefficients leave at all)
    concern metric. `disperse` says whether photos of one subject are drawn independently. `none` releases exact shapes
    and is refused without `i_understand`.

    >>> PrivacySettings().k
    11
    """

    mechanism: Mechanism = "k-same"
    k: int = 11
    disperse: Dispersal = "photo"
    small_classes: SmallClasses = "withhold"
    codes: int = 32
    codebook_seed: int = 0
    epsilon: float = 1.0
    directions: int = 8
    expression: ExpressionBudget = field(default_factory=ExpressionBudget)
    attributes: AttributeChoice = field(default_factory=AttributeChoice)
    attributes_from: AttributeSource = "group"
    i_understand: bool = False

    def __post_init__(self) -> None:
        if self.mechanism not in get_args(Mechanism):
            raise UsageError(f"unknown mechanism {self.mechanism!r}.", f"Choose {', '.join(get_args(Mechanism))}.")
        if self.disperse not in ("photo", "subject", "none"):
            raise UsageError(f"unknown dispersal {self.disperse!r}.", "Choose photo, subject or none.")
        if self.small_classes not in get_args(SmallClasses):
            raise UsageError(f"unknown treatment {self.small_classes!r} of small classes.", "Choose withhold or merge.")
        if self.attributes_from not in get_args(AttributeSource):
            raise UsageError(f"unknown source {self.attributes_from!r} of attributes.", "Choose group or subject.")
        if self.k < 2:
            raise UsageError(f"k = {self.k} protects nobody.", "Choose k of at least 2; 11 is the default.")
        if self.codes < 1:
            raise UsageError(f"a codebook of {self.codes} shapes is empty.", "Choose at least 1; 32 is the default.")
        if not 0 < self.epsilon < math.inf:
            raise UsageError(f"ε = {self.epsilon} is not a positive number.", "Choose it with ganonym plan --epsilon.")
        if self.directions < 1:
            raise UsageError(f"{self.directions} directions carry nothing.", "Choose at least 1; 8 is the default.")
        if self.mechanism == "none" and not self.i_understand:
            raise UsageError(
                "mechanism none releases exact landmarks, which re-identify people.", "Add --i-understand to insist."
            )
