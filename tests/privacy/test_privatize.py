"""The whole privacy stage: what comes out is a function of the group, the budgeted expression and the seed."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from ganonym.errors import UsageError
from ganonym.faces.shape import ShapeModel, from_canvas, join, load_shape, split, to_canvas
from ganonym.privacy.expression import ExpressionBudget, quantize_expression, repartitioned
from ganonym.privacy.metric import metric_bits
from ganonym.privacy.population import public_patients
from ganonym.privacy.privatize import privatize
from ganonym.privacy.settings import PrivacySettings
from ganonym.privacy.subject import AttributeChoice, SubjectFace
from ganonym.types import Points, Refusal

from .cohorts import PLAIN, SPREAD, cohort, parts


def raw(shapes: tuple[Points | Refusal, ...]) -> list[bytes]:
    assert all(isinstance(shape, np.ndarray) for shape in shapes)
    return [np.asarray(shape).tobytes() for shape in shapes]


def test_identity_is_the_group_mean_and_expression_is_budgeted(model: ShapeModel) -> None:
    faces = cohort(model, photos=2)
    result = privatize(faces, model, PLAIN, manifest=True)
    means = np.array([np.mean([split(f.shape, model)[0] for f in faces[i : i + 2]], axis=0) for i in range(0, 46, 2)])
    out = [parts(shape, model) for shape in result.faces]
    for face, (identity, expression) in zip(faces, out, strict=True):
        mates = [i for i in range(23) if np.allclose(out[2 * i][0], identity, atol=1e-9)]
        assert 5 <= len(mates) < 10
        assert int(face.subject[1:]) in mates
        np.testing.assert_allclose(identity, means[mates].mean(axis=0), atol=1e-9)
        wanted = quantize_expression(split(face.shape, model)[1], model.expression_sd)
        np.testing.assert_allclose(expression, wanted, atol=1e-9)


def test_directions_of_expression_beyond_the_budget_are_protected_with_the_identity(model: ShapeModel) -> None:
    faces = cohort(model, photos=2)
    result = privatize(faces, model, PLAIN.changed(expression=ExpressionBudget(directions=2)), manifest=True)
    given = np.array([split(face.shape, model)[1] for face in faces])
    shown = np.array([parts(shape, model)[1] for shape in result.faces])
    np.testing.assert_allclose(shown[:, :2], quantize_expression(given[:, :2], model.expression_sd[:2]), atol=1e-9)
    np.testing.assert_allclose(shown[::2, 2:], shown[1::2, 2:], atol=1e-9)  # of the group, not of the photo
    groups = np.unique(np.round(shown[:, 2:], 9), axis=0)
    assert len(groups) == 4
    sizes = [int(np.all(np.isclose(shown[::2, 2:], group), axis=1).sum()) for group in groups]
    assert min(sizes) >= 5
    means = (given[::2, 2:] + given[1::2, 2:]) / 2
    assert (shown[:, 2:].mean(axis=0)) == pytest.approx(means.mean(axis=0))
    assert result.guarantee.bits["expression"] == pytest.approx(2 * math.log2(3))


def test_repartitioning_changes_no_shape(model: ShapeModel) -> None:
    for directions in range(5):
        other = repartitioned(model, directions)
        assert (np.diff(other.identity_sd) <= 0).all()
        for face in cohort(model):
            identity, expression = split(face.shape, other)
            assert len(expression) == directions
            np.testing.assert_allclose(join(identity, expression, other), face.shape, atol=1e-12)


@pytest.mark.parametrize("settings", [PLAIN, SPREAD, SPREAD.changed(disperse="subject")])
def test_swapping_two_group_members_changes_no_byte(model: ShapeModel, settings: PrivacySettings) -> None:
    """Names and seeds stay in place, the two people change places: the output is the group's, to the last bit."""
    faces = [replace(face, shape=_neutral(face.shape, model)) for face in cohort(model)]
    plain = [parts(shape, model)[0] for shape in privatize(faces, model, PLAIN, manifest=True).faces]
    a = 0
    mates = [i for i in range(1, 23) if np.allclose(plain[i], plain[a], atol=1e-9)]
    strangers = [i for i in range(1, 23) if i not in mates]
    before = raw(privatize(faces, model, settings, manifest=True).faces)
    for b in mates:
        assert raw(privatize(_swapped(faces, a, b), model, settings, manifest=True).faces) == before
    assert raw(privatize(_swapped(faces, a, strangers[0]), model, settings, manifest=True).faces) != before


