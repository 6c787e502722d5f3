"""The audit of a run stops a release that leaks, and lets the honest ones pass."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ganonym.errors import GuaranteeBroken
from ganonym.faces.kept import KeptSpace
from ganonym.privacy import privatize as stage
from ganonym.privacy.joint import Joint
from ganonym.privacy.joint import shown as joint_row
from ganonym.privacy.privatize import Hidden, privatize
from ganonym.privacy.settings import PrivacySettings
from ganonym.settings import SmallClasses
from ganonym.types import Floats, Refusal

from .cohorts import MODEL, SPACE, cohort

HONEST = [
    PrivacySettings(k=5),
    PrivacySettings(k=5, link="subject"),
    PrivacySettings(mechanism="codebook", codes=8),
    PrivacySettings(mechanism="metric", epsilon=0.3),
]


@pytest.mark.parametrize("photos", [1, 12])
@pytest.mark.parametrize("settings", HONEST, ids=lambda settings: f"{settings.mechanism} {settings.link}")
def test_honest_mechanisms_pass(settings: PrivacySettings, photos: int) -> None:
    result = privatize(cohort(120, photos), MODEL, settings, manifest=True)
    audit = result.audit
    assert audit is not None
    by_photo = settings.mechanism == "k-same" and settings.link == "photo"
    assert audit.subjects == (120 * photos if by_photo else 120)
    assert audit.bound <= result.guarantee.rank1 + 1e-12  # type: ignore[operator]
    assert audit.low <= audit.bound
    unit = "photos" if by_photo and photos > 1 else "subjects"
    assert f"{audit.hits:g} of {audit.subjects} {unit}" in audit.sentence


def leaking(rows: Floats, hidden: Hidden, columns: slice, share: float) -> Hidden:
    leaky = []
    for own, shown in zip(rows, hidden.rows, strict=True):
        assert not isinstance(shown, Refusal)
        mixed = shown.copy()
        mixed[columns] = (1 - share) * shown[columns] + share * own[columns]
        leaky.append(mixed)
    return replace(hidden, rows=tuple(leaky))


PARTS = {
    "everything": slice(None),
    "texture": slice(len(MODEL.identity_sd), SPACE.lasting),
    "expression": slice(SPACE.lasting, None),
}


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("settings", HONEST[:2], ids=lambda settings: str(settings.link))
def test_a_release_that_leaks_is_stopped(settings: PrivacySettings, part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted: a share of the photo's own row comes back in its output."""
    honest = stage._hidden
    columns, share = PARTS[part], 0.25 if part == "everything" else 0.6

    def leaky(faces: object, rows: Floats, *others: object) -> Hidden:
        return leaking(rows, honest(faces, rows, *others), columns, share)  # type: ignore[arg-type]

    monkeypatch.setattr(stage, "_hidden", leaky)
    faces = cohort(200)
    if part == "expression" and settings.link == "subject":  # counted apart, outside the bound
        assert privatize(faces, MODEL, settings, manifest=True).audit is not None
        return
    with pytest.raises(GuaranteeBroken, match=r"names .* of 200 subjects"):
        privatize(faces, MODEL, settings, manifest=True)


def test_a_group_of_one_person_fewer_than_said_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = stage._hidden

    def short(*arguments: object) -> Hidden:
        hidden = honest(*arguments)  # type: ignore[arg-type]
        joint = hidden.joint
        assert joint is not None
        group = joint.group.copy()
        group[np.flatnonzero(group == 0)[0]] = 1
        return replace(hidden, joint=replace(joint, group=group))

    monkeypatch.setattr(stage, "_hidden", short)
    with pytest.raises(GuaranteeBroken, match="are declared"):
        privatize(cohort(60), MODEL, PrivacySettings(k=20), manifest=True)


def test_groups_of_fewer_than_k_are_stopped_though_they_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted: the mechanism groups k - 1 people, and its own bounds agree with that."""
    honest = stage.joint_k_same

    def short(rows: Floats, owners: list[str], labels: None, space: KeptSpace, k: int, small: SmallClasses) -> Joint:
        return honest(rows, owners, labels, space, k - 1, small)

    monkeypatch.setattr(stage, "joint_k_same", short)
    with pytest.raises(GuaranteeBroken, match="a group has 19 people, and at least 20 are declared"):
        privatize(cohort(60), MODEL, PrivacySettings(k=20), manifest=True)


@pytest.mark.parametrize("settings", HONEST[:2], ids=lambda settings: str(settings.link))
def test_noise_that_is_the_same_under_another_key_is_stopped(
    settings: PrivacySettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Planted: what is drawn depends on the photo, so that anybody who holds it draws the same."""

    def keyless(joint: Joint, photo: int, _seed: int, _purpose: str = "") -> Floats:
        return joint_row(joint, photo, np.random.default_rng(photo))

    monkeypatch.setattr(stage, "_of_group", keyless)
    with pytest.raises(GuaranteeBroken, match="the nearest output of a second run"):
        privatize(cohort(100), MODEL, settings, manifest=True)


def test_faces_tell_their_groups() -> None:
    faces = cohort(23, 2)
    faces[3] = replace(faces[3], row=faces[3].row * np.nan)
    result = privatize(faces, MODEL, PrivacySettings(k=5), manifest=True)
    assert result.groups[3] is None
    people = [
        {face.subject for face, group in zip(faces, result.groups, strict=True) if group == number}
        for number in range(9)
    ]
    assert all(len(members) >= 5 for members in people if members)
    codes = privatize(faces, MODEL, HONEST[2], manifest=True)
    assert codes.groups == (None,) * len(faces)


def test_exact_faces_name_everybody_and_what_is_not_released_nobody() -> None:
    exact = privatize(cohort(12), MODEL, PrivacySettings(mechanism="none", i_understand=True), manifest=True)
    assert exact.audit is not None
    assert (exact.audit.hits, exact.audit.bound) == (12.0, 1.0)
    assert privatize(cohort(4, label="rare"), MODEL, PrivacySettings(k=5), manifest=True).audit is None
