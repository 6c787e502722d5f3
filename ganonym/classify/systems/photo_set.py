"""One to six photos of a case and what is known of the patient: the dermatology recipe of Liu et al. 2020.

"A deep learning system for differential diagnosis of skin diseases" (Nature Medicine): one Inception-v4 sees every
photo, its features are averaged over the photos, joined with those of the metadata, then softmax. Deviations: hard
labels in place of several dermatologists' weighted differentials; no augmentation; optimizer and widths are ours; the
metadata are age, sex, ancestry and HPO terms in place of the paper's list, which is of skin complaints. `encoder`
takes any network (Inception-v4: timm's, with `num_classes=0`); the small one here serves embeddings and tests.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from ganonym.classify.cohort import Cohort, Seen
from ganonym.classify.explain.gradcam import Sight, through_embeddings
from ganonym.classify.learner import CPU, Arrays, Inputs
from ganonym.classify.learning.fit import Schedule, fit, inverse_weights, seeded
from ganonym.classify.learning.metadata import (
    ITEMS,
    PHOTOS,
    Items,
    Vocabulary,
    ancestries,
    known_of,
    pack,
    partly_unknown,
    unknown,
    with_ancestry,
)
from ganonym.classify.look import Look, PhotoLook
from ganonym.classify.look import embedded as embedding
from ganonym.classify.networks.light import (
    Factory,
    Light,
    Projection,
    features_of,
    learned,
    restored,
    state,
    tensor_shape,
    to_tensor,
    training,
)
from ganonym.classify.system import Configuration, Epochs, System, Width
from ganonym.classify.systems.prototypes import softmax_of
from ganonym.errors import EnvironmentFault, UsageError
from ganonym.types import RGB, Floats, Points


@dataclass(frozen=True, slots=True)
class PhotoSet:
    """Learns from `pack`ed cases: shared `encoder`, mean over the photos there are, metadata, softmax.

    `hidden` is the width of the metadata's layer. Classes weigh alike in the loss, however rare. Each ancestry of five
    cases or more that are learned from is a column beside the metadata, all others share one, unknown is one.
    `items` of the metadata (`metadata.ITEMS`), and ancestry, are made unknown in a `unknown_share` of cases while
    training, so that photographs alone can be asked about.
    """

    encoder: Factory = field(default_factory=Light)
    hidden: int = 32
    dropout: float = 0.2
    schedule: Schedule = field(default_factory=lambda: Schedule(60, 32, "adamw", 2e-3, decay=1e-2))
    items: Items = ()
    unknown_share: float = 0.2

    def learn(self, inputs: Inputs, classes: NDArray[np.intp], count: int, seed: int) -> TrainedPhotoSet:
        """The probabilities of a class without cases are 0. Raises UsageError for inputs that `pack` did not make."""
        shape, columns = _layout(inputs)
        groups = ancestries(inputs["ancestry"])
        items = self._items(columns, groups)
        network = seeded(lambda: self._network(shape, columns, groups, count), seed)
        assert isinstance(network, SetNetwork)
        metadata = to_tensor(with_ancestry(inputs["metadata"], inputs["ancestry"], groups))
        if network.metadata is not None:
            # What nobody has whom it learns from, say another ancestry, must not count as it was drawn.
            used = (metadata != 0).any(dim=0)
            used[[item[-1] for item in items]] |= self.unknown_share > 0
            with torch.no_grad():
                network.metadata[0].get_parameter("weight")[:, ~used] = 0
        labels = torch.from_numpy(classes.astype(np.int64))
        weights = torch.from_numpy(inverse_weights(classes, count)).float()

        def loss_of(rows: Tensor, generator: torch.Generator) -> Tensor:
            shown = partly_unknown(metadata[rows], items, self.unknown_share, generator)
            return functional.cross_entropy(network(*_photos(inputs[rows.numpy()]), shown), labels[rows], weights)

        with training(network, seed):
            fit(learned(network), loss_of, len(inputs), self.schedule, seed)
        return TrainedPhotoSet(network, shape, columns, groups, items, np.bincount(classes, minlength=count) > 0)

    def restore(self, arrays: Arrays, count: int) -> TrainedPhotoSet:
        """Raises EnvironmentFault when `arrays` are not of this encoder, these widths and `count` classes."""
        if not {"shape", "columns", "known", "groups"} <= set(arrays) or len(arrays["known"]) != count:
            raise EnvironmentFault(f"these arrays do not tell {count} classes apart by sets of photos.")
        shape, columns = tuple(int(side) for side in arrays["shape"]), int(arrays["columns"][0])
        try:
            groups = tuple(str(group) for group in json.loads(bytes(arrays["groups"])))
        except ValueError as error:
            raise EnvironmentFault("these arrays do not say which ancestries they know.", "Train anew.") from error
        network = restored(seeded(lambda: self._network(shape, columns, groups, count), 0), arrays)
        items = self._items(columns, groups)
        return TrainedPhotoSet(network, shape, columns, groups, items, np.asarray(arrays["known"], np.bool_))

    def _items(self, columns: int, groups: tuple[str, ...]) -> Items:
        """With that of ancestry, whose columns are beside the `columns` of the metadata."""
        return (*self.items, *([tuple(range(columns, columns + len(groups) + 2))] if groups else []))

    def _network(self, shape: tuple[int, ...], columns: int, groups: tuple[str, ...], count: int) -> SetNetwork:
        wide = columns + (len(groups) + 2 if groups else 0)
        return SetNetwork(self.encoder(shape), shape, wide, self.hidden, self.dropout, count)


class SetNetwork(nn.Module):
    """Photos (n, 6, ...), which are shown (n, 6), metadata (n, m) → scores (n, count).

    Only photos that there are go through the encoder: padding neither counts in the mean nor moves any statistics.
    """

    def __init__(
        self, encoder: nn.Module, shape: tuple[int, ...], columns: int, hidden: int, dropout: float, count: int
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.metadata = nn.Sequential(nn.Linear(columns, hidden), nn.ReLU()) if columns else None
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(features_of(encoder, shape) + (hidden if columns else 0), count)

    def forward(self, photos: Tensor, shown: Tensor, metadata: Tensor) -> Tensor:
        features = self.encoder(photos[shown])
        case = shown.nonzero()[:, 0]
        sums = features.new_zeros(len(shown), features.shape[1]).index_add(0, case, features)
        pooled = sums / shown.sum(dim=1, keepdim=True)
        joined = pooled if self.metadata is None else torch.cat([pooled, self.metadata(metadata)], dim=1)
        scores: Tensor = self.head(self.dropout(joined))
        return scores


@dataclass(frozen=True, slots=True)
class TrainedPhotoSet:
    """`shape` is one photo's, as the encoder takes it; `groups` are the ancestries that it learned, `items` what it
    knows of a person, `known` (c,) the classes that had cases."""

    network: nn.Module
    shape: tuple[int, ...]
    columns: int
    groups: tuple[str, ...]
    items: Items
    known: NDArray[np.bool_]

    def __call__(self, inputs: Inputs) -> Floats:
        """Probabilities (n, c). Raises UsageError for cases of another layout than was learned from."""
        if _layout(inputs) != (self.shape, self.columns):
            raise UsageError(
                f"these cases have photos and metadata of {_layout(inputs)}; learned was {(self.shape, self.columns)}."
            )
        scores = np.zeros((len(inputs), len(self.known)))
        with torch.inference_mode():
            for start in range(0, len(inputs), 32):
                part = inputs[start : start + 32]
                scores[start : start + 32] = self.network(*_photos(part), self._told(part)).double().numpy()
        return softmax_of(scores, self.known)

    def logits(self, vectors: Tensor) -> Tensor:
        """Scores (n, c) of embeddings (n, d), each a case of one photograph, of whom nothing else is known."""
        nothing = unknown(self.columns + (len(self.groups) + 2 if self.groups else 0), self.items)
        shown = torch.ones(len(vectors), 1, dtype=torch.bool)
        scores: Tensor = self.network(vectors.float()[:, None], shown, nothing.expand(len(vectors), -1))
        return scores

    def sight(self, rgb: RGB, points: Points, foundation: Arrays) -> Sight:
        """Through the recognizer that makes the embeddings."""
        return through_embeddings(self.logits, foundation, rgb, points)

    def _told(self, inputs: Inputs) -> Tensor:
        return to_tensor(with_ancestry(inputs["metadata"], inputs["ancestry"], self.groups))

    @property
    def arrays(self) -> Arrays:
        return state(self.network) | {
            "shape": np.array(self.shape, np.int64),
            "columns": np.array([self.columns]),
            "groups": np.frombuffer(json.dumps(list(self.groups)).encode(), np.uint8),
            "known": self.known,
        }


def _layout(inputs: Inputs) -> tuple[tuple[int, ...], int]:
    if inputs.dtype.names != ("photos", "shown", "metadata", "ancestry"):
        raise UsageError("these inputs are no cases of several photos; make them with pack().")
    fields = inputs.dtype.fields
    assert fields is not None
    photo = np.zeros((1, *fields["photos"][0].shape[1:]), fields["photos"][0].base)
    return tensor_shape(photo), int(fields["metadata"][0].shape[0])


def _photos(inputs: Inputs) -> tuple[Tensor, Tensor]:
    if not inputs["shown"].any(axis=1).all():
        raise UsageError(f"case {int(inputs['shown'].any(axis=1).argmin())} shows no photo; pack() asks for one.")
    photos = inputs["photos"]
    flat = to_tensor(photos.reshape(-1, *photos.shape[2:]))
    return flat.view(*photos.shape[:2], *flat.shape[1:]), torch.tensor(inputs["shown"])


def by_subject(look: PhotoLook) -> Look:
    """One input a subject (`photo_set.pack`): embeddings of up to six photos, and what their cases tell of a person.

    Age, sex and ancestry are those of the first photograph whose case tells them.
    """

    def seen(cohort: Cohort) -> Seen:
        rows: dict[str, list[int]] = {}
        for row, name in enumerate(cohort.subjects):
            rows.setdefault(name, []).append(row)
        vectors = look(cohort.portraits)
        people = [known_of([cohort.cases[row] for row in own]) for own in rows.values()]
        packed = pack(
            [vectors[own[:PHOTOS]].astype(np.float32) for own in rows.values()],
            Vocabulary(()).encode(people),
            [person.ancestry for person in people],
        )
        first = [own[0] for own in rows.values()]
        return Seen(packed, cohort.classes[first], tuple(rows), tuple(cohort.cases[row].image for row in first))

    return Look(look.crops, seen)


class PhotoSetConfiguration(Configuration):
    """Photos projected to `width` features, what is known of the person to `hidden`."""

    kind = "photo-set"
    width: Width
    hidden: Width
    epochs: Epochs

    def system(self, foundation: Arrays, device: str = CPU) -> System:
        schedule = Schedule(self.epochs, 32, "adamw", 2e-3, decay=1e-2)
        method = PhotoSet(Projection(self.width), self.hidden, schedule=schedule, items=ITEMS)
        return System(by_subject(embedding(foundation, device)), method)
