"""Does the instrument work? Checks of the assessment itself (protocol §3.7), each from what it found.

C1 sees whether recognizers know these people at all, C2 and C3 whether leaks that are known are found, C4 whether
nothing is found where there is nothing. When one of these fails, no gate means anything.
"""

from __future__ import annotations

from collections.abc import Sequence

from ganonym.evaluate.assessment import Control, Finding
from ganonym.evaluate.protocol import OTHER_PHOTO, RECOGNIZERS
from ganonym.statistics.intervals import exceeds, holm, proportion

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
