"""Folders in, reports out: what `ganonym assess` does with files."""

from __future__ import annotations

import errno
import hashlib
import json
import os
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from importlib.metadata import version
from io import BytesIO
from pathlib import Path

from PIL import Image

from ganonym.errors import EnvironmentFault, UsageError
from ganonym.evaluate.assess import Request, assess
from ganonym.evaluate.assessment import Assessment, Provenance
from ganonym.evaluate.attack_all import Attacked, Tell
from ganonym.evaluate.attackers.recognizers import OnnxView, parse_recognizer
from ganonym.evaluate.protocol import ANONYMIZED, OTHER_PHOTO, SAME_PHOTO
from ganonym.evaluate.release import Release, read_release
from ganonym.evaluate.report.card import card
from ganonym.evaluate.report.evidence import evidence_page
from ganonym.evaluate.report.files import trials_file, write_assessment, write_whole
from ganonym.evaluate.report.pages import WorstPair, internal_page
from ganonym.evaluate.suite import SUITE, installed
from ganonym.evaluate.utility.features import PerceptualDistance, lpips_weights
from ganonym.evaluate.verdict.policy import Policy, load_policy
from ganonym.manifest import match, read_manifest
from ganonym.photos.decode import read_photo
from ganonym.photos.source import walk
from ganonym.weights import read_manifest as read_weights

PACKAGES = ("ganonym", "numpy", "scipy", "scikit-learn", "scikit-image", "torch", "dlib-bin", "face_recognition_models")
SIMULATED = "simulated"
_SIDE = 224


def run_assessment(
    originals: Path,
    anonymized: Path,
    manifest: Path,
    out: Path,
    *,
    policy: str = "public",
    pairs: Path | None = None,
    columns: Sequence[str] | None = None,
    distinct: Path | None = None,
    mock: Path | None = None,
    recognizers: Sequence[str] = (),
    donors: Path | None = None,
    distractors: Path | None = None,
    title: str = "",
    seed: int = 0,
    jobs: int = 1,
    today: date | None = None,
    tell: Tell = lambda _phase, _done, _total: None,
) -> Assessment:
    """Assess a release and write assessment.json, trials.parquet, report.html, evidence.html and card.md to `out`.

    The same files, options and day give the same bytes. `report.html` shows photographs and names: it is for those who
    hold the originals; `evidence.html` shows neither. Raises UsageError and EnvironmentFault.
    """
    limits = load_policy(policy)
    _refuse_place(out, originals, anonymized)
    release = read_release(originals, anonymized, manifest, pairs, columns, distinct)
    views = tuple(parse_recognizer(text) for text in recognizers)
    request = Request(
        release=release,
        policy=limits,
        assessed_on=today or datetime.now(UTC).date(),
        provenance=_provenance(release, manifest, limits, views, seed),
        title=title or release.statement or "A release of face photographs",
        simulated=SIMULATED in read_manifest(manifest).ignored,
        recognizers=views,
        mock=() if mock is None else _mock(originals, mock, manifest, distinct),
        donors=() if donors is None else _donors(donors),
        distractors=() if distractors is None else tuple(distractors / name for name in walk(distractors).photos),
        perceptual=_perceptual(),
        seed=seed,
        jobs=jobs,
    )
    images = [item.row.image for item in release.items]
    # Of the photographs themselves, not of their digest: that one is printed, and names could be guessed with it.
    salt = hashlib.sha256(f"trials {seed} {_digests(_originals(release))}".encode()).digest()

    _require_writable(out)
    fresh = out / ".trials.parquet.new"
    try:
        with trials_file(fresh, images, salt) as write:
            found, attacked = assess(request, tell, write)
        report = internal_page(found, _worst_pairs(found, attacked, release)).encode()
        pages = {"report.html": report, "evidence.html": evidence_page(found).encode(), "card.md": card(found).encode()}
        _put(fresh, out / "trials.parquet")  # an earlier assessment is replaced when all of the new one is there
        for name, page in pages.items():
            write_whole(out / name, page)
        write_assessment(out / "assessment.json", found)
    finally:
        fresh.unlink(missing_ok=True)
    return found


