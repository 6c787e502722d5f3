"""The whole privacy stage: what comes out is a function of the group, a budget where there is one, and the seed."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from ganonym.errors import UsageError
from ganonym.faces.kept import kept_space
from ganonym.privacy.expression import ExpressionBudget, quantize_expression
from ganonym.privacy.metric import metric_bits
from ganonym.privacy.population import public_patients
from ganonym.privacy.privatize import NOT_FINITE, privatize
from ganonym.privacy.settings import PrivacySettings
from ganonym.privacy.subject import SubjectFace
from ganonym.types import Refusal

from .cohorts import BY_PHOTO, BY_SUBJECT, MODEL, SPACE, cohort, kept_groups, moved, raw, read_all, rows_of

LASTING = SPACE.lasting


def test_a_face_shows_the_stretched_mean_of_photographs_of_k_people() -> None:
    faces = cohort(photos=2)
    shown = read_all(privatize(faces, MODEL, BY_PHOTO, manifest=True).faces)
    before, after = SPACE.coordinates(rows_of(faces)), SPACE.coordinates(shown)
    centre = before.mean(axis=0)
    groups = kept_groups(shown)
    means = np.array([before[group].mean(axis=0) - centre for group in groups])
    seen = np.array([after[group[0]] - centre for group in groups])
    gains = (means * seen).sum(axis=0) / (means * means).sum(axis=0)
    np.testing.assert_allclose(seen, means * gains, atol=1e-5)  # one gain an axis, of all groups
    assert gains.min() >= 1 - 1e-6
    for group in groups:
        people = {faces[photo].subject for photo in group}
        assert len(people) == len(group) >= 5


@pytest.mark.parametrize("settings", [BY_PHOTO, BY_SUBJECT])
def test_groups_are_those_that_the_outputs_show(settings: PrivacySettings) -> None:
    """Read from the outputs themselves, but for a face without coordinates, which has none."""
    faces = _calm(cohort(photos=2))
    broken = replace(faces[3], row=np.full(len(faces[3].row), np.nan))
    result = privatize([*faces[:3], broken, *faces[4:]], MODEL, settings, manifest=True)
    assert result.groups[3] is None
    seen = [face for face in result.faces if face is not NOT_FINITE]
    numbers = [group for group in result.groups if group is not None]
    assert len(numbers) == len(faces) - 1
    told = {frozenset(np.flatnonzero([own == number for own in numbers]).tolist()) for number in set(numbers)}
    assert told == {frozenset(group) for group in kept_groups(read_all(seen))}
    alone = privatize(faces, MODEL, settings.changed(mechanism="codebook"), manifest=True)
    assert set(alone.groups) == {None}


def test_exchanging_two_photographs_of_a_group_changes_no_byte() -> None:
    """Names and seeds stay in place, two people change places: the output is the group's, to the last bit."""
    faces = cohort()
    for settings in (BY_PHOTO, BY_SUBJECT):
        calm = _calm(faces) if settings.link == "subject" else faces
        result = privatize(calm, MODEL, settings, manifest=True).faces
        before, groups = raw(result), kept_groups(read_all(result))
        mates = next(group for group in groups if 0 in group)
        stranger = next(group for group in groups if 0 not in group)[0]
        for mate in mates[1:]:
            assert raw(privatize(_exchanged(calm, 0, mate), MODEL, settings, manifest=True).faces) == before
        assert raw(privatize(_exchanged(calm, 0, stranger), MODEL, settings, manifest=True).faces) != before


def _calm(faces: list[SubjectFace]) -> list[SubjectFace]:
    """The same people without expression."""
    rows = rows_of(faces)
    rows[:, LASTING:] = 0.0
    return moved(faces, rows)


def _exchanged(faces: list[SubjectFace], one: int, other: int) -> list[SubjectFace]:
    rows = rows_of(faces)
    rows[[one, other]] = rows[[other, one]]
    return moved(faces, rows)


def test_photographs_of_one_person_share_nothing_unless_they_may_be_linked() -> None:
    faces = cohort(photos=3)
    result = privatize(faces, MODEL, BY_PHOTO, manifest=True).faces
    assert raw(privatize(faces, MODEL, BY_PHOTO, manifest=True).faces) == raw(result)
    apart = read_all(result)
    assert len(np.unique(apart[:, :LASTING].round(4), axis=0)) == len(faces)
    groups = {photo: number for number, group in enumerate(kept_groups(apart)) for photo in group}
    assert all(len({groups[photo] for photo in range(first, first + 3)}) == 3 for first in range(0, len(faces), 3))
    linked = read_all(privatize(faces, MODEL, BY_SUBJECT, manifest=True).faces)[:, :LASTING]
    np.testing.assert_allclose(linked, np.repeat(linked[::3], 3, axis=0), atol=1e-5)
    assert len(np.unique(linked[::3].round(4), axis=0)) == 23


