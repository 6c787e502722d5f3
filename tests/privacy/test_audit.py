"""The audit stops a release that leaks, and lets the honest ones pass."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from ganonym.errors import GuaranteeBroken
from ganonym.faces.shape import ShapeModel, join, split
from ganonym.privacy import ksame
from ganonym.privacy.audit import audit_shapes
from ganonym.privacy.expression import repartitioned
from ganonym.privacy.ksame import GroupMean
from ganonym.privacy.privatize import privatize
from ganonym.privacy.settings import PrivacySettings
from ganonym.privacy.subject import SubjectFace
from ganonym.types import Floats

SD = np.linspace(2.0, 0.5, 12)


def people(n: int, seed: int = 0) -> Floats:
    return np.random.default_rng(seed).standard_normal((n, 12)) * SD


@given(st.integers(0, 60), st.integers(1, 60))
def test_the_lower_bound_is_clopper_and_pearsons(hits: int, subjects: int) -> None:
    hits = min(hits, subjects)
    # All of a released subject's rivals stand at its own place or at infinity, which plans the number of hits.
    originals = people(subjects)
    outputs = originals.copy()
    outputs[hits:] = np.roll(originals, 1, axis=0)[hits:] if hits < subjects - 1 else outputs[hits:]
    found = audit_shapes(originals, outputs, np.arange(subjects), 1.0)
    expected = binomtest(int(found.hits), subjects, alternative="greater").proportion_ci(0.999, method="exact").low
    assert found.low == pytest.approx(expected, abs=1e-9)
    assert found.hits == (hits if hits < subjects - 1 else subjects)


def test_outputs_of_a_subject_are_averaged_before_the_attack() -> None:
    originals = people(200)
    owners = np.repeat(np.arange(200), 40)
    noisy = originals[owners] + 2.5 * np.random.default_rng(1).standard_normal((8000, 12)) * SD
    one = audit_shapes(originals / SD, noisy[::40] / SD, owners[::40], 1.0)
    assert one.hits < 60
    assert audit_shapes(originals / SD, noisy / SD, owners, 1.0).hits > 190


def test_a_tie_counts_its_share() -> None:
    originals = np.repeat(people(5), 4, axis=0)
    assert audit_shapes(originals, originals, np.arange(20), 0.25).hits == pytest.approx(5.0)


def cohort(model: ShapeModel, subjects: int, photos: int = 1) -> list[SubjectFace]:
    rng = np.random.default_rng(4)
    identities = rng.standard_normal((subjects, 20)) * model.identity_sd
    return [
        SubjectFace(f"s{i}", join(identity, rng.standard_normal(4) * model.expression_sd, model), 100 * i + j, i)
        for i, identity in enumerate(identities)
        for j in range(photos)
    ]


@pytest.mark.parametrize("photos", [1, 12])
@pytest.mark.parametrize(
    "settings",
    [
        PrivacySettings(k=5),
        PrivacySettings(k=5, disperse="none"),
        PrivacySettings(mechanism="codebook", codes=8),
        PrivacySettings(mechanism="metric", epsilon=0.3),
    ],
    ids=lambda settings: f"{settings.mechanism} {settings.disperse}",
)
def test_honest_mechanisms_pass(model: ShapeModel, settings: PrivacySettings, photos: int) -> None:
    result = privatize(cohort(model, 120, photos), model, settings, manifest=True)
    assert result.audit is not None
    assert result.audit.subjects == 120
    assert result.audit.bound == result.guarantee.rank1
    assert result.audit.low <= result.audit.bound
    assert f"{result.audit.hits:g} of 120" in result.audit.sentence


def test_a_release_that_leaks_is_stopped(model: ShapeModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted: half of what the group took from a subject comes back in its output."""
    faces = cohort(model, 120)
    originals = iter([split(face.shape, repartitioned(model, 4))[0] for face in faces])
    honest = ksame.disperse

    def leaky(group: GroupMean, sd: Floats, rng: np.random.Generator) -> Floats:
        return np.asarray(0.3 * honest(group, sd, rng) + 0.7 * next(originals))

    monkeypatch.setattr("ganonym.privacy.privatize.disperse", leaky)
    with pytest.raises(GuaranteeBroken, match=r"names .* of 120 subjects"):
        privatize(faces, model, PrivacySettings(k=11), manifest=True)


def test_exact_shapes_name_everybody_and_what_is_not_released_nobody(model: ShapeModel) -> None:
    exact = privatize(cohort(model, 12), model, PrivacySettings(mechanism="none", i_understand=True), manifest=True)
    assert exact.audit is not None
    assert (exact.audit.hits, exact.audit.bound) == (12.0, 1.0)
    rare = [replace(face, label="rare") for face in cohort(model, 4)]
    assert privatize(rare, model, PrivacySettings(k=5), manifest=True).audit is None
