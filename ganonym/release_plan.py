"""Which faces leave, under what names and with what shapes: decided for all photos together before any is drawn."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ganonym.faces.shape import ShapeModel
from ganonym.manifest import Row
from ganonym.privacy.audit import Audit
from ganonym.privacy.guarantee import Guarantee
from ganonym.privacy.privatize import privatize
from ganonym.privacy.settings import PrivacySettings
from ganonym.privacy.subject import SubjectFace
from ganonym.pseudonym import lone_name, output_name, refuse_collisions, seed_for
from ganonym.settings import SMALLEST_CLASS, Mechanism, Settings
from ganonym.subjects import faces_to_release
from ganonym.types import FaceRecord, PrivateFace, Refusal

COVERABLE = frozenset({"tiny", "profile", "no-skin"})
"""Why no face of a photo may be released although all can be covered: they were found."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A face that counts: `record` of the photo whose bytes have the SHA-256 `digest`, and whose it is.

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


@dataclass(frozen=True, slots=True)
class ReleaseItem:
    """One face to be released: where it comes from, its output's name, and what synthesis may see of it.

    `index` is its place among the released faces of the photo, `record_index` among all that the analysis found.
    `label` is what may be told of its subject's syndrome. `group` numbers the group it is shown with, None without one.
    """

    source: str
    index: int
    record_index: int
    input: str
    subject: str
    output: str
    face: PrivateFace | Refusal
    label: str | None
    group: int | None = None

    @property
    def name(self) -> str:
        """How quarantine.csv calls it: the photo, with #2, #3 … for further faces without a manifest."""
        return f"{self.source}#{self.index + 1}" if self.index else self.source


@dataclass(frozen=True, slots=True)
class ReleasePlan:
    """Everything to be released, ordered by output name, so the order reveals no source name; and its guarantee.

    `audit` is how an attack on these very shapes did, None where nothing is released. `why` says why it is this
    mechanism.
    """

    items: tuple[ReleaseItem, ...]
    guarantee: Guarantee
    audit: Audit | None
    why: str

    @property
    def labels(self) -> dict[str, str | None]:
        """What may be told of the syndrome of each output."""
        return {item.output: item.label for item in self.items}


def claim_faces(
    photo: str, digest: str, records: Sequence[FaceRecord], row: Row | None, settings: Settings
) -> list[Claim] | Refusal:
    """Which of the faces found in `photo` are released and whose they are, or why none is.

    With a manifest's `row`, or when the settings say which face is the subject's, exactly one face counts; other people
    are not released and not counted. Without, every face is a person's, and faces that the recognizer takes for one
    person are one subject: the photo's own name, and PHOTO#2, PHOTO#3 … for further people in it.
    """
    general = None if settings.subject_face == "only" else settings.subject_face
    chosen = faces_to_release(records, (row and row.face) or general, row is not None or general is not None)
    if isinstance(chosen, Refusal):
        return chosen
    others = sum(record.refusal is None or record.refusal.reason != "doubtful" for record in records) - len(chosen)
    own = photo if row is None else row.subject
    return [
        Claim(
            photo,
            digest,
            index,
            record,
            own if row is not None or record.person == chosen[0].person else f"{photo}#{record.person + 1}",
            row,
            others,
        )
        for index, record in enumerate(chosen)
    ]


def subjects_of(claims: Sequence[Claim]) -> Mapping[str, str | None]:
    """The label of every subject."""
    return {claim.subject: claim.label for claim in claims}


def coverable(refusal: Refusal, settings: Settings) -> bool:
    """Whether a photo of which no face is released can be released itself, with its faces covered."""
    return settings.output == "photo" and refusal.reason in COVERABLE


