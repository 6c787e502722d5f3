"""What stands for a subject once it is protected, and the shape that one of its faces is shown with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from ganonym.faces.shape import ShapeModel, join, split, to_canvas
from ganonym.privacy.codebook import Codebook, make_codebook
from ganonym.privacy.draw import generator
from ganonym.privacy.expression import quantize_expression
from ganonym.privacy.ksame import GroupMean, disperse, k_same
from ganonym.privacy.metric import metric_private
from ganonym.privacy.population import public_patients
from ganonym.privacy.settings import PrivacySettings
from ganonym.privacy.subject import SubjectFace
from ganonym.types import Floats, Points, Refusal


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
