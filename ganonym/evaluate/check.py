"""Is the instrument sound, and are the files? Controls of the assessment, faults of the release, outputs that are
still their originals."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from ganonym.errors import UsageError
from ganonym.evaluate.acquire import Seen
from ganonym.evaluate.assessment import Control, Finding
from ganonym.evaluate.attack_all import photos_of
from ganonym.evaluate.attackers.attacker import Attacker
from ganonym.evaluate.attackers.dlib_recognizer import DLIB, DLIB_ORACLE
from ganonym.evaluate.attackers.embedding_map import ProcrustesMap
from ganonym.evaluate.attackers.metadata import metadata_left
from ganonym.evaluate.attackers.thumbnail import THUMBNAIL
from ganonym.evaluate.controls import (
    acquisition,
    adapted,
    instrument,
    nulls,
    planted_leak,
    repeatable,
    weak_anonymizer,
)
from ganonym.evaluate.finding import finding
from ganonym.evaluate.passthrough import Copy, pass_through
from ganonym.evaluate.planted import attacked, clean, donated, null_findings, rotated, watermarked
from ganonym.evaluate.release import Release
from ganonym.evaluate.scores import ANONYMIZED, SAME_PHOTO, Photos, score
from ganonym.evaluate.verification import operating_point, pairs
from ganonym.evaluate.weak import WEAK

ROUNDS = 200
STRANGERS = (1e-3, 1e-2, 1e-1)
ADAPTED = ("ridge map", "procrustes map", "retrained metric", "fine-tuned head")


def control_all(seen: Seen, release: Release, findings: Sequence[Finding], seed: int) -> list[Control]:
    """C1 to C7 on these very people, by the same code that attacks the release."""
    rng = np.random.default_rng([seed, 2])

    def found(attacker: Attacker, photos: Photos) -> list[Finding]:
        return [finding(scores, rng, ROUNDS) for scores in score(attacker, photos)]

    views = {each.name: photos_of(each.view.name, seen, release) for each in (DLIB, DLIB_ORACLE, THUMBNAIL)}
    plain = {each.name: found(each, clean(views[each.name])) for each in (DLIB, DLIB_ORACLE, THUMBNAIL)}
    everything = [each for group in plain.values() for each in group]
    controls = [instrument(everything)]
    for method in WEAK:
        treated = [
            each
            for attacker in (DLIB_ORACLE, THUMBNAIL)
            if (method, attacker.view.name) in seen.weak
            for each in found(attacker, _weakened(seen, method, attacker, views[attacker.name]))
        ]
        controls.append(weak_anonymizer(everything, treated, method))
    controls += _planted(views, plain, rng)
    nothing = [
        each
        for attacker in (DLIB_ORACLE, THUMBNAIL)
        for each in null_findings(attacker, views[attacker.name], rng, ROUNDS)
    ]
    controls.append(nulls(nothing))
    controls += _adapted(findings)
    faceless = sum(look is not None and look.points is None for look in seen.looks)
    controls.append(acquisition(faceless, len(seen.looks)))
    twice = [
        [finding(scores, np.random.default_rng([seed, 3]), ROUNDS) for scores in score(DLIB, views[DLIB.name])]
        for _ in range(2)
    ]
    controls.append(repeatable(*twice))
    return controls


def _weakened(seen: Seen, method: str, attacker: Attacker, photos: Photos) -> Photos:
    rows = seen.weak[method, attacker.view.name]
    return Photos(photos.originals, rows, photos.subjects, np.asarray(np.isnan(rows).any(axis=1)))


def _planted(views: dict[str, Photos], plain: dict[str, list[Finding]], rng: np.random.Generator) -> Iterator[Control]:
    tried: tuple[tuple[str, Attacker, Attacker, Photos, str], ...] = (
        ("secret rotation of templates", ProcrustesMap(DLIB_ORACLE.view), DLIB_ORACLE,
         rotated(views[DLIB_ORACLE.name], rng), SAME_PHOTO),
        ("one fixed donor a subject", DLIB_ORACLE, DLIB_ORACLE, donated(views[DLIB_ORACLE.name], rng), ANONYMIZED),
        ("faint watermark of the subject", THUMBNAIL, THUMBNAIL, watermarked(views[THUMBNAIL.name], rng), ANONYMIZED),
    )  # fmt: skip
    for number, (name, attacker, base, photos, setting) in enumerate(tried, start=1):
        known = next((each for each in plain[base.name] if each.setting == setting), None)
        try:
            if known is None:
                raise UsageError("no subject has two photos.")
            yield planted_leak(number, name, attacked(attacker, photos, setting, rng, ROUNDS), known)
        except UsageError as error:
            yield Control(
                id=f"C3.{number}", name=name, holds=None, value=None, needed="", detail=str(error), blocks=True
            )


def _adapted(findings: Sequence[Finding]) -> Iterator[Control]:
    """C5 for every adapted attacker on dlib's templates, in the setting where it falls behind most."""
    naive = {each.setting: each for each in findings if each.attacker == DLIB_ORACLE.name}
    for name in dict.fromkeys(each.attacker for each in findings if each.attacker.startswith(ADAPTED)):
        if not name.endswith(DLIB_ORACLE.view.name):
            continue
        both = [(naive[each.setting], each) for each in findings if each.attacker == name and each.setting in naive]
        if both:
            yield adapted(*min(both, key=lambda pair: pair[1].rank1.value - pair[0].rank1.value))


def integrity_faults(release: Release, seen: Seen) -> list[str]:
    """Outputs that cannot be read, that carry metadata, and pictures that belong to no photo."""
    faults = [
        f"{item.row.image}: its output cannot be read ({look.problem})"
        for item, look in zip(release.items, seen.looks, strict=True)
        if look is not None and look.problem is not None
    ]
    for item in release.items:
        if item.released is not None and (left := metadata_left(item.released)):
            faults.append(f"{item.released.name} carries {', '.join(left)}")
    return [*faults, *(f"{path.name} belongs to no photo of the manifest" for path in release.extra)]


def outputs_as_copies(release: Release, seen: Seen) -> tuple[str, ...]:
    """Why outputs still are their originals: pixels equal or nearly so, or a recognizer that takes them for it.

    The recognizer's threshold is what one in a thousand pairs of strangers pass, or the rarest share that so many
    people resolve. As many outputs pass by chance, so they are named only where more do (binomial test, 5 %).
    """
    from scipy.stats import binomtest

    photos = photos_of(DLIB.name, seen, release)
    strangers = next(iter(score(DLIB, clean(photos))), None)
    points = [] if strangers is None else [operating_point(pairs(strangers), share) for share in STRANGERS]
    point = next((each for each in points if each.resolved), None)
    threshold = None if point is None else point.threshold
    gaps = np.linalg.norm(photos.originals - photos.released, axis=1)
    known = gaps[~np.isnan(gaps)]
    if point is not None and len(known):
        near = int((known <= point.threshold).sum())
        threshold = point.threshold if binomtest(near, len(known), point.target, "greater").pvalue <= 0.05 else None
    copies = []
    for item, look, gap in zip(release.items, seen.looks, gaps.tolist(), strict=True):
        if look is not None and look.agreement is not None:
            ssim = look.agreement.ssim_face if look.agreement.ssim_face is not None else look.agreement.ssim_aligned
            distance = None if np.isnan(gap) else float(gap)
            copies.append(Copy(item.row.image, bool(look.agreement.pixel_equal), ssim, distance))
    return pass_through(copies, threshold)
