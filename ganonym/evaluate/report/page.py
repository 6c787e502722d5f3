"""Pages from templates: escaped by default, undefined names are errors, nothing is loaded from anywhere."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, TypeAlias

from ganonym.evaluate.assessment import Assessment
from ganonym.evaluate.protocol import ANONYMIZED, SAME_PHOTO
from ganonym.evaluate.report import wording
from ganonym.evaluate.report.drawing import DARK, LIGHT

if TYPE_CHECKING:
    from jinja2 import Environment

_SINGLING_OUT, _SAME_PHOTO = "G2", "G2b"
_LIMIT = re.compile(r"≤\s*(0\.\d{1,3}|\d{1,2}(?=\s*%))(?!\d)(\s*%)?")


Svg: TypeAlias = str | None


def render(template: str, figures: Mapping[str, Svg | Mapping[str, Svg]], **values: object) -> str:
    """The page that `template` makes of `values`, which are escaped, and of `figures`, SVG text, which is not."""
    from markupsafe import Markup

    def safe(svg: Svg) -> Svg:
        return None if svg is None else Markup(svg)

    drawn = {
        key: {name: safe(svg) for name, svg in each.items()} if isinstance(each, Mapping) else safe(each)
        for key, each in figures.items()
    }
    return _environment().get_template(template).render(figures=drawn, **values)


def limit_of(assessment: Assessment, setting: str | None = None) -> float | None:
    """The policy's limit on the rank-1 rate in a setting, by default of singling out; None where there is none.

    For linkage the policy limits the advantage over chance, so there is none on the rate.
    """
    if setting == ANONYMIZED:
        return None
    wanted = _SAME_PHOTO if setting == SAME_PHOTO else _SINGLING_OUT
    said = next((gate.limit for gate in assessment.gates if gate.id == wanted), "")
    found = _LIMIT.search(said)
    return None if found is None else float(found[1]) / (100 if found[2] else 1)


@cache
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("ganonym.evaluate.report"), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True, keep_trailing_newline=True,
    )  # fmt: skip
    filters: dict[str, Any] = {
        "percent": wording.percent, "interval": wording.interval, "number": wording.number,
    }  # fmt: skip
    environment.filters.update(filters)
    environment.globals.update(wording=wording, light=LIGHT, dark=DARK)
    return environment
