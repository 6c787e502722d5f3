"""Phase 2: all faces of the release together, because k-same needs them all; names, seeds and privatized faces out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ganonym.batch.claims import Claim, subjects_of
from ganonym.batch.plan import choose_mechanism
from ganonym.config import Settings
from ganonym.faces.shape import ShapeModel
from ganonym.privacy.attributes import AttributeChoice, coarsen
from ganonym.privacy.audit import Audit
from ganonym.privacy.guarantee import Guarantee
from ganonym.privacy.privatize import privatize
from ganonym.privacy.settings import PrivacySettings
from ganonym.privacy.subject import SubjectFace
from ganonym.pseudonym import output_name, refuse_collisions, seed_for
from ganonym.types import PrivateFace, Refusal


@dataclass(frozen=True, slots=True)
class ReleaseItem:
    """One face to be released: where it comes from, its name below OUT/images, and what synthesis may see of it.

    `index` is its place among the released faces of the photo, `found` among all that the analysis found. `label` is
    what may be told of its subject's syndrome.
    """

    source: str
    index: int
    found: int
    input: str
    subject: str
    output: str
    face: PrivateFace | Refusal
    label: str | None

    @property
    def name(self) -> str:
        """How quarantine.csv calls it: the photo, with #2, #3 … for further faces without a manifest."""
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
    claims: Sequence[Claim], model: ShapeModel, key: bytes, settings: Settings, *, manifest: bool
) -> Release:
    """Privatize all claimed faces. `manifest`: whether one said who is who. Raises as `privatize` does."""
    choice = AttributeChoice(**{name: name in settings.attributes for name in ("tone", "sex", "age")})
    outputs = [output_name(key, claim.photo, claim.index) for claim in claims]
    refuse_collisions(outputs)
    faces = [_subject_face(claim, output, choice, key, settings) for claim, output in zip(claims, outputs, strict=True)]
    mechanism, why = choose_mechanism(settings, subjects_of(claims))
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
    private = privatize(faces, model, privacy, manifest=manifest)
    items = []
    for claim, output, face, points, label, kept in zip(
        claims, outputs, faces, private.faces, private.labels, private.attributes, strict=True
    ):
        outcome: PrivateFace | Refusal
        if isinstance(points, Refusal):
            outcome = points
        else:
            assert face.surrogate_seed is not None
            outcome = PrivateFace(points, kept.tone, kept.sex, kept.age, face.surrogate_seed)
        items.append(
            ReleaseItem(
                claim.photo, claim.index, claim.record.index, claim.digest, claim.subject, output, outcome, label
            )
        )
    return Release(tuple(sorted(items, key=lambda item: item.output)), private.guarantee, private.audit, why)


def _subject_face(claim: Claim, output: str, choice: AttributeChoice, key: bytes, settings: Settings) -> SubjectFace:
    seed = seed_for(key, settings.seed, output)
    subject_seed = seed_for(key, settings.seed, f"subject\0{claim.subject}")
    row = claim.row
    return SubjectFace(
        claim.subject,
        claim.record.shape,
        seed,
        subject_seed,
        claim.label,
        coarsen(claim.record.tone, row.sex if row else None, row.age if row else None, choice),
        subject_seed if settings.consistent else seed,
    )