def _neutral(shape: Points, model: ShapeModel) -> Points:
    return join(split(shape, model)[0], np.zeros(4), model)


def _swapped(faces: list[SubjectFace], a: int, b: int) -> list[SubjectFace]:
    swapped = list(faces)
    swapped[a], swapped[b] = replace(faces[a], shape=faces[b].shape), replace(faces[b], shape=faces[a].shape)
    return swapped


def test_dispersal_per_photo_unlinks_and_per_subject_links(model: ShapeModel) -> None:
    faces = cohort(model, photos=3)
    for disperse, distinct in (("photo", 69), ("subject", 23)):
        result = privatize(faces, model, SPREAD.changed(disperse=disperse), manifest=True)  # type: ignore[arg-type]
        identities = {tuple(np.round(parts(shape, model)[0], 9)) for shape in result.faces}
        assert len(identities) == distinct
        assert raw(result.faces) == raw(
            privatize(faces, model, SPREAD.changed(disperse=disperse), manifest=True).faces  # type: ignore[arg-type]
        )


def test_noise_is_a_function_of_the_seed_only(model: ShapeModel) -> None:
    faces = cohort(model)
    others = [replace(face, shape=_doubled(face.shape, model)) for face in faces]  # other people, same names and seeds
    noise = [
        np.array([parts(shape, model)[0] for shape in privatize(those, model, SPREAD, manifest=True).faces])
        - np.array([parts(shape, model)[0] for shape in privatize(those, model, PLAIN, manifest=True).faces])
        for those in (faces, others)
    ]
    np.testing.assert_allclose(noise[0], noise[1], atol=1e-9)  # doubling keeps the groups, so their sizes too
    assert np.abs(noise[0]).max() > model.identity_sd.max()


def _doubled(shape: Points, model: ShapeModel) -> Points:
    identity, expression = split(shape, model)
    return join(2 * identity, expression, model)


@pytest.fixture
def bundled() -> ShapeModel:
    """Phenotypes belong to the bundled shape model, and mean nothing in one drawn at random."""
    return load_shape()


def strangers(model: ShapeModel, subjects: int, photos: int = 1) -> list[SubjectFace]:
    rng = np.random.default_rng(12)
    return [
        SubjectFace(
            f"s{i}",
            join(identity, rng.normal(size=model.expression_sd.size) * model.expression_sd, model),
            100 * i + j,
            i,
        )
        for i, identity in enumerate(rng.normal(size=(subjects, 40)) * model.identity_sd)
        for j in range(photos)
    ]


def test_codebook_outputs_are_virtual_patients_of_the_code(bundled: ShapeModel) -> None:
    settings = PrivacySettings(mechanism="codebook", codes=16, expression=ExpressionBudget(keep=False))
    faces, model = strangers(bundled, 40, photos=2), repartitioned(bundled, 4)
    public = public_patients(model).identities
    result = privatize(faces, bundled, settings, manifest=True)
    shown = [split(from_canvas(np.asarray(shape)), model) for shape in result.faces]
    gaps = [np.abs(public - identity).max(axis=1).min() for identity, _ in shown]
    assert max(gaps) < 1e-6 < 1e-3 < np.abs(public[1:] - public[:1]).max(axis=1).min()
    assert max(float(np.abs(expression).max()) for _, expression in shown) < 1e-6
    assert len({identity.tobytes() for identity, _ in shown}) > 60, "drawn for each photo"
    steady = privatize(faces, bundled, settings.changed(disperse="subject"), manifest=True)
    assert raw(steady.faces)[::2] == raw(steady.faces)[1::2]
    middle = privatize(faces, bundled, settings.changed(disperse="none"), manifest=True)
    assert len(set(raw(middle.faces))) <= 16
    alone = privatize(faces[:2], bundled, settings, manifest=True)  # a single subject needs no company
    assert raw(alone.faces) == raw(result.faces)[:2]


@pytest.mark.parametrize("disperse", ["photo", "subject"])
def test_metric_outputs_follow_the_seed_and_count_their_draws(bundled: ShapeModel, disperse: str) -> None:
    settings = PrivacySettings(mechanism="metric", epsilon=0.5, disperse=disperse)  # type: ignore[arg-type]
    faces = strangers(bundled, 12, photos=3)
    result = privatize(faces, bundled, settings, manifest=True)
    assert raw(result.faces) == raw(privatize(faces, bundled, settings, manifest=True).faces)
    draws = 3 if disperse == "photo" else 1
    assert f"exp({0.5 * draws:g}·t)" in result.guarantee.statement
    assert result.guarantee.bits["shape"] == pytest.approx(draws * metric_bits(8, 0.5))


