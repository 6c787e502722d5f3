"""Fit what a release keeps: axes of tone, age, sex and syndromes' signs in the coordinates of a face.

Ridge regressions on the public training photographs (Hoerl & Kennard 1970). Tone is read from the texture alone, age
and sex from shape and texture; signs are the directions in which simulated syndromes differ
(`ganonym.privacy.population`). With them go mean and covariance of the population; nothing of one person is written.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from ganonym.errors import PhotoError
from ganonym.faces.appearance import AppearanceModel, load_appearance
from ganonym.faces.coordinates import COMPONENTS, read_texture, row_of
from ganonym.faces.kept import YOUTH
from ganonym.faces.shape import normalize
from ganonym.faces.tone import ita_degrees
from ganonym.privacy.population import sign_axes
from ganonym.types import Floats, Sex
from ganonym_train.photographs import TrainingPhoto, training_photographs

RIDGE = 0.3
SHRINKAGE = 0.1
"""This share of the covariance is its diagonal: hundreds of photographs do not fix thousands of correlations."""


def train_kept(data: Path, output: Path, log: Callable[[str], None]) -> None:
    """Fit on the training sets in `data` with the bundled appearance model, and write `output` (safetensors).

    Raises UsageError as `training_photographs` does.
    """
    model = load_appearance()
    photos, rows, tones = [], [], []
    for photo in training_photographs(data):
        try:
            rows.append(_row(photo, model))
        except PhotoError:
            continue
        tones.append(ita_degrees(photo.rgb, photo.points))
        photos.append(photo)
    log(f"{len(photos)} photographs of {len({photo.subject for photo in photos})} people")
    arrays = fit_kept(np.array(rows), np.array(tones), photos, model)
    directions = len(model.shape.expression_sd)
    signs = len(arrays["axes"]) - directions - 3
    names = [*_numbered("sign", signs), "tone", "age", "sex", *_numbered("expression", directions)]
    single = {name: np.ascontiguousarray(array, dtype=np.float32) for name, array in arrays.items()}
    lasting = len(model.shape.identity_sd) + COMPONENTS
    save_file(single, output, metadata={"kind": "kept", "names": ",".join(names), "lasting": str(lasting)})


def fit_kept(rows: Floats, tones: Floats, photos: list[TrainingPhoto], model: AppearanceModel) -> dict[str, Floats]:
    """Axes (d, D) of population SD 1, and mean (D,) and covariance (D, D) of the population, from rows (n, D).

    `tones` (n,) ITA in degrees. `scales` (3, 2) are mean and SD of ITA, of log(age + 5) and of sex (1 female).
    """
    ages = np.array([np.nan if photo.age is None else np.log(photo.age + YOUTH) for photo in photos])
    sexes = np.array([_sign(photo.sex) for photo in photos])
    skin = np.zeros(rows.shape[1], dtype=np.bool_)
    identities = len(model.shape.identity_sd)
    skin[identities : identities + COMPONENTS] = rows[:, identities : identities + COMPONENTS].std(axis=0) > 0.05
    whole = skin.copy()
    whole[:identities] = True
    signs = sign_axes(model.shape)
    read = [_ridge(rows, tones, skin), _ridge(rows, ages, whole), _ridge(rows, sexes, whole)]
    people = _person_means(rows, photos)
    lasting = np.concatenate([np.pad(signs, ((0, 0), (0, rows.shape[1] - identities))), read])
    lasting /= (people @ lasting.T).std(axis=0)[:, None]
    expressions = (
        np.eye(rows.shape[1])[identities + COMPONENTS :] / rows[:, identities + COMPONENTS :].std(axis=0)[:, None]
    )
    axes = np.concatenate([lasting, expressions])
    scales = np.array([[np.nanmean(given), np.nanstd(given)] for given in (tones, ages, sexes)])
    return {"axes": axes, "mean": people.mean(axis=0), "covariance": _covariance(rows, identities), "scales": scales}


def _numbered(name: str, count: int) -> list[str]:
    return [f"{name} {number + 1}" for number in range(count)]


def _row(photo: TrainingPhoto, model: AppearanceModel) -> Floats:
    return row_of(normalize(photo.points, model.shape), read_texture(photo.rgb, photo.points, model), model)


def _sign(sex: Sex | None) -> float:
    return np.nan if sex is None else float(sex == "female")


def _ridge(rows: Floats, wanted: Floats, columns: np.ndarray) -> Floats:
    """Weights (D,), 0 outside `columns`, that read `wanted` (n,) from `rows` (n, D); NaN is unknown."""
    given = np.isfinite(wanted)
    centred = rows[np.ix_(given, columns)] - rows[np.ix_(given, columns)].mean(axis=0)
    gram = centred.T @ centred + RIDGE * len(centred) * np.eye(centred.shape[1])
    weights = np.zeros(rows.shape[1])
    weights[columns] = np.linalg.solve(gram, centred.T @ (wanted[given] - wanted[given].mean()))
    return weights


def _person_means(rows: Floats, photos: list[TrainingPhoto]) -> Floats:
    people: dict[str, list[int]] = {}
    for place, photo in enumerate(photos):
        people.setdefault(photo.subject, []).append(place)
    return np.array([rows[places].mean(axis=0) for places in people.values()])


def _covariance(rows: Floats, identities: int) -> Floats:
    """Of rows (n, D), shrunk towards its diagonal; expression does not go with the rest."""
    covariance = np.cov(rows.T)
    lasting = np.arange(rows.shape[1]) < identities + COMPONENTS
    covariance[np.ix_(lasting, ~lasting)] = covariance[np.ix_(~lasting, lasting)] = 0.0
    return np.asarray((1 - SHRINKAGE) * covariance + SHRINKAGE * np.diag(np.diag(covariance)))
