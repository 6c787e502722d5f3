"""Anyone's anonymizer, a function or a folder, is attacked, measured and judged: `assess` one, `sweep` over several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeAlias, Union, Unpack

from ganonym.baselines.methods import BaselineSettings
from ganonym.batch.job import BatchJob
from ganonym.batch.run import run_batch
from ganonym.errors import GanonymError, UsageError
from ganonym.evaluate.assess import assess_release
from ganonym.evaluate.assessment import Assessment
from ganonym.evaluate.attackers.attacker import Attacker
from ganonym.evaluate.compare import Comparison, compare, trials_in
from ganonym.evaluate.inputs import Options, check_choices, read_input, trial_salt
from ganonym.evaluate.report.pages import write_comparison
from ganonym.evaluate.report.write import refuse_place, write_reports
from ganonym.evaluate.sources import (
    Originals,
    People,
    Released,
    as_files,
    originals_as_folder,
    path_of,
    people_as_manifest,
)
from ganonym.evaluate.utility.four_cells import Added
from ganonym.evaluate.verdict.policy import Policy, load_policy
from ganonym.extras import require
from ganonym.settings import Settings
from ganonym.types import Progress


def assess(
    originals: Originals,
    release: Released,
    people: People = None,
    *,
    attackers: Sequence[Attacker] = (),
    classifiers: Sequence[Added] = (),
    policy: str | Path | Policy = "public",
    out: Path | str | None = None,
    **options: Unpack[Options],
) -> Assessment:
    """Attack a release by every attacker, measure what it is still good for, and judge it by a policy (protocol GAP-1).

    `originals`: a folder, or pictures, RGB uint8 (H, W, 3) or PIL's. `release`: the folder of outputs; or a function
    RGB → RGB that makes them, where None or PhotoError withholds a photo; or the outputs in the photos' order, None
    where withheld. `people`: a manifest (CSV with columns image and subject), or the subject of each photo, in order or
    by the photo's path; by default everybody has one photo. Give two photos or more of each subject if there are: only
    then can outputs be attacked by another photo, and linked.

    `attackers` are tried beside the suite. `classifiers` learn the manifest's syndromes of originals and of outputs;
    how many they tell in both is reported among the utility: names of recipes such as "deepgestalt" (`load_recipe`; the
    small preset), or anything with `learn` (`classify.learner.Learner`), which sees aligned faces, uint8
    (n, 64, 64, 3). `policy`: "public", "controlled", "internal", a TOML file, or a
    `Policy`. `out`: a folder for assessment.json, card.md, evidence.html, trials.parquet and report.html, which shows
    photographs: keep it private. `options`: see `inputs.Options`; seed and jobs are among them.

    The same input, seed and day give the same bytes. Raises UsageError (what was given does not fit, an original cannot
    be read) and EnvironmentFault (a package or weights lack, a folder cannot be written).

    >>> import numpy as np
    >>> assess([np.zeros((8, 8, 3), np.uint8)], [], policy="internal")
    Traceback (most recent call last):
    ganonym.errors.UsageError: 0 outputs are given for 1 photos. Give None for a withheld one.
    """
    require("assess", "an assessment")
    check_choices(options, attackers, classifiers)
    limits = policy if isinstance(policy, Policy) else load_policy(policy)
    tell = options.get("progress", lambda *_: None)
    if out is not None:
        refuse_place(Path(out), originals, release)
    with TemporaryDirectory(prefix="ganonym-") as private:
        files = as_files(Path(private), originals, release, people, options.get("pairs"), options.get("mock"))
        given = read_input(files, limits, options, attackers, classifiers)
        if out is None:
            return assess_release(given, tell)[0]
        return write_reports(
            Path(out), given.release, trial_salt(given), lambda write: assess_release(given, tell, write)
        )


Method: TypeAlias = Union[Settings, BaselineSettings, Released]  # noqa: UP007
"""One way to release: settings of ours, of a well-known method, or anybody's function or folder, as for `assess`."""


