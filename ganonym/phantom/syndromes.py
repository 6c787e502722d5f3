"""The syndromes that phantom cohorts simulate, and what one of them does to one person.

A syndrome is a list of facial signs, how often each is seen, and what it does to a face. A person gets some of them,
more or less severe; a control gets a sham instead.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

import numpy as np

from ganonym.errors import UsageError
from ganonym.faces.measures import AXES
from ganonym.phantom.axes import Axes
from ganonym.types import Floats

TextureSign: TypeAlias = Literal["synophrys", "thick eyebrow", "sparse eyebrow", "smooth philtrum"]
BUNDLED = Path(__file__).with_name("syndromes.toml")
# Their frontal geometry hardly differs from that of other syndromes or of nobody's: what marks them is depth and skin.
HARD = frozenset({"AS", "BWS", "DS"})
_HPO_ID = re.compile(r"HP:\d{7}")


@dataclass(frozen=True, slots=True)
class Sign:
    """One facial sign of one syndrome.

    `hpo` id and `term` of the Human Phenotype Ontology; `p` the share of patients who have it, 0…1, and its `source`;
    `axes` SD of each named axis per unit of severity; `texture` the sign on the skin. With neither, no picture shows
    it.
    """

    hpo: str
    term: str
    p: float
    source: str
    axes: tuple[tuple[str, float], ...] = ()
    texture: TextureSign | None = None

    @property
    def visible(self) -> bool:
        return bool(self.axes) or self.texture is not None


@dataclass(frozen=True, slots=True)
class Syndrome:
    """A syndrome to simulate: short `key`, full `name`, OMIM and Orphanet `ids`, facial `signs`."""

    key: str
    name: str
    ids: tuple[str, ...]
    signs: tuple[Sign, ...]


@cache
def load_syndromes(path: Path = BUNDLED) -> Mapping[str, Syndrome]:
    """The syndromes of a TOML file by key; by default the twelve bundled ones, in the file's order.

    Raises UsageError naming the file and the first fault: not TOML, an unknown or malformed term, axis, texture or
    probability, a sign twice.

    >>> wbs = load_syndromes()["WBS"]
    >>> wbs.signs[0].term, wbs.signs[0].p, wbs.signs[0].axes
    ('Short nose', 0.9, (('NOSEL', -1.0),))
    """
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
        return {key: _syndrome(key, table, tables["terms"]) for key, table in tables["syndromes"].items()}
    except KeyError as error:
        raise UsageError(f"{path}: {error} is missing.") from error
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise UsageError(f"cannot read syndromes from {path}: {error}.") from error


def _syndrome(key: str, table: Mapping[str, Any], terms: Mapping[str, Any]) -> Syndrome:
    signs = tuple(_sign(row, terms) for row in table["signs"])
    if len({sign.hpo for sign in signs}) < len(signs):
        raise ValueError(f"{key} lists a sign twice")
    return Syndrome(key, table["name"], tuple(table["ids"]), signs)


def _sign(row: Mapping[str, Any], terms: Mapping[str, Any]) -> Sign:
    hpo, p = row["hpo"], float(row["p"])
    term = terms[hpo]
    axes = tuple((name, float(weight)) for name, weight in term.get("axes", {}).items())
    texture = term.get("texture")
    if not _HPO_ID.fullmatch(hpo):
        raise ValueError(f"{hpo!r} is no HPO id")
    if not 0.0 < p <= 1.0:
        raise ValueError(f"{hpo} has probability {p}, which is not above 0 and at most 1")
    if unknown := [name for name, _ in axes if name not in AXES]:
        raise ValueError(f"{hpo} names the unknown axis {unknown[0]!r}")
    if texture is not None and texture not in get_args(TextureSign):
        raise ValueError(f"{hpo} names the unknown texture sign {texture!r}")
    return Sign(hpo, term["term"], p, row["source"], axes, texture)


Severity: TypeAlias = Literal["normal", "easy"]
# Mean and SD of a sign's severity. From 2 SD an expert calls a measurement abnormal (Elements of Morphology).
SEVERITIES: dict[Severity, tuple[float, float]] = {"normal": (2.0, 0.5), "easy": (2.5, 0.6)}
LEAST_SEVERITY = 0.5
JITTER = 0.1
MOST_SHAM = 3.5


@dataclass(frozen=True, slots=True)
class DrawnSign:
    """A sign that one person has, with its severity in SD."""

    sign: Sign
    severity: float


@dataclass(frozen=True, slots=True)
class Phenotype:
    """What stays the same in all photos of one person: `signs` with severities, and `amounts` (a,) by axis in SD.

    A control has no signs, and amounts all the same: the sham.
    """

    signs: tuple[DrawnSign, ...]
    amounts: Floats

    @property
    def textures(self) -> dict[TextureSign, float]:
        """Severity of each sign on the skin."""
        return {drawn.sign.texture: drawn.severity for drawn in self.signs if drawn.sign.texture is not None}


def draw_phenotype(syndrome: Syndrome, severity: Severity, rng: np.random.Generator) -> Phenotype:
    """Each sign by a lot of its probability, with a normal severity of at least 0.5 SD."""
    mean, spread = SEVERITIES[severity]
    drawn = []
    for sign in syndrome.signs:
        present, strength = rng.random() < sign.p, max(rng.normal(mean, spread), LEAST_SEVERITY)
        if present:
            drawn.append(DrawnSign(sign, float(strength)))
    return Phenotype(tuple(drawn), combined(drawn))


def combined(signs: Sequence[DrawnSign]) -> Floats:
    """Amounts (a,) of all axes, in SD.

    Terms overlap: ptosis, blepharophimosis and a narrow fissure are names for one low eye opening. So of several signs
    that pull an axis the same way the strongest counts, and only opposite pulls add up.
    """
    amounts = np.zeros((2, len(AXES)))
    for drawn in signs:
        for name, weight in drawn.sign.axes:
            column, pull = AXES.index(name), weight * drawn.severity
            amounts[0, column] = min(amounts[0, column], pull)
            amounts[1, column] = max(amounts[1, column], pull)
    return np.asarray(amounts.sum(axis=0))


def draw_sham(syndromes: Sequence[Syndrome], severity: Severity, axes: Axes, rng: np.random.Generator) -> Phenotype:
    """A control's phenotype: no sign, and a random mixture of all axes as strong as one of `syndromes` would be.

    Strength is the root mean square displacement of the marks. Without it a classifier would learn who was warped. The
    mixture is the first of 20 that leaves no axis beyond 3.5 SD, as signs seldom do; failing that, the mildest.
    """
    model = syndromes[int(rng.integers(len(syndromes)))]
    wanted = energy(draw_phenotype(model, severity, rng).amounts, axes)
    mixtures = rng.standard_normal((20, len(AXES)))
    mixtures *= np.array([wanted / energy(mixture, axes) for mixture in mixtures])[:, None]
    extremes = np.maximum(np.abs(mixtures).max(axis=1), MOST_SHAM)
    return Phenotype((), mixtures[int(extremes.argmin())])


def energy(amounts: Floats, axes: Axes) -> float:
    """Root mean square displacement of the marks, in canvas pixels."""
    return float(np.sqrt((axes.displacement(amounts) ** 2).sum(axis=1).mean()))


def check_severity(name: str) -> Severity:
    """`name` if it is a severity. Raises UsageError."""
    for severity in SEVERITIES:
        if name == severity:
            return severity
    raise UsageError(f"severity {name!r} is unknown.", f"Known are: {', '.join(SEVERITIES)}.")
