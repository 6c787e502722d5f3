"""Invented assessments: what a release of 102 people might give. No number here was measured."""

from __future__ import annotations

import io
from datetime import date
from functools import cache
from typing import Any

import numpy as np
from PIL import Image
from scipy.stats import beta, norm

from ganonym.evaluate.assessment import Assessment
from ganonym.evaluate.findings import (
    Control,
    Counts,
    Crowd,
    Estimate,
    Finding,
    Gate,
    GroupFinding,
    Inference,
    OperatingPoint,
    Provenance,
    Rate,
    Utility,
)
from ganonym.evaluate.protocol import ALL_PHOTOS, ANONYMIZED, OTHER_PHOTO, PARROT, REVERSE, SAME_PHOTO
from ganonym.evaluate.report.pages import WorstPair
from ganonym.statistics.intervals import proportion

SUBJECTS = 102
ATTACKERS = {
    "thumbnail": ("T0", 0.4),
    "shape plain": ("T0", 0.8),
    "dlib": ("T1", 0.9),
    "dlib oracle": ("T1", 1.0),
    "onnx:arcface-r50.onnx": ("T2", 1.1),
    "map ridge": ("A", 0.7),
    "retrained metric": ("A", 0.9),
}
HITS = {OTHER_PHOTO: 2.2, SAME_PHOTO: 3.0, ALL_PHOTOS: 2.6, ANONYMIZED: 1.8, REVERSE: 2.0, PARROT: 1.5}


@cache
def rate(hits: float, n: int = SUBJECTS) -> Rate:
    two, one = proportion(hits, n), proportion(hits, n, 0.90)
    return Rate(value=two.value, low=two.low, high=two.high, upper=one.high, n=n)


def estimate(value: float, spread: float = 0.02) -> Estimate:
    return Estimate(value=value, low=value - spread, high=value + spread)


def finding(attacker: str, tier: str, setting: str, hits: float, n: int = SUBJECTS) -> Finding:
    rank1 = rate(hits, n)
    chance = 1 / n
    d_prime = 0.15 + 3.2 * rank1.value
    fmr = np.geomspace(0.002, 0.98, 40)
    fnmr = norm.cdf(norm.isf(fmr) - d_prime)
    cmc = [1 - (1 - rank1.value) * (1 - chance) ** ((1 + d_prime) * place) for place in range(20)]
    low, high = beta.interval(0.95, 1 + 1, n)
    tar = tuple(
        OperatingPoint(
            target=target,
            achieved=target * 0.9,
            threshold=0.4,
            tar=rate(round(n * float(norm.sf(norm.isf(target) - d_prime))), n),
            resolved=target >= 0.01,
        )
        for target in (0.1, 0.01, 0.001)
    )
    return Finding(
        attacker=attacker, tier=tier, setting=setting, subjects=n, trials=n, gallery=n,
        failures=1 if tier == "T1" else 0,
        rank1=rank1, chance=chance, chance_low=float(low) * 0.5, chance_high=float(high), p_value=0.21,
        advantage=(rank1.value - chance) / (1 - chance), advantage_upper=(rank1.upper - chance) / (1 - chance),
        cmc=tuple(float(entry) for entry in cmc), tar=tar, auc=float(norm.cdf(d_prime / 2**0.5)),
        eer=float(norm.sf(d_prime / 2)), d_prime=d_prime,
        det=tuple(zip(fmr.tolist(), fnmr.tolist(), strict=True)),
        bits_mean=0.2, bits_worst=1.4,
        crowds=tuple(Crowd(size=m, median=1 + (m - 1) * 0.41, worst=1 + (m - 1) * 0.03) for m in (1000, 1_000_000)),
        linkability=estimate(0.01, 0.03) if setting == ANONYMIZED else None,
    )  # fmt: skip


