"""Measure a face in a photograph: lengths, angles and ratios, compared with norms, and the terms that they suggest.

measure("face.jpg", age=10, sex="female").to_frame()
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np

from ganonym.classify.measurement.lengths import MEASUREMENTS, UNITS, Unit, iris_scale, measurements
from ganonym.classify.measurement.norms import Norm, Score, scores
from ganonym.classify.measurement.norms_file import published, read_norms
from ganonym.classify.measurement.signs import Conditions, Suggestion, conditions, suggest
from ganonym.errors import PhotoError, UsageError
from ganonym.extras import require
from ganonym.faces.cache import FaceCache, read_faces
from ganonym.faces.find import find_faces, reading_backends
from ganonym.faces.kept import where
from ganonym.faces.shape import normalize
from ganonym.photos.decode import shrunk_by
from ganonym.subjects import FaceChoice, choose_face
from ganonym.types import RGB, Face, Payload, Points, Progress, Refusal, Sex
from ganonym.workers import in_workers

if TYPE_CHECKING:
    import pandas
    from PIL.Image import Image

PATIENCE = 120.0
_SUGGESTED = "Terms are suggestions for a clinician to judge, no diagnosis."
_PUBLISHED = "published norms (3D Facial Norms, Farkas, Feingold; mostly age 10): plausibility only, not of photos"
_ADVICE = "\nMeasure your own controls with --save-norms, and give that file to --norms."
_IRIS = "\nMillimetres by an iris of 11.7 mm, which is not the same in everybody: expect errors of some per cent."
_FRONTAL = "Use a frontal photo of one person."


@dataclass(frozen=True, slots=True)
class Comparison:
    """What a face is compared with: `norms` of `source`, lengths in `unit`; `remark` stands under every table.

    `age` in years, `sex` and `ancestry` are the person's, `mm_per_px` is of the photo as it is stored.
    """

    unit: Unit
    norms: tuple[Norm, ...]
    source: str
    remark: str
    age: float | None = None
    sex: Sex | None = None
    ancestry: str | None = None
    mm_per_px: float | None = None


@dataclass(frozen=True, slots=True)
class Measurements:
    """One face, measured: `scores` by the key of each measurement, and the `terms` that they suggest.

    `points` (68, 2) are its landmarks in pixels of the photo, lengths are in `unit`, `conditions` say how it was
    photographed, `caveats` what of that speaks against reading it, `refused` why no term is suggested, if so; `remark`
    names the norms. `kept`: where the face lies on the axes that a release keeps (`ganonym.faces.kept.where`), empty
    where it shows no skin.
    """

    unit: Unit
    scores: Mapping[str, Score]
    terms: tuple[Suggestion, ...]
    conditions: Conditions
    points: Points
    refused: str
    remark: str
    kept: Mapping[str, float] = field(default_factory=dict)

    @property
    def caveats(self) -> list[str]:
        return list(self.conditions.spoilers().values())

    def to_frame(self) -> pandas.DataFrame:
        """A row a measurement: its key, name, value, unit, z, percentile, and the HPO terms that it suggests.

        Raises EnvironmentFault without the extra `assess`.
        """
        require("assess", "a data frame")
        import pandas

        rows = [
            {
                "measure": key,
                "name": MEASUREMENTS[key].name,
                "value": score.value,
                "unit": score.unit,
                "z": score.z,
                "percentile": score.percentile,
                "terms": "; ".join(f"{term.term} {term.hpo}" for term in self.terms if key in term.measures),
            }
            for key, score in self.scores.items()
        ]
        return pandas.DataFrame(rows).astype({"z": float, "percentile": float})

    def payload(self) -> Payload:
        """All but the landmarks, for JSON."""
        measured = {
            key: {"value": score.value, "unit": score.unit, "z": score.z, "percentile": score.percentile}
            | ({"norm": asdict(score.norm)} if score.norm else {"why": score.why})
            for key, score in self.scores.items()
        }
        return {
            "pose": asdict(self.conditions.pose),
            "caveats": self.caveats,
            "refused": self.refused,
            "measurements": measured,
            "suggested_terms": [asdict(term) for term in self.terms],
            "kept": dict(self.kept),
        }


def measure(
    photo: str | Path | RGB | Image,
    *,
    age: float | None = None,
    sex: str | None = None,
    ancestry: str | None = None,
    norms: str | Path | Sequence[Norm] | None = None,
    unit: str | None = None,
    mm_per_px: float | None = None,
) -> Measurements:
    """Measure the largest face of a photo, compare it with norms, and suggest HPO terms for a clinician to judge.

    `photo`: a file, an RGB array (h, w, 3) uint8 or a picture of PIL, best frontal. `age` in years, `sex` "female" or
    "male", `ancestry` for norms that differ by it. `norms`: a file of them (`norms_file.read_norms`), or norms; by
    default published ones, for plausibility only. `unit` of lengths: "face size", "interocular", "face width", or "mm"
    with a scale of `mm_per_px` millimetres per pixel; by default that of the norms. z-scores are in SD of the norm,
    percentiles 0 … 100; both are None where no norm fits. No result is a diagnosis.

    Raises PhotoError when the file cannot be read or shows no face, UsageError for an argument that cannot be, and
    EnvironmentFault without weights.

    >>> from ganonym.phantom.cohort import phantom_cohort
    >>> photo = next(phantom_cohort(1, photos=1, seed=0)).rgb  # a drawn face of nobody
    >>> face = measure(photo, age=10, sex="female")
    >>> face.unit, face.scores["ENEN"].norm.ages, 0.15 < face.scores["ENEN"].value < 0.35
    ('face width', 'female, age 10 only', True)
    >>> face.to_frame().columns.tolist()
    ['measure', 'name', 'value', 'unit', 'z', 'percentile', 'terms']
    """
    against = comparison(age=age, sex=sex, ancestry=ancestry, norms=norms, unit=unit, mm_per_px=mm_per_px)
    if isinstance(photo, str | Path):
        (seen,) = located([(Path(photo), None)])
        if isinstance(seen, PhotoError):
            raise seen
        return measured(seen, against, scale_as_read(Path(photo), against.mm_per_px))
    rgb = photo if isinstance(photo, np.ndarray) else np.asarray(photo.convert("RGB"))
    if rgb.dtype != np.uint8 or rgb.ndim != 3 or rgb.shape[2] != 3:
        raise UsageError(f"an array {rgb.shape} of {rgb.dtype} is no photo.", "Give RGB, (h, w, 3) uint8.")
    face = _face(find_faces(rgb, *reading_backends()), "the array", None)
    return measured(_located(rgb, face), against, against.mm_per_px)


def comparison(
    *,
    age: float | None = None,
    sex: str | None = None,
    ancestry: str | None = None,
    norms: str | Path | Sequence[Norm] | None = None,
    unit: str | None = None,
    mm_per_px: float | None = None,
    iris_px: float | None = None,
) -> Comparison:
    """What to compare faces with, checked; `iris_px` is the width of an iris in pixels, in place of `mm_per_px`.

    Raises UsageError for what cannot be.
    """
    if sex not in (None, "female", "male"):
        raise UsageError(f"sex {sex!r} is neither female nor male.", "Leave it out if unknown.")
    scale = _scale(mm_per_px, iris_px)
    if isinstance(norms, str | Path):
        table, name = read_norms(Path(norms)), f"{Path(norms).name}: "
    else:
        table, name = published() if norms is None else tuple(norms), ""
    if unit is not None and unit not in UNITS:
        raise UsageError(f"unit {unit!r} is not known.", f"There are {', '.join(UNITS)}.")
    lengths = {norm.unit for norm in table if MEASUREMENTS[norm.measure].kind == "length"}
    default = next((name for name in UNITS if name in lengths and name != "mm"), "face width")
    chosen = cast("Unit", unit or ("mm" if scale else default))
    if chosen == "mm" and scale is None:
        raise UsageError("millimetres need a scale: a photo has none.", "Give --mm-per-px or --iris-px.")
    source = _PUBLISHED if norms is None else name + "; ".join(dict.fromkeys(norm.source for norm in table))
    remark = f"Norms: {source}.{_ADVICE if norms is None else ''}\n{_SUGGESTED}{_IRIS if iris_px is not None else ''}"
    return Comparison(chosen, table, source, remark, age, cast("Sex | None", sex), ancestry, scale)


@dataclass(frozen=True, slots=True, eq=False)
class Located:
    """A face to be measured: landmarks (68, 2) in pixels, and where it lies on the axes that a release keeps."""

    points: Points
    kept: Mapping[str, float] = field(default_factory=dict)


def measured(face: Located, against: Comparison, mm_per_px: float | None = None) -> Measurements:
    """Measure a face in a photo of which a pixel is `mm_per_px` wide.

    Raises PhotoError where the landmarks are of no face.
    """
    points = face.points
    try:
        values = measurements(points, against.unit, mm_per_px)
        circumstances = conditions(points)
    except ValueError as error:
        raise PhotoError("no-face", f"no face to measure: {error}.", _FRONTAL) from error
    compared = scores(
        {key: float(value) for key, value in values.items()},
        against.norms,
        against.unit,
        against.age,
        against.sex,
        against.ancestry,
    )
    terms = suggest(compared, circumstances)
    refused = f"No terms: {terms.detail}." if isinstance(terms, Refusal) else ""
    suggested = () if isinstance(terms, Refusal) else tuple(terms)
    remark = against.remark
    return Measurements(against.unit, compared, suggested, circumstances, points, refused, remark, face.kept)


def located(
    photos: Sequence[tuple[Path, FaceChoice | None]],
    jobs: int = 1,
    tell: Progress = lambda *_: None,
    cache: FaceCache | None = None,
) -> list[Located | PhotoError]:
    """One face of each photo, in order, or why there is none.

    The face is the chosen one, or without a choice the largest. Raises EnvironmentFault when a worker dies, weights
    lack, or the cache cannot be written.
    """
    faces: list[Located | PhotoError] = []
    for face in in_workers(partial(_look, cache=cache), photos, _name, jobs, PATIENCE):
        faces.append(face)
        tell("measure", len(faces), len(photos))
    return faces


def scale_as_read(path: Path, mm_per_px: float | None) -> float | None:
    """Millimetres per pixel of the picture that is measured: a very large photograph is read at a smaller size."""
    return None if mm_per_px is None else mm_per_px * shrunk_by(path.parent, path.name)


def _scale(mm_per_px: float | None, iris_px: float | None) -> float | None:
    if mm_per_px is not None and iris_px is not None:
        raise UsageError("--mm-per-px and --iris-px both give a scale.", "Give one.")
    for option, number in (("--mm-per-px", mm_per_px), ("--iris-px", iris_px)):
        if number is not None and not (math.isfinite(number) and number > 0):
            raise UsageError(f"{option} {number} is no scale.", "It must be positive.")
    return iris_scale(iris_px) if iris_px is not None else mm_per_px


def _look(photo: tuple[Path, FaceChoice | None], cache: FaceCache | None) -> Located:
    path, choice = photo
    rgb, faces = read_faces(path, cache)
    return _located(rgb, _face(faces, repr(path.name), choice))


def _located(rgb: RGB, face: Face) -> Located:
    from ganonym.faces.appearance import load_appearance
    from ganonym.faces.coordinates import read_texture, row_of

    model = load_appearance()
    try:
        row = row_of(normalize(face.points, model.shape), read_texture(rgb, face.points, model), model)
    except PhotoError:
        return Located(face.points)
    return Located(face.points, where(row))


def _face(faces: Sequence[Face], name: str, choice: FaceChoice | None) -> Face:
    if not faces:
        raise PhotoError("no-face", f"{name} shows no face that is found.", _FRONTAL)
    place = 0 if choice is None else choose_face([face.box for face in faces], choice)
    if isinstance(place, Refusal):
        raise PhotoError(place.reason, f"{name}: {place.detail}.", "Correct the column face of the manifest.")
    return faces[place]


def _name(photo: tuple[Path, FaceChoice | None]) -> str:
    return photo[0].name