def test_none_is_exact_and_refused_without_insistence(model: ShapeModel) -> None:
    with pytest.raises(UsageError, match="i-understand"):
        PrivacySettings(mechanism="none")
    faces = [replace(face, shape=face.shape + 0.001) for face in cohort(model)]  # partly outside the model's span
    result = privatize(faces, model, PrivacySettings(mechanism="none", i_understand=True), manifest=True)
    assert raw(result.faces) == [to_canvas(face.shape).tobytes() for face in faces]
    assert "shape" not in result.guarantee.bits
    assert "re-identify" in result.guarantee.statement


def test_small_classes_are_withheld_and_the_rest_counted(model: ShapeModel) -> None:
    faces = [replace(face, label="rare" if i < 4 else "common") for i, face in enumerate(cohort(model))]
    result = privatize(faces, model, SPREAD, manifest=True)
    assert [isinstance(shape, Refusal) for shape in result.faces] == [True] * 4 + [False] * 19
    assert "19 subjects in 3 groups" in result.guarantee.statement
    assert result.guarantee.bits["shape"] == pytest.approx(math.log2(3))
    assert result.guarantee.bits["released set"] == pytest.approx(math.log2(19))


def test_everything_withheld_releases_nothing(model: ShapeModel) -> None:
    result = privatize(cohort(model, subjects=4, label="rare"), model, SPREAD, manifest=True)
    assert all(isinstance(shape, Refusal) for shape in result.faces)
    assert result.guarantee.statement == "nothing was released"
    assert privatize([], model, SPREAD, manifest=False).faces == ()


def test_shape_that_is_not_finite_is_withheld_alone(model: ShapeModel) -> None:
    faces = cohort(model)
    broken = [
        *faces,
        SubjectFace("s99", np.full((68, 2), np.nan), 5, 5),
        replace(faces[0], shape=np.full((68, 2), np.inf)),
    ]
    result = privatize(broken, model, SPREAD, manifest=True)
    assert [shape.reason for shape in result.faces if isinstance(shape, Refusal)] == ["shape", "shape"]
    assert raw(result.faces[:23]) == raw(privatize(faces, model, SPREAD, manifest=True).faces)


def test_subject_with_two_labels_is_a_usage_error(model: ShapeModel) -> None:
    faces = cohort(model, label="a")
    with pytest.raises(UsageError, match="s0"):
        privatize([*faces, replace(faces[0], label="b")], model, SPREAD, manifest=True)


def test_too_few_subjects_is_a_usage_error(model: ShapeModel) -> None:
    with pytest.raises(UsageError, match="too few for k = 5"):
        privatize(cohort(model, subjects=4, photos=3), model, SPREAD, manifest=True)


@pytest.mark.parametrize(
    "wrong", [{"k": 1}, {"mechanism": "magic"}, {"disperse": "sometimes"}, {"codes": 0}], ids=lambda wrong: str(wrong)
)
def test_settings_refuse_nonsense(wrong: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        PrivacySettings(**wrong)  # type: ignore[arg-type]


def test_guarantee_states_the_smallest_group_and_adds_up(model: ShapeModel) -> None:
    settings = SPREAD.changed(attributes=AttributeChoice(age=False), attributes_from="subject")
    result = privatize(cohort(model), model, settings, manifest=False).guarantee
    assert result.statement.startswith("re-identification by identity shape ≤ 1/5 = 0.200 within the released set")
    bits = result.bits
    assert bits["shape"] == pytest.approx(math.log2(4))  # 23 subjects: 5 + 5 + 5 + 8
    assert bits["total"] == pytest.approx(math.log2(4) + 4 * math.log2(3) + math.log2(6))  # sex needs a manifest
    assert bits["mankind"] == 33.0
    assert any("each photo was counted as its own subject" in line for line in result.assumptions)
    known = privatize(cohort(model, photos=2), model, settings, manifest=True).guarantee
    assert known.bits["total"] == pytest.approx(bits["total"] + math.log2(3))
    assert not any("no manifest" in line for line in known.assumptions)
    assert any("up to 2 photos" in line for line in known.assumptions)


def test_smallest_group_is_the_one_formed_not_the_one_asked_for(model: ShapeModel) -> None:
    result = privatize(cohort(model, subjects=9), model, SPREAD, manifest=True).guarantee
    assert "≤ 1/9" in result.statement
    assert result.bits["shape"] == 0.0
