"""What `ganonym classify evaluate` tells."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ganonym_cli.classify.options import marked, reasons_of, star
from ganonym_cli.console import Output
from ganonym_cli.table import Table

if TYPE_CHECKING:
    from ganonym.classify.cohort import Cohort
    from ganonym.classify.cross_validation import Rated, Tempered
    from ganonym.statistics.intervals import Estimate

_RATES = ("sensitivity", "specificity", "ppv", "npv", "f1", "auroc")


def tell(
    output: Output, name: str, cohort: Cohort, found: Rated, scaled: Tempered | None = None, checked: bool = True
) -> None:
    """Rates over all classes and of each against the rest, as tables or JSON.

    `checked`: whether it is known that nobody in it was learned from.
    """
    whole = Table("rate", "value", "95 % interval", prose=["rate"])
    rows = {f"macro top-{k}": each for k, each in found.top.items()}
    rows |= {"accuracy": found.accuracy, "macro F1": found.f1, "calibration error": found.calibration}
    if scaled is not None:
        rows[f"calibration error, each fold at the temperature of the others (all: {scaled.temperature:.2f})"] = (
            scaled.error
        )
    for what, each in rows.items():
        whole.add_row(what, marked(f"{each.value:.3f}", found.few_people), f"{each.low:.3f} to {each.high:.3f}")
    single = Table("class", "people", "sensitivity", "specificity", "PPV", "NPV", "F1", "AUROC")
    for label, row in zip(cohort.names, found.classes, strict=True):
        rates: dict[str, Estimate | None] = {name: getattr(row, name) for name in _RATES}
        cells = [
            "–"
            if each is None
            else marked(f"{each.value:.2f} [{each.low:.2f}, {each.high:.2f}]", name in row.few_people)
            for name, each in rates.items()
        ]
        single.add_row(label, str(row.affected), *cells)
    few = found.few_people or any(row.few_people for row in found.classes)
    payload: dict[str, Any] = {
        "name": name,
        "simulated": cohort.simulated,
        "known_to_be_unseen": checked,
        "photos": found.photos,
        "subjects": found.subjects,
        "few_people": found.few_people,
        "top": {str(k): each.model_dump() for k, each in found.top.items()},
        "accuracy": found.accuracy.model_dump(),
        "f1": found.f1.model_dump(),
        "calibration": found.calibration.model_dump(),
        "classes": {label: row.model_dump() for label, row in zip(cohort.names, found.classes, strict=True)},
        "temperature": None if scaled is None else scaled.temperature,
        "scaled_calibration": None if scaled is None else scaled.error.model_dump(),
        "left_out": reasons_of(cohort.left_out),
    }
    said = "SIMULATED syndromes. " if cohort.simulated else ""
    left = f"; {len(cohort.left_out)} photographs left out" if cohort.left_out else ""
    output.result(
        payload, f"{name}: {said}{found.photos} tested, {found.subjects} people{left}.", whole, single, *star(few)
    )