def test_by_person_expression_is_the_photos_own_within_its_budget() -> None:
    faces = cohort(photos=2)
    budget = ExpressionBudget(directions=2, clip=1.5, step=0.5)
    result = privatize(faces, MODEL, BY_SUBJECT.changed(expression=budget), manifest=True)
    own = rows_of(faces)[:, LASTING:]
    wanted = quantize_expression(own[:, :2], np.ones(2), 1.5, 0.5)
    shown = read_all(result.faces)[:, LASTING:]
    np.testing.assert_allclose(shown[:, :2], wanted, atol=1e-5)
    np.testing.assert_allclose(shown[:, 2:], 0.0, atol=1e-5)
    assert result.guarantee.bits["expression"] == pytest.approx(2 * math.log2(7))
    none = BY_SUBJECT.changed(keep=("signs", "tone", "age", "sex"))
    calm = privatize(faces, MODEL, none, manifest=True)
    assert np.abs(read_all(calm.faces)[:, LASTING:]).max() < 1e-5
    assert calm.guarantee.bits["expression"] == 0.0


@pytest.mark.parametrize("settings", [BY_PHOTO, BY_SUBJECT], ids=lambda settings: str(settings.link))
def test_noise_is_a_function_of_the_seed_only(settings: PrivacySettings) -> None:
    """Everybody moved by the same amount moves what is shown by that amount: draws know nothing of faces."""
    faces = _calm(cohort())
    step = np.zeros(len(SPACE.mean))
    step[:LASTING] = np.linspace(-1.0, 1.0, LASTING)
    first = read_all(privatize(faces, MODEL, settings, manifest=True).faces)
    second = read_all(privatize(moved(faces, rows_of(faces) + step), MODEL, settings, manifest=True).faces)
    np.testing.assert_allclose(second - first, np.broadcast_to(step, first.shape), atol=1e-5)
    others = [replace(face, seed=face.seed + 7, subject_seed=face.subject_seed + 7) for face in faces]
    third = read_all(privatize(others, MODEL, settings, manifest=True).faces)
    np.testing.assert_allclose(SPACE.coordinates(third)[:, :11], SPACE.coordinates(first)[:, :11], atol=1e-5)
    assert np.abs(third - first).max() > 1.0


@pytest.mark.parametrize("keep", [("signs",), ("tone", "age"), ("sex", "expression")])
def test_what_is_kept_comes_through_and_the_rest_is_mostly_drawn(keep: tuple[str, ...]) -> None:
    faces = cohort(300)
    shown = read_all(privatize(faces, MODEL, BY_PHOTO.changed(keep=keep), manifest=True).faces)
    before, after = SPACE.coordinates(rows_of(faces)), SPACE.coordinates(shown)
    kept = [name in kept_space(keep).names for name in SPACE.names]
    correlations = np.array([np.corrcoef(one, other)[0, 1] for one, other in zip(before.T, after.T, strict=True)])
    alone = [name.startswith("expression") and name not in kept_space(keep).names for name in SPACE.names]
    assert correlations[kept].min() > 0.5
    assert np.abs(correlations[alone]).max(initial=0.0) < 5**-0.5, "the share of one of five people in a mean"


def test_codebook_outputs_are_virtual_patients_of_the_code() -> None:
    settings = PrivacySettings(mechanism="codebook", codes=16)
    faces = cohort(40, photos=2)
    public = public_patients(MODEL, SPACE).rows
    result = privatize(faces, MODEL, settings, manifest=True)
    shown = read_all(result.faces)[:, :LASTING]
    gaps = [np.abs(public - row).max(axis=1).min() for row in shown]
    assert max(gaps) < 1e-5 < 1e-3 < np.abs(public[1:] - public[:1]).max(axis=1).min()
    assert len({row.tobytes() for row in shown.round(4)}) > 60, "drawn for each photo"
    steady = read_all(privatize(faces, MODEL, settings.changed(link="subject"), manifest=True).faces)[:, :LASTING]
    np.testing.assert_allclose(steady[::2], steady[1::2], atol=1e-5)
    alone = privatize(faces[:2], MODEL, settings, manifest=True)  # a single subject needs no company
    assert raw(alone.faces) == raw(result.faces)[:2]


