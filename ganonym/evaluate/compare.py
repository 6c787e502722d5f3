"""Several assessments side by side: ranks only where intervals separate, usefulness only among equals in privacy.

There is no weighted sum: runs fall into classes by the upper bound of their worst attacker, and within a class they are
ranked by one measure of utility (evaluation protocol §6). Where runs attacked the same people, the difference of their
risks is paired by subject, from their trials.parquet.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ganonym.errors import EnvironmentFault, UsageError
from ganonym.evaluate.findings import Assessed, Finding, State
from ganonym.evaluate.report import wording
from ganonym.evaluate.report.tradeoff import measure_of, utility_of
from ganonym.extras import require
from ganonym.statistics.intervals import Estimate, Model, Rate, paired_bootstrap

if TYPE_CHECKING:
    import pandas as pd

SCHEMA_VERSION = 1


class Place(Model):
    """Between which ranks something may stand: 1 to n, equal where intervals separate it from all others."""

    best: int
    last: int


class Run(Model):
    """One assessment. `risk` is the worst attacker's rank-1 rate over all settings, `privacy_class` its class limit.

    `utility` of the shared measure, `utility_place` among the runs of the same class; None where it is unknown.
    """

    name: str
    verdict: State
    simulated: bool
    subjects: int
    released: int
    photos: int
    attacker: str
    setting: str
    risk: Rate
    privacy_class: float
    privacy_place: Place
    utility: Estimate | None
    utility_place: Place | None


class Difference(Model):
    """How many more people are named in the run `name` than in `against`, each by its worst attack: paired by subject.

    Over the `subjects` whom both attacks tried; below 0 fewer are named.
    """

    name: str
    against: str
    difference: Estimate
    subjects: int


class Comparison(Model):
    """Runs by privacy class, the more useful first. `measure` None: there is no measure that all runs have.

    `differences` of every run from the first.
    """

    schema_version: int = SCHEMA_VERSION
    measure: str | None
    same_data: bool
    notes: tuple[str, ...]
    runs: tuple[Run, ...]
    differences: tuple[Difference, ...] = ()

    def to_frame(self) -> pd.DataFrame:
        """One row a run, in order: verdict, the worst attack, its risk, and the shared measure of utility.

        Columns: name, verdict, subjects, released, photos, attacker, setting; risk with risk_low, risk_high (95 %) and
        risk_upper (one-sided 95 %); privacy_class; utility with utility_low and utility_high, None where it is unknown.
        Rates lie in 0…1. Raises EnvironmentFault without pandas.
        """
        require("assess", "a data frame")
        import pandas as pd

        plain = ("name", "verdict", "subjects", "released", "photos", "attacker", "setting")
        rows = [
            {name: getattr(run, name) for name in plain}
            | {"risk": run.risk.value, "risk_low": run.risk.low, "risk_high": run.risk.high}
            | {"risk_upper": run.risk.upper, "privacy_class": run.privacy_class}
            | {"utility": run.utility and run.utility.value}
            | {f"utility_{bound}": run.utility and getattr(run.utility, bound) for bound in ("low", "high")}
            for run in self.runs
        ]
        return pd.DataFrame(rows)


def compare(
    assessments: Mapping[str, Assessed],
    measure: str | None = None,
    different_data: bool = False,
    trials: Mapping[str, Path] | None = None,
) -> Comparison:
    """Compare runs by name; `measure` is a name among their utility, by default the first that all have.

    `trials`: trials.parquet of the runs, from which paired differences are told where originals are the same.

    Raises UsageError with fewer than two runs, a run without findings, originals that differ (unless `different_data`),
    and a measure that a run lacks.

    >>> compare({})
    Traceback (most recent call last):
    ganonym.errors.UsageError: 0 assessments leave nothing to compare. Name two or more.
    """
    if len(assessments) < 2:
        raise UsageError(f"{len(assessments)} assessments leave nothing to compare.", "Name two or more.")
    same = len({assessment.provenance.originals for assessment in assessments.values()}) == 1
    if not same and not different_data:
        raise UsageError(
            "the assessments are of different originals, so their rates say nothing about each other.",
            "Assess the same photographs with the same manifest, or say --different-data.",
        )
    for name, assessment in assessments.items():
        if not assessment.findings:
            raise UsageError(f"the assessment {name} has no findings.", "Leave it out, or run ganonym assess again.")
        if measure is not None and utility_of(assessment, measure) is None:
            raise UsageError(f"the assessment {name} does not measure {measure!r}.", "Choose another --measure.")
    measure = measure or measure_of(list(assessments.values()))
    found = {name: _strongest(assessment) for name, assessment in assessments.items()}
    classes = {name: wording.privacy_class(finding.rank1.upper) for name, finding in found.items()}
    uses = {name: _estimate(assessment, measure) for name, assessment in assessments.items()}
    runs = []
    for name, assessment in assessments.items():
        risk, use = found[name].rank1, uses[name]
        rivals = [other for rival in uses if classes[rival] == classes[name] and (other := uses[rival]) is not None]
        runs.append(
            Run(
                name=name, verdict=assessment.verdict, simulated=assessment.simulated,
                subjects=assessment.counts.subjects, released=assessment.counts.released,
                photos=assessment.counts.photos, attacker=found[name].attacker,
                setting=found[name].setting, risk=risk, privacy_class=classes[name],
                privacy_place=Place(
                    best=1 + sum(other.rank1.high < risk.low for other in found.values()),
                    last=len(found) - sum(other.rank1.low > risk.high for other in found.values()),
                ),
                utility=use,
                utility_place=None if use is None else Place(
                    best=1 + sum(other.low > use.high for other in rivals),
                    last=len(rivals) - sum(other.high < use.low for other in rivals),
                ),
            )
        )  # fmt: skip
    runs.sort(key=lambda run: (run.privacy_class, -(run.utility.value if run.utility else 0.0), run.name))
    return Comparison(
        measure=measure,
        same_data=same,
        notes=_notes(assessments, same, measure),
        runs=tuple(runs),
        differences=_differences(runs, trials or {}) if same else (),
    )


def compare_folders(folders: Sequence[Path], measure: str | None = None, different_data: bool = False) -> Comparison:
    """`compare` the assessments in `folders`, by the folders' last names; longer ones where those are not distinct.

    Raises UsageError as `compare`, on a folder named twice, and on an assessment that cannot be read.
    """
    require("assess", "a comparison")
    named = _named(folders)
    assessments = {name: Assessed.load(folder) for name, folder in named.items()}
    return compare(assessments, measure, different_data, trials_in(named))


def trials_in(folders: Mapping[str, Path]) -> dict[str, Path]:
    """trials.parquet of the assessments that still have it, by name; it is not shared with every assessment."""
    files = {name: folder / "trials.parquet" for name, folder in folders.items()}
    return {name: file for name, file in files.items() if file.is_file()}


def _named(folders: Sequence[Path]) -> dict[str, Path]:
    """Folders by name. Raises UsageError on one that is there twice.

    >>> list(_named([Path("runs/a/report"), Path("runs/b/report")]))
    ['a/report', 'b/report']
    """
    whole = [folder.resolve() for folder in folders]
    if len(set(whole)) < len(whole):
        raise UsageError("an assessment is named twice.", "Name each once.")
    for length in range(1, max(len(folder.parts) for folder in whole) + 1):
        names = ["/".join(folder.parts[-length:]) for folder in whole]
        if len(set(names)) == len(names):
            return dict(zip(names, folders, strict=True))
    raise AssertionError("distinct paths have distinct names")


def _differences(runs: Sequence[Run], trials: Mapping[str, Path]) -> tuple[Difference, ...]:
    risks = {
        run.name: risk_by_subject(trials[run.name], run.attacker, run.setting) for run in runs if run.name in trials
    }
    first, *others = runs
    found = []
    for run in others:
        gap = difference(risks.get(run.name, {}), risks.get(first.name, {}))
        if gap is not None:
            found.append(Difference(name=run.name, against=first.name, difference=gap[0], subjects=gap[1]))
    return tuple(found)


def _strongest(assessment: Assessed) -> Finding:
    strongest = assessment.worst
    assert strongest is not None, "checked before"
    return strongest


def _estimate(assessment: Assessed, measure: str | None) -> Estimate | None:
    found = None if measure is None else utility_of(assessment, measure)
    return None if found is None else found.released


def _notes(assessments: Mapping[str, Assessed], same: bool, measure: str | None) -> tuple[str, ...]:
    notes = []
    if not same:
        notes.append("The runs are of different originals: differences may be the people's, not the methods'.")
    attacked = {frozenset((f.attacker, f.setting) for f in assessment.findings) for assessment in assessments.values()}
    if len(attacked) > 1:
        notes.append("The runs were not attacked by the same attackers in the same settings.")
    if len({assessment.protocol for assessment in assessments.values()}) > 1:
        notes.append("The runs follow different versions of the protocol.")
    if measure is None:
        notes.append("There is no measure of usefulness that all runs have.")
    return tuple(notes)


SEED = 7
"""Of the resamples: a comparison of the same runs is always the same."""


def risk_by_subject(trials: Path, attacker: str, setting: str) -> dict[str, float]:
    """Per subject's pseudonym, the probability that `attacker` names any of his photos in `setting` at first guess.

    Where t candidates are equally near, the first is any of them. Raises EnvironmentFault when `trials` cannot be read.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(
            trials,
            columns=["subject", "ahead", "tied"],
            filters=[("attacker", "==", attacker), ("setting", "==", setting)],
        )
    except (OSError, pa.ArrowInvalid) as error:
        raise EnvironmentFault(f"cannot read the trials in {trials}: {error}", "Run ganonym assess again.") from error
    missed: dict[str, float] = {}
    for subject, ahead, tied in zip(*(table[name].to_pylist() for name in table.column_names), strict=True):
        hit = min(max((1 - ahead) / max(tied, 1), 0.0), 1.0)
        missed[subject] = missed.get(subject, 1.0) * (1.0 - hit)
    return {subject: 1.0 - chance for subject, chance in missed.items()}


def difference(risks: Mapping[str, float], reference: Mapping[str, float]) -> tuple[Estimate, int] | None:
    """How many more of the people under attack in both runs are named in the first; and how many people those are.

    The same resampled people in both (paired bootstrap), so that what the runs have in common cancels. None without
    people in common: other people, or trials of another seed, under which pseudonyms differ.
    """
    names = sorted(set(risks) & set(reference))
    if not names:
        return None
    one, other = (np.array([side[name] for name in names]) for side in (risks, reference))

    def mean(values: NDArray[np.float64], people: NDArray[np.intp]) -> float:
        return float(values[people].mean())

    found = paired_bootstrap(
        lambda people: mean(one, people), lambda people: mean(other, people), names, np.random.default_rng(SEED)
    )
    return found, len(names)
