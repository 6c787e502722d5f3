"""What a finished run leaves to read.

To share: manifest.csv, REPORT.md and guarantee.json; to keep: keymap.csv, quarantine.csv and, of photos, review.csv.
"""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from ganonym.batch.ledger import Ledger
from ganonym.batch.plan import Plan
from ganonym.batch.review import COLUMNS, cautions, covered_text, photos_to_review, review_rows
from ganonym.batch.workspace import Workspace
from ganonym.files import write_output, write_private
from ganonym.privacy.attributes import AGE_BANDS
from ganonym.pseudonym import pseudonym
from ganonym.release_plan import ReleasePlan
from ganonym.settings import Settings
from ganonym.types import JSON

PHOTO_WARNING = (
    "The statement covers the shape of the synthesized faces only. Hair, ears, neck, clothing, background, pose, "
    "position and light are the photograph's own and can re-identify: of 102 people photographed twice in one session, "
    "16 x 16 px thumbnails of photos whose face was painted grey still named 27 % at the first guess"
)
GREY_WARNING = (
    "The statement covers the shape of the synthesized faces only. Nothing else of the photograph is left but the "
    "position, size and roll of its faces and a coarse colour of their skin and light"
)


def photo_warning(settings: Settings) -> str:
    """The sentence that a release of whole photos cannot go without; empty for one of faces."""
    if settings.output != "photo":
        return ""
    return GREY_WARNING if settings.background == "grey" else PHOTO_WARNING


_NOT_PROMISED = """\
- That nobody can ever be recognised. The statement above bounds what it names, under its assumptions, and no more;
  the rest has to be measured by attacking the outputs.
- That a rare syndrome, a site, an age or a combination of released columns does not single somebody out.
- That an output shows the subject's own signs: with k-same it is a plausible member of the subject's class; with
  codebook and metric a virtual patient who is alike in the signs of twelve simulated syndromes; other signs are lost.
- That two releases of the same people, made with other settings or keys, are as safe as one: they can be averaged.
- Anything once `private/` or the key is shared: they undo the pseudonyms.
"""


def write_reports(
    space: Workspace, plan: Plan, release: ReleasePlan, ledger: Ledger, key: bytes, settings: Settings
) -> None:
    """Write all of them from the ledger. The same ledger gives the same bytes. Raises EnvironmentFault."""
    shared, report, promise, keymap, quarantine, review = space.reports
    released = sorted(_with_outcome(ledger, "anonymized"), key=lambda entry: entry["output"])
    held = sorted(_with_outcome(ledger, "quarantined"), key=lambda entry: entry["name"])
    labels = release.labels
    columns = ("image", "subject", "syndrome", *settings.release, "protection")
    columns += ("face",) * (settings.output == "photo")
    write_output(
        shared,
        _csv(
            columns,
            [_shared_row(entry, labels.get(entry["output"]), plan, release, key, settings) for entry in released],
        ),
    )
    write_private(
        keymap,
        _csv(
            ("source", "output", "subject", "pseudonym"),
            [
                (entry["source"], _image(entry), entry["subject"], pseudonym(key, "subject", entry["subject"]))
                for entry in released
            ],
        ),
    )
    write_private(
        quarantine,
        _csv(("source", "reason", "detail"), [(entry["name"], entry["reason"], entry["detail"]) for entry in held]),
    )
    if settings.output == "photo":
        write_private(review, _csv(COLUMNS, [tuple(map(str, row)) for row in review_rows(released)]))
    given = release.guarantee
    guarantee: JSON = {"mechanism": given.mechanism, "statement": given.statement}
    guarantee |= {"rank1": given.rank1, "bits": given.bits}
    if settings.output == "photo":
        guarantee |= {
            "looked_through_by_a_person": False,
            "photos_to_review": photos_to_review(released),
            "photos_with_text_covered": covered_text(released),
            "cautions": list(cautions(settings, released)),
        }
    write_output(promise, (json.dumps(guarantee, ensure_ascii=False, indent=1) + "\n").encode())
    write_output(report, _report(plan, release, ledger, settings, released, held).encode())