@pytest.mark.parametrize("link", ["photo", "subject"])
def test_metric_outputs_follow_the_seed_and_count_their_draws(link: str) -> None:
    settings = PrivacySettings(mechanism="metric", epsilon=0.5, link=link)
    faces = cohort(12, photos=3)
    result = privatize(faces, MODEL, settings, manifest=True)
    assert raw(result.faces) == raw(privatize(faces, MODEL, settings, manifest=True).faces)
    draws = 3 if link == "photo" else 1
    assert f"exp({0.5 * draws:g}·t)" in result.guarantee.statement
    assert result.guarantee.bits["face"] == pytest.approx(draws * metric_bits(8, 0.5))


@pytest.mark.parametrize("mechanism", ["codebook", "metric"])
def test_a_mechanism_with_nothing_but_expression_to_keep_shows_anybody(mechanism: str) -> None:
    settings = PrivacySettings(mechanism=mechanism, keep=("expression",))
    faces = cohort(6)
    shown = read_all(privatize(faces, MODEL, settings, manifest=True).faces)
    others = read_all(privatize(moved(faces, rows_of(faces)[::-1]), MODEL, settings, manifest=True).faces)
    np.testing.assert_allclose(shown[:, :LASTING], others[:, :LASTING], atol=1e-5)


def test_none_is_exact_and_refused_without_insistence() -> None:
    with pytest.raises(UsageError, match="i-understand"):
        PrivacySettings(mechanism="none")
    faces = cohort()
    result = privatize(faces, MODEL, PrivacySettings(mechanism="none", i_understand=True), manifest=True)
    np.testing.assert_allclose(read_all(result.faces), rows_of(faces), atol=1e-5)
    assert "face" not in result.guarantee.bits
    assert "re-identify" in result.guarantee.statement


@pytest.mark.parametrize("settings", [BY_PHOTO, BY_SUBJECT], ids=lambda settings: str(settings.link))
def test_small_classes_are_withheld_and_the_rest_counted(settings: PrivacySettings) -> None:
    faces = [replace(face, label="rare" if i < 4 else "common") for i, face in enumerate(cohort(seed=12))]
    result = privatize(faces, MODEL, settings, manifest=True)
    assert [isinstance(shown, Refusal) for shown in result.faces] == [True] * 4 + [False] * 19
    assert {shown.reason for shown in result.faces if isinstance(shown, Refusal)} == {"small-class"}
    assert "19 subjects" in result.guarantee.statement
    assert "in 3 groups" in result.guarantee.statement
    assert result.guarantee.bits["group" if settings.link == "photo" else "face"] == pytest.approx(math.log2(3))
    assert result.guarantee.bits["released set"] == pytest.approx(math.log2(19))


def test_everything_withheld_releases_nothing() -> None:
    result = privatize(cohort(4, label="rare"), MODEL, BY_PHOTO, manifest=True)
    assert all(isinstance(shown, Refusal) for shown in result.faces)
    assert result.guarantee.statement == "nothing was released"
    assert result.audit is None
    assert privatize([], MODEL, BY_PHOTO, manifest=False).faces == ()


def test_coordinates_that_are_not_finite_are_withheld_alone() -> None:
    faces = cohort()
    broken = [
        *faces,
        SubjectFace("s99", np.full(len(SPACE.mean), np.nan), 5, 5),
        replace(faces[0], row=np.full(len(SPACE.mean), np.inf)),
    ]
    result = privatize(broken, MODEL, BY_PHOTO, manifest=True)
    assert [shown.reason for shown in result.faces if isinstance(shown, Refusal)] == ["shape", "shape"]
    assert raw(result.faces[:23]) == raw(privatize(faces, MODEL, BY_PHOTO, manifest=True).faces)


def test_subject_with_two_labels_is_a_usage_error() -> None:
    faces = cohort(label="a")
    with pytest.raises(UsageError, match="s0"):
        privatize([*faces, replace(faces[0], label="b")], MODEL, BY_PHOTO, manifest=True)


@pytest.mark.parametrize("settings", [BY_PHOTO, BY_SUBJECT], ids=lambda settings: str(settings.link))
def test_too_few_subjects_is_a_usage_error(settings: PrivacySettings) -> None:
    with pytest.raises(UsageError, match="too few for k = 5"):
        privatize(cohort(4, photos=3), MODEL, settings, manifest=True)


@pytest.mark.parametrize(
    "wrong", [{"k": 1}, {"mechanism": "magic"}, {"link": "sometimes"}, {"codes": 0}], ids=lambda wrong: str(wrong)
)
def test_settings_refuse_nonsense(wrong: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        PrivacySettings(**wrong)  # type: ignore[arg-type]
