"""The pipeline of the batch with ganonym's own models."""

from __future__ import annotations

import hashlib
from functools import partial

from ganonym.batch.pipeline import Pipeline, Tools
from ganonym.faces.shape import ShapeModel, load_shape
from ganonym.photos.text import require_text_finder, text_finder
from ganonym.settings import Settings
from ganonym.weights import read_manifest, verified_path

WEIGHTS = ("appearance", "generator", "blazeface_short", "blazeface_full")


def default_pipeline() -> Pipeline:
    """dlib or FAN, the bundled appearance model and the bundled generator."""
    return Pipeline(load_tools, load_shape_model, weights_digest)


def load_tools(settings: Settings) -> Tools:
    """Models of one worker. Raises EnvironmentFault when something is missing or altered."""
    from ganonym.faces.descriptor import describe
    from ganonym.models import analyse, open_models, produce
    from ganonym.photograph import text_reader, treat_photo

    models = open_models(recognizer=settings.verify == "recognizer")
    treat = partial(treat_photo, models=models, background=settings.background, read=text_reader(settings))
    return Tools(partial(analyse, models=models), partial(produce, models=models), treat, describe)


def load_shape_model() -> ShapeModel:
    """Shape part of the bundled appearance model."""
    return load_shape()


def weights_digest(settings: Settings) -> str:
    """Hex SHA-256 over the digests of the weights, checked on disk, and the names of detector, landmarks and reader.

    Raises EnvironmentFault when weights are absent or altered, or text is to be covered and nothing here finds it.
    """
    from ganonym.faces.find import default_backends

    if settings.covers_text and settings.text == "cover":
        require_text_finder()
    for name in WEIGHTS:
        verified_path(name)
    entries = read_manifest()
    parts = [entries[name].sha256 for name in WEIGHTS] + [backend.name for backend in default_backends()]
    if settings.covers_text:
        parts.append(text_finder() or "no reader")
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
