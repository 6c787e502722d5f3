"""What reports of the anonymizer say in sentences: what was made, what is promised, what is not, and with what care."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from ganonym.batch.inventory import Inventory
from ganonym.photos.text import text_finder
from ganonym.release_plan import ReleasePlan
from ganonym.settings import Settings
from ganonym.types import JSON

PHOTO_WARNING = (
    "The statement covers the synthesized faces only. Hair, ears, neck, clothing, background, pose, "
    "position and light are the photograph's own and can re-identify: of 102 people photographed twice in one session, "
    "16 x 16 px thumbnails of photos whose face was painted grey still named 27 % at the first guess"
)
GREY_WARNING = (
    "The statement covers the synthesized faces only. Nothing else of the photograph is left but the "
    "position, size and roll of its faces and a coarse colour of their skin and light"
)
NOBODY = "No person has looked through these outputs"
NOT_LOOKED_FOR = (
    "Text in the photos (names, dates, record numbers) was not looked for, because nothing on this machine finds it; "
    "pip install 'ganonym[text]' and run again into a new folder, or look for it yourself"
)
KEPT = "Text in the photos (names, dates, record numbers) was kept as it is, as the settings ask"
_NOT_PROMISED = """\
- That nobody can ever be recognised. The statement above bounds what it names, under its assumptions, and no more;
  the rest has to be measured by attacking the outputs.
- That a rare syndrome, a site, an age or a combination of released columns does not single somebody out.
- That an output shows the subject's own signs: with k-same it is a plausible member of the subject's class; with
  codebook and metric a virtual patient who is alike in the signs of twelve simulated syndromes; other signs are lost.
- That two releases of the same people, made with other settings or keys, are as safe as one: they can be averaged.
- Anything once `private/` or the key is shared: they undo the pseudonyms.
"""


_LINKS = {
    "photo": "nothing says which outputs are of one person; the column `fold` (0 to 4, keyed) keeps outputs of one {} "
    "together: who learns from some folds and tests on another tests on faces that were not learned",
    "subject": "the column `subject` says which outputs are of one person, and they share an identity: whoever attacks "
    "can use all of them at once",
}


def report_text(
    inventory: Inventory, release: ReleasePlan, header: JSON, settings: Settings, lines: Sequence[JSON]
) -> str:
    """REPORT.md: what was made of the ledger's `lines`, what is promised and what is not, and how it was made."""
    promise = release.guarantee
    released = [line for line in lines if line["outcome"] == "anonymized"]
    reasons = count_reasons(lines)
    held = sum(reasons.values())
    subjects = len({line["subject"] for line in released})
    page = ["# Report of a ganonym release", ""]
    page += [_summary(released, subjects, held, settings)]
    if reasons:
        page += ["", "| withheld because | count |", "|---|---|"]
        page += [f"| {reason} | {count} |" for reason, count in reasons.items()]
    page += ["", "## What is promised", "", f"Mechanism **{promise.mechanism}**: {promise.statement}.", ""]
    warning = photo_warning(settings)
    page += [f"**{warning}.**", ""] if warning else []
    for caution in cautions(settings, released):
        page += [f"**{caution}.**", ""]
    page += [f"- {assumption}" for assumption in promise.assumptions]
    if release.audit is not None:
        page += ["", f"Attacked before it was released: {release.audit.sentence}."]
    page += ["", "| bit budget | bits |", "|---|---|"]
    page += [f"| {part} | {bits:.2f} |" for part, bits in promise.bits.items()]
    page += ["", "## What is not promised", "", _NOT_PROMISED]
    page += ["## How it was made", "", f"- {release.why}", *[f"- {note}" for note in inventory.notes[1:]]]
    page += [f"- {_whose(inventory, settings)}{_left_out(settings)}"]
    if settings.output == "photo":
        page += [
            "- position, size and roll of a face, and its skin colour coarsened to at most 11 bits, which sets the "
            "light of the new face, come from the photo: outside the budget above"
        ]
    together = "group, which show one face" if promise.mechanism == "k-same" else "person"
    page += [f"- {_LINKS[settings.link].format(together)}"]
    page += [
        "- an output that resembles its source is drawn anew, up to three times: which draw was kept may tell up to 2 "
        "bits more, outside the budget above"
    ]
    page += [f"- ganonym {header['version']}, settings `{settings.digest()}`, weights `{header['weights']}`"]
    page += ["", "| setting | value |", "|---|---|"]
    page += [f"| {name} | {plain(value)} |" for name, value in settings.relevant().items() if name != "seed"]
    return "\n".join([*page, ""])


