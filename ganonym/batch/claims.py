"""Whose is each face that was found? The subject's, a person's of their own, or nobody's who is released."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ganonym.batch.analysis import AnalysisStore
from ganonym.batch.plan import Plan
from ganonym.manifest import Row
from ganonym.settings import Settings
from ganonym.subject_face import FaceChoice, faces_to_release
from ganonym.types import FaceRecord, Refusal


@dataclass(frozen=True, slots=True)
class Claim:
    """A face that counts: `record` of the photo with SHA-256 `digest`, and whose it is.

    `index` counts the released faces of the photo from 0, the subject's. `row` is the manifest's, None without one.
    `others` counts faces of the photo that are not released, doubtful ones aside.
    """

    photo: str
    digest: str
    index: int
    record: FaceRecord
    subject: str
    row: Row | None
    others: int = 0

    @property
    def label(self) -> str | None:
        """The syndrome, None where none is given."""
        return None if self.row is None else self.row.syndrome


def claim_faces(
    plan: Plan, photos: Sequence[tuple[str, str]], store: AnalysisStore, settings: Settings
) -> tuple[list[Claim], dict[str, Refusal]]:
    """The faces of `photos`, (name, SHA-256) each, that are released, and the photos of which none is, with the reason.

    With a manifest, or when the settings say which face is the subject's, exactly one face of a photo counts; other
    people in it are not released and not counted. Without, every face is a person's, and faces that the recognizer
    takes for one person are one subject.
    """
    claims: list[Claim] = []
    refused: dict[str, Refusal] = {}
    general: FaceChoice | None = None if settings.subject_face == "only" else settings.subject_face
    one_subject = plan.rows is not None or general is not None
    for photo, digest in photos:
        records = store.read(photo, digest)
        if isinstance(records, Refusal):
            refused[photo] = records
            continue
        row = None if plan.rows is None else plan.rows[photo]
        chosen = faces_to_release(records, (row and row.face) or general, one_subject)
        if isinstance(chosen, Refusal):
            refused[photo] = chosen
            continue
        others = sum(record.refusal is None or record.refusal.reason != "doubtful" for record in records) - len(chosen)
        claims += [
            Claim(photo, digest, index, record, _subject(plan, record, chosen), row, others)
            for index, record in enumerate(chosen)
        ]
    return claims, refused


def subjects_of(claims: Sequence[Claim]) -> Mapping[str, str | None]:
    """The label of every subject."""
    return {claim.subject: claim.label for claim in claims}


def _subject(plan: Plan, record: FaceRecord, chosen: Sequence[FaceRecord]) -> str:
    if plan.rows is not None or record.person == chosen[0].person:
        return plan.subject_of(record.source)
    return f"{record.source}#{record.person + 1}"
