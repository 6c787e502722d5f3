"""From templates to the verdict: originals fail, strangers pass, and a blind instrument decides nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ganonym.evaluate.attackers.attacker import Approach, Fixed, Sample, euclidean
from ganonym.evaluate.controls.holds import acquisition, instrument, nulls, planted_leak, weak_anonymizer
from ganonym.evaluate.controls.planted import attacked, clean, null_findings, rotated
from ganonym.evaluate.findings import Control, Counts, Finding
from ganonym.evaluate.metrics.finding import finding
from ganonym.evaluate.protocol import ANONYMIZED, OTHER_PHOTO
from ganonym.evaluate.scores import Photos, score
from ganonym.evaluate.verdict.gates import Evidence, gates, verdict
from ganonym.evaluate.verdict.policy import load_policy
from ganonym.types import Floats


class Rows:
    name = "rows"
    width = 12

    def template(self, sample: Sample) -> Floats | None:  # noqa: ARG002
        return None


ATTACKERS = (Fixed("a", Rows(), euclidean, Approach("T1")), Fixed("reversed", Rows(), euclidean, Approach("R")))
POLICY = load_policy("controlled")


def photos(noise: float) -> Photos:
    rng = np.random.default_rng(1)
    own = np.repeat(rng.normal(size=(60, 12)), 2, axis=0)
    before = own + noise * rng.normal(size=own.shape)
    subjects = tuple(f"s{index // 2:03d}" for index in range(120))
    return Photos(before, before, subjects, np.zeros(120, dtype=bool))


def seen(attacker: Fixed, release: Photos) -> list[Finding]:
    return [finding(entry, np.random.default_rng(2), 100) for entry in score(attacker, release)]


def controls(release: Photos) -> tuple[Control, ...]:
    rng = np.random.default_rng(3)
    attacker = ATTACKERS[0]
    before = seen(attacker, clean(release))
    blurred = seen(attacker, replace(clean(release), released=release.originals + 0.1))
    other = next(entry for entry in before if entry.setting == OTHER_PHOTO)
    planted = attacked(attacker, rotated(release, rng), ANONYMIZED, rng, 100)
    return (
        instrument(before),
        weak_anonymizer(before, blurred, "blur"),
        planted_leak(1, "rotation", planted, other),
        nulls(list(null_findings(attacker, release, rng, 50))),
        acquisition(0, len(release.subjects)),
    )


@pytest.mark.parametrize(
    ("noise", "leaks", "state"), [(0.1, False, "PASS"), (0.1, True, "FAIL"), (3.0, False, "INCONCLUSIVE")]
)
def test_the_whole_way(noise: float, leaks: bool, state: str) -> None:
    release = photos(noise)
    if not leaks:
        release = replace(release, released=np.random.default_rng(4).normal(size=release.originals.shape))
    evidence = Evidence(
        counts=Counts(
            photos=120, subjects=60, repeated_subjects=60, released=120, withheld=0, faces_in_originals=120,
            faces_in_released=120,
        ),
        findings=[entry for attacker in ATTACKERS for entry in seen(attacker, release)],
        inferences=(), groups=(), controls=controls(release), utility=(), faults=(), copies=(), smallest_class=60,
        declared_k=None, maybe_public=False,
    )  # fmt: skip
    assert verdict(gates(evidence, POLICY)) == state
