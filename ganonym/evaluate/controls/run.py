"""Is the instrument sound? All controls of an assessment, C1 to C7."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from ganonym.errors import UsageError
from ganonym.evaluate.acquire import Seen
from ganonym.evaluate.assessment import Control, Finding
from ganonym.evaluate.attack_all import photos_of
from ganonym.evaluate.attackers.adapted import ProcrustesMap
from ganonym.evaluate.attackers.attacker import Attacker, approach_of
from ganonym.evaluate.attackers.recognizers import DLIB, DLIB_ORACLE
from ganonym.evaluate.attackers.thumbnails import THUMBNAIL
from ganonym.evaluate.controls.holds import (
    acquisition,
    adapted,
    instrument,
    nulls,
    planted_leak,
    repeatable,
    weak_anonymizer,
)
from ganonym.evaluate.controls.planted import WEAK, attacked, clean, donated, null_findings, rotated, watermarked
from ganonym.evaluate.metrics.finding import finding
from ganonym.evaluate.protocol import ANONYMIZED, OTHER_PHOTO, SAME_PHOTO
from ganonym.evaluate.release import Release
from ganonym.evaluate.scores import Photos, score

ROUNDS = 200


def control_all(
    seen: Seen, release: Release, attackers: Sequence[Attacker], findings: Sequence[Finding], seed: int
) -> list[Control]:
    """C1 to C7 on these very people, by the same code that attacks the release.

    `findings` are those of the `attackers`.
    """
    rng = np.random.default_rng([seed, 2])

    def findings_on(attacker: Attacker, photos: Photos) -> list[Finding]:
        return [finding(scores, rng, ROUNDS) for scores in score(attacker, photos)]

    views = {attacker.name: photos_of(attacker.view.name, seen, release) for attacker in (DLIB, DLIB_ORACLE, THUMBNAIL)}
    plain = {
        attacker.name: findings_on(attacker, clean(views[attacker.name])) for attacker in (DLIB, DLIB_ORACLE, THUMBNAIL)
    }
    everything = [outcome for group in plain.values() for outcome in group]
    controls = [instrument(everything)]
    for method in WEAK:
        treated = [
            outcome
            for attacker in (DLIB_ORACLE, THUMBNAIL)
            if (method, attacker.view.name) in seen.weak
            for outcome in findings_on(attacker, _weakened(seen, method, attacker, views[attacker.name]))
            if outcome.setting in (OTHER_PHOTO, SAME_PHOTO)  # where the gallery is that of the clean attack
        ]
        controls.append(weak_anonymizer(everything, treated, method))
    controls += _planted(views, plain, rng)
    nothing = [
        outcome
        for attacker in (DLIB_ORACLE, THUMBNAIL)
        for outcome in null_findings(attacker, views[attacker.name], rng, ROUNDS)
    ]
    controls.append(nulls(nothing))
    controls += _adapted(attackers, findings)
    faceless = sum(photo is not None and photo.points is None for photo in seen.photos)
    controls.append(acquisition(faceless, len(seen.photos)))
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
        original = next((outcome for outcome in plain[base.name] if outcome.setting == setting), None)
        try:
            if original is None:
                raise UsageError("no subject has two photos.")
            yield planted_leak(number, name, attacked(attacker, photos, setting, rng, ROUNDS), original)
        except UsageError as error:
            yield Control(
                id=f"C3.{number}", name=name, holds=None, value=None, needed="", detail=str(error), blocks=True
            )


def _adapted(attackers: Sequence[Attacker], findings: Sequence[Finding]) -> Iterator[Control]:
    """C5 for every adapted attacker on dlib's templates, in the setting where it falls behind most."""
    naive = {outcome.setting: outcome for outcome in findings if outcome.attacker == DLIB_ORACLE.name}
    for attacker in attackers:
        if not approach_of(attacker).adapted or attacker.view.name != DLIB_ORACLE.view.name:
            continue
        own = (finding for finding in findings if finding.attacker == attacker.name)
        both = [(naive[finding.setting], finding) for finding in own if finding.setting in naive]
        if both:
            yield adapted(*min(both, key=lambda pair: pair[1].rank1.value - pair[0].rank1.value))
