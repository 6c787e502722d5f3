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
from ganonym.types import RGB, Refusal, Substitution

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
    pictures = _named(photos)
    rows = _rows(pictures, subjects, labels)
    models = _with_recognizer(models or _loaded(), settings)
    claims: dict[str, Claim] = {}
    refused: dict[str, Refusal] = {}
    for name, rgb in pictures.items():
        faces = _claim(rows[name], rgb, settings, models)
        if isinstance(faces, Refusal):
            refused[name] = faces
        else:
            claims[name] = faces[0]
    shape_model = models.synthesizer.model.shape
    plan = plan_release([*claims.values()], shape_model, key or _NO_KEY, settings, manifest=subjects is not None)
    substitutions = {item.source: (claims[item.source].record, item.face) for item in plan.items}
    outcomes = {
        name: _output(name, rgb, substitutions.get(name) or refused[name], settings, models)
        for name, rgb in pictures.items()
    }
    return outcomes if isinstance(photos, Mapping) else [*outcomes.values()]


def as_rgb(photo: RGB | Image.Image, name: str = "photo") -> RGB:
    """A photo as an upright array (H, W, 3), uint8; raises UsageError, which calls it `name`, for anything else.

    >>> as_rgb(Image.new("L", (3, 2), 7)).shape
    (2, 3, 3)
    """
    if isinstance(photo, Image.Image):
        return np.array(ImageOps.exif_transpose(photo).convert("RGB"))
    if not (isinstance(photo, np.ndarray) and photo.dtype == np.uint8 and photo.ndim == 3 and photo.shape[2] == 3):
        form = f"{photo.dtype} {photo.shape}" if isinstance(photo, np.ndarray) else type(photo).__name__
        raise UsageError(f"photo {name!r} is {form}.", "Give uint8 arrays (H, W, 3) in RGB, or PIL images.")
    return np.ascontiguousarray(photo)


def _claim(row: Row, rgb: RGB, settings: Settings, models: Models) -> list[Claim] | Refusal:
    try:
        return claim_faces(row.image, "", analyse(rgb, row.image, models), row, settings)
    except PhotoError as error:
        return Refusal(error.reason, str(error))


def _output(
    name: str, rgb: RGB, substitution: Substitution | Refusal, settings: Settings, models: Models
) -> RGB | Refusal:
    """What leaves of one photo: of its subject's face, or why no face does, of what can be covered of it."""
    try:
        if not isinstance(substitution, Refusal):
            if settings.output == "photo":
                return _photo(name, rgb, [substitution], settings, models)
            record, face = substitution
            return face if isinstance(face, Refusal) else produce(face, record, models)
        return _photo(name, rgb, [], settings, models) if coverable(substitution, settings) else substitution
    except PhotoError as error:
        return Refusal(error.reason, str(error))


def _photo(name: str, rgb: RGB, substitutions: list[Substitution], settings: Settings, models: Models) -> RGB:
    return treat_photo(rgb, substitutions, name, models, settings.background, read=text_reader(settings)).rgb


@cache
def _loaded() -> Models:
    return open_models()


def _with_recognizer(models: Models, settings: Settings) -> Models:
    return replace(models, recognizer=True) if settings.verify == "recognizer" else models


def _named(photos: Mapping[str, RGB | Image.Image] | Sequence[RGB | Image.Image]) -> dict[str, RGB]:
    """Each photo by its name, or by its place where it has none."""
    pairs = (
        photos.items() if isinstance(photos, Mapping) else ((str(place), photo) for place, photo in enumerate(photos))
    )
    return {name: as_rgb(photo, name) for name, photo in pairs}


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
