"""The words of the evaluation protocol: settings, which say what the attacker holds, and tiers, what an attack costs.

- "other photo": the attacker holds another original photo of every subject and gets an anonymized one (naive attack).
- "same photo": the attacker holds the very original that was anonymized, say from a journal.
- "all photos": every released photo of a subject together, against one original of each subject.
- "anonymized to anonymized": both photos are released ones; can two of one subject be linked? (lazy attack)
- "original to anonymized": is the person on this other original among the released, and who? (reverse attack)
- "mock to anonymized": the gallery is the attacker's own run of the anonymizer over the originals (parrot attack).
"""

from __future__ import annotations

from typing import Literal, TypeAlias

OTHER_PHOTO = "other photo"
SAME_PHOTO = "same photo"
ALL_PHOTOS = "all photos"
ANONYMIZED = "anonymized to anonymized"
REVERSE = "original to anonymized"
PARROT = "mock to anonymized"
SETTINGS = (OTHER_PHOTO, SAME_PHOTO, ALL_PHOTOS, ANONYMIZED, REVERSE, PARROT)
FOLDS = 5
"""People are attacked in so many folds: an attacker learns from those of the other folds."""

Tier: TypeAlias = Literal["T0", "T1", "T2", "A", "R"]
TIERS: dict[str, str] = {
    "T0": "no trained weights; any laptop",
    "T1": "bundled face recognizer",
    "T2": "face recognizer brought by the assessor",
    "A": "recognizer adapted to the method",
    "R": "restoration before recognition",
}
"""What an attack costs, the cheapest first (evaluation protocol §3.3), in the words of the reports."""
RECOGNIZERS: tuple[Tier, ...] = ("T1", "T2")
REVERSAL: Tier = "R"


def cost(tier: str) -> int:
    """Place of a tier among all, 0 for the cheapest. Raises ValueError when there is no such tier.

    >>> cost("T0") < cost("R")
    True
    """
    return list(TIERS).index(tier)
