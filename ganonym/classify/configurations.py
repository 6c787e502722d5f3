"""The settings of each published system, every one with its kind and range, and the system that they describe.

A configuration is frozen and strict: what a system has no use for, and what a setting cannot mean, is an error.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

import numpy as np
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from ganonym.classify.crops import ArcFaceCrop, RegionCrops
from ganonym.classify.learning.fit import CPU, Course, Schedule
from ganonym.classify.looks import PhotoLook, System, by_photo, by_subject, embedded, pictured
from ganonym.classify.networks.iresnet import form_of, published
from ganonym.classify.networks.zoo import Architecture
from ganonym.classify.system import Arrays, Published


def _no_bool(value: Any) -> Any:
    """To Python true is 1 and 1.0 is 1, so that a choice of numbers would take them."""
    if isinstance(value, (bool, float)):
        raise ValueError("not one of the choices")
    return value


def _once(values: tuple[Any, ...]) -> tuple[Any, ...]:
    if len(set(values)) < len(values):
        raise ValueError("something is there twice")
    return values


Epochs: TypeAlias = Annotated[int, Field(ge=1, le=100_000)]
Batch: TypeAlias = Annotated[int, Field(ge=2, le=65_536)]  # of one photo batch normalisation has no statistics
Rate: TypeAlias = Annotated[float, Field(gt=0, le=10)]
Width: TypeAlias = Annotated[int, Field(ge=1, le=16_384)]
Strength: TypeAlias = Annotated[float, Field(gt=0, le=1_000_000)]
Region: TypeAlias = Literal["full", "upper", "middle", "lower"]


class Configuration(BaseModel):
    """Settings of one system."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    @property
    def pretrained_start(self) -> bool:
        """Whether the system starts from a pretrained network, or takes the form of one."""
        return True

    @property
    def network_of_faces(self) -> bool:
        """Whether a network looks at faces, so that a device plays a part."""
        return True

    @property
    def keeps_means(self) -> bool:
        """Whether what is learned holds the mean of each class: of a class of one person, that person."""
        return False

    @property
    def idle(self) -> dict[str, str]:
        """Settings that do nothing beside the others, each with the reason."""
        return {}

    def system(self, foundation: Arrays, device: str = CPU) -> System:
        """The system that starts from `foundation`; its networks of faces compute on `device` (`fit.Schedule`)."""
        raise NotImplementedError


class DeepGestaltConfiguration(Configuration):
    """`systems.deepgestalt`: crops of `side` px of the `regions`, `width` times the published channels."""

    side: Annotated[int, Field(ge=32, le=512)]
    width: Annotated[float, Field(gt=0, le=8)]
    epochs: Epochs
    batch: Batch
    rate: Rate
    course: Course
    regions: Annotated[tuple[Region, ...], Field(strict=False, min_length=1), AfterValidator(_once)]
    pretrained: bool

    @property
    def pretrained_start(self) -> bool:
        return self.pretrained

    def system(self, foundation: Arrays, device: str = CPU) -> System:
        from ganonym.classify.systems.deepgestalt import DeepGestalt

        schedule = Schedule(self.epochs, self.batch, "sgd", self.rate, clip=0.1, course=self.course, device=device)
        start = foundation if self.pretrained else None
        method = DeepGestalt(self.regions, self.side, self.width, schedule, pretrained=start)
        return System(by_photo(pictured(RegionCrops(self.side))), method)


class GestaltMatcherConfiguration(Configuration):
    """`systems.gestaltmatcher`: `model` a is tuned as the published iResNet-50, b as the iResNet-100.

    `draws`: so many altered versions of each photograph, encoded once; "anew" in every epoch, as published; "none".
    """

    model: Literal["a", "b"]
    epochs: Epochs
    draws: Annotated[int, Field(ge=1, le=1000)] | Literal["anew", "none"]

    def system(self, foundation: Arrays, device: str = CPU) -> System:
        from ganonym.classify.systems.gestaltmatcher import MODEL_A, MODEL_B, GestaltMatcher

        draws = {"anew": None, "none": 0}[self.draws] if isinstance(self.draws, str) else self.draws
        method = GestaltMatcher(foundation, MODEL_A if self.model == "a" else MODEL_B, self.epochs, draws, device)
        return System(by_photo(pictured(ArcFaceCrop(form_of(foundation).side))), method)


class MarginConfiguration(Configuration):
    """`systems.margin`: from the foundation when `pretrained`, else from nothing, in the form of a published `depth`.

    `depth` "encoder": in the form of the foundation.
    """

    head: Literal["arcface", "cosface", "softmax"]
    pretrained: bool
    depth: Annotated[Literal[18, 34, 50, 100, 200, "encoder"], BeforeValidator(_no_bool)]
    epochs: Epochs
    batch: Batch
    rate: Rate

    @property
    def pretrained_start(self) -> bool:
        return self.pretrained or self.depth == "encoder"

    @property
    def idle(self) -> dict[str, str]:
        return {"depth": "with pretrained = true the encoder has its own depth"} if self.pretrained else {}

    def system(self, foundation: Arrays, device: str = CPU) -> System:
        from ganonym.classify.learning.heads import ArcFace, CosFace, Softmax
        from ganonym.classify.systems.margin import MarginNetwork

        head = {"arcface": ArcFace, "cosface": CosFace, "softmax": Softmax}[self.head]()
        schedule = Schedule(self.epochs, self.batch, "sgd", self.rate, decay=5e-4, device=device)
        if self.pretrained:
            return System(
                by_photo(pictured(ArcFaceCrop(form_of(foundation).side))), MarginNetwork(head, foundation, schedule)
            )
        form = form_of(foundation) if self.depth == "encoder" else published(self.depth)
        return System(by_photo(pictured(ArcFaceCrop(form.side))), MarginNetwork(head, form, schedule))


