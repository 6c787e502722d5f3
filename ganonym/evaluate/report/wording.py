"""The words of the reports: one closed vocabulary, so that what a page may say does not depend on the data.

Settings carry the attack names of Newton et al. 2005, tiers what an attack costs.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache

from ganonym.evaluate.findings import Assessed, Finding
from ganonym.evaluate.protocol import ALL_PHOTOS, ANONYMIZED, OTHER_PHOTO, PARROT, REVERSE, SAME_PHOTO, TIERS
from ganonym.statistics.intervals import Rate

MINIMUM_CELL = 11
CLASSES = (0.05, 0.09, 0.20, 0.33)
"""Privacy classes by the upper bound of the worst attacker's rank-1 rate (evaluation protocol §6)."""

SETTINGS = {
    OTHER_PHOTO: ("Naive attack", "The attacker holds another photograph of everybody and searches a released one."),
    SAME_PHOTO: ("Same-photo attack", "The attacker holds the very photograph that was treated, say from a journal."),
    ALL_PHOTOS: ("Naive attack, all photos", "All released photographs of a person are used together."),
    ANONYMIZED: ("Lazy attack (linkage)", "Two released photographs: do they show the same person?"),
    REVERSE: ("Reverse attack", "The attacker knows a person and asks whether, and as whom, this person was released."),
    PARROT: ("Parrot attack", "The attacker runs the same method over photographs of everybody, and compares results."),
}
GATES = {
    "G0": "The files are complete, and no picture was passed through",
    "G1": "The instrument itself works",
    "G2": "Singling out a person by another photograph",
    "G2b": "Singling out a person by the same photograph",
    "G3": "Linking released photographs of one person",
    "G4": "Undoing the treatment",
    "G5": "Inferring attributes that were not released",
    "G5b": "Likeness to people of whom outputs are made",
    "G6": "The worst-protected group",
    "G7": "Singling out by released columns",
    "G8": "The declared guarantee was not contradicted",
    "U": "Usefulness was kept",
}
CONTROLS = {
    "C1": "Untouched photographs are recognised",
    "C2": "A weak treatment (blur, bar) is broken",
    "C3": "Planted leaks are found",
    "C4": "Where there is nothing to find, nothing is found",
    "C5": "Trained attackers are no worse than untrained ones",
    "C6": "Faces are found on the untouched photographs",
    "C7": "The same input gives the same result",
}
FAMILIES = {
    "syndrome": "Telling syndromes apart",
    "separability": "Telling patients from others",
    "expression": "Facial expression",
    "landmarks": "Facial landmarks",
    "pose": "Pose of the head",
    "gaze": "Direction of gaze",
    "dysmorphology": "Facial measurements",
    "measures": "Facial measurements",
    "detectability": "Faces found by a detector",
    "detection": "Faces found by a detector",
    "picture": "Agreement of pictures",
    "quality": "Picture quality",
    "group": "Usefulness by group",
    "realism": "Realism of the set",
}
_KINDS = ("landmarks", "pixels")
MEASURES = {
    f"macro top-1 by {kind}, {cell}": f"Syndromes told apart (macro top-1) by {kind}, {cell}"
    for kind in _KINDS
    for cell in (
        "trained on originals, tested on released",
        "trained on released, tested on originals",
        "trained and tested on released",
    )
} | {
    "label, accuracy": "Expression agrees with its label",
    "error in eye distances": "Error of facial landmarks, in eye distances",
    "failures (no face, or error above 0.08)": "Released faces whose landmarks fail",
    "AUC@0.08": "Agreement of facial landmarks (AUC@0.08)",
    "mean correlation over all measures": "Facial measurements, mean correlation",
    "yaw, mean absolute error in degrees": "Error of head turn, degrees",
    "pitch, mean absolute error in degrees": "Error of head tilt, degrees",
    "photos released": "Photographs released",
    "face found in what was released": "Faces found in what was released",
}
"""Names of measures as the evidence page says them; of others it says the family."""
KINDS = {"attribute": "attribute", "donor": "likeness to training people", "membership": "membership in the release"}
POLICIES = {"public": "public release", "controlled": "controlled access", "internal": "internal use"}
COLUMNS = {
    "sex": "Sex", "age": "Age", "age band": "Age", "ethnicity": "Ethnicity", "syndrome": "Syndrome",
    "expression": "Expression", "session": "Session", "site": "Site",
}  # fmt: skip

_SAFE_NAME = re.compile(r"[A-Za-z0-9-]{1,40}")


@cache
def _attacker_words() -> Mapping[str, str]:
    """What the attackers themselves, and the packages that offer more, say they are called."""
    from ganonym.evaluate.attack_one import FUSED
    from ganonym.evaluate.attackers.attacker import approach_of
    from ganonym.evaluate.suite import suite

    return {attacker.name: approach_of(attacker).words for attacker in suite()} | {FUSED: "several attackers fused"}


def attacker_words(name: str, tier: str) -> str:
    """An attacker as reports call it. One without words of ours, as given by argument, has its tier and its own name.

    The name is the assessor's word and may be anything: it is shown where it is nothing but 1 to 40 ASCII letters,
    digits and dashes, so that neither markup nor the path of a file comes onto a page; else the tier stands alone.

    >>> attacker_words("thumbnail", "T0"), attacker_words("glint (arcface)", "T2")
    ('small grey picture of the face', 'face recognizer brought by the assessor')
    >>> attacker_words("mean-brightness", "T0")
    'no trained weights; any laptop: mean-brightness'
    """
    if ours := _attacker_words().get(name):
        return ours
    kind = TIERS.get(tier, "another attacker")
    return f"{kind}: {name}" if _SAFE_NAME.fullmatch(name) else kind


def percent(value: float, digits: int = 1) -> str:
    """A rate in percent with a narrow no-break space.

    >>> percent(0.0839)
    '8.4\\u202f%'
    """
    return f"{100 * value:.{digits}f}\u202f%"


def interval(rate: Rate) -> str:
    """The two-sided 95 % interval of a rate.

    >>> interval(Rate(value=0.02, low=0.0024, high=0.069, upper=0.06, n=102))
    '0.2 to 6.9\\u202f%'
    """
    return f"{100 * rate.low:.1f} to {percent(rate.high)}"


def number(value: float) -> str:
    """A measure with three digits after the point, or three significant ones when it is small or large.

    >>> number(-0.04)
    '−0.040'
    """
    plain = f"{value:.3f}" if 0.01 <= abs(value) < 10 or value == 0 else f"{value:.3g}"
    return plain.replace("-", "−")


def by_setting(assessment: Assessed) -> dict[str, list[Finding]]:
    """Findings by setting, settings in the protocol's order, the strongest attacker first."""
    found: dict[str, list[Finding]] = {setting: [] for setting in SETTINGS}
    for finding in assessment.findings:
        found.setdefault(finding.setting, []).append(finding)
    return {
        setting: sorted(findings, key=lambda one: (-one.rank1.upper, -one.rank1.value, one.attacker))
        for setting, findings in found.items()
        if findings
    }


def privacy_class(upper: float) -> float:
    """The smallest class limit that `upper` keeps, 1.0 when it keeps none.

    >>> privacy_class(0.089), privacy_class(0.5)
    (0.09, 1.0)
    """
    return next((limit for limit in CLASSES if upper <= limit), 1.0)
