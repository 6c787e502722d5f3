"""Which attackers an assessment runs. Adding or altering one changes results: with a new SUITE version."""

from __future__ import annotations

from collections.abc import Sequence

from ganonym.evaluate.attackers.attacker import Attacker, View
from ganonym.evaluate.attackers.background import BACKGROUND
from ganonym.evaluate.attackers.dlib_recognizer import DLIB, DLIB_ORACLE
from ganonym.evaluate.attackers.eigenface import Eigenface
from ganonym.evaluate.attackers.embedding_map import ProcrustesMap, RidgeMap
from ganonym.evaluate.attackers.fine_tuned_head import FineTunedHead
from ganonym.evaluate.attackers.inner_face import INNER_FACE
from ganonym.evaluate.attackers.keypoints import KEYPOINT_MATCHES
from ganonym.evaluate.attackers.landmark_shape import PLAIN_SHAPE, WhitenedShape
from ganonym.evaluate.attackers.metadata import METADATA
from ganonym.evaluate.attackers.onnx_recognizer import OnnxView, recognizer
from ganonym.evaluate.attackers.perceptual_hash import FACE_HASH, PHOTO_HASH
from ganonym.evaluate.attackers.retrained_metric import RetrainedMetric
from ganonym.evaluate.attackers.reversal import Reversal
from ganonym.evaluate.attackers.thumbnail import THUMBNAIL
from ganonym.evaluate.attackers.whole_photo import WHOLE_PHOTO

SUITE = "2026-11.3"
CHEAP: tuple[Attacker, ...] = (
    THUMBNAIL,
    INNER_FACE,
    WHOLE_PHOTO,
    BACKGROUND,
    PHOTO_HASH,
    FACE_HASH,
    KEYPOINT_MATCHES,
    *METADATA,
    PLAIN_SHAPE,
    WhitenedShape(),
    Eigenface("originals"),
)
ADAPTED: tuple[Attacker, ...] = (
    WhitenedShape(informed=True),
    Eigenface(),
    Eigenface("both"),
    RidgeMap(DLIB_ORACLE.view),
    ProcrustesMap(DLIB_ORACLE.view),
    RetrainedMetric(DLIB_ORACLE.view),
    RetrainedMetric(DLIB_ORACLE.view, mapped=True),
    FineTunedHead(DLIB_ORACLE.view),
    Reversal(),
)
FUSED = (DLIB_ORACLE.name, WhitenedShape().name, THUMBNAIL.name)
"""Whose distances are also combined: a recognizer, the geometry and the pixels."""


def suite(recognizers: Sequence[OnnxView] = ()) -> tuple[Attacker, ...]:
    """All attackers, cheapest first, with those that run on `recognizers` of the user's."""
    adapted = [kind(view) for view in recognizers for kind in (RidgeMap, ProcrustesMap, RetrainedMetric)]
    return (*CHEAP, DLIB, DLIB_ORACLE, *map(recognizer, recognizers), *ADAPTED, *adapted)


def views_of(attackers: Sequence[Attacker]) -> tuple[View, ...]:
    """The distinct views that attackers look at."""
    return tuple({attacker.view.name: attacker.view for attacker in attackers}.values())
