"""What a finished run leaves to read.

To share: manifest.csv, REPORT.md and, of the anonymizer, guarantee.json; to keep: keymap.csv, quarantine.csv and, of
photos, review.csv.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ganonym.batch.inventory import Inventory
from ganonym.batch.ledger import Ledger
from ganonym.batch.outputs import Run
from ganonym.batch.wording import cautions, covered_text, photos_to_review, plain, report_text
from ganonym.files import write_output, write_private
from ganonym.pseudonym import deal_folds, pseudonym
from ganonym.release_plan import ReleasePlan
from ganonym.settings import RELEASABLE, Settings
from ganonym.types import JSON

AGE_BANDS = 10  # 0-9, 10-19, …, 80-89, 90 and over
SHARED = {
    "image": "the output, below OUT",
    "fold": "0 to 4; outputs of one group (of one person, with codebook and metric) have the same",
    "subject": "with `--link subject` in place of `fold`: a pseudonym of the person",
    "syndrome": "the label, several names where small classes were merged",
    **dict.fromkeys(RELEASABLE, "the manifest's, where the setting `release` names it"),
    "session": "where `release` names it, and with `--link subject` only: a pseudonym",
    "age": "where `release` names it: in bands of ten years",
    "protection": "the guarantee in a few words",
    "face": "of whole photos: whether the subject's face is synthesized or covered",
}
"""What the columns of manifest.csv are."""

_OWNER = {"photo": "fold", "subject": "subject"}
_REVIEW = ("source", "output", "why", "left", "top", "right", "bottom")


@dataclass(frozen=True, slots=True)
class Report:
    """What a method says of its outputs: manifest.csv's `columns` and `rows`, and the `text` of REPORT.md.

    `guarantee` is guarantee.json, `review` the rows of review.csv: places in photos at which detectors disagree. None
    where there is no such file. `groups`: the group behind each output that has one, for the steward alone.
    """

    columns: tuple[str, ...]
    rows: Sequence[Sequence[str]]
    text: str
    guarantee: JSON | None = None
    review: Sequence[Sequence[str]] | None = None
    groups: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Treated:
    """What a method did with the photos of a run: outputs made now and found done, its report, and what it promises.

    The rest as in `RunResult`.
    """

    made: int
    skipped: int
    report: Report
    mechanism: str
    mechanism_reason: str
    guarantee: str
    warnings: tuple[str, ...] = ()
    review: int = 0
    cautions: tuple[str, ...] = ()


def write_reports(run: Run, report: Report) -> None:
    """Write `report`, and keymap and quarantine from the ledger. The same ledger gives the same bytes.

    Raises EnvironmentFault.
    """
    shared, text, promise, keymap, quarantine, review = run.space.reports
    write_output(shared, _csv(report.columns, report.rows))
    sources = [
        (
            *(line["source"], image(line), line["subject"], pseudonym(run.key, "subject", line["subject"])),
            str(report.groups.get(line["output"], "")),
        )
        for line in released(run.ledger)
    ]
    write_private(keymap, _csv(("source", "output", "subject", "pseudonym", "group"), sources))
    held = sorted(_with_outcome(run.ledger, "quarantined"), key=lambda line: str(line["name"]))
    reasons = [(line["name"], line["reason"], line["detail"]) for line in held]
    write_private(quarantine, _csv(("source", "reason", "detail"), reasons))
    if report.review is not None:
        write_private(review, _csv(_REVIEW, report.review))
    if report.guarantee is not None:
        write_output(promise, (json.dumps(report.guarantee, ensure_ascii=False, indent=1) + "\n").encode())
    write_output(text, report.text.encode())


def released(ledger: Ledger) -> list[JSON]:
    """The ledger's lines of all outputs, ordered by output name."""
    return sorted(_with_outcome(ledger, "anonymized"), key=lambda line: str(line["output"]))


def image(line: JSON) -> str:
    """Where the output of a ledger line lies below OUT."""
    return f"images/{line['output']}"


