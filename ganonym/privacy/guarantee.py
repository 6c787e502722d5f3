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

    `sizes`: different people in each k-same group, empty for other mechanisms, and `worst` the highest rate at which
    photographs of one of them can be named (above 1 over its size where a class is one group and somebody has more
    photographs in it than others), `mean` that rate over all photographs; `alone` are labels and numbers of people of
    the classes that are one group for lack of k people; `labels` counts the released labels, 0 when the grouping used
    none, `merged` those of them that stand for several classes; `counted` is the highest rate at which subjects can be
    named by their group and number of outputs, None where all of a group have equally many; `most_photos` is the
    largest number of faces of one subject, `directions` those of expression in the model; `manifest` tells whether a
    manifest said who is who.
    """

    subjects: int
    photos: int
    most_photos: int
    directions: int
    manifest: bool
    sizes: tuple[int, ...] = ()
    worst: float = 1.0
    mean: float = 1.0
    alone: tuple[tuple[str | None, int], ...] = ()
    labels: int = 0
    merged: int = 0
    counted: float | None = None

    @property
    def smallest(self) -> int:
        return min(self.sizes, default=0)

    @property
    def at_most(self) -> str:
        """`worst` in words, as one over a number of people where it is that."""
        whole = round(1.0 / self.worst)
        return f"1/{whole} = {self.worst:.3f}" if math.isclose(whole * self.worst, 1.0) else f"{self.worst:.3f}"


@dataclass(frozen=True, slots=True)
class Guarantee:
    """Statement, assumptions and bit budget of one run.

    `bits`: what an output tells at most. Of k-same by photo: "group", in which expression is included. Else "face" per
    subject (identity shape and texture, with tone, age and sex) and "expression" per photo; "total" for a subject with
    one photo; beside them "released set" (log2 of its subjects) and "mankind". Without a bound (mechanism none) the
    first are absent. `rank1` is the highest rate at which an attacker who holds every original can name the subject of
    an output, averaged over photos (by photo) or subjects; 1 without bound, None when nothing was released. `short` is
    the statement in a few words, for every row of what is shared.
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
    statement = "none: exact coordinates of faces were released, and landmarks alone re-identify people"
    return Guarantee("none", statement, (), _bits(None, settings, released), 1.0, "none: exact faces")


def _k_same(settings: PrivacySettings, released: Released) -> Guarantee:
    return _by_photo(released) if settings.link == "photo" else _by_subject(settings, released)


NAMED = 12
"""Classes that an assumption names; a release may have hundreds."""

GROUPS_KNOWN = (
    "the attacker may hold every original photograph and know the groups, but not which group member is which output: "
    "names, order and other columns do not tell, and the key stays secret"
)


def _by_photo(released: Released) -> Guarantee:
    smallest = released.smallest
    statement = (
        f"re-identification by everything that a face shows, expression included, ≤ {released.at_most} within the "
        f"released set, on average over the photographs of every group, given all originals ({released.photos} "
        f"photographs of {released.subjects} subjects in {len(released.sizes)} groups of at least {smallest} different "
        f"people; over all photographs {released.mean:.3f})"
    )
    assumptions = [
        GROUPS_KNOWN,
        "everything shown is a function of the group, of the spread of the whole set and of noise that knows nobody; "
        "group bits count which group a photograph is in, and whoever knows that a person is in the set learns what "
        "the group shares",
        "nothing released tells which outputs are of one person; whoever learns that from elsewhere can intersect "
        "their groups, and the bound does not cover it (--link subject is for photos that must stay linked)",
        *_common(released),
    ]
    bits = {"group": math.log2(len(released.sizes)), "total": math.log2(len(released.sizes))} | _around(released)
    short = f"k-same by photo: rank-1 ≤ {released.at_most.split(' ')[0]}"
    return Guarantee("k-same", statement, tuple(assumptions), bits, released.worst, short)


def _by_subject(settings: PrivacySettings, released: Released) -> Guarantee:
    smallest = released.smallest
    bits = _bits(math.log2(len(released.sizes)), settings, released)
    statement = (
        f"re-identification by identity shape, texture, tone, age and sex ≤ 1/{smallest} = {1 / smallest:.3f} within "
        f"the released set, on average over the subjects of every group, given all originals ({released.subjects} "
        f"subjects in {len(released.sizes)} groups of at least {smallest})"
    )
    assumptions = [
        GROUPS_KNOWN,
        f"expression is outside the 1/{smallest}: up to {bits['expression']:.1f} bits a photo",
        f"photos of one subject share an identity and can be linked to each other; a subject has up to "
        f"{released.most_photos} of them and counts once however many"
        + (
            "; but whoever knows how many photos of everybody are in the set and counts outputs names up to "
            f"{released.counted:.3f} of the subjects (release as many of everybody, or by photo)"
            if released.counted is not None
            else ", all of a group equally many"
        ),
        *_common(released),
    ]
    short = f"k-same by subject: rank-1 by identity and skin ≤ 1/{smallest}"
    return Guarantee("k-same", statement, tuple(assumptions), bits, 1 / smallest, short)


