"""What `ganonym classify evaluate` tells."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.table import Table

from ganonym_cli.classify.options import reasons_of
from ganonym_cli.console import Output

if TYPE_CHECKING:
    from ganonym.classify.cohort import Cohort
    from ganonym.classify.cross_validation import Rated, Tempered


def tell(output: Output, name: str, cohort: Cohort, found: Rated, scaled: Tempered | None = None) -> None:
    """Rates over all classes and of each against the rest, as tables or JSON."""
    whole = Table("rate", "value", "95 % interval")
    for k, each in found.top.items():
        whole.add_row(f"macro top-{k}", f"{each.value:.3f}", f"{each.low:.3f} to {each.high:.3f}")
    for what, each in (("accuracy", found.accuracy), ("macro F1", found.f1), ("calibration error", found.calibration)):
        whole.add_row(what, f"{each.value:.3f}", f"{each.low:.3f} to {each.high:.3f}")
    if scaled is not None:
        after = scaled.error
        told = f"calibration error, each fold at the temperature of the others (all: {scaled.temperature:.2f})"
        whole.add_row(told, f"{after.value:.3f}", f"{after.low:.3f} to {after.high:.3f}")
    single = Table("class", "people", "sensitivity", "specificity", "PPV", "NPV", "F1", "AUROC")
    for label, row in zip(cohort.names, found.classes, strict=True):
        rates = (row.sensitivity, row.specificity, row.ppv, row.npv, row.f1, row.auroc)
        cells = ["–" if each is None else f"{each.value:.2f} [{each.low:.2f}, {each.high:.2f}]" for each in rates]
        single.add_row(label, str(row.affected), *cells)
    payload: dict[str, Any] = {
        "name": name,
        "simulated": cohort.simulated,
        "photos": found.photos,
        "subjects": found.subjects,
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
    output.result(payload, f"{name}: {said}{found.photos} tested, {found.subjects} people{left}.", whole, single)
