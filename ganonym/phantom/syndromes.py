"""The syndromes that phantom cohorts simulate: which facial signs, how often, and what each sign does to a face."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

from ganonym.errors import UsageError
from ganonym.faces.measures import AXES

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