def _summary(released: Sequence[JSON], subjects: int, held: int, settings: Settings) -> str:
    if settings.output != "photo":
        return f"{len(released)} faces of {subjects} subjects were synthesized and verified; {held} are withheld."
    covered = sum(line["face"] == "covered" for line in released)
    faces = sum(len(line["synthesized"]) for line in released)
    return (
        f"{len(released)} photos of {subjects} subjects with {faces} synthesized faces were made and verified; in "
        f"{covered} of them the subject's face is covered; {held} are withheld."
    )


def _whose(inventory: Inventory, settings: Settings) -> str:
    if inventory.rows is None and settings.subject_face == "only":
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


def photo_warning(settings: Settings) -> str:
    """The sentence that a release of whole photos cannot go without; empty for one of faces."""
    if settings.output != "photo":
        return ""
    return GREY_WARNING if settings.background == "grey" else PHOTO_WARNING


def forewarnings(settings: Settings) -> list[str]:
    """What whoever starts a run of whole photos should know before it, a sentence each; nothing for faces alone."""
    warnings = [photo_warning(settings)] if settings.output == "photo" and settings.background != "grey" else []
    if settings.covers_text and settings.text == "auto" and text_finder() is None:
        warnings.append(NOT_LOOKED_FOR)
    return warnings


def photos_to_review(released: Sequence[JSON]) -> int:
    """How many photos have such a place."""
    return sum(bool(line.get("doubts")) for line in released)


def covered_text(released: Sequence[JSON]) -> int:
    """How many photos have text that was covered."""
    return sum(bool(line.get("text")) for line in released)


def cautions(settings: Settings, released: Sequence[JSON]) -> tuple[str, ...]:
    """What a release of whole photos has to say besides its guarantee, a sentence each; none for faces alone."""
    if settings.output != "photo":
        return ()
    count = photos_to_review(released)
    seen = (
        f"{NOBODY}; detectors disagree about a face in {count} of {len(released)} (private/review.csv says where), and "
        "all of them can miss one"
    )
    return tuple(filter(None, (seen, _together(released), _of_text(settings, released))))


def _together(released: Sequence[JSON]) -> str:
    """Two faces in one picture are two outputs that belong together: their groups have few photos in common."""
    several = sum(len(line["synthesized"]) > 1 for line in released)
    if not several:
        return ""
    return (
        f"{several} of {len(released)} photos show several synthesized faces; the statement holds of each of them "
        "alone, and whoever knows who was photographed together can name them (a manifest leaves one face a photo)"
    )


def _of_text(settings: Settings, released: Sequence[JSON]) -> str:
    if settings.background == "grey":
        return ""
    if settings.text == "keep":
        return KEPT
    if any(line.get("text") is None for line in released):
        return NOT_LOOKED_FOR
    return (
        f"Text was looked for in all {len(released)} photos and covered in {covered_text(released)}; letters of less "
        "than about 10 px, faint ones and handwriting can be missed"
    )


def count_reasons(items: Iterable[JSON]) -> dict[str, int]:
    """How many items are in quarantine for each reason, the most frequent first."""
    counts = Counter(line["reason"] for line in items if line["outcome"] == "quarantined")
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def plain(value: object) -> str:
    """A cell or a value as reports write it."""
    if isinstance(value, dict):
        return ", ".join(f"{name} {part:g}" for name, part in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "none"
    return "" if value is None else str(value)