def count_reasons(items: Iterable[JSON]) -> dict[str, int]:
    """How many items are in quarantine for each reason, the most frequent first."""
    counts = Counter(entry["reason"] for entry in items if entry["outcome"] == "quarantined")
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def _report(
    plan: Plan, release: ReleasePlan, ledger: Ledger, settings: Settings, released: Sequence[JSON], held: Sequence[JSON]
) -> str:
    promise, header = release.guarantee, ledger.entries[0]
    subjects = len({entry["subject"] for entry in released})
    lines = ["# Report of a ganonym release", ""]
    lines += [_summary(released, subjects, len(held), settings)]
    if held:
        lines += ["", "| withheld because | count |", "|---|---|"]
        lines += [f"| {reason} | {count} |" for reason, count in count_reasons(held).items()]
    lines += ["", "## What is promised", "", f"Mechanism **{promise.mechanism}**: {promise.statement}.", ""]
    warning = photo_warning(settings)
    lines += [f"**{warning}.**", ""] if warning else []
    for caution in cautions(settings, released):
        lines += [f"**{caution}.**", ""]
    lines += [f"- {assumption}" for assumption in promise.assumptions]
    if release.audit is not None:
        lines += ["", f"Attacked before it was released: {release.audit.sentence}."]
    lines += ["", "| bit budget | bits |", "|---|---|"]
    lines += [f"| {part} | {bits:.2f} |" for part, bits in promise.bits.items()]
    lines += ["", "## What is not promised", "", _NOT_PROMISED]
    lines += ["## How it was made", "", f"- {release.why}", *[f"- {note}" for note in plan.notes[1:]]]
    lines += [f"- {_whose(plan, settings)}{_left_out(settings)}"]
    if settings.output == "photo":
        lines += [
            "- position, size and roll of a face, and its skin colour coarsened to at most 11 bits, which sets the "
            "light of the new face, come from the photo: outside the budget above"
        ]
    if settings.consistent:
        lines += [
            "- photos of one subject share a surrogate, so they can be linked to each other, whatever `disperse` says"
        ]
    lines += [
        "- an output that resembles its source is drawn anew, up to three times: which draw was kept may tell up to 2 "
        "bits more, outside the budget above"
    ]
    lines += [f"- ganonym {header['version']}, settings `{settings.digest()}`, weights `{header['weights']}`"]
    lines += ["", "| setting | value |", "|---|---|"]
    lines += [f"| {name} | {_plain(value)} |" for name, value in settings.relevant().items() if name != "seed"]
    return "\n".join([*lines, ""])


def _summary(released: Sequence[JSON], subjects: int, held: int, settings: Settings) -> str:
    if settings.output != "photo":
        return f"{len(released)} faces of {subjects} subjects were synthesized and verified; {held} are withheld."
    covered = sum(entry["face"] == "covered" for entry in released)
    faces = sum(len(entry["synthesized"]) for entry in released)
    return (
        f"{len(released)} photos of {subjects} subjects with {faces} synthesized faces were made and verified; in "
        f"{covered} of them the subject's face is covered; {held} are withheld."
    )


def _whose(plan: Plan, settings: Settings) -> str:
    if plan.rows is None and settings.subject_face == "only":
        return (
            "every face of a photo counts as a person of its own, faces that the recognizer takes for one person as one"
        )
    return (
        "exactly one face of a photo is its subject's: the only one, one about twice as wide as all others, or the one "
        "that manifest or settings name; other people are neither released nor counted"
    )


def _left_out(settings: Settings) -> str:
    if settings.output != "photo":
        return "; one that is too small or turned too far is left out with all of its pixels"
    return (
        "; every face that is found and not synthesized is covered (too small, turned too far, withheld, failed, or "
        "seen by the second look only), and a photo whose subject is covered carries no syndrome or other column; "
        "faces that no detector sees stay"
    )


def _shared_row(
    entry: JSON, label: str | None, plan: Plan, release: ReleasePlan, key: bytes, settings: Settings
) -> tuple[str, ...]:
    row = plan.rows[entry["source"]] if plan.rows is not None and entry["index"] == 0 else None
    if entry.get("face") == "covered":  # no group of k stands behind what its row says
        row = None
    cells: dict[str, Any] = {"syndrome": label if row else None}
    cells |= {name: getattr(row, name) if row else None for name in settings.release}
    if cells.get("age") is not None:
        cells["age"] = _age_band(cells["age"])
    if cells.get("session") is not None:  # session names tend to be dates or visit numbers
        cells["session"] = pseudonym(key, "session", cells["session"])
    cells["protection"] = release.guarantee.short
    if settings.output == "photo":
        cells["face"] = entry["face"]
    return (_image(entry), pseudonym(key, "subject", entry["subject"]), *(_plain(cell) for cell in cells.values()))


def _age_band(years: float) -> str:
    """Ten-year band, the same that synthesis may see.

    >>> _age_band(34.0), _age_band(97.0)
    ('30-39', '90+')
    """
    band = min(int(years // 10), AGE_BANDS - 1)
    return f"{band}0+" if band == AGE_BANDS - 1 else f"{band * 10}-{band * 10 + 9}"


def _with_outcome(ledger: Ledger, outcome: str) -> Iterable[JSON]:
    return (entry for entry in ledger.items.values() if entry["outcome"] == outcome)


def _image(entry: JSON) -> str:
    return f"images/{entry['output']}"


def _plain(value: object) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "none"
    return "" if value is None else str(value)


def _csv(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return text.getvalue().encode("utf-8", "surrogateescape")
