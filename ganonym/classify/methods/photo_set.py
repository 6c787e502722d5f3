"""One to six photos of a case and what is known of the patient: the dermatology recipe of Liu et al. 2020.

"A deep learning system for differential diagnosis of skin diseases" (Nature Medicine): one Inception-v4 sees every
photo, its features are averaged over the photos, joined with those of the metadata, then softmax. Deviations: hard
labels in place of several dermatologists' weighted differentials; no augmentation; optimizer and widths are ours; the
metadata are age, sex, ancestry and HPO terms in place of the paper's list, which is of skin complaints. `encoder`
takes any network (Inception-v4: timm's, with `num_classes=0`); the small one here serves embeddings and tests.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from ganonym.classify.case import Case
from ganonym.classify.classifier import Arrays, Inputs
from ganonym.classify.fewshot.encoders import (
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
from ganonym.classify.fewshot.prototypes import softmax_of
from ganonym.classify.fit import Schedule, fit, inverse_weights, seeded
from ganonym.errors import EnvironmentFault, UsageError
from ganonym.types import Floats

PHOTOS = 6
OLDEST = 100.0


def pack(photos: Sequence[NDArray[np.generic]], metadata: Floats) -> Inputs:
    """Cases as one array (n,), to be indexed by case as the inputs of any classifier are.

    `photos[i]` (1 … 6, ...) are the embeddings or crops of case i, `metadata` (n, m) finite. Fields: `photos`
    (6, ...), zeros where there is none; `shown` (6,) says which there are; `metadata` (m,). Raises UsageError for a
    case with no or more than six photos, photos of different shapes, or metadata that do not fit.

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
    one = photos[0] if photos else np.zeros((1, 0), np.float32)
    packed = np.zeros(
        len(photos),
        [
            ("photos", one.dtype, (PHOTOS, *one.shape[1:])),
            ("shown", np.bool_, (PHOTOS,)),
            ("metadata", np.float32, (np.shape(metadata)[1],)),
        ],
    )
    packed["metadata"] = metadata
    for number, own in enumerate(photos):
        packed["photos"][number, : len(own)] = own
        packed["shown"][number, : len(own)] = True
    return packed


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Columns of metadata: `ancestries` and HPO `terms` that have a column of their own."""

    ancestries: tuple[str, ...]
    terms: tuple[str, ...]

    @classmethod
    def of(cls, cases: Sequence[Case]) -> Vocabulary:
        """All that the cases name, sorted. Take training cases only.

        Beware of terms that were written down by who knew the diagnosis: they tell it, and the photos then do not
        matter. So do those of simulated people, which are the very signs that were drawn.
        """
        ancestries = {case.ancestry for case in cases if case.ancestry is not None}
        terms = {term for case in cases for term in (*case.present, *case.absent)}
        return cls(tuple(sorted(ancestries)), tuple(sorted(terms)))

    @property
    def columns(self) -> tuple[str, ...]:
        """What each column of `encode` says."""
        terms = [f"{term} {what}" for term in self.terms for what in ("present", "not assessed")]
        ancestries = [*self.ancestries, "another ancestry", "ancestry unknown"]
        return ("age", "age unknown", "female", "male", "sex unknown", *ancestries, *terms)

    def encode(self, cases: Sequence[Case]) -> Floats:
        """Metadata (n, m) in 0 … 1, m = len(columns). What is missing has a column of its own: unknown is not 0.

        Age is in centuries, at most 1. A term that is neither present nor absent was not assessed.
        """
        rows = np.zeros((len(cases), len(self.columns)))
        place = {name: number for number, name in enumerate(self.columns)}
        for row, case in zip(rows, cases, strict=True):
            if case.age is None:
                row[place["age unknown"]] = 1
            else:
                row[place["age"]] = min(max(case.age, 0.0) / OLDEST, 1.0)
            row[place[case.sex or "sex unknown"]] = 1
            known = case.ancestry if case.ancestry in self.ancestries else "another ancestry"
            row[place["ancestry unknown" if case.ancestry is None else known]] = 1
            for term in self.terms:
                row[place[f"{term} present"]] = term in case.present
                row[place[f"{term} not assessed"]] = term not in case.present and term not in case.absent
        return rows


@dataclass(frozen=True, slots=True)
class PhotoSet:
    """Learns from `pack`ed cases: shared `encoder`, mean over the photos there are, metadata, softmax.

    `hidden` is the width of the metadata's layer. Classes weigh alike in the loss, however rare.
    """

    encoder: Factory = field(default_factory=Light)
    hidden: int = 32
    dropout: float = 0.2
    schedule: Schedule = field(default_factory=lambda: Schedule(60, 32, "adamw", 2e-3, decay=1e-2))

    def learn(self, inputs: Inputs, classes: NDArray[np.intp], count: int, seed: int) -> TrainedPhotoSet:
        """The probabilities of a class without cases are 0. Raises UsageError for inputs that `pack` did not make."""
        shape, columns = _layout(inputs)
        network = seeded(lambda: self._network(shape, columns, count), seed)
        labels = torch.from_numpy(classes.astype(np.int64))
        weights = torch.from_numpy(inverse_weights(classes, count)).float()

        def loss_of(rows: Tensor, generator: torch.Generator) -> Tensor:  # noqa: ARG001
            return functional.cross_entropy(network(*_tensors(inputs[rows.numpy()])), labels[rows], weights)

        with training(network, seed):
            fit(learned(network), loss_of, len(inputs), self.schedule, seed)
        return TrainedPhotoSet(network, shape, columns, np.bincount(classes, minlength=count) > 0)

    def restore(self, arrays: Arrays, count: int) -> TrainedPhotoSet:
        """Raises EnvironmentFault when `arrays` are not of this encoder, these widths and `count` classes."""
        if not {"shape", "columns", "known"} <= set(arrays) or len(arrays["known"]) != count:
            raise EnvironmentFault(f"these arrays do not tell {count} classes apart by sets of photos.")
        shape, columns = tuple(int(side) for side in arrays["shape"]), int(arrays["columns"][0])
        network = restored(seeded(lambda: self._network(shape, columns, count), 0), arrays)
        return TrainedPhotoSet(network, shape, columns, np.asarray(arrays["known"], np.bool_))

    def _network(self, shape: tuple[int, ...], columns: int, count: int) -> nn.Module:
        return SetNetwork(self.encoder(shape), shape, columns, self.hidden, self.dropout, count)


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
    """`shape` is one photo's, as the encoder takes it; `known` (c,) classes had cases."""

    network: nn.Module
    shape: tuple[int, ...]
    columns: int
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
                scores[start : start + 32] = self.network(*_tensors(inputs[start : start + 32])).double().numpy()
        return softmax_of(scores, self.known)

    @property
    def arrays(self) -> Arrays:
        return state(self.network) | {
            "shape": np.array(self.shape, np.int64),
            "columns": np.array([self.columns]),
            "known": self.known,
        }


def _layout(inputs: Inputs) -> tuple[tuple[int, ...], int]:
    if inputs.dtype.names != ("photos", "shown", "metadata"):
        raise UsageError("these inputs are no cases of several photos; make them with pack().")
    fields = inputs.dtype.fields
    assert fields is not None
    photo = np.zeros((1, *fields["photos"][0].shape[1:]), fields["photos"][0].base)
    return tensor_shape(photo), int(fields["metadata"][0].shape[0])


def _tensors(inputs: Inputs) -> tuple[Tensor, Tensor, Tensor]:
    if not inputs["shown"].any(axis=1).all():
        raise UsageError(f"case {int(inputs['shown'].any(axis=1).argmin())} shows no photo; pack() asks for one.")
    photos = inputs["photos"]
    flat = to_tensor(photos.reshape(-1, *photos.shape[2:]))
    shown = torch.tensor(inputs["shown"])
    return flat.view(*photos.shape[:2], *flat.shape[1:]), shown, to_tensor(inputs["metadata"])
