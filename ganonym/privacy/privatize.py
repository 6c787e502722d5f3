"""Shapes in, privatized shapes and their guarantee out: the one function the pipeline calls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ganonym.errors import UsageError
from ganonym.faces.shape import ShapeModel, from_canvas, split
from ganonym.privacy.attributes import NOTHING, Attributes, of_random_member, usual
from ganonym.privacy.audit import Audit, audit_shapes
from ganonym.privacy.draw import generator
from ganonym.privacy.expression import repartitioned
from ganonym.privacy.guarantee import Guarantee, Released, guarantee
from ganonym.privacy.ksame import GroupMean, exact_mean
from ganonym.privacy.labels import merged_labels
from ganonym.privacy.population import attacker_view
from ganonym.privacy.settings import PrivacySettings
from ganonym.privacy.stand_in import StandIn, labelled, shown, stand_ins_of
from ganonym.privacy.subject import SubjectFace
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
    shown = [
        (face.subject, points) for face, points in zip(faces, output, strict=True) if isinstance(points, np.ndarray)
    ]
    if promise.rank1 is None or not shown:
        return None
    number = {subject: row for row, subject in enumerate(identities)}
    originals = np.array(list(identities.values()))
    outputs = np.array([split(from_canvas(points), model)[0] for _, points in shown])
    owners = np.array([number[subject] for subject, _ in shown])
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
