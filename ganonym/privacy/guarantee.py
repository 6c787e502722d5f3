"""The exact sentence a run may print, what it assumes, and its bit budget.

All bits are upper bounds on min-entropy leakage (Smith 2009): an output that carries b bits about a secret multiplies
an attacker's chance of guessing it in one try by at most 2^b, whatever else the attacker knew before.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from ganonym.privacy.metric import RADIUS, metric_bits
from ganonym.privacy.settings import PrivacySettings

MANKIND_BITS = 33.0  # log2 of eight billion people


@dataclass(frozen=True, slots=True)
class Released:
    """Counts of what a run releases, from which its guarantee is composed.

    `groups` and `smallest` (number of k-same groups and of subjects in the smallest) are 0 for other mechanisms;
    `labels` counts the released labels, 0 when the grouping used none, `merged` those of them that stand for several
    classes; `most_photos` is the largest number of faces
    of one subject; `manifest` tells whether a manifest said who is who.
    """

    subjects: int
    most_photos: int
    directions: int
    manifest: bool
    groups: int = 0
    smallest: int = 0
    labels: int = 0
    merged: int = 0


@dataclass(frozen=True, slots=True)
class Guarantee:
    """Statement, assumptions and bit budget of one run.

    `bits`: "shape" per subject, "expression", "tone", "sex" and "age" per photo, "total" for a subject with one photo;
    beside them "released set" (log2 of its subjects) and "mankind". "shape" and "total" are absent where there is no
    bound (mechanism none). `rank1` is the highest rate, averaged over the released subjects, at which an attacker who
    holds every original identity shape can name the subject of an output by its identity shape; 1 without bound, None
    when nothing was released. `short` is the statement in a few words, for every row of what is shared.
    """

    mechanism: str
    statement: str
    assumptions: tuple[str, ...]
    bits: dict[str, float]
    rank1: float | None = None
    short: str = ""


def guarantee(settings: PrivacySettings, released: Released) -> Guarantee:
    """Compose the guarantee of a run."""
    if released.subjects == 0:
        return Guarantee(settings.mechanism, "nothing was released", (), {})
    if settings.mechanism == "k-same":
        return _k_same(settings, released)
    if settings.mechanism == "codebook":
        return _codebook(settings, released)
    if settings.mechanism == "metric":
        return _metric(settings, released)
    statement = "none: exact landmark shapes were released, and landmarks alone re-identify people"
    return Guarantee("none", statement, (), _bits(None, settings, released), 1.0, "none: exact shapes")


def _k_same(settings: PrivacySettings, released: Released) -> Guarantee:
    bits = _bits(math.log2(released.groups), settings, released)
    drawn = _kept_attributes(settings, released) if settings.attributes_from == "group" else []
    if drawn:
        bits |= dict.fromkeys((*drawn, "total"), 0.0)
        bits["total"] = bits["shape"] + bits["expression"]
    means = " and ".join(["identity shape", *drawn])
    statement = (
        f"re-identification by {means} ≤ 1/{released.smallest} = {1 / released.smallest:.3f} within the "
        f"released set, on average over the subjects of every group, given one identity shape per subject "
        f"({released.subjects} subjects in {released.groups} groups of at least {released.smallest})"
    )
    assumptions = [
        "the attacker may hold every original shape and know the groups, but not which group member is which output: "
        "names, order and other columns do not tell, and the key stays secret",
        ("expression is" if drawn else "expression and attributes are") + f" outside the 1/{released.smallest}: up to "
        f"{bits['expression'] + bits['tone'] + bits['sex'] + bits['age']:.1f} bits a photo"
        + (f"; {' and '.join(drawn)} of an output are those of a random member of the group" if drawn else ""),
        "shape bits count which group a subject is in; the group mean itself is released, so whoever knows the other "
        "members' shapes can compute a member's, and whoever knows that a person is in the set learns what the group "
        "shares",
        "all outputs of this run are counted; another release of the same subjects, grouped anew, is not covered",
        "a group member withheld after grouping still counts, so who was withheld must not be known; and where the "
        "verifier compares outputs with their source and accepts each with probability at least a, the bound is "
        f"1/({released.smallest}·a)",
    ]
    if released.labels:
        assumptions.append(
            f"groups lie within labels ({released.labels} released), so the bound holds for an attacker who knows the "
            "labels, and the shape may tell the label, which is part of its bits; what a label says of a person "
            "outside the released set is not counted"
        )
    if released.merged:
        assumptions.append(
            f"{released.merged} released labels stand for several classes, of which at least one had too few subjects; "
            "which of them a subject has is not released, and an attacker who knows it from elsewhere is not covered"
        )
    if not released.manifest:
        assumptions.append(
            "no manifest was given: each photo was counted as its own subject; repeated people weaken the bound, to "
            f"p/{released.smallest} if nobody is in more than p photos"
        )
    if released.most_photos > 1:
        assumptions.append(
            f"a subject has up to {released.most_photos} photos: each subject counts once however many, the number of "
            "photos is taken not to tell, and "
            + (
                "expression adds its bits for each photo"
                if settings.disperse == "photo"
                else "photos of one subject share an identity shape and can be linked to each other"
            )
        )
    short = f"k-same: rank-1 by {means} ≤ 1/{released.smallest}"
    return Guarantee("k-same", statement, tuple(assumptions), bits, 1 / released.smallest, short)


def _codebook(settings: PrivacySettings, released: Released) -> Guarantee:
    bits = _bits(math.log2(settings.codes), settings, released)
    statement = (
        f"an output carries at most {bits['total']:.1f} bits about its subject, whoever attacks: {bits['shape']:.1f} "
        f"of shape (1 of {settings.codes} public kinds of face), {bits['expression']:.1f} of expression and "
        f"{bits['tone'] + bits['sex'] + bits['age']:.1f} of attributes"
    )
    assumptions = [
        "the codebook was made without the photographs: from the public shape model, simulated phenotypes and a public "
        "seed; each output shows a virtual patient of the subject's kind",
        "the key stays secret: with it, which virtual patient is shown could be drawn again, which tells no more than "
        "the kind",
    ]
    if not released.manifest:
        assumptions.append(
            "no manifest was given: each photo was counted as its own subject, so shape bits count once for each photo "
            "of a person"
        )
    if released.most_photos > 1:
        assumptions.append(
            f"a subject has up to {released.most_photos} photos, all with one code: shape bits count once a subject, "
            "expression bits and attribute bits once a photo, and photos of one subject can be linked to each other"
            + ("" if settings.disperse != "photo" else ", as far as the code tells")
        )
    short = f"codebook: ≤ {bits['shape']:.1f} bits of identity shape"
    return Guarantee("codebook", statement, tuple(assumptions), bits, _one_guess(bits["shape"], released), short)


def _metric(settings: PrivacySettings, released: Released) -> Guarantee:
    draws = released.most_photos if settings.disperse == "photo" else 1
    epsilon, reach = settings.epsilon * draws, 2 * RADIUS
    bits = _bits(draws * metric_bits(settings.directions, settings.epsilon), settings, released)
    statement = (
        f"metric privacy of the identity shape: the released outputs of two people whose shapes lie t population "
        f"standard deviations apart have probabilities within a factor exp({epsilon:g}·t), whoever attacks "
        f"(t is at most {reach:g}: exp({epsilon * reach:g})); they tell at most "
        f"{bits['shape']:.1f} bits of a shape"
    )
    assumptions = [
        f"shapes are clipped to {RADIUS:g} standard deviations from the mean in the {settings.directions} directions "
        "that separate simulated syndromes best; nothing else of the identity shape is used",
        "the key stays secret and the noise is not reused: the same key must not serve another release of other shapes",
        "expression and attributes are outside ε: they may add up to "
        f"{bits['expression'] + bits['tone'] + bits['sex'] + bits['age']:.1f} bits a photo",
        "noise is drawn in double precision; what the last bits of such numbers may tell is cut off by drawing pixels",
    ]
    if draws > 1:
        assumptions.append(
            f"a subject has up to {draws} photos, each with its own draw: ε = {settings.epsilon:g} a photo adds up to "
            f"{epsilon:g} (with --disperse subject it would stay {settings.epsilon:g}, and photos could be linked)"
        )
    elif released.most_photos > 1:
        assumptions.append(
            f"a subject has up to {released.most_photos} photos, all with one draw: ε counts once, and photos of one "
            "subject can be linked to each other"
        )
    if not released.manifest:
        assumptions.append(
            "no manifest was given: each photo was counted as its own subject, so ε counts once for each photo of a "
            "person"
        )
    short = f"metric: ε = {epsilon:g} per SD of identity shape"
    return Guarantee("metric", statement, tuple(assumptions), bits, _one_guess(bits["shape"], released), short)


def _one_guess(bits: float, released: Released) -> float:
    """What `bits` make of the chance 1/n of naming one of n equally likely subjects."""
    return math.exp2(min(0.0, bits - math.log2(released.subjects)))


def _kept_attributes(settings: PrivacySettings, released: Released) -> list[str]:
    """Names of the attributes that reach synthesis; without a manifest nobody's sex and age are known."""
    kept = settings.attributes
    return [name for name in ("tone", "sex", "age") if getattr(kept, name) and (released.manifest or name == "tone")]


def _bits(shape: float | None, settings: PrivacySettings, released: Released) -> dict[str, float]:
    choice = settings.attributes if released.manifest else settings.attributes.changed(sex=False, age=False)
    attributes = choice.bits()  # without a manifest nobody's sex and age are known
    around = {"released set": math.log2(released.subjects), "mankind": MANKIND_BITS}
    if shape is None:
        return attributes | around
    parts = {"shape": shape, "expression": settings.expression.bits(released.directions)} | attributes
    return parts | {"total": sum(parts.values())} | around