class MetaBaselineConfiguration(Configuration):
    """`systems.meta_baseline`: a projection to `width`, `epochs` on all classes, then `steps` of episodes."""

    width: Width
    epochs: Epochs
    ways: Annotated[int, Field(ge=2, le=1000)]
    shots: Annotated[int, Field(ge=1, le=1000)]
    queries: Annotated[int, Field(ge=1, le=1000)]
    steps: Annotated[int, Field(ge=1, le=1_000_000)]

    @property
    def keeps_means(self) -> bool:
        return True

    def system(self, foundation: Arrays, device: str = CPU) -> System:
        from ganonym.classify.fewshot.episodes import Shape
        from ganonym.classify.networks.light import Projection
        from ganonym.classify.systems.meta_baseline import ClassifierBaseline, MetaBaseline

        baseline = ClassifierBaseline(Projection(self.width), Schedule(self.epochs, 128, "sgd", 0.1, decay=5e-4))
        shape = Shape(self.ways, self.shots, self.queries)
        return System(by_photo(embedded(foundation, device)), MetaBaseline(baseline, shape, self.steps))


class PrototypesConfiguration(Configuration):
    """`systems.prototypes`: nothing to set."""

    @property
    def keeps_means(self) -> bool:
        return True

    def system(self, foundation: Arrays, device: str = CPU) -> System:
        from ganonym.classify.systems.prototypes import SimpleShot

        return System(by_photo(embedded(foundation, device)), SimpleShot())


class CnnConfiguration(Configuration):
    """`systems.cnn`: channels divided by `narrowing`, crops of `side` px or of the size the network was published with.

    `weighted`: classes count alike, however rare. Nothing pretrained is taken.
    """

    architecture: Architecture
    narrowing: Annotated[Literal[1, 2, 4, 8], BeforeValidator(_no_bool)]
    side: Annotated[int, Field(ge=96, le=1024)] | Literal["published"]
    epochs: Epochs
    rate: Rate
    weighted: bool

    @property
    def pretrained_start(self) -> bool:
        return False

    def system(self, foundation: Arrays, device: str = CPU) -> System:  # noqa: ARG002
        from ganonym.classify.systems.cnn import ConvolutionalNetwork

        schedule = Schedule(self.epochs, 32, "adam", self.rate, decay=1e-4, device=device)
        side = None if self.side == "published" else self.side
        method = ConvolutionalNetwork(self.architecture, self.narrowing, side, self.weighted, None, schedule)
        return System(by_photo(pictured(ArcFaceCrop(method.input_side))), method)


class ScreeningConfiguration(Configuration):
    """`systems.screening`: logistic regression of inverse penalty `strength`, of two classes."""

    strength: Strength

    def system(self, foundation: Arrays, device: str = CPU) -> System:
        from ganonym.classify.systems.screening import Logistic

        return System(by_photo(embedded(foundation, device)), Logistic(self.strength))


class MeasurementConfiguration(Configuration):
    """`systems.measurement`: `strength` is of the logistic regression, `trees` of the forest. No network looks."""

    learner: Literal["logistic", "forest", "rule"]
    strength: Strength
    trees: Annotated[int, Field(ge=1, le=100_000)]

    @property
    def pretrained_start(self) -> bool:
        return False

    @property
    def network_of_faces(self) -> bool:
        return False

    @property
    def idle(self) -> dict[str, str]:
        used = {"logistic": "strength", "forest": "trees", "rule": ""}[self.learner]
        return {name: f"learner is {self.learner}" for name in ("strength", "trees") if name != used}

    @property
    def keeps_means(self) -> bool:
        return self.learner == "rule"

    def system(self, foundation: Arrays, device: str = CPU) -> System:  # noqa: ARG002
        from ganonym.classify.systems.measurement import AstleyClarren, MeasuredForest, MeasuredLogistic

        learners: dict[str, Published] = {
            "logistic": MeasuredLogistic(self.strength),
            "forest": MeasuredForest(self.trees),
            "rule": AstleyClarren(),
        }
        landmarks = PhotoLook((), lambda faces: np.stack([face.points for face in faces]))
        return System(by_photo(landmarks), learners[self.learner])


class OrdinalConfiguration(Configuration):
    """`systems.ordinal`: a projection to `width` features under an ordinal head."""

    width: Width
    epochs: Epochs

    def system(self, foundation: Arrays, device: str = CPU) -> System:
        from ganonym.classify.networks.light import Projection
        from ganonym.classify.systems.ordinal import OrdinalGrading

        schedule = Schedule(self.epochs, 32, "adamw", 2e-3, decay=1e-2)
        return System(by_photo(embedded(foundation, device)), OrdinalGrading(Projection(self.width), schedule))


class PhotoSetConfiguration(Configuration):
    """`systems.photo_set`: photographs projected to `width` features, what is known of the person to `hidden`."""

    width: Width
    hidden: Width
    epochs: Epochs

    def system(self, foundation: Arrays, device: str = CPU) -> System:
        from ganonym.classify.learning.metadata import ITEMS
        from ganonym.classify.networks.light import Projection
        from ganonym.classify.systems.photo_set import PhotoSet

        schedule = Schedule(self.epochs, 32, "adamw", 2e-3, decay=1e-2)
        method = PhotoSet(Projection(self.width), self.hidden, schedule=schedule, items=ITEMS)
        return System(by_subject(embedded(foundation, device)), method)
