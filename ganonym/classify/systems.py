"""From a recipe's settings to a published system: how it looks at a portrait, and how it learns."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ganonym.classify.classifier import Arrays, Inputs, Published
from ganonym.classify.cohort import Cohort, Seen
from ganonym.classify.crops.arcface import ArcFaceCrop
from ganonym.classify.crops.regions import REGIONS, RegionCrops
from ganonym.classify.encoders import IResNetEncoder
from ganonym.classify.fit import CPU, Schedule
from ganonym.classify.networks.iresnet import form_of, iresnet_of, published
from ganonym.classify.portrait import Crop, Portrait
from ganonym.errors import EnvironmentFault, UsageError
from ganonym.weights import read_tensors, sha256_file, verified_path


@dataclass(frozen=True, slots=True)
class PhotoLook:
    """Portraits of n photos → what a system of single photos learns from, (n, ...): `of` them, who have `crops`."""

    crops: tuple[Crop, ...]
    of: Callable[[Sequence[Portrait]], Inputs]

    def __call__(self, faces: Sequence[Portrait]) -> Inputs:
        return self.of(faces)


@dataclass(frozen=True, slots=True)
class Look:
    """What a system makes `of` a cohort whose portraits have `crops`: name these to `gather`."""

    crops: tuple[Crop, ...]
    of: Callable[[Cohort], Seen]

    def __call__(self, cohort: Cohort) -> Seen:
        return self.of(cohort)


@dataclass(frozen=True, slots=True)
class System:
    """`look` turns a cohort into inputs, `method` learns from them."""

    look: Look
    method: Published


def system_of(kind: str, settings: Mapping[str, Any], foundation: Arrays, device: str = CPU) -> System:
    """The system called `kind` with all of `settings`. Raises UsageError when either is unknown or one lacks.

    `foundation`: parameters of the pretrained network that the system starts from (`read_foundation`).
    `device`: where networks of faces compute (`fit.Schedule`); what learns from embeddings or landmarks is small and
    stays on the processor.
    """
    builders: dict[str, Callable[..., System]] = {
        "deepgestalt": _deepgestalt,
        "gestaltmatcher": _gestaltmatcher,
        "margin": _margin,
        "meta-baseline": _meta_baseline,
        "prototypes": _prototypes,
        "cnn": _cnn,
        "screening": _screening,
        "measurement": _measurement,
        "ordinal": _ordinal,
        "photo-set": _photo_set,
    }
    if kind not in builders:
        raise UsageError(f"there is no system {kind!r}.", f"There are {', '.join(builders)}.")
    builder = builders[kind]
    wanted = [name for name in inspect.signature(builder).parameters if name not in ("foundation", "device")]
    missing, extra = set(wanted) - set(settings), set(settings) - set(wanted)
    if missing or extra:
        told = [f"lack {', '.join(sorted(missing))}"] if missing else []
        told += [f"have {', '.join(sorted(extra))}, which means nothing"] if extra else []
        raise UsageError(f"the settings of {kind} {' and '.join(told)}.", f"They are {', '.join(wanted)}.")
    return builder(foundation, device, **settings)


def read_foundation(path: Path | None = None, sha256: str | None = None, kind: str = "gestaltmatcher") -> Arrays:
    """What the system called `kind` starts from: the file at `path`, or the bundled one. Raises EnvironmentFault.

    An iResNet for all but "deepgestalt", which starts from its four region networks. A file of the user's is read only
    when its SHA-256 is `sha256`.
    """
    if path is None:
        return read_tensors(verified_path("regions" if kind == "deepgestalt" else "gestalt"))[0]
    if not path.is_file():
        raise EnvironmentFault(f"there is no file {path}.", "Give the safetensors file of a pretrained network.")
    found = sha256_file(path)
    if found != sha256:
        raise EnvironmentFault(
            f"{path} has SHA-256 {found}, not {sha256}.", "Give its digest with --sha256 if you trust the file."
        )
    return read_tensors(path)[0]


def by_photo(look: PhotoLook) -> Look:
    """One input a photo."""

    def seen(cohort: Cohort) -> Seen:
        images = tuple(case.image for case in cohort.cases)
        return Seen(look(cohort.portraits), cohort.classes, cohort.subjects, images)

    return Look(look.crops, seen)


def by_subject(look: PhotoLook) -> Look:
    """One input a subject (`photo_set.pack`): embeddings of up to six photos; age, sex and ancestry of the first."""
    from ganonym.classify.methods.photo_set import PHOTOS, Vocabulary, pack

    def seen(cohort: Cohort) -> Seen:
        rows: dict[str, list[int]] = {}
        for row, name in enumerate(cohort.subjects):
            rows.setdefault(name, []).append(row)
        found = look(cohort.portraits)
        first = [own[0] for own in rows.values()]
        metadata = Vocabulary((), ()).encode([cohort.cases[row] for row in first])
        packed = pack([found[own[:PHOTOS]].astype(np.float32) for own in rows.values()], metadata)
        return Seen(packed, cohort.classes[first], tuple(rows), tuple(cohort.cases[row].image for row in first))

    return Look(look.crops, seen)


def embedded(foundation: Arrays, device: str = CPU) -> PhotoLook:
    """Portraits → embeddings (n, d) of unit length by the foundation."""
    encoder = IResNetEncoder("foundation", iresnet_of(foundation).to(device))
    pictures = pictured(ArcFaceCrop(form_of(foundation).side))

    def look(faces: Sequence[Portrait]) -> Inputs:
        found = encoder(pictures(faces))
        return np.asarray(found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-12))

    return PhotoLook(pictures.crops, look)


def pictured(crop: Crop) -> PhotoLook:
    """Portraits → one crop of each."""
    return PhotoLook((crop,), lambda faces: np.stack([face.crop(crop) for face in faces]))


def _deepgestalt(
    foundation: Arrays,
    device: str,
    side: int,
    width: float,
    epochs: int,
    batch: int,
    rate: float,
    course: str,
    regions: list[str],
    pretrained: bool,
) -> System:
    from ganonym.classify.methods.deepgestalt import DeepGestalt

    chosen: Any = course
    schedule = Schedule(epochs, batch, "sgd", rate, clip=0.1, course=chosen, device=device)
    method = DeepGestalt(
        tuple(regions or REGIONS), side, width, schedule, pretrained=foundation if pretrained else None
    )
    return System(by_photo(pictured(RegionCrops(side))), method)


def _gestaltmatcher(foundation: Arrays, device: str, model: str, epochs: int, draws: int) -> System:
    from ganonym.classify.methods.gestaltmatcher import MODEL_A, MODEL_B, GestaltMatcher

    tunings = {"a": MODEL_A, "b": MODEL_B}
    if model not in tunings:
        raise UsageError(f"GestaltMatcher has no model {model!r}.", "There are a (iResNet-50) and b (iResNet-100).")
    method = GestaltMatcher(foundation, tunings[model], epochs, None if draws < 0 else draws, device)
    return System(by_photo(pictured(ArcFaceCrop(form_of(foundation).side))), method)


def _margin(
    foundation: Arrays, device: str, head: str, pretrained: bool, depth: int, epochs: int, batch: int, rate: float
) -> System:
    from ganonym.classify.heads.margin import ArcFace, CosFace, Head, Softmax
    from ganonym.classify.methods.margin import MarginNetwork

    heads: dict[str, Head] = {"arcface": ArcFace(), "cosface": CosFace(), "softmax": Softmax()}
    if head not in heads:
        raise UsageError(f"there is no head {head!r}.", f"There are {', '.join(heads)}.")
    form = published(depth) if depth else form_of(foundation)
    schedule = Schedule(epochs, batch, "sgd", rate, decay=5e-4, device=device)
    return System(
        by_photo(pictured(ArcFaceCrop(form_of(foundation).side if pretrained else form.side))),
        MarginNetwork(heads[head], foundation if pretrained else form, schedule),
    )


def _meta_baseline(
    foundation: Arrays, device: str, width: int, epochs: int, ways: int, shots: int, queries: int, steps: int
) -> System:
    from ganonym.classify.fewshot.encoders import Projection
    from ganonym.classify.fewshot.episodes import Shape
    from ganonym.classify.fewshot.meta_baseline import ClassifierBaseline, MetaBaseline

    baseline = ClassifierBaseline(Projection(width), Schedule(epochs, 128, "sgd", 0.1, decay=5e-4))
    return System(by_photo(embedded(foundation, device)), MetaBaseline(baseline, Shape(ways, shots, queries), steps))


def _prototypes(foundation: Arrays, device: str) -> System:
    from ganonym.classify.fewshot.prototypes import SimpleShot

    return System(by_photo(embedded(foundation, device)), SimpleShot())


def _cnn(
    foundation: Arrays,  # noqa: ARG001
    device: str,
    architecture: str,
    narrowing: int,
    side: int,
    epochs: int,
    rate: float,
    weighted: bool,
) -> System:
    from ganonym.classify.methods.cnn import ConvolutionalNetwork

    known: Any = architecture
    schedule = Schedule(epochs, 32, "adam", rate, decay=1e-4, device=device)
    method = ConvolutionalNetwork(known, narrowing, side or None, weighted, None, schedule)
    return System(by_photo(pictured(ArcFaceCrop(method.input_side))), method)


def _screening(foundation: Arrays, device: str, strength: float) -> System:
    from ganonym.classify.methods.screening import Logistic

    return System(by_photo(embedded(foundation, device)), Logistic(strength))


def _measurement(
    foundation: Arrays,  # noqa: ARG001
    device: str,  # noqa: ARG001
    learner: str,
    strength: float,
    trees: int,
) -> System:
    from ganonym.classify.methods.measurement import AstleyClarren, MeasuredForest, MeasuredLogistic

    learners: dict[str, Published] = {
        "logistic": MeasuredLogistic(strength),
        "forest": MeasuredForest(trees),
        "rule": AstleyClarren(),
    }
    if learner not in learners:
        raise UsageError(f"measurements are not learned by {learner!r}.", f"There are {', '.join(learners)}.")
    landmarks = PhotoLook((), lambda faces: np.stack([face.points for face in faces]))
    return System(by_photo(landmarks), learners[learner])


def _ordinal(foundation: Arrays, device: str, width: int, epochs: int) -> System:
    from ganonym.classify.fewshot.encoders import Projection
    from ganonym.classify.methods.ordinal import OrdinalGrading

    schedule = Schedule(epochs, 32, "adamw", 2e-3, decay=1e-2)
    return System(by_photo(embedded(foundation, device)), OrdinalGrading(Projection(width), schedule))


def _photo_set(foundation: Arrays, device: str, width: int, hidden: int, epochs: int) -> System:
    from ganonym.classify.fewshot.encoders import Projection
    from ganonym.classify.methods.photo_set import PhotoSet

    schedule = Schedule(epochs, 32, "adamw", 2e-3, decay=1e-2)
    return System(by_subject(embedded(foundation, device)), PhotoSet(Projection(width), hidden, schedule=schedule))
