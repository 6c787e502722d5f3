"""A gallery of cases with disorders, who looks at it, and the disorders nearest to photographs that are asked about."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

from ganonym.classify.case import Case, roster
from ganonym.classify.encoders import read_foundation
from ganonym.classify.learner import Arrays
from ganonym.classify.model_folder import Model
from ganonym.classify.retrieval import encode as members
from ganonym.classify.retrieval.encode import VARIANTS
from ganonym.classify.retrieval.gallery import PERSONAL, Ensemble, Looked, encoded, look
from ganonym.classify.retrieval.ranking import Match, matches
from ganonym.classify.studies.study import (
    UNHEARD,
    Remark,
    cases_of,
    device_of,
    left_out_remarks,
    reasons_of,
    remembered,
)
from ganonym.errors import UsageError
from ganonym.faces.cache import FaceCache
from ganonym.types import Payload, Progress

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Encoders:
    """Who looks at faces: trained models, iResNets, ONNX recognizers, each file with its SHA-256; or the bundled one.

    `bases` are what models started from, and take no other part. `variants`: mirrored and grey too, or as it is.
    """

    models: tuple[Path, ...] = ()
    files: tuple[tuple[Path, str], ...] = ()
    onnx: tuple[tuple[Path, str], ...] = ()
    bases: tuple[tuple[Path, str], ...] = ()
    variants: bool = True
    device: str = "auto"


@dataclass(frozen=True, slots=True)
class GalleryStudy:
    """Tables `data` of cases with disorders, the folder of their `images`, and who looks at them.

    `encodings`: keep those of the tables' photographs in a file. PERSONAL DATA. `jobs` processes look at photographs,
    `cache` keeps the faces that they find.
    """

    data: tuple[Path, ...]
    images: Path | None = None
    encoders: Encoders = Encoders()
    encodings: Path | None = None
    jobs: int = 1
    cache: FaceCache | None = None


@dataclass(frozen=True, slots=True)
class Matched:
    """The nearest disorders of each photograph that was asked about, by its path; the gallery; and who looked."""

    photos: dict[str, list[Match]]
    left_out: tuple[tuple[str, str], ...]
    gallery: Looked
    ensemble: Ensemble
    remarks: tuple[Remark, ...]

    def payload(self) -> Payload:
        """For JSON."""
        cases = self.gallery.cases
        gallery = {
            "photos": len({case.image for case in cases}),
            "subjects": len({case.subject for case in cases}),
            "disorders": len({case.disorder for case in cases}),
            "left_out": reasons_of(self.gallery.left_out),
        }
        photos = {
            image: [
                {
                    "disorder": match.disorder,
                    "distance": match.distance,
                    "image": match.case.image,
                    "subject": match.case.subject,
                }
                for match in matches_of_photo
            ]
            for image, matches_of_photo in self.photos.items()
        }
        left_out = reasons_of(self.left_out, "photo")
        simulated = self.gallery.simulated
        return {"simulated": simulated, "gallery": gallery, "photos": photos, "left_out": left_out} | ensemble_payload(
            self.ensemble
        )


def match(study: GalleryStudy, photos: Sequence[Path], top: int = 5, tell: Progress = UNHEARD) -> Matched:
    """The `top` disorders of the gallery nearest to each photograph. No diagnosis: a distance of faces.

    Raises UsageError for a gallery of no disorder, and when no photograph of it can be used.
    """
    ensemble, _, remarks = ensemble_of(study.encoders)
    # Nothing is known of them: every photo is a person of its own, of some disorder or other.
    asked = [Case(name, Path(name), name, "?") for name in dict.fromkeys(map(str, photos))]
    cases, told = cases_of(study.data, study.images)
    remarks += told
    with remembered(told):
        roster(cases)  # refuses a gallery of no disorder before any photograph is looked at
        gallery = look(cases, ensemble, study.encodings, study.jobs, tell, study.cache)
        refuse_nobody(gallery)
        there = encoded(gallery, ensemble, study.encodings, tell)
        probes = look(asked, ensemble, None, study.jobs, cache=study.cache)
        nearest = matches(encoded(probes, ensemble), there, gallery.cases, top)
    remarks += kept(study.encodings, gallery)
    remarks += left_out_remarks(gallery.left_out)
    remarks += [Remark(f"{image}: {reason}", warning=True) for image, reason in probes.left_out]
    if gallery.simulated:
        remarks.append(Remark("The gallery holds SIMULATED syndromes."))
    by_photo = {case.image: row for case, row in zip(probes.cases, nearest, strict=True)}
    return Matched(by_photo, probes.left_out, gallery, ensemble, tuple(remarks))


def paired(
    name: str, files: Sequence[T] | None, digest: str, digests: Sequence[str] | None
) -> tuple[tuple[T, str], ...]:
    """Each file with its digest, as options called `name` and `digest` give them.

    Raises UsageError for more of one than of the other.
    """
    files, digests = files or [], digests or []
    if len(files) != len(digests):
        raise UsageError(
            f"{name} is given {len(files)} times, {digest} {len(digests)} times.", "Give one for each, in order."
        )
    return tuple(zip(files, digests, strict=True))


def ensemble_of(encoders: Encoders) -> tuple[Ensemble, list[Model], list[Remark]]:
    """Who looks, and the models among them; the bundled encoder when none is named. Raises UsageError for bases of no
    model, and what reading the files raises."""
    if encoders.bases and not encoders.models:
        raise UsageError(
            "a base (--base) is what a model (--model) started from, and no model is given.", "Leave it out."
        )
    readers: list[Callable[[], Arrays]] = [read_foundation]
    readers += [partial(read_foundation, path, sha256.lower()) for path, sha256 in (*encoders.bases, *encoders.files)]
    place, told = device_of(encoders.device)
    remarks = [*told]
    trained = [members.of_model(folder, readers, place) for folder in encoders.models]
    encoders_read = [member for member, _ in trained]
    encoders_read += [members.of_file(path, sha256, place) for path, sha256 in encoders.files]
    encoders_read += [members.of_onnx(path, sha256) for path, sha256 in encoders.onnx]
    if not encoders_read:
        encoders_read = [members.bundled(place)]
        text = "The bundled encoder learned to tell virtual people apart; it has seen no patient, no syndrome."
        remarks.append(Remark(text))
    if any(model.card.simulated for _, model in trained):
        remarks.append(Remark("A model learned from SIMULATED syndromes: it knows nothing of patients."))
    variants = VARIANTS if encoders.variants else VARIANTS[:1]
    return Ensemble(tuple(encoders_read), variants), [model for _, model in trained], remarks


def refuse_nobody(looked: Looked) -> None:
    """Raises UsageError when no photograph of a table can be used."""
    if not looked.cases:
        why = looked.left_out[0][1] if looked.left_out else "there are none"
        raise UsageError(
            f"none of {len(looked.left_out)} photographs can be used: {why}.",
            "Check the folder of photographs, and the column of disorders.",
        )


def kept(file: Path | None, looked: Looked) -> list[Remark]:
    state = "written" if looked.stored is None else "read"
    return [] if file is None else [Remark(f"{file} is {state}: {PERSONAL}.")]


def ensemble_payload(ensemble: Ensemble) -> Payload:
    """For JSON."""
    encoders = [{"name": member.encoder.name, "digest": member.digest} for member in ensemble.members]
    return {"encoders": encoders, "views": len(ensemble.variants)}