def choose_mechanism(settings: Settings, people: Mapping[str, str | None]) -> tuple[Mechanism, str]:
    """The mechanism for subjects with these labels, and a sentence that says why.

    >>> choose_mechanism(Settings(k=2), {"a": None, "b": None})[0], choose_mechanism(Settings(k=3), {"a": "x"})[0]
    ('k-same', 'codebook')
    """
    if settings.mechanism != "auto":
        return settings.mechanism, f"mechanism {settings.mechanism}, as asked"
    classes = Counter(people.values())
    labelled = classes.total() - classes[None]
    if settings.small_classes == "merge" and labelled >= settings.k:
        return "k-same", f"mechanism k-same: {labelled} subjects with a label, at least k = {settings.k}, merged"
    largest = max(classes.values(), default=0)
    group = "a class of" if labelled else "there are"
    if largest >= settings.k:
        return "k-same", f"mechanism k-same: {group} {largest} subjects, at least k = {settings.k}"
    if len(withheld_classes(settings, classes)) < len(+classes):
        said = f"no class has k = {settings.k} subjects, small ones are groups by themselves, the largest of {largest}"
        return "k-same", f"mechanism k-same: {said}"
    return "codebook", f"mechanism codebook: {group} only {largest} subjects, fewer than k = {settings.k}"


def withheld_classes(settings: Settings, classes: Counter[str | None]) -> tuple[str | None, ...]:
    """The labels that k-same does not release, given how many people carry each; None is of people without a label.

    >>> withheld_classes(Settings(k=11), Counter({"a": 20, "b": 5, "c": 4, None: 10}))
    ('c',)
    >>> withheld_classes(Settings(k=11), Counter({None: 10}))
    (None,)
    """
    labelled = classes.total() - classes[None]
    alone = settings.small_classes == "class" and labelled
    least = min(settings.k, SMALLEST_CLASS) if alone else settings.k
    few = sorted((label for label, people in (+classes).items() if people < least), key=str)
    if settings.small_classes == "merge" and labelled >= settings.k:
        few = [label for label in few if label is None]
    return tuple(few)


def release_name(key: bytes, photo: str, index: int, settings: Settings) -> str:
    """Name below OUT/images of an output: a place beside the person's others only where outputs are linked anyway."""
    name = output_name if settings.link == "subject" else lone_name
    return name(key, photo, index)


def plan_release(
    claims: Sequence[Claim], model: ShapeModel, key: bytes, settings: Settings, *, manifest: bool
) -> ReleasePlan:
    """Name the outputs of all claimed faces and privatize these together.

    `manifest`: whether one said who is who. Raises as `privatize` does.
    """
    outputs = [release_name(key, claim.photo, claim.index, settings) for claim in claims]
    refuse_collisions(outputs)
    faces = [_subject_face(claim, output, key, settings) for claim, output in zip(claims, outputs, strict=True)]
    mechanism, why = choose_mechanism(settings, subjects_of(claims))
    privacy = PrivacySettings(
        mechanism=mechanism,
        k=settings.k,
        keep=settings.keep,
        weights=settings.weights,
        link=settings.link,
        small_classes=settings.small_classes,
        epsilon=settings.epsilon,
        directions=settings.directions,
        i_understand=settings.i_understand,
    )
    private = privatize(faces, model, privacy, manifest=manifest)
    items = [
        ReleaseItem(
            claim.photo,
            claim.index,
            claim.record.index,
            claim.digest,
            claim.subject,
            output,
            shown
            if isinstance(shown, Refusal)
            else PrivateFace(shown.points, None, None, None, _surrogate_seed(face, settings), shown.texture),
            label,
            group,
        )
        for claim, output, face, shown, label, group in zip(
            claims, outputs, faces, private.faces, private.labels, private.groups, strict=True
        )
    ]
    return ReleasePlan(tuple(sorted(items, key=lambda item: item.output)), private.guarantee, private.audit, why)


def _surrogate_seed(face: SubjectFace, settings: Settings) -> int:
    """Photos that may be linked show one surrogate."""
    return face.subject_seed if settings.link == "subject" else face.seed


def _subject_face(claim: Claim, output: str, key: bytes, settings: Settings) -> SubjectFace:
    row = claim.row
    assert claim.record.row is not None, "a face without coordinates is refused, not claimed"
    return SubjectFace(
        claim.subject,
        claim.record.row,
        seed_for(key, settings.seed, output),
        seed_for(key, settings.seed, f"subject\0{claim.subject}"),
        claim.label,
        row.age if row else None,
        row.sex if row else None,
    )
