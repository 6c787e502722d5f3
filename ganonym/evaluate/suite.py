"""Which attackers an assessment runs. Adding or altering one changes results: with a new SUITE version.

Others bring their own: by argument, or installed. A package offers an attacker, or a function without arguments that
makes one, in its pyproject.toml:

    [project.entry-points."ganonym.attackers"]
    brightness = "my_package.brightness:BRIGHTNESS"
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points

from ganonym.errors import UsageError
from ganonym.evaluate.attack_one import FUSED
from ganonym.evaluate.attackers.adapted import ProcrustesMap, RetrainedMetric, RidgeMap
from ganonym.evaluate.attackers.attacker import Approach, Attacker, View
from ganonym.evaluate.attackers.contrastive import Contrastive
from ganonym.evaluate.attackers.copies import FACE_HASH, KEYPOINT_MATCHES, PHOTO_HASH
from ganonym.evaluate.attackers.eigenface import Eigenface
from ganonym.evaluate.attackers.fine_tuned_head import FineTunedHead
from ganonym.evaluate.attackers.informed import Informed
from ganonym.evaluate.attackers.landmark_shape import PLAIN_SHAPE, WhitenedShape
from ganonym.evaluate.attackers.metadata import METADATA
from ganonym.evaluate.attackers.recognizers import DLIB, DLIB_ORACLE, OnnxView, recognizer
from ganonym.evaluate.attackers.reversal import Reversal
from ganonym.evaluate.attackers.thumbnails import BACKGROUND, INNER_FACE, THUMBNAIL, WHOLE_PHOTO

SUITE = "2026-12.1"
GROUP = "ganonym.attackers"
CALLER = "the caller"
CHEAP: tuple[Attacker, ...] = (
    THUMBNAIL,
    INNER_FACE,
    WHOLE_PHOTO,
    BACKGROUND,
    PHOTO_HASH,
    FACE_HASH,
    KEYPOINT_MATCHES,
    *METADATA,
    PLAIN_SHAPE,
    WhitenedShape(),
    Eigenface("originals"),
)
ADAPTED: tuple[Attacker, ...] = (
    WhitenedShape(informed=True),
    Eigenface(),
    Eigenface("both"),
    RidgeMap(DLIB_ORACLE.view),
    ProcrustesMap(DLIB_ORACLE.view),
    RetrainedMetric(DLIB_ORACLE.view),
    RetrainedMetric(DLIB_ORACLE.view, mapped=True),
    FineTunedHead(DLIB_ORACLE.view),
    *(Contrastive(references) for references in (1, 5, None)),
    Informed(),
    Reversal(),
)
FUSED_PARTS = (DLIB_ORACLE.name, WhitenedShape().name, THUMBNAIL.name)
"""Whose distances are also combined: a recognizer, the geometry and the pixels."""


def suite(recognizers: Sequence[OnnxView] = (), attackers: Sequence[Attacker] = ()) -> tuple[Attacker, ...]:
    """All attackers, cheapest first: ours, those that run on `recognizers` of the user's, `attackers`, installed ones.

    Raises UsageError when two have one name, two different views have one, or one is no attacker.

    >>> len(suite()) == len({attacker.name for attacker in suite()})
    True
    """
    adapted = [kind(view) for view in recognizers for kind in (RidgeMap, ProcrustesMap, RetrainedMetric)]
    ours: Iterable[Attacker] = (*CHEAP, DLIB, DLIB_ORACLE, *map(recognizer, recognizers), *ADAPTED, *adapted)
    offered = [
        *(Offered(attacker, CALLER if attacker.view in recognizers else "ganonym", "") for attacker in ours),
        *(Offered(_checked(attacker, "an attacker given by argument"), CALLER, "") for attacker in attackers),
        *installed(),
    ]
    names, views = {FUSED: "ganonym"}, dict[str, tuple[View, str]]()
    for offer in offered:
        name, view = offer.attacker.name, offer.attacker.view
        if name in names:
            raise UsageError(
                f"{offer.distribution} brings an attacker {name!r}, as {names[name]} does.",
                "Rename one, or leave it out.",
            )
        first, owner = views.setdefault(view.name, (view, offer.distribution))
        if first != view:
            raise UsageError(
                f"{offer.distribution} brings a view {view.name!r} that is not the one of {owner}.",
                "Views of one name must see the same: rename it.",
            )
        names[name] = offer.distribution
    return tuple(offer.attacker for offer in offered)


@dataclass(frozen=True, slots=True)
class Offered:
    """An attacker, and the distribution that offers it with its version."""

    attacker: Attacker
    distribution: str
    version: str


def installed() -> tuple[Offered, ...]:
    """What installed packages offer under `ganonym.attackers`, by distribution and name.

    Raises UsageError, which names the distribution, when one cannot be loaded or is no attacker.
    """
    offers = []
    for point in sorted(entry_points(group=GROUP), key=lambda point: (_distribution(point), point.name)):
        source = f"{_distribution(point)} (entry point {point.name} = {point.value})"
        try:
            attacker = point.load()
            if isinstance(attacker, type) or (callable(attacker) and not hasattr(attacker, "learn")):
                attacker = attacker()
        except Exception as error:  # whatever a foreign package raises
            raise UsageError(
                f"the attacker of {source} cannot be loaded: {error}", "Update or uninstall it."
            ) from error
        version = "" if point.dist is None else point.dist.version
        offers.append(Offered(_checked(attacker, source), _distribution(point), version))
    return tuple(offers)


def _distribution(point: EntryPoint) -> str:
    return "an unnamed distribution" if point.dist is None else point.dist.name


def _checked(attacker: object, source: str) -> Attacker:
    """`attacker` when it is one. Raises UsageError, which names its `source`."""
    view = getattr(attacker, "view", None)
    wrong = [
        name
        for name, right in (
            ("name", isinstance(getattr(attacker, "name", None), str)),
            ("view", isinstance(getattr(view, "name", None), str) and callable(getattr(view, "template", None))),
            ("learn", callable(getattr(attacker, "learn", None))),
            ("approach", isinstance(getattr(attacker, "approach", Approach()), Approach)),
        )
        if not right
    ]
    if wrong:
        raise UsageError(
            f"{source} is no attacker: {', '.join(wrong)} missing or of another type.",
            "See ganonym.evaluate.attackers.attacker.",
        )
    return attacker  # type: ignore[return-value]


def views_of(attackers: Sequence[Attacker]) -> tuple[View, ...]:
    """The distinct views that attackers look at."""
    return tuple({attacker.view.name: attacker.view for attacker in attackers}.values())
