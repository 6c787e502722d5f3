"""Does the instrument work? Controls C1 to C7 of the assessment itself (protocol §3.7), and what each needs.

C1 sees whether recognizers know these people at all, C2 and C3 whether leaks that are known are found, C4 whether
nothing is found where there is nothing. When one of these fails, no gate means anything.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from ganonym.errors import UsageError
from ganonym.evaluate.acquire import Seen
from ganonym.evaluate.attack_all import photos_of
from ganonym.evaluate.attackers.adapted import ProcrustesMap
from ganonym.evaluate.attackers.attacker import Attacker, approach_of
from ganonym.evaluate.attackers.recognizers import DLIB, DLIB_ORACLE
from ganonym.evaluate.attackers.thumbnails import THUMBNAIL
from ganonym.evaluate.controls.planted import WEAK, attacked, clean, donated, null_findings, rotated, watermarked
from ganonym.evaluate.findings import Control, Finding
from ganonym.evaluate.metrics.finding import finding
from ganonym.evaluate.protocol import ANONYMIZED, OTHER_PHOTO, RECOGNIZERS, SAME_PHOTO
from ganonym.evaluate.release import Release
from ganonym.evaluate.scores import Photos, score
from ganonym.statistics.intervals import exceeds, holm, proportion

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


CLEAN = 0.80
OF_CLEAN = 0.8
MOST_FAILURES = 0.02
TOLERANCE = 0.05
ALPHA = 0.05


def instrument(clean: Sequence[Finding]) -> Control:
    """C1: on originals, some recognizer (T1, T2) names other photos of at least CLEAN of the subjects.

    By the one-sided 95 % lower bound, which is also to exceed the band of chance.
    """
    recognizers = [finding for finding in clean if finding.tier in RECOGNIZERS and finding.setting == OTHER_PHOTO]
    needed = f"rank-1 on originals, lower bound ≥ {CLEAN} and above chance, of one recognizer"
    if not recognizers:
        return _control("C1", "originals", None, None, needed, "no recognizer, or no subject with two photos")
    best = max(recognizers, key=_lower)
    holds = _lower(best) >= CLEAN and _lower(best) > best.chance_high
    detail = f"{best.attacker}: {best.rank1.value:.3f}, at least {_lower(best):.3f}, of {best.subjects} subjects"
    blind = "" if holds else "; recognizers are blind on these people, so what they miss says nothing"
    return _control("C1", "originals", holds, _lower(best), needed, detail + blind)


def weak_anonymizer(clean: Sequence[Finding], weak: Sequence[Finding], name: str) -> Control:
    """C2: a method that is known to protect little (`name`) is broken at OF_CLEAN of the clean rate by some attacker.

    Of attackers whose clean rate is above a half, as chance is easily reached.
    """
    needed = f"rank-1 ≥ {OF_CLEAN} × that on originals"
    before = {(finding.attacker, finding.setting): finding for finding in clean if finding.rank1.value > 0.5}
    pairs = [
        (before[finding.attacker, finding.setting], finding)
        for finding in weak
        if (finding.attacker, finding.setting) in before
    ]
    if not pairs:
        return _control("C2", name, None, None, needed, "no attacker that names half of the originals was run on it")
    clear, best = max(pairs, key=lambda pair: pair[1].rank1.value / pair[0].rank1.value)
    ratio = best.rank1.value / clear.rank1.value
    detail = f"{best.attacker}, {best.setting}: {best.rank1.value:.3f} of {clear.rank1.value:.3f} on originals"
    return _control("C2", name, ratio >= OF_CLEAN, ratio, needed, detail)


def planted_leak(number: int, name: str, leak: Finding, clean: Finding) -> Control:
    """C3: the designated attacker finds a planted leak (`planted`) at OF_CLEAN of the rate on originals.

    `clean` is the finding on originals of the attacker whose view it is; where that is no better than chance, nothing
    can be planted.
    """
    needed = f"rank-1 ≥ {OF_CLEAN} × that on originals"
    if clean.rank1.value <= clean.chance_high:
        return _control(f"C3.{number}", name, None, None, needed, f"{clean.attacker} names nobody on originals")
    ratio = leak.rank1.value / clean.rank1.value
    detail = f"{leak.attacker}, {leak.setting}: {leak.rank1.value:.3f} of {clean.rank1.value:.3f} on originals"
    holds = ratio >= OF_CLEAN and leak.rank1.value > leak.chance_high
    return _control(f"C3.{number}", name, holds, ratio, needed, detail)


def nulls(findings: Sequence[Finding]) -> Control:
    """C4: where there is nothing to find, no attacker finds more than chance.

    One in 40 leaves its band by luck, and there are dozens: each is tested exactly, and all together by Holm at 5 %.
    """
    needed = "rank-1 within chance (Holm, 5 %)"
    if not findings:
        return _control("C4", "nothing to find", None, None, needed, "not run")
    p_values = holm(
        [exceeds(finding.rank1.value * finding.rank1.n, finding.rank1.n, finding.chance) for finding in findings]
    )
    least, worst = min(zip(p_values, findings, strict=True), key=lambda pair: pair[0])
    detail = (
        f"{len(findings)} runs; the highest, {worst.attacker}, {worst.setting}: {worst.rank1.value:.3f}, chance "
        f"{worst.chance:.3f} [{worst.chance_low:.3f}, {worst.chance_high:.3f}], p = {least:.3g}"
    )
    return _control("C4", "nothing to find", least > ALPHA, least, needed, detail)


def adapted(naive: Finding, adaptive: Finding, tolerance: float = TOLERANCE) -> Control:
    """C5: an attacker that adapts is no weaker than its start, but for `tolerance`; else it is ill-trained."""
    difference = adaptive.rank1.value - naive.rank1.value
    needed = f"rank-1 at least that of {naive.attacker} − {tolerance:g}"
    rates = f"{adaptive.rank1.value:.3f}; {naive.attacker}: {naive.rank1.value:.3f}"
    detail = f"{adaptive.attacker}, {adaptive.setting}: {rates}"
    holds = difference >= -tolerance - 1e-9
    return _control("C5", f"{adaptive.attacker} adapts", holds, difference, needed, detail, blocks=False)


def acquisition(failures: int, photos: int) -> Control:
    """C6: faces are found on originals. Raises ValueError without photos."""
    if not 0 <= failures <= photos or not photos:
        raise ValueError(f"{failures} failures among {photos} photos is no share")
    share = failures / photos
    detail = f"no face found on {failures} of {photos} originals"
    needed = f"≤ {MOST_FAILURES}"
    return _control("C6", "faces found", share <= MOST_FAILURES, share, needed, detail, blocks=False)


def repeatable(first: Sequence[Finding], again: Sequence[Finding], seeds: Sequence[Finding] = ()) -> Control:
    """C7: the same seed gives the same findings, to the last bit. `seeds`: one attack with other seeds, whose spread
    of rank-1 is told."""
    rates = [finding.rank1.value for finding in seeds]
    spread = max(rates) - min(rates) if rates else None
    spread_note = "" if spread is None else f"; rank-1 differs by {spread:.3f} between {len(rates)} seeds"
    same = tuple(first) == tuple(again) and bool(first)
    detail = f"{len(first)} findings {'agree' if same else 'differ'}{spread_note}"
    return _control("C7", "repeated", same, spread, "the same seed, the same findings", detail, blocks=False)


def _lower(finding: Finding) -> float:
    """One-sided 95 % lower bound of the rank-1 rate."""
    return proportion(finding.rank1.value * finding.rank1.n, finding.rank1.n, confidence=0.90).low


def _control(
    id_: str, name: str, holds: bool | None, value: float | None, needed: str, detail: str, blocks: bool = True
) -> Control:
    return Control(id=id_, name=name, holds=holds, value=value, needed=needed, detail=detail, blocks=blocks)