def invented(leak: float = 1.0, useful: float = 0.93, n: int = SUBJECTS, **changes: Any) -> Assessment:
    """A passing release; `leak` multiplies the hits of every attacker."""
    findings = tuple(
        finding(name, tier, setting, min(n, round(weight * hits * leak)), n)
        for setting, hits in HITS.items()
        for name, (tier, weight) in ATTACKERS.items()
    )
    worst = max(findings, key=lambda entry: entry.rank1.upper)
    passed = worst.rank1.upper <= 0.09
    said = f"{worst.rank1.value:.3f}, at most {worst.rank1.upper:.3f}"
    fields: dict[str, Any] = {
        "verdict": "PASS" if passed else "FAIL",
        "headline": (
            f"The strongest tested attack names {100 * worst.rank1.value:.1f} % of {n} people at its first guess, at "
            f"most {100 * worst.rank1.upper:.1f} % with 95 % confidence ({worst.attacker}, {worst.setting})."
        ),
        "title": "Invented release of portraits",
        "simulated": False,
        "policy": "public",
        "assessed_on": date(2026, 11, 21),
        "valid_until": date(2027, 11, 21),
        "declared": "k-same, k = 11: nobody is named by shape with probability above 1/11",
        "counts": Counts(
            photos=2 * n, subjects=n, repeated_subjects=n, released=2 * n - 3, withheld=3, faces_in_originals=2 * n,
            faces_in_released=2 * n - 4,
        ),
        "gates": (
            gate("G0", "integrity", "PASS", "all files paired, no metadata, no pass-through", "0 faults", ""),
            gate("G1", "controls", "PASS", "C1 to C4 hold", "all hold", ""),
            gate("G2", "singling out", "PASS" if passed else "FAIL", "≤ 0.09", said, f"decided by {worst.attacker}"),
            gate("G2b", "same photo", "PASS" if passed else "FAIL", "≤ 0.09", said, ""),
            gate("G3", "linkability", "PASS", "≤ 0.09", "0.051", ""),
            gate("G4", "reversal", "NOT EVALUATED", "≤ 0.09", "", "no restoration attacker was given", False),
            gate("G5", "inference", "PASS", "≤ 0.10", "0.062", ""),
            gate("G6", "worst group", "INCONCLUSIVE", "≤ 0.18", "0.19", "30 subjects are too few", False),
            gate("G7", "metadata", "PASS", "≥ 11", "smallest class 14", ""),
            gate("G8", "declared guarantee", "PASS", "≤ 0.091", "not falsified", ""),
        ),
        "controls": (
            control("C1", "clean originals", True, 0.98, "≥ 0.80"),
            control("C2", "weak anonymizers", True, 0.91, "≥ 0.78"),
            control("C3.1", "planted leaks", True, 0.96, "≥ 0.80"),
            control("C4", "nothing to find", True, 0.012, "inside 0.000 to 0.040"),
            control("C5", "adaptive attackers", None, None, "≥ the plain one", blocks=False),
            control("C6", "faces found on originals", True, 0.0, "≤ 0.02"),
            control("C7", "repeatable", True, None, "same bytes", blocks=False),
        ),
        "findings": findings,
        "inferences": (
            inference("attribute", "sex", 0.58, 0.50),
            inference("attribute", "ethnicity", 0.41, 0.33),
            inference("donor", "training people", 0.02, 0.01),
        ),
        "groups": (
            group("sex", "female", 49, 2), group("sex", "male", 53, 3),
            group("ethnicity", "white", 48, 3), group("ethnicity", "black", 22, 1),
            group("ethnicity", "west asian", 9, None),
            group("ethnicity", "east asian", 23, 2),
        ),
        "utility": (
            use("syndrome", "macro top-1, trained on released", 0.97, useful, 0.05),
            use("syndrome", "macro top-1, applied to released", 0.97, useful - 0.02, 0.05),
            use("expression", "agreement with the label", 0.99, 0.965, 0.05),
            use("pose", "yaw error in degrees", 0.8, 1.9, None),
            use("landmarks", "NME of detected landmarks", 0.011, 0.024, None),
            Utility(family="quality", name="KID", original=None, released=None, difference=None, margin=None,
                    decision="not evaluated", note="fewer than 50 pictures a side"),
        ),
        "warnings": ("session is missing: hair, clothes and light of one sitting may help the attackers",),
        "provenance": Provenance(
            originals="a" * 64, released="b" * 64, manifest="c" * 64, policy="d" * 64,
            weights={"landmark_net": "e" * 64, "generator": "f" * 64},
            versions={"ganonym": "0.1.0", "python": "3.11.9", "numpy": "2.4.1", "dlib": "20.0.1"},
            seed=0,
        ),
    }  # fmt: skip
    return Assessment(**(fields | changes))


def gate(id: str, name: str, state: str, limit: str, entry: str, reason: str, blocks: bool = True) -> Gate:
    return Gate.model_validate(
        {"id": id, "name": name, "state": state, "blocks": blocks, "limit": limit, "found": entry, "reason": reason}
    )


def control(id: str, name: str, holds: bool | None, value: float | None, needed: str, blocks: bool = True) -> Control:
    detail = "dlib, other photo" if holds else "too few people to learn from"
    return Control(id=id, name=name, holds=holds, value=value, needed=needed, detail=detail, blocks=blocks)


def inference(kind: str, name: str, value: float, chance: float) -> Inference:
    excess = estimate(value - chance, 0.06)
    return Inference.model_validate(
        {"kind": kind, "name": name, "subjects": SUBJECTS, "value": estimate(value, 0.06), "control": chance,
         "excess": excess, "excess_upper": excess.high - 0.01}
    )  # fmt: skip


def group(column: str, name: str, n: int, hits: int | None) -> GroupFinding:
    return GroupFinding(
        column=column, group=name, subjects=n, setting=SAME_PHOTO,
        attacker=None if hits is None else "dlib oracle", rank1=None if hits is None else rate(hits, n),
    )  # fmt: skip


def use(family: str, name: str, original: float, released: float, margin: float | None) -> Utility:
    spread = 0.02 if original > 0.1 else 0.002
    difference = estimate(released - original, spread * 1.2)
    decision = "reported" if margin is None else "kept" if difference.low > -margin else "undecided"
    if margin is not None and difference.high < -margin:
        decision = "lost"
    return Utility.model_validate(
        {"family": family, "name": name, "original": estimate(original, spread), "margin": margin,
         "released": estimate(released, spread), "difference": difference, "decision": decision}
    )  # fmt: skip


def picture(seed: int) -> bytes:
    """PNG of coloured noise: nobody's face."""
    rng = np.random.default_rng(seed)
    pixels = rng.integers(60, 200, (12, 12, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).resize((160, 160), Image.Resampling.BICUBIC).save(buffer, "PNG")
    return buffer.getvalue()


def pairs(number: int = 4) -> list[WorstPair]:
    return [
        WorstPair(
            picture(entry), picture(100 + entry), "dlib oracle", SAME_PHOTO, f"person-{entry}", f"person-{entry}/1.png"
        )
        for entry in range(number)
    ]
