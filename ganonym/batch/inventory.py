"""What is in a folder, found without writing anything: counts, refusals, collisions, the mechanism that fits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ganonym.errors import UsageError
from ganonym.manifest import Match, Row, match, read_manifest
from ganonym.photos.formats import ACCEPTED
from ganonym.photos.source import check_folders, twins, walk
from ganonym.release_plan import choose_mechanism, withheld_classes
from ganonym.settings import Mechanism, Settings
from ganonym.subjects import Distinct, read_distinct, refuse_spelled_alike
from ganonym.types import Refusal

_FATE = {"merge": "merged with their nearest", "class": "groups by themselves, whose people are named with 1/m"}


@dataclass(frozen=True, slots=True)
class Inventory:
    """What a run has to work on. `photos` are to be treated; `refused` names all files and rows that are not, and why.

    `rows` holds the manifest's row of each photo, None without a manifest. `classes` counts subjects by syndrome
    (None: no syndrome given) and `small` lists the classes that k-same withholds, as too small. Without a manifest each
    photo counts as a subject. `ignored` counts what is no photograph by its name, by kind, such as {"hidden": 2};
    `distinct` are pairs of subjects who are different people by the steward's word.
    """

    photos: tuple[str, ...]
    refused: tuple[tuple[str, Refusal], ...]
    rows: Mapping[str, Row] | None
    formats: Mapping[str, int]
    classes: Mapping[str | None, int]
    small: tuple[str | None, ...]
    mechanism: Mechanism
    notes: tuple[str, ...]
    ignored: Mapping[str, int]
    distinct: Distinct = frozenset()

    @property
    def subjects(self) -> int:
        return sum(self.classes.values())

    def subject_of(self, photo: str) -> str:
        """Whose photo it is: the manifest's subject, or the photo itself, which then shows a person of its own."""
        return self.rows[photo].subject if self.rows is not None else photo

    def label_of(self, photo: str) -> str | None:
        """The subject's syndrome, None where none is given."""
        return self.rows[photo].syndrome if self.rows is not None else None


def take_inventory(
    source: Path, output: Path | None, settings: Settings, manifest: Path | None = None, distinct: Path | None = None
) -> Inventory:
    """Look through `source` for a run into `output` (None: nothing is to be written), by reading alone.

    Raises UsageError: folders that contain each other, no photo at all, a faulty manifest, names that differ only in
    case or Unicode form, one subject in several spellings (but for pairs in the file `distinct`), fewer than k subjects
    for k-same.
    """
    check_folders(source, output)
    listing = walk(source)
    refused = [item for item in listing.refused if manifest is None or not _is_same(source / item[0], manifest)]
    ignored = Counter(why for name, why in listing.ignored if manifest is None or not _is_same(source / name, manifest))
    if not listing.photos:
        raise UsageError(f"there is no photo in {source}.", f"Read are files of {ACCEPTED}, by their suffix.")
    meeting = twins(listing.photos)
    if meeting:
        pairs = "; ".join(" and ".join(map(repr, group)) for group in meeting)
        raise UsageError(f"names that differ only in case or Unicode form: {pairs}.", "Rename one of each.")
    photos, rows = listing.photos, None
    notes = [
        "no manifest: every photo is taken to show different people; copies are found, but other photos of one person "
        "are not, and weaken the guarantee"
    ]
    if manifest is not None:
        table = read_manifest(manifest)
        matched = match(table, listing.photos)
        rows = matched.rows
        photos, withheld = _match(listing.photos, matched)
        named = {name for name, _ in refused}
        refused += [item for item in withheld if item[0] not in named]
        notes = [*table.notes, *filter(None, [matched.note])]
    if ignored:
        kinds = ", ".join(f"{why} {count}" for why, count in sorted(ignored.items()))
        notes += [f"ignored {ignored.total()} files or folders that are no photographs by their names: {kinds}"]
    people = {row.subject: row.syndrome for row in rows.values()} if rows is not None else dict.fromkeys(photos)
    different = read_distinct(distinct, people)
    if rows is not None:
        refuse_spelled_alike(people, different)
    mechanism, why = choose_mechanism(settings, people)
    classes = Counter(people.values())
    small = withheld_classes(settings, classes)
    below = [label for label, count in classes.items() if label is not None and count < settings.k]
    rare = sorted(label for label in below if label not in small)
    if rare and mechanism == "k-same":
        notes += [f"classes of fewer than k = {settings.k} are {_FATE[settings.small_classes]}: {', '.join(rare)}"]
    if mechanism == "k-same" and set(small) == set(classes):
        raise UsageError(
            f"no class has k = {settings.k} subjects (the largest has {max(classes.values())}).",
            "Add subjects, lower -k, or use --mechanism codebook.",
        )
    formats = Counter(PurePosixPath(photo).suffix.lower().lstrip(".") for photo in photos)
    return Inventory(
        photos=photos,
        refused=tuple(sorted(refused, key=lambda item: item[0])),
        rows=rows,
        formats=dict(sorted(formats.items())),
        classes=dict(sorted(classes.items(), key=lambda item: str(item[0] or ""))),
        small=small if mechanism == "k-same" else (),
        mechanism=mechanism,
        notes=(why, *notes),
        distinct=different,
        ignored=dict(sorted(ignored.items())),
    )


def _match(names: Iterable[str], matched: Match) -> tuple[tuple[str, ...], list[tuple[str, Refusal]]]:
    """The photos that have a row, in order, and the refusals of photos and rows that are alone."""
    unlisted = Refusal("not-in-manifest", "the manifest has no row for this photo")
    missing = Refusal("missing-photo", "the manifest has a row for this photo, but there is no such file")
    withheld = [(name, unlisted) for name in names if name not in matched.rows]
    return tuple(name for name in names if name in matched.rows), withheld + [
        (row.image, missing) for row in matched.missing
    ]


def _is_same(file: Path, manifest: Path) -> bool:
    try:
        return file.samefile(manifest)
    except OSError:
        return False
