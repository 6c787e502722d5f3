"""Phase 2: all faces of the release together, because k-same needs them all; names, seeds and privatized faces out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ganonym.batch.analysis import AnalysisStore
from ganonym.batch.plan import Plan, choose_mechanism
from ganonym.batch.pseudonym import output_name, refuse_collisions, seed_for
from ganonym.config import Settings
from ganonym.faces.shape import ShapeModel
from ganonym.privacy.attributes import AttributeChoice, coarsen
from ganonym.privacy.audit import Audit
from ganonym.privacy.guarantee import Guarantee
from ganonym.privacy.privatize import privatize
from ganonym.privacy.settings import PrivacySettings
from ganonym.privacy.subject import SubjectFace
from ganonym.types import PrivateFace, Refusal


@dataclass(frozen=True, slots=True)
class ReleaseItem:
    """One face to be released: where it comes from, its name below OUT/images, and what synthesis may see of it.

    `label` is what may be told of its subject's syndrome.
    """

    source: str
    index: int
    input: str
    subject: str
    output: str
    face: PrivateFace | Refusal
    label: str | None

    @property
    def name(self) -> str:
        """How quarantine.csv calls it: the photo, with #2, #3 … for its further faces."""
        return f"{self.source}#{self.index + 1}" if self.index else self.source


@dataclass(frozen=True, slots=True)
class Release:
    """Everything to be released, ordered by output name, so that neither order nor file times tell source names."""

    items: tuple[ReleaseItem, ...]
    guarantee: Guarantee
    audit: Audit | None
    why: str

    @property
    def labels(self) -> dict[str, str | None]:
        """What may be told of the syndrome of each output."""
        return {item.output: item.label for item in self.items}


def plan_release(
    plan: Plan,
    photos: Sequence[tuple[str, str]],
    store: AnalysisStore,
    model: ShapeModel,
    key: bytes,
    settings: Settings,
) -> Release:
    """Privatize all faces of `photos`, (name, SHA-256) each, that `store` knows. Raises as `privatize` does."""
    faces: list[SubjectFace] = []
    places: list[tuple[str, int, str, str]] = []
    choice = AttributeChoice(**{name: name in settings.attributes for name in ("tone", "sex", "age")})
    for photo, digest in photos:
        records = store.read(photo, digest)
        for record in [] if isinstance(records, Refusal) else records:
            subject, output = plan.subject_of(photo, record.index), output_name(key, photo, record.index)
            seed = seed_for(key, settings.seed, output)
            subject_seed = seed_for(key, settings.seed, f"subject\0{subject}")
            label = plan.label_of(photo, record.index)
            row = plan.rows[photo] if plan.rows is not None and record.index == 0 else None
            kept = coarsen(record.tone, row.sex if row else None, row.age if row else None, choice)
            faces.append(
                SubjectFace(
                    subject,
                    record.shape,
                    seed,
                    subject_seed,
                    label,
                    kept,
                    subject_seed if settings.consistent else seed,
                )
            )
            places.append((photo, record.index, digest, output))
    refuse_collisions(output for _, _, _, output in places)
    people = {face.subject: face.label for face in faces}
    mechanism, why = choose_mechanism(settings, people)
    privacy = PrivacySettings(
        mechanism=mechanism,
        k=settings.k,
        disperse=settings.disperse,
        small_classes=settings.small_classes,
        epsilon=settings.epsilon,
        directions=settings.directions,
        attributes=choice,
        attributes_from=settings.attributes_from if settings.output == "face" else "subject",
        i_understand=settings.i_understand,
    )
    private = privatize(faces, model, privacy, manifest=plan.rows is not None)
    items = []
    for face, points, label, kept, (photo, index, digest, output) in zip(
        faces, private.faces, private.labels, private.attributes, places, strict=True
    ):
        outcome: PrivateFace | Refusal
        if isinstance(points, Refusal):
            outcome = points
        else:
            assert face.surrogate_seed is not None
            outcome = PrivateFace(points, kept.tone, kept.sex, kept.age, face.surrogate_seed)
        items.append(ReleaseItem(photo, index, digest, face.subject, output, outcome, label))
    return Release(tuple(sorted(items, key=lambda item: item.output)), private.guarantee, private.audit, why)
