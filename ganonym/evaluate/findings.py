"""What an assessment is made of, as typed, versioned JSON: what was attacked and how, what came out, and the verdict.

Rates are over subjects, intervals two-sided 95 % unless a name says otherwise. `upper` is a one-sided 95 % bound.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self

from pydantic import ValidationError

from ganonym.checked import refusal
from ganonym.errors import UsageError
from ganonym.extras import require
from ganonym.statistics.intervals import Estimate, Model, Rate

if TYPE_CHECKING:
    import pandas as pd

SCHEMA_VERSION = 1
PROTOCOL = "GAP-1"
FILE = "assessment.json"

State = Literal["PASS", "FAIL", "INCONCLUSIVE", "NOT EVALUATED"]


class OperatingPoint(Model):
    """TAR at the smallest threshold whose FMR over non-mated pairs is at most `target`.

    `resolved` is false where fewer than 30 / target effective non-mated comparisons make the threshold a guess; then
    `tar` is not to be read.
    """

    target: float
    achieved: float
    threshold: float
    tar: Rate
    resolved: bool


class Crowd(Model):
    """Among how many of `size` people the attacker still has to choose: the typical subject, and the worst 5 %."""

    size: int
    median: float
    worst: float


class Finding(Model):
    """One attacker in one setting.

    `rank1`: subjects of whom any attacked photo is named at first guess; failures to acquire are blind guesses.
    `chance` with its 95 % band and `p_value`: the same statistic under permuted names. `advantage` = (rank1 − chance) /
    (1 − chance). `cmc`: within the first 1, 2, … 20 names. `det`: (FMR, FNMR) pairs. `bits`: mean and worst disclosure
    of the rank. `linkability`: D_sys less its permutation mean, anonymized to anonymized only.
    """

    attacker: str
    tier: str
    setting: str
    subjects: int
    trials: int
    gallery: int
    failures: int
    rank1: Rate
    chance: float
    chance_low: float
    chance_high: float
    p_value: float
    advantage: float
    advantage_upper: float
    cmc: tuple[float, ...]
    tar: tuple[OperatingPoint, ...]
    auc: float | None
    eer: float | None
    d_prime: float | None
    det: tuple[tuple[float, float], ...]
    bits_mean: float
    bits_worst: float
    crowds: tuple[Crowd, ...]
    linkability: Estimate | None = None

    def __str__(self) -> str:
        """Who named how many, with the exact 95 % interval, in one line; all numbers are in `repr`."""
        rate = self.rank1
        return (
            f"{self.attacker}, {self.setting}: {rate.value:.3f} [{rate.low:.3f}, {rate.high:.3f}] of {rate.n} subjects "
            f"named, chance {self.chance:.3f}"
        )


class Inference(Model):
    """What released pictures tell of an attribute: balanced accuracy, beside a control that sees only what is public.

    `excess` = accuracy − control. Donor leak and membership come in the same form (`kind`).
    """

    kind: Literal["attribute", "donor", "membership"]
    name: str
    subjects: int
    value: Estimate
    control: float
    excess: Estimate
    excess_upper: float
    note: str = ""


class GroupFinding(Model):
    """Worst attacker among the subjects of one group; groups below the minimum cell size carry no rate."""

    column: str
    group: str
    subjects: int
    setting: str
    attacker: str | None
    rank1: Rate | None


class Control(Model):
    """A check of the instrument itself (protocol §3.7). `holds` None: could not be run, and `detail` says why."""

    id: str
    name: str
    holds: bool | None
    value: float | None
    needed: str
    detail: str
    blocks: bool


class Utility(Model):
    """What the release is still good for. `original` is the ceiling or the measure's own noise floor.

    `decision` by non-inferiority: "kept" when the lower bound of the difference is above −`margin`, "lost" when the
    upper bound is below it, else "undecided"; "reported" where there is no margin.
    """

    family: str
    name: str
    original: Estimate | None
    released: Estimate | None
    difference: Estimate | None
    margin: float | None
    decision: Literal["kept", "lost", "undecided", "reported", "not evaluated"]
    note: str = ""


class Gate(Model):
    """One condition of the policy: its limit, what was found, the attacker that decided it."""

    id: str
    name: str
    state: State
    blocks: bool
    limit: str
    found: str
    reason: str


class Counts(Model):
    """Photos, subjects and faces of both folders."""

    photos: int
    subjects: int
    repeated_subjects: int
    released: int
    withheld: int
    faces_in_originals: int
    faces_in_released: int


class Provenance(Model):
    """What was assessed with what: hex SHA-256 digests, versions, settings."""

    originals: str
    released: str
    manifest: str
    policy: str
    weights: dict[str, str]
    versions: dict[str, str]
    seed: int


def strongest(findings: Iterable[Finding]) -> Finding | None:
    """The finding with the highest upper bound of its rank-1 rate, the first of equals; None without findings."""
    return max(findings, key=lambda finding: (finding.rank1.upper, finding.rank1.value), default=None)


class Assessed(Model):
    """Everything that was found, with the verdict first: what reports are made of, and what the JSON file holds.

    `strata`: findings over some of the trials; none is judged. Frozen; unknown fields are errors.

    >>> Assessed.load("nowhere")
    Traceback (most recent call last):
    ganonym.errors.UsageError: cannot read the assessment nowhere: No such file or directory. Name an --out of assess.
    """

    schema_version: int = SCHEMA_VERSION
    protocol: str = PROTOCOL
    verdict: State
    headline: str
    title: str
    simulated: bool
    policy: str
    assessed_on: date
    valid_until: date
    declared: str
    counts: Counts
    gates: tuple[Gate, ...]
    controls: tuple[Control, ...]
    findings: tuple[Finding, ...]
    inferences: tuple[Inference, ...]
    groups: tuple[GroupFinding, ...]
    utility: tuple[Utility, ...]
    strata: tuple[Finding, ...] = ()
    warnings: tuple[str, ...]
    provenance: Provenance

    @property
    def worst(self) -> Finding | None:
        """The strongest attack over all settings, by the upper bound of its rank-1 rate; None when none was made."""
        return strongest(self.findings)

    def worst_in(self, setting: str) -> Finding | None:
        """The strongest attack in one setting ("other photo", "same photo", "anonymized", …); None without any."""
        return strongest(finding for finding in self.findings if finding.setting == setting)

    def to_frame(self) -> pd.DataFrame:
        """One row a finding: who attacked, in which setting, whom it named, with interval, bound and chance.

        Columns: attacker, tier, setting, subjects, trials, gallery, failures; rank1 with rank1_low, rank1_high (95 %)
        and rank1_upper (one-sided 95 %); chance, p_value, advantage, advantage_upper, auc, eer, d_prime, bits_mean,
        bits_worst. Rates lie in 0…1. Raises EnvironmentFault without pandas.
        """
        require("assess", "a data frame")
        import pandas as pd

        told = ("attacker", "tier", "setting", "subjects", "trials", "gallery", "failures")
        measured = ("chance", "p_value", "advantage", "advantage_upper", "auc", "eer", "d_prime", "bits_mean")
        rows = [
            {name: getattr(finding, name) for name in told}
            | {"rank1": finding.rank1.value}
            | {f"rank1_{bound}": getattr(finding.rank1, bound) for bound in ("low", "high", "upper")}
            | {name: getattr(finding, name) for name in (*measured, "bits_worst")}
            for finding in self.findings
        ]
        return pd.DataFrame(rows)

    @classmethod
    def load(cls, path: Path | str) -> Self:
        """The assessment of a file, or of the folder that holds assessment.json.

        Raises UsageError when it cannot be read, is no JSON, is of another schema version or does not fit the schema.
        """
        file = Path(path) / FILE if Path(path).is_dir() else Path(path)
        again = "Run ganonym assess again."
        try:
            written = json.loads(file.read_bytes(), parse_constant=_refuse)
        except OSError as error:
            raise UsageError(
                f"cannot read the assessment {file}: {error.strerror}.", "Name an --out of assess."
            ) from error
        except ValueError as error:
            raise UsageError(f"the assessment {file} is no JSON: {error}.", again) from error
        version = written.get("schema_version") if isinstance(written, dict) else None
        if version != SCHEMA_VERSION:
            raise UsageError(
                f"the assessment {file} is of schema version {version!r}; this ganonym reads {SCHEMA_VERSION}.", again
            )
        try:
            return cls.model_validate_json(json.dumps(written))
        except ValidationError as error:
            raise refusal(error, f"the assessment {file} does not fit the schema", again) from error


def _refuse(constant: str) -> float:
    raise ValueError(f"{constant} is no JSON number")
