"""Coordinates of faces in, privatized faces and their guarantee out: the one function the pipeline calls."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ganonym.errors import UsageError
from ganonym.faces.kept import KeptSpace, kept_space, with_given
from ganonym.faces.shape import ShapeModel, face_of
from ganonym.privacy.audit import Audit, Rerun, audit_rows
from ganonym.privacy.codebook import make_codebook
from ganonym.privacy.expression import quantize_expression
from ganonym.privacy.guarantee import Guarantee, Released, guarantee
from ganonym.privacy.joint import Joint, joint_by_subject, joint_k_same, shown
from ganonym.privacy.ksame import exact_mean
from ganonym.privacy.metric import metric_private
from ganonym.privacy.population import generator, public_patients
from ganonym.privacy.settings import PrivacySettings
from ganonym.privacy.subject import SubjectFace
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
    `audit` is how attacks on these very faces did; None where nothing is released or nothing is promised. `groups`: the
    number of the group that each face is shown with, None without one; never to be released.
    """

    faces: tuple[ShownFace | Refusal, ...]
    guarantee: Guarantee
    labels: tuple[str | None, ...]
    audit: Audit | None
    groups: tuple[int | None, ...]


Row: TypeAlias = Floats | Refusal


@dataclass(frozen=True, slots=True, eq=False)
class Hidden:
    """What a mechanism makes of the sound faces: the row shown for each, or why none is; its groups, if it has any.

    `labels` are what may be released of the faces' labels.
    """

    rows: tuple[Row, ...]
    labels: tuple[str | None, ...]
    joint: Joint | None = None

    @property
    def groups(self) -> tuple[int | None, ...]:
        """The group of each face, None without one."""
        if self.joint is None:
            return (None,) * len(self.rows)
        return tuple(None if group < 0 else group for group in self.joint.group.tolist())


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
    _one_label_each(sound)
    hidden = _hidden(sound, rows, model, space, settings)
    outcomes = iter(zip(hidden.rows, hidden.labels, hidden.groups, strict=True))
    output = [next(outcomes) if face.sound else (NOT_FINITE, None, None) for face in faces]
    promise = guarantee(settings, _released(sound, hidden, model, manifest))
    audit = _audit(sound, rows, hidden, space, settings, promise) if sound else None
    return Privatized(
        tuple(_drawn(row, model) for row, _, _ in output),
        promise,
        tuple(label for _, label, _ in output),
        audit,
        tuple(group for _, _, group in output),
    )


NOT_FINITE = Refusal("shape", "the coordinates of this face are not finite numbers")


def _drawn(row: Row, model: ShapeModel) -> ShownFace | Refusal:
    return row if isinstance(row, Refusal) else ShownFace(*face_of(row, model))


def _hidden(
    faces: Sequence[SubjectFace], rows: Floats, model: ShapeModel, space: KeptSpace, settings: PrivacySettings
) -> Hidden:
    labels = tuple(face.label for face in faces)
    if not faces or settings.mechanism == "none":
        return Hidden(tuple(rows), labels)
    joint = None
    if settings.mechanism == "k-same":
        group = joint_k_same if settings.link == "photo" else joint_by_subject
        given = labels if any(label is not None for label in labels) else None
        owners = [face.subject for face in faces]
        joint = group(rows, owners, given, space, settings.k, settings.small_classes)
        if settings.link == "photo":
            return Hidden(
                tuple(_of_group(joint, photo, face.seed) for photo, face in enumerate(faces)), joint.labels, joint
            )
    lasting = _of_subjects(faces, rows, joint, model, space, settings)
    shown_rows = [
        own if isinstance(own, Refusal) else np.concatenate([own, _budgeted(row[space.lasting :], settings)])
        for own, row in zip(lasting, rows, strict=True)
    ]
    return Hidden(tuple(shown_rows), labels if joint is None else joint.labels, joint)


def _of_group(joint: Joint, photo: int, seed: int, purpose: str = "k-same") -> Row:
    refusal = joint.refusals[photo]
    return shown(joint, photo, generator(seed, purpose)) if refusal is None else refusal


def _of_subjects(
    faces: Sequence[SubjectFace],
    rows: Floats,
    joint: Joint | None,
    model: ShapeModel,
    space: KeptSpace,
    settings: PrivacySettings,
) -> list[Row]:
    """Identity and texture that stand for each face's subject, without expression."""
    seeds = [face.subject_seed if settings.link == "subject" else face.seed for face in faces]
    if joint is not None:
        drawn = [_of_group(joint, photo, seed) for photo, seed in enumerate(seeds)]
        return [row if isinstance(row, Refusal) else row[: space.lasting] for row in drawn]
    photos: dict[str, list[int]] = {}
    for photo, face in enumerate(faces):
        photos.setdefault(face.subject, []).append(photo)
    means = {subject: exact_mean(rows[own][:, : space.lasting]) for subject, own in photos.items()}
    public = public_patients(model, space, settings.codebook_seed)
    draws = [generator(seed, settings.mechanism) for seed in seeds]
    if settings.mechanism == "codebook":
        codebook = make_codebook(public, settings.codes, settings.codebook_seed)
        codes = {subject: codebook.code(mean) for subject, mean in means.items()}
        return [codebook.draw(codes[face.subject], rng) for face, rng in zip(faces, draws, strict=True)]
    return [
        metric_private(means[face.subject], public, settings.epsilon, settings.directions, rng)
        for face, rng in zip(faces, draws, strict=True)
    ]


