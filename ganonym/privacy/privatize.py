"""Coordinates of faces in, privatized faces and their guarantee out: the one function the pipeline calls."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ganonym.errors import UsageError
from ganonym.faces.shape import ShapeModel, face_of
from ganonym.privacy.audit import Audit, Rerun, audit_rows
from ganonym.privacy.codebook import make_codebook
from ganonym.privacy.expression import ExpressionBudget, quantize_expression
from ganonym.privacy.guarantee import Guarantee, Released, guarantee
from ganonym.privacy.joint import Joint, joint_k_same
from ganonym.privacy.kept import KeptSpace, kept_space, with_given
from ganonym.privacy.ksame import exact_mean, merged_labels
from ganonym.privacy.metric import metric_private
from ganonym.privacy.population import generator, public_patients
from ganonym.privacy.settings import PrivacySettings
from ganonym.privacy.subject import SubjectFace
from ganonym.settings import SMALLEST_CLASS
from ganonym.types import Floats, Points, Refusal


@dataclass(frozen=True, slots=True, eq=False)
class ShownFace:
    """What may be shown of a face: landmarks (68, 2) on the canvas in pixels and texture coefficients (q,) in SD."""

    points: Points
    texture: Floats


@dataclass(frozen=True, slots=True)
class Privatized:
    """For every face, in order, what is shown of it or why it is withheld; and the guarantee.

    `labels` are what may be released of the faces' labels, which names several classes where small ones were merged.
    `audit` is how attacks on these very faces did; None where nothing is released or nothing is promised.
    """

    faces: tuple[ShownFace | Refusal, ...]
    guarantee: Guarantee
    labels: tuple[str | None, ...]
    audit: Audit | None


Row: TypeAlias = Floats | Refusal


@dataclass(frozen=True, slots=True, eq=False)
class Hidden:
    """What a mechanism makes of the sound faces: the row shown for each, or why none is; its groups, if it has any."""

    rows: tuple[Row, ...]
    joint: Joint | None = None


def privatize(
    faces: Sequence[SubjectFace], model: ShapeModel, settings: PrivacySettings, *, manifest: bool
) -> Privatized:
    """Privatize the faces of a whole release. `manifest`: whether a manifest, not the file list, said who is who.

    A face without finite coordinates is withheld (reason "shape") and does not count. Raises UsageError when a subject
    has two labels, or when k-same without labels has fewer than k subjects; GuaranteeBroken when the audit refutes the
    guarantee.
    """
    space = kept_space(settings.keep, settings.weights.model_dump())
    sound = [face for face in faces if face.sound]
    rows = np.array([with_given(face.row, space, face.age, face.sex) for face in sound])
    rows = rows.reshape(len(sound), len(space.mean))
    labels = _labels_of(sound, rows, space, settings)
    hidden = _hidden(sound, rows, labels, model, space, settings)
    shown = dict(zip([id(face) for face in sound], hidden.rows, strict=True))
    output = tuple(_drawn(shown[id(face)], model) if face.sound else NOT_FINITE for face in faces)
    promise = guarantee(settings, _released(sound, hidden, labels, model, manifest))
    audit = _audit(sound, rows, hidden, space, settings, promise) if sound else None
    return Privatized(output, promise, tuple(labels.get(face.subject) for face in faces), audit)


NOT_FINITE = Refusal("shape", "the coordinates of this face are not finite numbers")


def _drawn(row: Row, model: ShapeModel) -> ShownFace | Refusal:
    return row if isinstance(row, Refusal) else ShownFace(*face_of(row, model))


def _hidden(
    faces: Sequence[SubjectFace],
    rows: Floats,
    labels: Mapping[str, str | None],
    model: ShapeModel,
    space: KeptSpace,
    settings: PrivacySettings,
) -> Hidden:
    if not faces or settings.mechanism == "none":
        return Hidden(tuple(rows))
    if settings.mechanism == "k-same" and settings.link == "photo":
        joint = _joint(rows, [face.subject for face in faces], labels, space, settings)
        draws = [
            joint.shown(photo, generator(face.seed, "k-same")) if joint.group[photo] >= 0 else _too_few(face, labels)
            for photo, face in enumerate(faces)
        ]
        return Hidden(tuple(draws), joint)
    return _by_subject(faces, rows, labels, model, space, settings)


def _by_subject(
    faces: Sequence[SubjectFace],
    rows: Floats,
    labels: Mapping[str, str | None],
    model: ShapeModel,
    space: KeptSpace,
    settings: PrivacySettings,
) -> Hidden:
    """One identity and texture for all photos of a subject, beside which each has its budget of expression."""
    people = list(dict.fromkeys(face.subject for face in faces))
    owner = np.array([people.index(face.subject) for face in faces])
    means = np.array([exact_mean(rows[owner == person]) for person in range(len(people))])
    joint = None
    if settings.mechanism == "k-same":
        space = space.without("expression")
        joint = _joint(means, people, labels, space, settings)
    public = public_patients(model, space, settings.codebook_seed)
    codebook = make_codebook(public, settings.codes, settings.codebook_seed)

    def stand_in(photo: int, face: SubjectFace) -> Row:
        """Identity and texture that stand for the subject."""
        person = int(owner[photo])
        rng = generator(face.subject_seed if settings.link == "subject" else face.seed, settings.mechanism)
        own = means[person, : space.lasting]
        if joint is not None:
            return joint.shown(person, rng)[: space.lasting] if joint.group[person] >= 0 else _too_few(face, labels)
        if settings.mechanism == "codebook":
            return codebook.draw(codebook.code(own), rng)
        return metric_private(own, public, settings.epsilon, settings.directions, rng)

    shown: list[Row] = []
    for photo, face in enumerate(faces):
        lasting = stand_in(photo, face)
        expression = _budgeted(rows[photo, space.lasting :], "expression" in settings.keep, settings.expression)
        shown.append(lasting if isinstance(lasting, Refusal) else np.concatenate([lasting, expression]))
    return Hidden(tuple(shown), None if joint is None else _of_photos(joint, owner))


def _joint(
    rows: Floats, owners: list[str], labels: Mapping[str, str | None], space: KeptSpace, settings: PrivacySettings
) -> Joint:
    least = SMALLEST_CLASS if settings.small_classes == "class" else settings.k
    given = [labels[owner] for owner in owners] if labelled(labels) else None
    return joint_k_same(rows, owners, given, space, settings.k, least)


def _of_photos(joint: Joint, owner: NDArray[np.intp]) -> Joint:
    return Joint(joint.group[owner], joint.middle, joint.sizes, joint.noise, joint.gains)


def _budgeted(strength: Floats, keep: bool, budget: ExpressionBudget) -> Floats:
    """Expression (e,) in SD, clipped and rounded in as many directions as the budget has; 0 in the others."""
    if not keep or not budget.keep:
        return np.zeros_like(strength)
    left = np.where(np.arange(len(strength)) < budget.directions, strength, 0.0)
    return quantize_expression(left, np.ones_like(left), budget.clip, budget.step)


def _too_few(face: SubjectFace, labels: Mapping[str, str | None]) -> Refusal:
    return Refusal(
        "small-class",
        f"too few subjects carry the label {labels[face.subject] or '(none)'!r} for a group that takes this photo",
    )


def _labels_of(
    faces: Sequence[SubjectFace], rows: Floats, space: KeptSpace, settings: PrivacySettings
) -> dict[str, str | None]:
    """What may be released of every subject's label."""
    labels: dict[str, str | None] = {}
    for face in faces:
        if labels.setdefault(face.subject, face.label) != face.label:
            both = sorted(map(str, {labels[face.subject], face.label}))
            raise UsageError(f"subject {face.subject!r} has several labels in the manifest: {both}.")
    if not labels or settings.mechanism != "k-same" or settings.small_classes != "merge":
        return labels
    places = space.coordinates(rows) * space.weights
    people = [[place for place, face in enumerate(faces) if face.subject == subject] for subject in labels]
    means = np.array([exact_mean(places[own]) for own in people])
    merged = merged_labels(means, list(labels.values()), settings.k, np.ones(means.shape[1]))
    return dict(zip(labels, merged, strict=True))