def _common(released: Released) -> list[str]:
    assumptions = [
        "all outputs of this run are counted; another release of the same subjects, grouped anew, is not covered",
        "a group member withheld after grouping still counts, so who was withheld must not be known; and where the "
        "verifier compares outputs with their source and accepts each with probability at least a, the bound is "
        "divided by a",
    ]
    if released.labels:
        assumptions.append(
            f"groups lie within labels ({released.labels} released), so the bound holds for an attacker who knows the "
            "labels; what a label says of a person outside the released set is not counted"
        )
    if released.alone:
        classes = ", ".join(f"{label or '(none)'} 1/{people}" for label, people in released.alone[:NAMED])
        more = len(released.alone) - NAMED
        assumptions.append(
            "classes of fewer than k people are one group each, in which the picture adds nothing to the label; on "
            f"average over its people, each counted once, the label alone narrows to {classes}"
            + (f" and so on for {more} more" if more > 0 else "")
            + "; whoever has more photographs of a class than others can be named more often, by its label, too"
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
    return assumptions


def _codebook(settings: PrivacySettings, released: Released) -> Guarantee:
    bits = _bits(math.log2(settings.codes), settings, released)
    statement = (
        f"an output carries at most {bits['total']:.1f} bits about its subject, whoever attacks: {bits['face']:.1f} "
        f"of the face (1 of {settings.codes} public kinds) and {bits['expression']:.1f} of expression"
    )
    assumptions = [
        "the codebook was made without the photographs: from the public population, simulated phenotypes and a public "
        "seed; each output shows a virtual patient of the subject's kind",
        "the key stays secret: with it, which virtual patient is shown could be drawn again, which tells no more than "
        "the kind",
    ]
    if not released.manifest:
        assumptions.append(
            "no manifest was given: each photo was counted as its own subject, so the bits of a face count once for "
            "each photo of a person"
        )
    if released.most_photos > 1:
        assumptions.append(
            f"a subject has up to {released.most_photos} photos, all with one code: its bits count once a subject, "
            "those of expression once a photo, and photos of one subject can be linked to each other"
            + ("" if settings.link == "subject" else ", as far as the code tells")
        )
    short = f"codebook: ≤ {bits['face']:.1f} bits of the face"
    return Guarantee("codebook", statement, tuple(assumptions), bits, _one_guess(bits["face"], released), short)


def _metric(settings: PrivacySettings, released: Released) -> Guarantee:
    draws = released.most_photos if settings.link == "photo" else 1
    epsilon, reach = settings.epsilon * draws, 2 * RADIUS
    bits = _bits(draws * metric_bits(settings.directions, settings.epsilon), settings, released)
    statement = (
        f"metric privacy of the face: the released outputs of two people whose kept coordinates lie t population "
        f"standard deviations apart have probabilities within a factor exp({epsilon:g}·t), whoever attacks "
        f"(t is at most {reach:g}: exp({epsilon * reach:g})); they tell at most "
        f"{bits['face']:.1f} bits of a face"
    )
    assumptions = [
        f"faces are clipped to {RADIUS:g} standard deviations from the mean in the first {settings.directions} of "
        "tone, age, sex and the directions that separate simulated syndromes best; nothing else of a face is used",
        "the key stays secret and the noise is not reused: the same key must not serve another release of other faces",
        f"expression is outside ε: it may add up to {bits['expression']:.1f} bits a photo",
        "noise is drawn in double precision; what the last bits of such numbers may tell is cut off by drawing pixels",
    ]
    if draws > 1:
        assumptions.append(
            f"a subject has up to {draws} photos, each with its own draw: ε = {settings.epsilon:g} a photo adds up to "
            f"{epsilon:g} (with --link subject it would stay {settings.epsilon:g}, and photos could be linked)"
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
    short = f"metric: ε = {epsilon:g} per SD of a face's kept coordinates"
    return Guarantee("metric", statement, tuple(assumptions), bits, _one_guess(bits["face"], released), short)


def _one_guess(bits: float, released: Released) -> float:
    """What `bits` make of the chance 1/n of naming one of n equally likely subjects."""
    return math.exp2(min(0.0, bits - math.log2(released.subjects)))


def _bits(face: float | None, settings: PrivacySettings, released: Released) -> dict[str, float]:
    if face is None:
        return _around(released)
    expression = settings.expression.bits(released.directions) if "expression" in settings.keep else 0.0
    return {"face": face, "expression": expression, "total": face + expression} | _around(released)


def _around(released: Released) -> dict[str, float]:
    return {"released set": math.log2(released.subjects), "mankind": MANKIND_BITS}