def _budgeted(strength: Floats, settings: PrivacySettings) -> Floats:
    """Expression (e,) in SD, clipped and rounded in as many directions as the budget has; 0 in the others."""
    budget = settings.expression
    if "expression" not in settings.keep or not budget.keep:
        return np.zeros_like(strength)
    left = np.where(np.arange(len(strength)) < budget.directions, strength, 0.0)
    return quantize_expression(left, np.ones_like(left), budget.clip, budget.step)


def _one_label_each(faces: Sequence[SubjectFace]) -> None:
    labels: dict[str, str | None] = {}
    for face in faces:
        if labels.setdefault(face.subject, face.label) != face.label:
            both = sorted(map(str, (labels[face.subject], face.label)))
            raise UsageError(f"subject {face.subject!r} has several labels in the manifest: {both}.")


def _released(faces: Sequence[SubjectFace], hidden: Hidden, model: ShapeModel, manifest: bool) -> Released:
    kept = [
        (face, label)
        for face, row, label in zip(faces, hidden.rows, hidden.labels, strict=True)
        if not isinstance(row, Refusal)
    ]
    photos = Counter(face.subject for face, _ in kept)
    labels = {label for _, label in kept}
    joint = hidden.joint
    return Released(
        subjects=len(photos),
        photos=len(kept),
        most_photos=max(photos.values(), default=0),
        directions=len(model.expression_sd),
        manifest=manifest,
        sizes=() if joint is None else tuple(joint.sizes.tolist()),
        worst=1.0 if joint is None else float(joint.bounds.max(initial=0.0)),
        mean=1.0 if joint is None else joint.mean_bound,
        counted=None if joint is None else _counted(faces, joint),
        alone=() if joint is None else joint.alone,
        labels=len(labels) if labels - {None} else 0,
        merged=len(labels - {face.label for face in faces}),
    )


def _counted(faces: Sequence[SubjectFace], joint: Joint) -> float | None:
    """The rate at which linked subjects are named by group and number of photos; None if these tell nobody."""
    photos = Counter((face.subject, group) for face, group in zip(faces, joint.group.tolist(), strict=True))
    people = [(group, count) for (_, group), count in photos.items() if group >= 0]
    told = len(set(people)), len({group for group, _ in people})
    return told[0] / len(people) if told[0] > told[1] else None


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
    shown = np.array([hidden.rows[photo] for photo in photos.tolist()])
    owners = np.array([face.subject for face in faces])
    joint = hidden.joint
    bound: float | Floats = promise.rank1
    groups, again = None, None
    if joint is not None:
        bound, groups = _declared(joint, owners, settings.k), joint.group
        seeds = [face.subject_seed if settings.link == "subject" else face.seed for face in faces]
        again = np.array([_of_group(joint, photo, seeds[photo], "k-same, a second run") for photo in photos.tolist()])
    if settings.mechanism == "none" or (joint is not None and settings.link == "photo"):
        return audit_rows(rows, shown, photos, owners, space, bound, Rerun(groups, again))
    # Expression lies outside the bound: what is held against it is identity and texture, of persons.
    people, first, owner = np.unique(owners, return_index=True, return_inverse=True)
    means = np.array([exact_mean(rows[owner == person]) for person in range(len(people))])
    for side in (means, shown, *([] if again is None else [again])):
        side[:, space.lasting :] = space.mean[space.lasting :]
    if groups is not None:
        assert isinstance(bound, np.ndarray)
        bound, groups = bound[first], groups[first]
    return audit_rows(means, shown, owner[photos], people, space.without("expression"), bound, Rerun(groups, again))


def _declared(joint: Joint, owners: NDArray[np.str_], k: int) -> Floats:
    """The rate (n,) at which each photo may be named: that of its group, and 1/k at most in classes of k people."""
    labels = np.array([label or "" for label in joint.labels])
    crowds = {label: len(np.unique(owners[labels == label])) for label in np.unique(labels).tolist()}
    bound = np.where(joint.group >= 0, joint.bounds[joint.group], 1.0)
    crowded = np.array([crowds[label] >= k for label in labels.tolist()]) & (joint.group >= 0)
    return np.where(crowded, np.minimum(bound, 1.0 / k), bound)
