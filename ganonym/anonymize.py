"""The pipeline on one page: photos → faces → private shapes → verified outputs.

1. `ganonym.models.analyse` finds and measures the faces of each photo;
2. `ganonym.release_plan.claim_faces` says whose each face is, and which of them may leave;
3. `plan_release` there privatizes all claimed faces together, because k-same needs them all;
4. `ganonym.models.produce` draws and verifies one face, `ganonym.photograph.treat_photo` a whole photo.

`anonymize` runs these steps over arrays in memory. The batch runs the same steps over folders, with worker processes,
keyed file names and a ledger around them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import TypeVar, overload

import numpy as np
from PIL import Image, ImageOps

from ganonym.errors import PhotoError, UsageError
from ganonym.manifest import Row
from ganonym.models import Models, analyse, open_models, produce
from ganonym.photograph import text_reader, treat_photo
from ganonym.pseudonym import KEY_BYTES
from ganonym.release_plan import Claim, claim_faces, coverable, plan_release
from ganonym.settings import Settings
from ganonym.types import RGB, PrivateFace, Refusal

_NO_KEY = bytes(KEY_BYTES)
Value = TypeVar("Value")


@overload
def anonymize(
    photos: Mapping[str, RGB | Image.Image],
    settings: Settings | None = None,
    *,
    subjects: Mapping[str, str] | Sequence[str] | None = None,
    labels: Mapping[str, str | None] | Sequence[str | None] | None = None,
    models: Models | None = None,
    key: bytes | None = None,
) -> dict[str, RGB | Refusal]: ...
@overload
def anonymize(
    photos: Sequence[RGB | Image.Image],
    settings: Settings | None = None,
    *,
    subjects: Mapping[str, str] | Sequence[str] | None = None,
    labels: Mapping[str, str | None] | Sequence[str | None] | None = None,
    models: Models | None = None,
    key: bytes | None = None,
) -> list[RGB | Refusal]: ...
def anonymize(
    photos: Mapping[str, RGB | Image.Image] | Sequence[RGB | Image.Image],
    settings: Settings | None = None,
    *,
    subjects: Mapping[str, str] | Sequence[str] | None = None,
    labels: Mapping[str, str | None] | Sequence[str | None] | None = None,
    models: Models | None = None,
    key: bytes | None = None,
) -> dict[str, RGB | Refusal] | list[RGB | Refusal]:
    """Anonymize the subject's face of each photo, in memory.

    `photos` are uint8 arrays (H, W, 3) in RGB or PIL images, in a sequence or a mapping by name; the result has the
    same form. `subjects` says who is on each photo (default: everybody is another person), `labels` gives the
    syndromes within which k-same groups; both in the form of `photos`. `models` are loaded once and kept when None.

    A photo comes back as a synthesized face (256, 256, 3), with `settings.output` "photo" as the whole photo with its
    faces replaced or covered, or as a Refusal: never as it was. A photo in which two faces could be the subject's is
    refused, unless `settings.subject_face` says which. k-same needs at least k subjects; copies of one photo under
    several subjects are not looked for, as `anonymize_folder` does.

    Draws follow from `key` (at least 32 bytes), `settings.seed` and names, never from pixels; the same arguments give
    the same bytes. Without `key`, whoever knows seed and names can repeat the draws: give a secret key, or a secret
    seed, for what is to be published. Raises UsageError for arguments that do not fit and for fewer than k subjects,
    EnvironmentFault when weights are missing, GuaranteeBroken when the release's own audit refutes its guarantee.

    >>> grey = np.full((64, 64, 3), 128, np.uint8)
    >>> [refusal] = anonymize([grey], Settings(mechanism="codebook"))
    >>> refusal.reason
    'no-face'
    """
    settings = settings or Settings()
    if key is not None and len(key) < KEY_BYTES:
        raise UsageError(f"the key has {len(key)} bytes; at least {KEY_BYTES} are needed.", "Try secrets.token_bytes.")
    pictures = _pictures(photos)
    rows = _rows(pictures, subjects, labels)
    models = _with_recognizer(models or _loaded(), settings)
    outcomes: dict[str, RGB | Refusal] = {}
    claims: dict[str, Claim] = {}
    for name, rgb in pictures.items():
        try:
            faces = claim_faces(name, "", analyse(rgb, name, models), rows[name], settings)
        except PhotoError as error:
            faces = Refusal(error.reason, str(error))
        if isinstance(faces, Refusal):
            outcomes[name] = faces
        else:
            claims[name] = faces[0]
    shape_model = models.synthesizer.model.shape
    plan = plan_release([*claims.values()], shape_model, key or _NO_KEY, settings, manifest=subjects is not None)
    private = {item.source: item.face for item in plan.items}
    read = text_reader(settings)
    for name, rgb in pictures.items():
        face = private.get(name) or outcomes[name]
        try:
            if settings.output == "photo" and (name in private or coverable(outcomes[name], settings)):
                substitutions = [(claims[name].record, private[name])] if name in private else []
                outcomes[name] = treat_photo(rgb, substitutions, name, models, settings.background, read=read).rgb
            elif isinstance(face, PrivateFace):
                outcomes[name] = produce(face, claims[name].record, models)
            else:
                outcomes[name] = face
        except PhotoError as error:
            outcomes[name] = Refusal(error.reason, str(error))
    ordered = {name: outcomes[name] for name in pictures}
    return ordered if isinstance(photos, Mapping) else [*ordered.values()]


@cache
def _loaded() -> Models:
    return open_models()


def _with_recognizer(models: Models, settings: Settings) -> Models:
    return replace(models, recognizer=True) if settings.verify == "recognizer" else models


def _pictures(photos: Mapping[str, RGB | Image.Image] | Sequence[RGB | Image.Image]) -> dict[str, RGB]:
    """Each photo as an upright array by its name, or by its place when it has none. Raises UsageError."""
    named = photos if isinstance(photos, Mapping) else {str(place): photo for place, photo in enumerate(photos)}
    pictures = {}
    for name, photo in named.items():
        if isinstance(photo, Image.Image):
            photo = np.asarray(ImageOps.exif_transpose(photo).convert("RGB"))
        if not (isinstance(photo, np.ndarray) and photo.dtype == np.uint8 and photo.ndim == 3 and photo.shape[2] == 3):
            form = f"{photo.dtype} {photo.shape}" if isinstance(photo, np.ndarray) else type(photo).__name__
            raise UsageError(f"photo {name!r} is {form}.", "Give uint8 arrays (H, W, 3) in RGB, or PIL images.")
        pictures[name] = np.ascontiguousarray(photo)
    return pictures


def _rows(
    names: Mapping[str, RGB],
    subjects: Mapping[str, str] | Sequence[str] | None,
    labels: Mapping[str, str | None] | Sequence[str | None] | None,
) -> dict[str, Row]:
    """What a manifest would say of each photo."""
    owners = {name: name for name in names} if subjects is None else _by_name("subjects", names, subjects)
    classes = dict.fromkeys(names) if labels is None else _by_name("labels", names, labels)
    return {name: Row(name, owners[name], classes[name]) for name in names}


def _by_name(what: str, names: Mapping[str, RGB], values: Mapping[str, Value] | Sequence[Value]) -> dict[str, Value]:
    if isinstance(values, Mapping):
        missing = [name for name in names if name not in values]
        if missing:
            raise UsageError(f"`{what}` says nothing of photo {missing[0]!r}.", "Name every photo.")
        return {name: values[name] for name in names}
    if len(values) != len(names):
        raise UsageError(f"there are {len(names)} photos and {len(values)} {what}.", "Give one for each photo.")
    return dict(zip(names, values, strict=True))
