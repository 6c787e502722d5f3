"""What a run asks of the privacy stage."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field, ValidationInfo, field_validator

from ganonym.checked import Checked
from ganonym.privacy.expression import ExpressionBudget
from ganonym.privacy.subject import AttributeChoice
from ganonym.settings import AttributeSource, Dispersal, Mechanism, SmallClasses


class PrivacySettings(Checked):
    """Mechanism and budgets of one run. Raises UsageError when they do not fit together.

    `k`, `small_classes` (of fewer than k subjects) and `attributes_from` (a random member of the group, or the subject,
    as with all other mechanisms) concern k-same; `codes`, `codebook_seed` concern codebook (the
    seed is public); `epsilon` (per population SD) and `directions` (how many identity coefficients leave at all)
    concern metric. `disperse` says whether photos of one subject are drawn independently. `none` releases exact shapes
    and is refused without `i_understand`.

    >>> PrivacySettings().k
    11
    """

    what: ClassVar[str] = "privacy"

    mechanism: Mechanism = "k-same"
    k: Annotated[int, Field(ge=2)] = 11
    disperse: Dispersal = "photo"
    small_classes: SmallClasses = "withhold"
    codes: Annotated[int, Field(ge=1)] = 32
    codebook_seed: int = 0
    epsilon: Annotated[float, Field(gt=0)] = 1.0
    directions: Annotated[int, Field(ge=1)] = 8
    expression: ExpressionBudget = ExpressionBudget()
    attributes: AttributeChoice = AttributeChoice()
    attributes_from: AttributeSource = "group"
    i_understand: Annotated[bool, Field(validate_default=True)] = False

    @field_validator("i_understand")
    @classmethod
    def _insists(cls, value: bool, info: ValidationInfo) -> bool:
        if info.data.get("mechanism") == "none" and not value:
            raise ValueError(
                "must be true (--i-understand) for mechanism none, which releases exact landmarks: they identify people"
            )
        return value
