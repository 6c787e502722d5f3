"""All reports of one assessment, into a folder that is not shared: the new ones replace an earlier one's together."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import TypeVar

from PIL import Image

from ganonym.errors import EnvironmentFault, UsageError
from ganonym.evaluate.attack_all import Attacked, Write
from ganonym.evaluate.findings import FILE, Assessed
from ganonym.evaluate.protocol import ANONYMIZED, OTHER_PHOTO, SAME_PHOTO
from ganonym.evaluate.release import Release
from ganonym.evaluate.report.card import card
from ganonym.evaluate.report.evidence import evidence_page
from ganonym.evaluate.report.files import to_json, trials_file, write_whole
from ganonym.evaluate.report.pages import WorstPair, internal_page
from ganonym.photos.decode import read_photo

Result = TypeVar("Result", bound=Assessed)
_SIDE = 224
_SHOWN = 4


def write_reports(
    out: Path, release: Release, salt: bytes, assess: Callable[[Write], tuple[Result, Attacked]]
) -> Result:
    """Assess by `assess`, while its trials go to trials.parquet, and write all reports to `out`.

    An earlier assessment there is replaced when all of the new one is there. Raises EnvironmentFault.
    """
    images = [item.row.image for item in release.items]
    _require_writable(out)
    fresh = out / ".trials.parquet.new"
    try:
        with trials_file(fresh, images, salt) as write:
            assessment, attacked = assess(write)
        report = internal_page(assessment, _worst_pairs(assessment, attacked, release)).encode()
        pages = {"report.html": report} | _public(assessment)
        try:
            fresh.replace(out / "trials.parquet")
        except OSError as error:
            raise _cannot_write(out, error) from error
        _write(out, pages)
    finally:
        fresh.unlink(missing_ok=True)
    return assessment


def write_public(out: Path, assessment: Assessed) -> list[Path]:
    """Write what can be made without photographs: evidence.html, card.md, and assessment.json last.

    Returns the paths. Raises EnvironmentFault.
    """
    return _write(out, _public(assessment))


def _public(assessment: Assessed) -> dict[str, bytes]:
    pages = {"evidence.html": evidence_page(assessment), "card.md": card(assessment)}
    return {name: page.encode() for name, page in pages.items()} | {FILE: to_json(assessment)}


def _write(out: Path, files: Mapping[str, bytes]) -> list[Path]:
    for name, data in files.items():
        write_whole(out / name, data)
    return [out / name for name in files]


def refuse_place(out: Path, photographs: object, release: object) -> None:
    """The report shows photographs: it must not come into a folder that is shared, nor among the photographs.

    Raises UsageError; what is no folder is passed by.
    """
    for folder, what in ((release, "release"), (photographs, "photographs")):
        if isinstance(folder, (str, Path)) and out.resolve().is_relative_to(Path(folder).resolve()):
            raise UsageError(
                f"the reports, which show photographs and names, would lie inside the {what} {folder}.",
                "Choose another folder with --out.",
            )


def _require_writable(out: Path) -> None:
    """Make the folder before the work. Raises EnvironmentFault when nothing could be written to it in the end."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        if not os.access(out, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        raise _cannot_write(out, error) from error


def _cannot_write(out: Path, error: OSError) -> EnvironmentFault:
    return EnvironmentFault(f"cannot write {out}: {error.strerror}.", "Check space and permissions.")


def _worst_pairs(assessment: Assessed, attacked: Attacked, release: Release) -> Sequence[WorstPair]:
    """Of each setting, the photos that its strongest attacker named most surely."""
    pairs = []
    for setting in (SAME_PHOTO, OTHER_PHOTO, ANONYMIZED):
        worst = assessment.worst_in(setting)
        if worst is None:
            continue
        for index in attacked.surest.get((worst.attacker, setting), ())[:_SHOWN]:
            item = release.items[index]
            if item.released is not None:
                shown = (_small(item.original), _small(item.released))
                pairs.append(WorstPair(*shown, worst.attacker, setting, item.row.subject, item.row.image))
    return pairs


def _small(path: Path) -> bytes:
    rgb, _ = read_photo(path.parent, path.name)
    picture = Image.fromarray(rgb)
    picture.thumbnail((_SIDE, _SIDE), Image.Resampling.LANCZOS)
    data = BytesIO()
    picture.save(data, "PNG")
    return data.getvalue()
