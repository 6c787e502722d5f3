"""The people of a folder as a release would group them: every subject's face found, measured, and put into words.

For a plan. Nothing is written: what is found lies in a temporary folder of this user alone meanwhile.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from ganonym.batch.analysis import AnalysisStore
from ganonym.batch.inventory import take_inventory
from ganonym.batch.job import fingerprints
from ganonym.batch.pipeline import Pipeline, default_pipeline, open_engine
from ganonym.batch.prepare import analyse_photos, claim_photos
from ganonym.errors import UsageError
from ganonym.faces.kept import YOUTH, KeptSpace, kept_space, with_given
from ganonym.faces.tone import TONE_WORDS
from ganonym.privacy.forecast import Cohort, CohortForecast, forecast_cohort, rate_distortion
from ganonym.privacy.ksame import exact_mean
from ganonym.release_plan import Claim
from ganonym.settings import Link, Settings
from ganonym.types import JSON, Floats, Progress

BANDS = ("0-9", "10-19", "20-39", "40-59", "60+")
_EDGES = (10.0, 20.0, 40.0, 60.0)


@dataclass(frozen=True, slots=True)
class CohortPlan:
    """What a release of a folder would keep, and what others would: `refused` counts photos that show no usable face.

    `curve` holds forecasts for several k, of half of the people and of all. With `link` subject people are grouped by
    the means of their photos, each counted as one, and expression is left to a budget outside the bound.
    """

    link: Link
    forecast: CohortForecast
    curve: tuple[CohortForecast, ...]
    refused: Mapping[str, int]

    def to_json(self) -> JSON:
        """All of it in numbers, without names of photographs or people."""
        return {
            "link": self.link,
            "cohort": _json(self.forecast),
            "curve": [_json(forecast) for forecast in self.curve],
            "refused": dict(self.refused),
        }


def plan_cohort(
    source: Path,
    settings: Settings,
    sizes: Sequence[int],
    *,
    manifest: Path | None = None,
    distinct: Path | None = None,
    pipeline: Pipeline | None = None,
    progress: Progress | None = None,
) -> CohortPlan:
    """Find the faces of all photos below `source` and forecast their release by k-same with these settings.

    `sizes` are the k of the curve. Raises UsageError as a run does, and where no photo shows a face that counts.
    """
    pipeline, tell = pipeline or default_pipeline(), progress or (lambda _phase, _done, _total: None)
    inventory = take_inventory(source, None, settings, manifest, distinct)
    photos, refused = fingerprints(source, inventory, tell)
    with (
        tempfile.TemporaryDirectory() as folder,
        AnalysisStore(Path(folder) / "analysis.jsonl", "plan") as store,
        open_engine(pipeline, settings) as engine,
    ):
        analyse_photos(source, photos, store, engine, tell)
        claims, unclaimed = claim_photos(photos, inventory.rows, store, settings)
    space = kept_space(settings.keep, settings.weights.model_dump())
    cohort = cohort_of(claims, space)
    measured = len(cohort.rows)
    if settings.link == "subject":
        cohort, space = by_person(cohort), space.without("expression")
    reasons = Counter(refusal.reason for refusal in (refused | unclaimed).values())
    reasons["no-skin"] += len(claims) - measured
    if not measured:
        raise UsageError(f"no photo in {source} shows a face that counts ({_listed(+reasons)}).", "See --dry-run.")
    tell("forecast", 0, 1)
    plan = CohortPlan(
        settings.link,
        forecast_cohort(cohort, space, settings.k, settings.small_classes),
        rate_distortion(cohort, space, sizes, settings.small_classes, settings.seed),
        dict(sorted((+reasons).items())),
    )
    tell("forecast", 1, 1)
    return plan


def cohort_of(claims: Sequence[Claim], space: KeptSpace) -> Cohort:
    """Rows, owners, labels and bands of tone and age of those claims whose faces have coordinates.

    The age of a band is the manifest's, else that which the face shows.
    """
    seen = [(claim, _row(claim, space)) for claim in claims]
    measured = [(claim, row) for claim, row in seen if row is not None]
    rows = np.array([row for _, row in measured])
    labels = [claim.label for claim, _ in measured]
    bands = {
        "tone": [TONE_WORDS[claim.record.tone] for claim, _ in measured],
        "age": [_age_band(claim, row, space) for claim, row in measured],
    }
    return Cohort(
        rows,
        [claim.subject for claim, _ in measured],
        labels if any(label is not None for label in labels) else None,
        {axis: names for axis, names in bands.items() if axis in space.names},
    )


def by_person(cohort: Cohort) -> Cohort:
    """One row for everybody: the mean of the photos, and of each band the most frequent, the first if tied."""
    photos: dict[str, list[int]] = {}
    for photo, owner in enumerate(cohort.owners):
        photos.setdefault(owner, []).append(photo)
    first = cohort.of([own[0] for own in photos.values()])
    usual = {
        axis: [Counter(names[photo] for photo in own).most_common(1)[0][0] for own in photos.values()]
        for axis, names in cohort.bands.items()
    }
    means = np.array([exact_mean(cohort.rows[own]) for own in photos.values()])
    return Cohort(means.reshape(len(photos), cohort.rows.shape[-1]), first.owners, first.labels, usual)


def _row(claim: Claim, space: KeptSpace) -> Floats | None:
    if claim.record.row is None or not np.isfinite(claim.record.row).all():
        return None
    row = claim.row
    return with_given(claim.record.row, space, row.age if row else None, row.sex if row else None)


def _age_band(claim: Claim, row: Floats, space: KeptSpace) -> str:
    """Of the manifest's age in years, else of the one that the face shows.

    Bands are wider for adults, whose faces change less.
    """
    years = claim.row.age if claim.row else None
    if years is None and "age" in space.names:
        middle, spread = space.scales["age"]
        shown = float(space.coordinates(row)[space.names.index("age")])
        years = float(np.exp(middle + spread * shown)) - YOUTH
    return "" if years is None else BANDS[int(np.searchsorted(_EDGES, years, side="right"))]


def _listed(reasons: Mapping[str, int]) -> str:
    return ", ".join(f"{reason} {count}" for reason, count in reasons.items())


def _json(forecast: CohortForecast) -> JSON:
    return asdict(forecast) | {"kinds": forecast.kinds}
