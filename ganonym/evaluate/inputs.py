"""What an assessment is made of, read from files: the release, the policy, further attackers, and the provenance."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TypedDict

from ganonym.classify.recipe import load_recipe
from ganonym.errors import EnvironmentFault, UsageError
from ganonym.evaluate.attackers.attacker import Attacker
from ganonym.evaluate.attackers.recognizers import OnnxView, parse_recognizer
from ganonym.evaluate.findings import Provenance
from ganonym.evaluate.release import Release, read_release
from ganonym.evaluate.sources import Anonymize, Files, path_of
from ganonym.evaluate.suite import SUITE, installed, suite
from ganonym.evaluate.utility.features import PerceptualDistance, lpips_weights
from ganonym.evaluate.utility.four_cells import Added
from ganonym.evaluate.verdict.policy import Policy
from ganonym.manifest import match, read_manifest
from ganonym.photos.source import walk
from ganonym.types import Progress
from ganonym.weights import read_manifest as read_weights

PACKAGES = ("ganonym", "numpy", "scipy", "scikit-learn", "scikit-image", "torch", "dlib-bin", "face_recognition_models")
SIMULATED = "simulated"
"""A manifest with this column is of people who do not exist; every report says so."""
UNTITLED = "A release of face photographs"


class Options(TypedDict, total=False):
    """What else may be told to `assess`, each by its name; files and folders as `str` or `Path`.

    seed            of everything that is drawn; equal seeds give equal bytes (0)
    jobs            worker processes (1); with more, `attackers` must be of importable classes
    title           what the reports are headed by (the release's own statement)
    pairs           CSV: source, output; where paths of photos and outputs differ
    columns         manifest columns that are released beside the pictures (those of the release's manifest.csv)
    distinct        CSV of subject ids that are different people although they are spelled alike
    mock            your own second run of the anonymizer under another key, or a function that makes one (the very
                    function, where it has no key): the parrot attack, and what the informed attacker reruns
    recognizers     "onnx:FILE:PRESET:SHA256" each: further face recognizers to attack with
    donors          CSV: image, subject of the real people of whom outputs are made: donor leak
    distractors     folder of photos of other people, one each: they make galleries larger
    today           the day of the assessment, from which the verdict's validity counts (today, UTC)
    progress        is told (phase, done, total)
    """

    seed: int
    jobs: int
    title: str
    pairs: str | Path | None
    columns: Sequence[str] | None
    distinct: str | Path | None
    mock: str | Path | Anonymize | None
    recognizers: Sequence[str]
    donors: str | Path | None
    distractors: str | Path | None
    today: date | None
    progress: Progress


@dataclass(frozen=True, slots=True)
class AssessmentInput:
    """What to assess, by which policy, and with what beyond the embedded attackers.

    `mock`: the attacker's own output of each photo, empty without. `donors`: photos of real people of whom outputs
    are made, and who they are. `distractors`: photos of further people, candidates in every gallery of originals.
    `recognizers`: ONNX recognizers of the user's; `attackers`: attackers of the user's; `classifiers`: what learns
    syndromes beside the embedded ones. `perceptual`: LPIPS, where its weights are.
    """

    release: Release
    policy: Policy
    assessed_on: date
    provenance: Provenance
    title: str = UNTITLED
    simulated: bool = False
    recognizers: tuple[OnnxView, ...] = ()
    attackers: tuple[Attacker, ...] = ()
    classifiers: tuple[Added, ...] = ()
    mock: tuple[Path | None, ...] = ()
    donors: tuple[tuple[Path, str], ...] = ()
    distractors: tuple[Path, ...] = ()
    perceptual: PerceptualDistance | None = None
    seed: int = 0
    jobs: int = 1


def check_choices(options: Options, attackers: Sequence[Attacker], classifiers: Sequence[Added]) -> None:
    """Raises UsageError for what can be told to be wrong before any photo is read or treated."""
    if unknown := set(options) - set(Options.__annotations__):
        raise TypeError(f"assess has no option {', '.join(sorted(unknown))}")
    suite(attackers=attackers)
    for classifier in classifiers:
        if isinstance(classifier, str):
            load_recipe(classifier)
        elif not callable(getattr(classifier, "learn", None)):
            raise UsageError(f"{classifier!r} is no classifier.", "Give the name of a recipe, or what has `learn`.")
    if options.get("jobs", 1) < 1:
        raise UsageError(f"there cannot be {options.get('jobs')} jobs.", "Give 1, or more.")
    if options.get("seed", 0) < 0:
        raise UsageError(f"the seed is {options.get('seed')}.", "Give 0, or more.")


def read_input(
    files: Files,
    policy: Policy,
    options: Options,
    attackers: Sequence[Attacker] = (),
    classifiers: Sequence[Added] = (),
) -> AssessmentInput:
    """Read and pair everything that is named. Raises UsageError and EnvironmentFault."""
    distinct, donors = path_of(options.get("distinct")), path_of(options.get("donors"))
    further, seed = path_of(options.get("distractors")), options.get("seed", 0)
    release = read_release(
        files.originals, files.released, files.manifest, files.pairs, options.get("columns"), distinct
    )
    views = tuple(parse_recognizer(text) for text in options.get("recognizers", ()))
    return AssessmentInput(
        release=release,
        policy=policy,
        assessed_on=options.get("today") or datetime.now(UTC).date(),
        provenance=_provenance(release, files.manifest, policy, views, seed),
        title=options.get("title") or release.statement or UNTITLED,
        simulated=SIMULATED in read_manifest(files.manifest).ignored,
        recognizers=views,
        attackers=tuple(attackers),
        classifiers=tuple(classifiers),
        mock=() if files.mock is None else _mock(files, files.mock, distinct),
        donors=() if donors is None else _donors(donors),
        distractors=() if further is None else tuple(further / name for name in walk(further).photos),
        perceptual=_perceptual(),
        seed=seed,
        jobs=options.get("jobs", 1),
    )


def trial_salt(given: AssessmentInput) -> bytes:
    """The salt of the names in trials.parquet: the same for the same photographs and seed.

    It is made of the photographs themselves, not of a digest that is printed, by which names could be guessed.
    """
    return hashlib.sha256(f"trials {given.seed} {_digests(_originals(given.release))}".encode()).digest()


def _mock(files: Files, mock: Path, distinct: Path | None) -> tuple[Path | None, ...]:
    release = read_release(files.originals, mock, files.manifest, files.mock_pairs, (), distinct)
    return tuple(item.released for item in release.items)


def _donors(manifest: Path) -> tuple[tuple[Path, str], ...]:
    """Photos, which lie below the manifest's folder, and who is on them. Raises UsageError when one is missing."""
    matched = match(read_manifest(manifest), walk(manifest.parent).photos)
    if matched.missing:
        raise UsageError(f"{manifest} names {matched.missing[0].image!r}, which is not below {manifest.parent}.")
    return tuple((manifest.parent / name, row.subject) for name, row in matched.rows.items())


def _perceptual() -> PerceptualDistance | None:
    try:
        return PerceptualDistance(lpips_weights())
    except EnvironmentFault:  # the report says that LPIPS was not measured, and the remedy
        return None


def _provenance(
    release: Release, manifest: Path, policy: Policy, recognizers: Iterable[OnnxView], seed: int
) -> Provenance:
    """Digests that say whether two assessments are of the same data, without saying whose data it is.

    Those of originals and manifest are keyed by each other: only whoever holds all photographs and the manifest, byte
    for byte, can tell that they are these.
    """
    weights = {name: row.sha256 for name, row in read_weights().items()}
    photographs, people = _digests(_originals(release)).encode(), manifest.read_bytes()
    outputs = _digests((item.row.image, item.released) for item in release.items if item.released is not None)
    return Provenance(
        originals=hmac.new(people, photographs, hashlib.sha256).hexdigest(),
        released=hashlib.sha256(outputs.encode()).hexdigest(),
        manifest=hmac.new(photographs, people, hashlib.sha256).hexdigest(),
        policy=policy.digest(),
        weights=weights | {view.name: view.sha256 for view in recognizers},
        versions={"suite": SUITE}
        | {name: version(name) for name in PACKAGES}
        | {offer.distribution: offer.version for offer in installed()},
        seed=seed,
    )


def _digests(files: Iterable[tuple[str, Path]]) -> str:
    """The files' own digests, by name: never to be written anywhere, for they tell which photographs there were."""
    digests = {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in files}
    return json.dumps(digests, sort_keys=True)


def _originals(release: Release) -> list[tuple[str, Path]]:
    return [(item.row.image, item.original) for item in release.items]
