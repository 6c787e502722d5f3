"""What a run asks of the privacy stage."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field, ValidationInfo, field_validator

from ganonym.checked import Checked
from ganonym.privacy.expression import ExpressionBudget
from ganonym.settings import KEEPABLE, Link, Mechanism, SmallClasses, Weights


class PrivacySettings(Checked):
    """Mechanism and budgets of one run. Raises UsageError when they do not fit together.

    `k`, `weights` and `small_classes` (of fewer than k subjects) concern k-same; `codes`, `codebook_seed` concern
    codebook (the seed is public); `epsilon` (per population SD) and `directions` (how many kept coordinates leave at
    all) concern metric. `keep` names what is kept of a face. With `link` photo, photos of one subject are grouped and
    drawn apart; with subject they share one identity, and `expression` is a budget outside the bound, as it is with
    codebook and metric. `none` releases exact faces and is refused without `i_understand`.

    >>> PrivacySettings().k
    20
    """

    what: ClassVar[str] = "privacy"

    mechanism: Mechanism = "k-same"
    k: Annotated[int, Field(ge=2)] = 20
    keep: tuple[str, ...] = KEEPABLE
    weights: Weights = Weights()
    link: Link = "photo"
    small_classes: SmallClasses = "class"
    codes: Annotated[int, Field(ge=1)] = 32
    codebook_seed: int = 0
    epsilon: Annotated[float, Field(gt=0)] = 1.0
    directions: Annotated[int, Field(ge=1)] = 8
    expression: ExpressionBudget = ExpressionBudget()
    i_understand: Annotated[bool, Field(validate_default=True)] = False

    @field_validator("i_understand")
    @classmethod
    def _insists(cls, value: bool, info: ValidationInfo) -> bool:
        if info.data.get("mechanism") == "none" and not value:
            raise ValueError(
                "must be true (--i-understand) for mechanism none, which releases exact landmarks: they identify people"
            )
        return value