def _refuse_place(out: Path, originals: Path, anonymized: Path) -> None:
    """The report shows photographs: it must not come into a folder that is shared, nor among the photographs."""
    for folder, what in ((anonymized, "release"), (originals, "photographs")):
        if out.resolve().is_relative_to(folder.resolve()):
            raise UsageError(
                f"the reports, which show photographs and names, would lie inside the {what} {folder}.",
                "Choose another folder with --out.",
            )


def _put(fresh: Path, path: Path) -> None:
    try:
        fresh.replace(path)
    except OSError as error:
        raise EnvironmentFault(f"cannot write {path}: {error.strerror}.", "Check space and permissions.") from error


def _require_writable(out: Path) -> None:
    """Make the folder before the work. Raises EnvironmentFault when nothing could be written to it in the end."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        if not os.access(out, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        raise EnvironmentFault(f"cannot write {out}: {error.strerror}.", "Check space and permissions.") from error


def _mock(originals: Path, mock: Path, manifest: Path, distinct: Path | None) -> tuple[Path | None, ...]:
    release = read_release(originals, mock, manifest, columns=(), distinct=distinct)
    return tuple(item.released for item in release.items)


def _donors(manifest: Path) -> tuple[tuple[Path, str], ...]:
    """Photos, which lie below the manifest's folder, and who is on them. Raises UsageError when one is missing."""
    found = match(read_manifest(manifest), walk(manifest.parent).photos)
    if found.missing:
        raise UsageError(f"{manifest} names {found.missing[0].image!r}, which is not below {manifest.parent}.")
    return tuple((manifest.parent / name, row.subject) for name, row in found.rows.items())


def _perceptual() -> PerceptualDistance | None:
    try:
        return PerceptualDistance(lpips_weights())
    except EnvironmentFault:  # the report says that LPIPS was not measured, and the remedy
        return None


def _provenance(
    release: Release, manifest: Path, policy: Policy, recognizers: Iterable[OnnxView], seed: int
) -> Provenance:
    weights = {name: row.sha256 for name, row in read_weights().items()}
    return Provenance(
        originals=_digest(_originals(release)),
        released=_digest((item.row.image, item.released) for item in release.items if item.released is not None),
        manifest=hashlib.sha256(manifest.read_bytes()).hexdigest(),
        policy=policy.digest(),
        weights=weights | {view.name: view.sha256 for view in recognizers},
        versions={"suite": SUITE}
        | {name: version(name) for name in PACKAGES}
        | {offer.distribution: offer.version for offer in installed()},
        seed=seed,
    )


def _digest(files: Iterable[tuple[str, Path]]) -> str:
    """SHA-256 over the files' own digests, by name."""
    return hashlib.sha256(_digests(files).encode()).hexdigest()


def _digests(files: Iterable[tuple[str, Path]]) -> str:
    """The files' own digests, by name: never to be written anywhere, for they tell which photographs there were."""
    digests = {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in files}
    return json.dumps(digests, sort_keys=True)


def _originals(release: Release) -> list[tuple[str, Path]]:
    return [(item.row.image, item.original) for item in release.items]


def _worst_pairs(found: Assessment, attacked: Attacked, release: Release) -> list[WorstPair]:
    """Of each setting, the photos that its strongest attacker named most surely."""
    pairs = []
    for setting in (SAME_PHOTO, OTHER_PHOTO, ANONYMIZED):
        findings = [each for each in found.findings if each.setting == setting]
        if not findings:
            continue
        worst = max(findings, key=lambda each: (each.rank1.upper, each.rank1.value))
        for index in attacked.surest.get((worst.attacker, setting), ())[:4]:
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