def labelled(labels: Mapping[str, str | None]) -> bool:
    """Whether any subject has a label: groups are formed within labels then."""
    return any(label is not None for label in labels.values())


def _released(
    faces: Sequence[SubjectFace],
    hidden: Hidden,
    labels: Mapping[str, str | None],
    model: ShapeModel,
    manifest: bool,
) -> Released:
    kept = [face for face, row in zip(faces, hidden.rows, strict=True) if not isinstance(row, Refusal)]
    photos = Counter(face.subject for face in kept)
    given = {face.subject: face.label for face in faces}
    sizes = [] if hidden.joint is None else hidden.joint.sizes.tolist()
    return Released(
        subjects=len(photos),
        photos=len(kept),
        most_photos=max(photos.values(), default=0),
        directions=len(model.expression_sd),
        manifest=manifest,
        sizes=tuple(sizes),
        labels=len({labels[subject] for subject in photos}) if labelled(labels) else 0,
        merged=len({labels[subject] for subject in photos} - set(given.values())),
    )


def _audit(
    faces: Sequence[SubjectFace],
    rows: Floats,
    hidden: Hidden,
    space: KeptSpace,
    settings: PrivacySettings,
    promise: Guarantee,
) -> Audit | None:
    photos = np.flatnonzero([not isinstance(row, Refusal) for row in hidden.rows])
    if promise.rank1 is None or not len(photos):
        return None
    shown = np.array([hidden.rows[photo] for photo in photos])
    owners = np.array([face.subject for face in faces])
    joint = hidden.joint
    bound: float | Floats = promise.rank1
    if joint is not None:
        bound = np.where(joint.group >= 0, 1.0 / joint.sizes[joint.group], 1.0)
    if settings.mechanism == "none" or (joint is not None and settings.link == "photo"):
        return audit_rows(rows, shown, photos, owners, space, bound, Rerun(None if joint is None else joint.group))
    # Expression lies outside the bound: what is held against it is identity and texture, of persons.
    people, first, owner = np.unique(owners, return_index=True, return_inverse=True)
    means = np.array([exact_mean(rows[owner == person]) for person in range(len(people))])
    means[:, space.lasting :] = shown[:, space.lasting :] = space.mean[space.lasting :]
    if joint is not None:
        assert isinstance(bound, np.ndarray)
        bound, groups = bound[first], joint.group[first]
        return audit_rows(means, shown, owner[photos], people, space.without("expression"), bound, Rerun(groups))
    return audit_rows(means, shown, owner[photos], people, space.without("expression"), bound)
