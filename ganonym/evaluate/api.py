"""`assess`: anyone's anonymizer, a function or a folder, is attacked, measured and judged."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Unpack

from ganonym.classify.system import Learner
from ganonym.evaluate.assess import assess_release
from ganonym.evaluate.assessment import Assessment
from ganonym.evaluate.attackers.attacker import Attacker
from ganonym.evaluate.inputs import Options, read_input, trial_salt
from ganonym.evaluate.report.write import refuse_place, write_reports
from ganonym.evaluate.sources import Originals, People, Released, as_files
from ganonym.evaluate.verdict.policy import Policy, load_policy


def assess(
    originals: Originals,
    release: Released,
    people: People = None,
    *,
    attackers: Sequence[Attacker] = (),
    classifiers: Sequence[Learner] = (),
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

    `attackers` are tried beside the suite. `classifiers`: anything with `learn` (`classify.system.Learner`); it
    learns the manifest's syndromes from aligned faces, uint8 (n, 64, 64, 3), of originals and of outputs, and how many
    it tells in both is reported among the utility. `policy`: "public", "controlled", "internal", a TOML file, or a
    `Policy`. `out`: a folder for assessment.json, card.md, evidence.html, trials.parquet and report.html, which shows
    photographs: keep it private. `options`: see `inputs.Options`; seed and jobs are among them.

    The same input, seed and day give the same bytes. Raises UsageError (what was given does not fit, an original cannot
    be read) and EnvironmentFault (a package or weights lack, a folder cannot be written).

    >>> import numpy as np
    >>> assess([np.zeros((8, 8, 3), np.uint8)], [], policy="internal")
    Traceback (most recent call last):
    ganonym.errors.UsageError: 0 outputs are given for 1 photos. Give None for a withheld one.
    """
    if unknown := set(options) - set(Options.__annotations__):
        raise TypeError(f"assess has no option {', '.join(sorted(unknown))}")
    limits = policy if isinstance(policy, Policy) else load_policy(policy)
    tell = options.get("progress", lambda *_: None)
    if out is not None:
        refuse_place(Path(out), originals, release)
    with TemporaryDirectory(prefix="ganonym-") as private:
        files = as_files(Path(private), originals, release, people, options.get("pairs"))
        given = read_input(files, limits, options, attackers, classifiers)
        if out is None:
            return assess_release(given, tell)[0]
        return write_reports(
            Path(out), given.release, trial_salt(given), lambda write: assess_release(given, tell, write)
        )
