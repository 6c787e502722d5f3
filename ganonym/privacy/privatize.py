"""Shapes in, privatized shapes and their guarantee out: the one function the pipeline calls.

Every subject gets a stand-in, which alone decides the identity that its faces are shown with.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from ganonym.errors import UsageError
from ganonym.faces.shape import ShapeModel, from_canvas, join, split, to_canvas
from ganonym.privacy.audit import Audit, audit_shapes
from ganonym.privacy.codebook import Codebook, make_codebook
from ganonym.privacy.expression import quantize_expression, repartitioned
from ganonym.privacy.guarantee import Guarantee, Released, guarantee
from ganonym.privacy.ksame import GroupMean, disperse, exact_mean, k_same, merged_labels
from ganonym.privacy.metric import metric_private
from ganonym.privacy.population import attacker_view, generator, public_patients
from ganonym.privacy.settings import PrivacySettings
from ganonym.privacy.subject import NOTHING, Attributes, SubjectFace, of_random_member, usual
from ganonym.types import Floats, Points, Refusal


@dataclass(frozen=True, slots=True)
class Privatized:
    """For every face, in order, its shape on the canvas (68, 2) in pixels or why it is withheld; and the guarantee.

    `labels` are what may be released of the faces' labels, which names several classes where small ones were merged;
    `attributes` what synthesis may know of each face.
    `audit` is how an attack on these very shapes did; None where nothing is released.
    """

    faces: tuple[Points | Refusal, ...]
    guarantee: Guarantee
    labels: tuple[str | None, ...]
    attributes: tuple[Attributes, ...]
    audit: Audit | None


def privatize(
    faces: Sequence[SubjectFace], model: ShapeModel, settings: PrivacySettings, *, manifest: bool
) -> Privatized:
    """Privatize the shapes of a whole release. `manifest`: whether a manifest, not the file list, said who is who.

    A subject's identity is the mean over its faces. A face whose shape is not finite is withheld (reason "shape") and
    does not count. Raises UsageError when a subject has two labels, or when k-same without labels has fewer than k
    subjects; GuaranteeBroken when the audit refutes the guarantee.
    """
    directions = model.expression_sd.size
    model = repartitioned(model, settings.expression.directions)
    photos: dict[str, list[SubjectFace]] = {}
    for face in faces:
        if face.sound:
            photos.setdefault(face.subject, []).append(face)
    identities = {
        subject: exact_mean(np.array([split(face.shape, model)[0] for face in own])) for subject, own in photos.items()
    }
    given = {subject: _label(subject, own) for subject, own in photos.items()}
    labels = _released_labels(identities, given, model, settings)
    stand_ins = stand_ins_of(identities, labels, model, settings)
    output = tuple(
        shown(face, stand_ins[face.subject], model, settings)
        if face.sound
        else Refusal("shape", "the landmarks of this face are not finite numbers")
        for face in faces
    )
    kept = {subject: stand_in for subject, stand_in in stand_ins.items() if not isinstance(stand_in, Refusal)}
    sizes = {stand_in.group: stand_in.size for stand_in in kept.values() if isinstance(stand_in, GroupMean)}
    released = Released(
        subjects=len(kept),
        most_photos=max((len(photos[subject]) for subject in kept), default=0),
        directions=directions,
        manifest=manifest,
        groups=len(sizes),
        smallest=min(sizes.values(), default=0),
        labels=len({labels[subject] for subject in kept}) if labelled(labels) else 0,
        merged=len({labels[subject] for subject in kept} - set(given.values())),
    )
    promise = guarantee(settings, released)
    return Privatized(
        output,
        promise,
        tuple(labels.get(face.subject) for face in faces),
        _attributes(faces, photos, stand_ins, settings),
        _audit(faces, output, identities, model, settings, promise),
    )


def _attributes(
    faces: Sequence[SubjectFace],
    photos: dict[str, list[SubjectFace]],
    stand_ins: dict[str, StandIn],
    settings: PrivacySettings,
) -> tuple[Attributes, ...]:
    if settings.mechanism != "k-same" or settings.attributes_from == "subject":
        return tuple(face.attributes for face in faces)
    members: dict[int, list[Attributes]] = {}
    for subject, stand_in in stand_ins.items():
        if isinstance(stand_in, GroupMean):
            members.setdefault(stand_in.group, []).append(usual([face.attributes for face in photos[subject]]))
    drawn = []
    for face in faces:
        group = stand_ins.get(face.subject)
        rng = generator(face.seed if face.surrogate_seed is None else face.surrogate_seed, "attributes")
        drawn.append(of_random_member(members[group.group], rng) if isinstance(group, GroupMean) else NOTHING)
    return tuple(drawn)


def _audit(
    faces: Sequence[SubjectFace],
    output: Sequence[Points | Refusal],
    identities: dict[str, Floats],
    model: ShapeModel,
    settings: PrivacySettings,
    promise: Guarantee,
) -> Audit | None:
    released = [
        (face.subject, points) for face, points in zip(faces, output, strict=True) if isinstance(points, np.ndarray)
    ]
    if promise.rank1 is None or not released:
        return None
    number = {subject: row for row, subject in enumerate(identities)}
    originals = np.array(list(identities.values()))
    outputs = np.array([split(from_canvas(points), model)[0] for _, points in released])
    owners = np.array([number[subject] for subject, _ in released])
    view = attacker_view(model, settings)
    return audit_shapes(originals @ view, outputs @ view, owners, promise.rank1)


def _released_labels(
    people: dict[str, Floats], labels: dict[str, str | None], model: ShapeModel, settings: PrivacySettings
) -> dict[str, str | None]:
    if not people or settings.mechanism != "k-same" or settings.small_classes != "merge":
        return labels
    merged = merged_labels(np.array(list(people.values())), list(labels.values()), settings.k, model.identity_sd)
    return dict(zip(people, merged, strict=True))


def _label(subject: str, faces: list[SubjectFace]) -> str | None:
    labels = {face.label for face in faces}
    if len(labels) > 1:
        raise UsageError(f"subject {subject!r} has several labels in the manifest: {sorted(map(str, labels))}.")
    return labels.pop()


@dataclass(frozen=True, slots=True)
class Kind:
    """What a codebook leaves of a subject: one of its codes."""

    codebook: Codebook
    code: int


# What stands for a subject: a group mean (k-same), a code (codebook), its identity (m,) (metric, none), or nothing.
StandIn: TypeAlias = GroupMean | Kind | Floats | Refusal


def stand_ins_of(
    people: dict[str, Floats], labels: dict[str, str | None], model: ShapeModel, settings: PrivacySettings
) -> dict[str, StandIn]:
    """The stand-in of every subject, given the identities (m,) and labels of all.

    Raises UsageError when k-same without labels has fewer than k subjects.
    """
    if not people:
        return {}
    identities = np.array(list(people.values()))
    stand_ins: Sequence[StandIn] = list(identities)
    if settings.mechanism == "k-same":
        classes = list(labels.values()) if labelled(labels) else None
        stand_ins = k_same(identities, classes, settings.k, model.identity_sd)
    elif settings.mechanism == "codebook":
        codebook = make_codebook(public_patients(model, settings.codebook_seed), settings.codes, settings.codebook_seed)
        stand_ins = [Kind(codebook, codebook.code(identity)) for identity in identities]
    return dict(zip(people, stand_ins, strict=True))


def shown(face: SubjectFace, stand_in: StandIn, model: ShapeModel, settings: PrivacySettings) -> Points | Refusal:
    """Landmarks (68, 2) on the canvas with which a face is shown: of its subject, the stand-in alone decides.

    Of the photo come the budgeted expression and, with mechanism none, everything.
    """
    if isinstance(stand_in, Refusal):
        return stand_in
    if settings.mechanism == "none":
        return to_canvas(face.shape)
    if isinstance(stand_in, GroupMean):
        identity = _dispersed(stand_in, face, model, settings)
    elif isinstance(stand_in, Kind):
        identity = _virtual_patient(stand_in, face, settings)
    elif settings.mechanism == "metric":
        rng = generator(_draw_seed(face, settings), f"metric {settings.disperse}")
        identity = metric_private(
            stand_in, public_patients(model, settings.codebook_seed), settings.epsilon, settings.directions, rng
        )
    else:
        identity = stand_in
    return to_canvas(join(identity, _expression(face, model, settings), model))


def _dispersed(group: GroupMean, face: SubjectFace, model: ShapeModel, settings: PrivacySettings) -> Floats:
    if settings.disperse == "none":
        return group.mean
    return disperse(group, model.identity_sd, generator(_draw_seed(face, settings), f"disperse {settings.disperse}"))


def _virtual_patient(kind: Kind, face: SubjectFace, settings: PrivacySettings) -> Floats:
    if settings.disperse == "none":
        return kind.codebook.middle(kind.code)
    return kind.codebook.draw(kind.code, generator(_draw_seed(face, settings), f"codebook {settings.disperse}"))


def _draw_seed(face: SubjectFace, settings: PrivacySettings) -> int:
    return face.seed if settings.disperse == "photo" else face.subject_seed


def _expression(face: SubjectFace, model: ShapeModel, settings: PrivacySettings) -> Floats:
    budget = settings.expression
    if not budget.keep:
        return np.zeros(model.expression_sd.size)
    return quantize_expression(split(face.shape, model)[1], model.expression_sd, budget.clip, budget.step)


def labelled(labels: dict[str, str | None]) -> bool:
    """Whether any subject has a label: groups are formed within labels then."""
    return any(label is not None for label in labels.values())