def report_release(run: Run, inventory: Inventory, release: ReleasePlan, settings: Settings) -> Report:
    """What the anonymizer says of its release."""
    lines = released(run.ledger)
    photo = settings.output == "photo"
    given = release.guarantee
    guarantee: JSON = {"mechanism": given.mechanism, "statement": given.statement}
    guarantee |= {"rank1": given.rank1, "bits": given.bits}
    if photo:
        guarantee |= {
            "looked_through_by_a_person": False,
            "photos_to_review": photos_to_review(lines),
            "photos_with_text_covered": covered_text(lines),
            "cautions": list(cautions(settings, lines)),
        }
    labels = release.labels
    owners = _owners(run, lines, release, settings)
    rows = [_row(run, line, labels.get(line["output"]), inventory, given.short, settings) for line in lines]
    rows = [(image(line), owner, *row) for line, owner, row in zip(lines, owners, rows, strict=True)]
    doubts = [(line["source"], image(line), *map(str, doubt)) for line in lines for doubt in line.get("doubts", ())]
    return Report(
        ("image", _OWNER[settings.link], "syndrome", *settings.release, "protection", *["face"] * photo),
        rows,
        report_text(inventory, release, run.ledger.entries[0], settings, [*run.ledger.items.values()]),
        guarantee,
        doubts if photo else None,
        {item.output: item.group for item in release.items if item.group is not None},
    )


def _row(
    run: Run, line: JSON, label: str | None, inventory: Inventory, protection: str, settings: Settings
) -> tuple[str, ...]:
    """What manifest.csv says of one output beside its name and its owner."""
    row = inventory.rows[line["source"]] if inventory.rows is not None and line["index"] == 0 else None
    if line.get("face") == "covered":  # no group of k stands behind what its row says
        row = None
    cells: dict[str, Any] = {"syndrome": label if row else None}
    cells |= {name: getattr(row, name) if row else None for name in settings.release}
    if cells.get("age") is not None:
        cells["age"] = _age_band(cells["age"])
    if cells.get("session") is not None:  # session names tend to be dates or visit numbers
        cells["session"] = pseudonym(run.key, "session", cells["session"])
    cells["protection"] = protection
    if settings.output == "photo":
        cells["face"] = line["face"]
    return tuple(plain(cell) for cell in cells.values())


def _owners(run: Run, lines: Sequence[JSON], release: ReleasePlan, settings: Settings) -> list[str]:
    """What manifest.csv says of whose output each is: the person's pseudonym, or a fold."""
    if settings.link == "subject":
        return [pseudonym(run.key, "subject", line["subject"]) for line in lines]
    circles = fold_circles(lines, release)
    labels = release.labels
    folds = deal_folds(run.key, {own: labels.get(line["output"]) for own, line in zip(circles, lines, strict=True)})
    return [str(folds[own]) for own in circles]


def fold_circles(lines: Sequence[JSON], release: ReleasePlan) -> list[str]:
    """What stays together in one fold, for each of the ledger's `lines` of outputs.

    With k-same it is the group, which an output shows anyway, and an output without one is alone: folds of people would
    tell which outputs of several groups may belong together, and with it who they are (docs/adr/0020-folds.md). Other
    mechanisms have no groups, and what they promise does not rest on the number of people: there it is the person.
    """
    if release.guarantee.mechanism != "k-same":
        return [f"person {line['subject']}" for line in lines]
    groups = {item.output: item.group for item in release.items}
    numbers = [groups.get(line["output"]) for line in lines]
    return [
        f"output {line['output']}" if number is None else f"group {number}"
        for line, number in zip(lines, numbers, strict=True)
    ]


def _age_band(years: float) -> str:
    """Ten-year band, the same that synthesis may see.

    >>> _age_band(34.0), _age_band(97.0)
    ('30-39', '90+')
    """
    band = min(int(years // 10), AGE_BANDS - 1)
    return f"{band}0+" if band == AGE_BANDS - 1 else f"{band * 10}-{band * 10 + 9}"


def _with_outcome(ledger: Ledger, outcome: str) -> Iterable[JSON]:
    return (line for line in ledger.items.values() if line["outcome"] == outcome)


def _csv(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> bytes:
    r"""A CSV file with a header.

    >>> _csv(("a", "b"), [("1", "x,y")])
    b'a,b\n1,"x,y"\n'
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return text.getvalue().encode("utf-8", "surrogateescape")
