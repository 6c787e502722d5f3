"""The assessment: a release in, a verdict with its evidence out. One page, top to bottom."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ganonym.errors import UsageError
from ganonym.evaluate.acquire import PhotoPair, Seen, acquire, acquire_distractors
from ganonym.evaluate.assessment import Assessment
from ganonym.evaluate.attack_all import Attacked, Write, attack_all, released_values
from ganonym.evaluate.attackers.attacker import Attacker
from ganonym.evaluate.attackers.readings import COLOURS, ReadingView
from ganonym.evaluate.attackers.recognizers import DLIB_ORACLE
from ganonym.evaluate.attackers.thumbnails import THUMBNAIL
from ganonym.evaluate.controls.holds import control_all
from ganonym.evaluate.findings import Counts
from ganonym.evaluate.inferences.membership import infer_all
from ganonym.evaluate.inputs import AssessmentInput
from ganonym.evaluate.integrity import equivalence, integrity_faults, outputs_as_copies
from ganonym.evaluate.metrics.strata import group_findings
from ganonym.evaluate.protocol import OTHER_PHOTO, SAME_PHOTO
from ganonym.evaluate.release import Release
from ganonym.evaluate.suite import FUSED_PARTS, suite, views_of
from ganonym.evaluate.utility.families import utility
from ganonym.evaluate.utility.features import EncoderView, GestaltView
from ganonym.evaluate.utility.four_cells import candidates
from ganonym.evaluate.utility.inputs import CROP_SIDE, UtilityInputs
from ganonym.evaluate.verdict.gates import Evidence, gates, headline, valid_until, verdict
from ganonym.types import RGB, Progress

FEATURES = EncoderView()
GESTALT = GestaltView()
READINGS = ReadingView()
WEAK_SUBJECTS = 60
"""On so many subjects the weak anonymizers of control C2 are tried: each costs two more descriptors a photo."""


def assess_release(
    given: AssessmentInput, tell: Progress, write: Write = lambda _trials: None
) -> tuple[Assessment, Attacked]:
    """Attack, control, measure and judge. The same input gives the same assessment, to the last bit.

    `write` gets the trials of each attack as they come. Also returns the attacks, with the photos that each named.
    Raises UsageError when an original cannot be read; errors of attackers are passed on: none is ever a score.
    """
    release, policy = given.release, given.policy
    attackers = suite(given.recognizers, given.attackers)
    seen = _acquired(given, attackers, tell)
    counts, inputs = _counts(release, seen), _utility_inputs(given, seen)
    added = candidates(given.classifiers, release.items, inputs, given.jobs, tell)
    attacked = attack_all(
        attackers, FUSED_PARTS, seen, release, seed=given.seed, jobs=given.jobs, write=write, tell=tell
    )
    tell("judge", 0, 4)
    controls = control_all(seen, release, attackers, attacked.findings, given.seed)
    tell("judge", 1, 4)
    inferences, notes = infer_all(seen, release, given.donors, given.seed)
    tell("judge", 2, 4)
    kept = utility(inputs, given.seed, added)
    tell("judge", 3, 4)
    groups = group_findings(
        [item.row for item in release.items], attacked.hits, (OTHER_PHOTO, SAME_PHOTO), policy.groups.smallest
    )
    table = [index for index, item in enumerate(release.items) if item.released is not None]
    columns = [released_values(release, index) for index in table]
    k = policy.metadata.smallest_class
    evidence = Evidence(
        counts=counts,
        findings=attacked.findings,
        inferences=inferences,
        groups=groups,
        controls=controls,
        utility=kept,
        faults=integrity_faults(release, seen),
        copies=outputs_as_copies(release, seen),
        smallest_class=equivalence(columns, [release.subjects[index] for index in table], k).smallest,
        declared_k=release.declared_k,
        statement=release.statement,
    )
    judged = gates(evidence, policy)
    until = valid_until(given.assessed_on, policy)
    tell("judge", 4, 4)
    return Assessment(
        verdict=verdict(judged),
        headline=headline(judged, attacked.findings, policy, until),
        title=given.title,
        simulated=given.simulated,
        policy=policy.name,
        assessed_on=given.assessed_on,
        valid_until=until,
        declared=release.statement,
        counts=counts,
        gates=judged,
        controls=tuple(controls),
        findings=attacked.findings,
        inferences=tuple(inferences),
        groups=tuple(groups),
        utility=tuple(kept),
        strata=attacked.strata,
        warnings=(*(f"not run: {name}: {why}" for name, why in attacked.not_run), *notes),
        provenance=given.provenance,
    ), attacked


def _acquired(given: AssessmentInput, attackers: Sequence[Attacker], tell: Progress) -> Seen:
    """Every photo and output as attackers and judges of utility see it; weak anonymizers of some subjects, too."""
    views, subjects = views_of(attackers), given.release.subjects
    weak = (DLIB_ORACLE.view, THUMBNAIL.view)
    tried = set(list(dict.fromkeys(_repeated_first(subjects)))[:WEAK_SUBJECTS])
    mock = given.mock or (None,) * len(given.release.items)
    tasks = [
        PhotoPair(
            item.original,
            item.released,
            own,
            tuple(dict.fromkeys((*views, FEATURES, GESTALT, READINGS))),
            weak if item.row.subject in tried else (),
            given.perceptual,
            item.row.face,
        )
        for item, own in zip(given.release.items, mock, strict=True)
    ]
    seen = acquire(tasks, given.jobs, tell)
    if seen.unreadable:
        raise UsageError(
            f"{len(seen.unreadable)} photos, or what was made of them, cannot be read: {seen.unreadable[0][1]}",
            "Take them out of the manifest, or mend them.",
        )
    if not given.distractors:
        return seen
    return replace(seen, distractors=acquire_distractors(given.distractors, views, given.jobs, tell))


def _repeated_first(subjects: Sequence[str]) -> list[str]:
    """Subjects with several photos before the others: controls across photos need them."""
    many = Counter(subjects)
    return sorted(subjects, key=lambda name: many[name] == 1)


def _counts(release: Release, seen: Seen) -> Counts:
    subjects = list(release.subjects)
    photos = [photo for photo in seen.photos if photo is not None]
    out = sum(item.released is not None for item in release.items)
    return Counts(
        photos=len(release.items),
        subjects=len(set(subjects)),
        repeated_subjects=sum(subjects.count(name) > 1 for name in set(subjects)),
        released=out,
        withheld=len(release.items) - out,
        faces_in_originals=sum(photo.points is not None for photo in photos),
        faces_in_released=sum(photo.released_points is not None for photo in photos),
    )


def _utility_inputs(given: AssessmentInput, seen: Seen) -> UtilityInputs:
    photos = [photo for photo in seen.photos if photo is not None]
    coordinates = READINGS.width - COLOURS
    return UtilityInputs(
        rows=tuple(item.row for item in given.release.items),
        released=np.array([item.released is not None for item in given.release.items]),
        original_points=tuple(photo.points for photo in photos),
        released_points=tuple(photo.released_points for photo in photos),
        in_place=np.array([photo.same_size for photo in photos]),
        original_crops=_crops([photo.crop for photo in photos]),
        released_crops=_crops([photo.released_crop for photo in photos]),
        agreement=tuple(photo.agreement for photo in photos),
        landmark_noise=np.array([photo.noise for photo in photos]),
        original_features=np.asarray(seen.originals[FEATURES.name], dtype=np.float64),
        released_features=np.asarray(seen.released[FEATURES.name], dtype=np.float64),
        original_gestalt=np.asarray(seen.originals[GESTALT.name], dtype=np.float64),
        released_gestalt=np.asarray(seen.released[GESTALT.name], dtype=np.float64),
        original_coordinates=np.asarray(seen.originals[READINGS.name], dtype=np.float64)[:, :coordinates],
        released_coordinates=np.asarray(seen.released[READINGS.name], dtype=np.float64)[:, :coordinates],
        perceptual=None
        if given.perceptual is None
        else np.array([np.nan if photo.perceptual is None else photo.perceptual for photo in photos]),
        minimum_cell=given.policy.groups.smallest,
    )


def _crops(crops: Sequence[RGB | None]) -> RGB:
    blank = np.zeros((CROP_SIDE, CROP_SIDE, 3), np.uint8)
    return np.stack([blank if crop is None else crop for crop in crops])
