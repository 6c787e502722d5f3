"""Norms in files: the published ones that come along, one's own as TOML or CSV."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import tomli_w

from ganonym.classify.measurement.lengths import MEASUREMENTS, UNITS, unit_of
from ganonym.classify.measurement.norms import OLDEST, Norm
from ganonym.errors import UsageError
from ganonym.tables import number, read_table
from ganonym.types import Sex

BUNDLED = Path(__file__).with_name("norms.toml")
COLUMNS = ("measure", "unit", "mean", "sd", "source", "sex", "low", "high", "n", "ancestry")
_REQUIRED = COLUMNS[:5]
_HELP = "A CSV has the columns " + ", ".join(COLUMNS) + "; a cohort file is written by --save-norms."


@cache
def published() -> tuple[Norm, ...]:
    """The published norms that come along (`norms.toml` names the source of each)."""
    return read_norms(BUNDLED)


def read_norms(path: Path) -> tuple[Norm, ...]:
    """Norms of a .toml or .csv file (UTF-8), each row with the columns of `COLUMNS`; sex, ages, n, ancestry may lack.

    Raises UsageError naming the file and the row that is wrong.
    """
    try:
        text = "" if path.suffix.lower() == ".csv" else path.read_text(encoding="utf-8-sig")
        rows = list(_toml_rows(tomllib.loads(text)) if text else _csv_rows(path))
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise UsageError(f"cannot read norms from {path}: {_words(error)}.", _HELP) from error
    norms = []
    for place, row in enumerate(rows, start=1):
        try:
            norms.append(_norm(row))
        except (ValueError, TypeError, KeyError) as error:
            raise UsageError(f"{path}, norm {place}: {_words(error)}.", _HELP) from error
    if not norms:
        raise UsageError(f"{path} holds no norms.", _HELP)
    return tuple(norms)


def norms_toml(norms: Sequence[Norm]) -> str:
    """The file that `read_norms` reads back to the same norms, to the last bit."""
    rows = []
    for norm in norms:
        row = {name: getattr(norm, name) for name in COLUMNS}
        rows.append({name: value for name, value in row.items() if name in _REQUIRED or value not in (None, "")})
    head = "# Norms of facial measurements. They describe a cohort, nobody in it; written by ganonym measure.\n"
    return head + tomli_w.dumps({"norm": rows})


def _toml_rows(tables: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    sources = tables.get("sources", {})
    for table in tables["norm"]:
        row = dict(table)
        row["source"] = sources.get(row.get("source"), row.get("source"))
        pairs = {key: row.pop(key) for key in ("male", "female", "both") if key in row}
        for key, (mean, sd) in pairs.items():
            yield row | {"mean": mean, "sd": sd} | ({} if key == "both" else {"sex": key})
        if not pairs:
            yield row


def _csv_rows(path: Path) -> Iterator[Mapping[str, Any]]:
    table = read_table(path, COLUMNS, "norms")
    for line, cells in table.rows:
        if len(cells) != len(table.columns):
            raise ValueError(f"line {line} has another number of cells than the header")
        row = {key: cell.strip() for key, cell in zip(table.columns, cells, strict=True) if cell.strip()}
        yield {key: _as_number(text) if key in _NUMBERS else text for key, text in row.items()}


def _as_number(text: str) -> float:
    value = number(text)
    if value is None:
        raise ValueError(f"{text!r} is not a number")
    return value


def _norm(row: Mapping[str, Any]) -> Norm:
    if lacking := [name for name in _REQUIRED if row.get(name) in (None, "")]:
        raise ValueError(f"{', '.join(lacking)} missing")
    if unknown := sorted(set(row) - set(COLUMNS)):
        raise ValueError(f"unknown column {unknown[0]!r}")
    key, unit = str(row["measure"]), str(row["unit"])
    if key not in MEASUREMENTS:
        raise ValueError(f"unknown measure {key!r}")
    if unit not in {unit_of(key, lengths) for lengths in UNITS}:
        raise ValueError(f"{key} has no unit {unit!r}")
    mean, sd, low, high = (float(row.get(name, other)) for name, other in _NUMBERS.items())
    n = None if row.get("n") is None else int(row["n"])
    if not (math.isfinite(mean) and math.isfinite(sd) and sd > 0):
        raise ValueError(f"mean {mean}, SD {sd}: an SD must be positive")
    if not 0 <= low < high <= OLDEST:
        raise ValueError(f"ages {low} to {high}")
    if n is not None and n < 2:
        raise ValueError(f"an SD of n = {n}")
    return Norm(key, mean, sd, unit, str(row["source"]), _sex(row.get("sex")), low, high, n, row.get("ancestry"))


_NUMBERS = {"mean": math.nan, "sd": math.nan, "low": 0.0, "high": OLDEST}


def _sex(text: object) -> Sex | None:
    if text not in (None, "female", "male"):
        raise ValueError(f"sex {text!r} is neither female nor male")
    return "female" if text == "female" else "male" if text == "male" else None


def _words(error: Exception) -> str:
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return f"{error} is missing" if isinstance(error, KeyError) else str(error).rstrip(".")
