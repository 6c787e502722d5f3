"""One to six photos of a case and what is known of the patient: the dermatology recipe of Liu et al. 2020.

"A deep learning system for differential diagnosis of skin diseases" (Nature Medicine): one Inception-v4 sees every
photo, its features are averaged over the photos, joined with those of the metadata, then softmax. Deviations: hard
labels in place of several dermatologists' weighted differentials; no augmentation; optimizer and widths are ours; the
metadata are age, sex, ancestry and HPO terms in place of the paper's list, which is of skin complaints. `encoder`
takes any network (Inception-v4: timm's, with `num_classes=0`); the small one here serves embeddings and tests.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from ganonym.classify.learning.fit import Schedule, fit, inverse_weights, seeded
from ganonym.classify.learning.metadata import Items, ancestries, partly_unknown, spelled, unknown, with_ancestry
from ganonym.classify.networks.light import (
    Factory,
    Light,
    features_of,
    learned,
    restored,
    state,
    tensor_shape,
    to_tensor,
    training,
)
from ganonym.classify.system import Arrays, Inputs
from ganonym.classify.systems.prototypes import softmax_of
from ganonym.errors import EnvironmentFault, UsageError
from ganonym.types import Floats

PHOTOS = 6


def pack(
    photos: Sequence[NDArray[np.generic]], metadata: Floats, ancestry: Sequence[str | None] | None = None
) -> Inputs:
    """Cases as one array (n,), to be indexed by case as the inputs of any classifier are.

    `photos[i]` (1 … 6, ...) are the embeddings or crops of case i, `metadata` (n, m) finite, `ancestry[i]` the group as
    the table states it, None where it does not. Fields: `photos` (6, ...), zeros where there is none; `shown` (6,) says
    which there are; `metadata` (m,); `ancestry`, a text, empty where unknown. Raises UsageError for a case with no or
    more than six photos, photos of different shapes, or metadata that do not fit.

    >>> cases = pack([np.ones((2, 4)), np.ones((1, 4))], np.zeros((2, 3)))
    >>> cases["photos"].shape, cases["shown"].sum(axis=1).tolist()
    ((2, 6, 4), [2, 1])
    """
    if len(metadata) != len(photos) or np.ndim(metadata) != 2 or not np.isfinite(metadata).all():
        raise UsageError(f"metadata of shape {np.shape(metadata)} are not finite rows of {len(photos)} cases.")
    for number, own in enumerate(photos):
        if not 1 <= len(own) <= PHOTOS:
            raise UsageError(f"case {number} has {len(own)} photos; it needs 1 to {PHOTOS}.")
        if own.shape[1:] != photos[0].shape[1:] or own.dtype != photos[0].dtype:
            raise UsageError(f"photos of case {number} are {own.dtype} {own.shape[1:]}, those of case 0 are not.")
    if ancestry is not None and len(ancestry) != len(photos):
        raise UsageError(f"there are {len(ancestry)} ancestries of {len(photos)} cases.")
    one = photos[0] if photos else np.zeros((1, 0), np.float32)
    groups = [spelled(group or "") for group in (ancestry or [None] * len(photos))]
    packed = np.zeros(
        len(photos),
        [
            ("photos", one.dtype, (PHOTOS, *one.shape[1:])),
            ("shown", np.bool_, (PHOTOS,)),
            ("metadata", np.float32, (np.shape(metadata)[1],)),
            ("ancestry", np.str_, max([1, *map(len, groups)])),
        ],
    )
    packed["metadata"], packed["ancestry"] = metadata, groups
    for number, own in enumerate(photos):
        packed["photos"][number, : len(own)] = own
        packed["shown"][number, : len(own)] = True
    return packed


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
        known = to_tensor(with_ancestry(inputs["metadata"], inputs["ancestry"], groups))
        if network.metadata is not None:
            # What nobody has whom it learns from, say another ancestry, must not count as it was drawn.
            used = (known != 0).any(dim=0)
            used[[item[-1] for item in items]] |= self.unknown_share > 0
            with torch.no_grad():
                network.metadata[0].get_parameter("weight")[:, ~used] = 0
        labels = torch.from_numpy(classes.astype(np.int64))
        weights = torch.from_numpy(inverse_weights(classes, count)).float()

        def loss_of(rows: Tensor, generator: torch.Generator) -> Tensor:
            told = partly_unknown(known[rows], items, self.unknown_share, generator)
            return functional.cross_entropy(network(*_photos(inputs[rows.numpy()]), told), labels[rows], weights)

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