def sweep(
    originals: Originals,
    people: People,
    methods: Mapping[str, Method],
    *,
    policy: str | Path | Policy = "public",
    measure: str | None = None,
    out: Path | str | None = None,
    **options: Unpack[Options],
) -> Comparison:
    """Release `originals` by every one of `methods`, assess each, and compare them.

    `originals`, `people`, `policy` and `options` are those of `assess`; `methods` are called by name. `measure`: what
    usefulness is judged by, by default the first measure that all have. `out`: a folder for comparison.html, .csv,
    .json, tradeoff.svg, and runs/NAME with each release and its reports, which show photographs: keep it private.

    A method that fails does not cost the others: it is left out, and the notes say why. Raises UsageError where fewer
    than two are left, and errors as `assess`.

    >>> sweep("photos", "people.csv", {"../blur": lambda rgb: rgb})
    Traceback (most recent call last):
    ganonym.errors.UsageError: '../blur' cannot be the name of a folder. Call the method by a plain name.
    """
    for name in methods:
        if not name or name in (".", "..") or Path(name).name != name:
            raise UsageError(f"{name!r} cannot be the name of a folder.", "Call the method by a plain name.")
    require("assess", "a sweep")
    limits = policy if isinstance(policy, Policy) else load_policy(policy)
    assessments: dict[str, Assessment] = {}
    failures: list[str] = []
    with TemporaryDirectory(prefix="ganonym-") as private:
        photos = originals_as_folder(Path(private) / "photos", originals)
        manifest = people_as_manifest(Path(private) / "people.csv", photos, people)
        home = Path(private if out is None else out) / "runs"
        for name, method in methods.items():
            own = options | Options(title=name, progress=_prefixed(name, options))
            try:
                release = released_by(method, photos, manifest, home / name / "release", own)
                assessments[name] = assess(photos, release, manifest, policy=limits, out=home / name, **own)
            except GanonymError as error:
                failures.append(f"{name} is left out: {error}")
        if len(assessments) < 2 and failures:
            raise UsageError(f"fewer than two releases could be assessed: {' '.join(failures)}")
        trials = trials_in({name: home / name for name in assessments})
        comparison = compare(assessments, measure, trials=trials)
    comparison = comparison.model_copy(update={"notes": (*comparison.notes, *failures)})
    if out is not None:
        write_comparison(Path(out), comparison, curves_of(methods))
    return comparison


def released_by(method: Method, photos: Path, manifest: Path, folder: Path, options: Options) -> Released:
    """What `assess` is to be given: a release made in `folder` by settings, or the method itself."""
    if not isinstance(method, (Settings, BaselineSettings)):
        return method
    job = BatchJob(photos, folder, method, manifest, distinct=path_of(options.get("distinct")))
    result = run_batch(job, progress=options.get("progress"))
    if result.anonymized + result.skipped == 0:
        raise UsageError("nothing was released.", "Choose a smaller k.")
    return folder


def curves_of(methods: Mapping[str, Method]) -> list[list[str]]:
    """Names of the settings of every mechanism that has several, in their order: they are joined in the figure.

    >>> curves_of({"k2": Settings(k=2), "blur": BaselineSettings(method="blur"), "k5": Settings(k=5)})
    [['k2', 'k5']]
    """
    kinds = {name: method.mechanism if isinstance(method, Settings) else name for name, method in methods.items()}
    curves: Sequence[list[str]] = [
        [name for name, own in kinds.items() if own == kind] for kind in dict.fromkeys(kinds.values())
    ]
    return [curve for curve in curves if len(curve) > 1]


def _prefixed(name: str, options: Options) -> Progress:
    tell: Progress = options.get("progress", _silent)
    return lambda phase, done, total: tell(f"{name}: {phase}", done, total)


def _silent(_phase: str, _done: int, _total: int) -> None:
    pass
