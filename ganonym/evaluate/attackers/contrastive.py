"""Contrastive attack: a metric learned on pairs of original and output of some people, tried on others.

After Lorenz et al. 2025 (arXiv 2504.05849), who name people behind outputs of conditioned diffusion by a network that
brings an original and its outputs together and everybody else's apart (Chen et al. 2020). Here two linear maps of
readings, one a side, take the network's place: a few hundred pairs are too few for more, and processors suffice. They
start from the directions in which both sides correlate (canonical correlation), or from every coordinate as it comes
through, and keep the weights that did best on people left out. As there, it is tried with one, five and all references:
originals that are held of each candidate.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ganonym.errors import UsageError
from ganonym.evaluate.attackers.adapted import FEWEST_SUBJECTS, whole_pairs
from ganonym.evaluate.attackers.attacker import Approach, Lesson, Rows, Templates, View, cosine_rows, finite
from ganonym.evaluate.attackers.readings import Principal, ReadingView, leading_of, principal, two_sides
from ganonym.evaluate.protocol import OTHER_PHOTO, SAME_PHOTO
from ganonym.evaluate.scores import Photos, Scores, first_and_rest
from ganonym.types import Floats

if TYPE_CHECKING:
    from torch import Tensor

SPACE, TEMPERATURE = 32, 0.1
STEPS, CHECK, RATE, DECAY = 120, 10, 3e-3, 1e-2
MOST = 1000  # pairs contrasted in one step
HELD_OUT = 4
"""One subject in so many is left out of training, to choose when to stop."""
READINGS = ReadingView()
Sides: TypeAlias = tuple[Principal, Principal]
_WORDS = {1: "one reference", 5: "five references", None: "all references"}


@dataclass(frozen=True, slots=True)
class TwoMaps:
    """Distance = 1 - cosine after each side's principal coordinates went through its map, (a, s) and (b, s)."""

    before: Principal
    after: Principal
    original: Floats
    released: Floats

    def __call__(self, probes: Templates, gallery: Templates) -> Floats:
        """(p, g) in [0, 2]; NaN where a template is missing."""
        there = finite(probes.rows)[:, None] & finite(gallery.rows)
        angles = cosine_rows(self.embedded(probes), self.embedded(gallery))
        return np.where(there, np.nan_to_num(angles, nan=1.0), np.nan)

    def embedded(self, side: Templates) -> Floats:
        """(n, s)."""
        if side.released:
            return np.asarray(self.after(side.rows) @ self.released)
        return np.asarray(self.before(side.rows) @ self.original)


@dataclass(frozen=True, slots=True)
class Contrastive:
    """Learns both maps on half of the people, attacks the other with so many `references` a candidate, None for all."""

    references: int | None = 1
    view: View = READINGS
    seed: int = 0

    @property
    def name(self) -> str:
        return f"contrastive, {_WORDS.get(self.references, f'{self.references} references')}"

    @property
    def approach(self) -> Approach:
        return Approach("A", f"pairs contrasted, {self.name.split(', ')[1]}", 2, (OTHER_PHOTO, SAME_PHOTO))

    def learn(self, lesson: Lesson) -> TwoMaps:
        """Both maps. Raises UsageError when released photos of too few other people are there to learn from."""
        whole = whole_pairs(lesson, self.name, FEWEST_SUBJECTS)
        person = np.unique(np.array(lesson.subjects, dtype=np.str_)[whole], return_inverse=True)[1]
        before, after = lesson.originals[whole], lesson.released[whole]
        starts = (
            _correlated((principal(before), principal(after)), before, after, person),
            _through(two_sides(before, after, leading_of(self.view)), before, after, person),
        )
        return min((_trained(start, before, after, person, self.seed) for start in starts), key=lambda made: made[0])[1]

    def scores(self, photos: Photos, settings: Collection[str]) -> Iterator[Scores]:
        """Outputs against references of every subject. Raises UsageError when too few people or photos are there.

        A subject is as near as the mean of his references, embedded; of "other photo" the probe's own is none of them.
        """
        names = np.array(photos.subjects)
        order = {name: place for place, name in enumerate(dict.fromkeys(photos.subjects))}
        subject = np.array([order[name] for name in photos.subjects], dtype=np.intp)
        if self.references != 1 and np.bincount(subject).max() < 3:
            raise UsageError("no subject has three photos, so more references than one are the same as one.")
        first, rest = first_and_rest(photos.subjects, range(len(subject)))
        references, later = _references(subject, self.references), frozenset(rest)
        outputs = np.where(photos.withheld[:, None], np.nan, photos.released)
        distances = np.full((len(subject), len(order)), np.nan)
        for number in range(self.approach.folds):
            others = np.flatnonzero(subject % self.approach.folds != number)
            known = tuple(names[others].tolist())
            maps = self.learn(Lesson(photos.originals[others], outputs[others], known))
            held = _units(maps.embedded(Templates(photos.originals, released=False)))
            probes = np.flatnonzero((subject % self.approach.folds == number) & ~photos.withheld)
            shown = maps.embedded(Templates(outputs[probes], released=True))
            sums = references @ held
            distances[probes] = cosine_rows(shown, sums)
            for row, photo in enumerate(probes.tolist()):
                if references[subject[photo], photo] and photo in later:
                    left = sums[subject[photo]] - held[photo]
                    distances[photo, subject[photo]] = cosine_rows(shown[row : row + 1], left[None])[0, 0]
        for setting, enrolled in ((OTHER_PHOTO, rest), (SAME_PHOTO, first)):
            trials = np.array([photo for photo in enrolled if not photos.withheld[photo]], dtype=np.intp)
            if setting in settings and len(trials):
                yield Scores(
                    self.name, self.approach.tier, setting, distances[trials], names[trials], names[first], trials
                )


def _references(subject: NDArray[np.intp], most: int | None) -> Floats:
    """Which photos (s, n) are held of every subject: his first ones, `most` at most."""
    chosen = np.zeros((subject.max() + 1, len(subject)))
    for person in range(len(chosen)):
        chosen[person, np.flatnonzero(subject == person)[:most]] = 1.0
    return chosen


def _units(rows: Floats) -> Floats:
    """Rows of unit length; zeros where there is no template, which add nothing to a mean."""
    whole = np.where(finite(rows)[:, None], rows, 0.0)
    length = np.linalg.norm(whole, axis=1, keepdims=True)
    return np.asarray(whole / np.where(length > 0, length, 1.0))


def _correlated(sides: Sides, before: Rows, after: Rows, person: NDArray[np.intp]) -> TwoMaps:
    """The directions in which the principal coordinates of both sides correlate most."""
    taught = person % HELD_OUT != 0
    one, other = sides[0](before[taught]), sides[1](after[taught])
    left, lengths, right = np.linalg.svd(one.T @ other / len(one), full_matrices=False)
    strength = np.sqrt(np.minimum(lengths[:SPACE], 1.0))
    return TwoMaps(*sides, left[:, :SPACE] * strength, right[:SPACE].T * strength)


def _through(sides: Sides, before: Rows, after: Rows, person: NDArray[np.intp]) -> TwoMaps:
    """Every coordinate as it is, as strongly as it comes through."""
    taught = person % HELD_OUT != 0
    one, other = sides[0](before[taught]), sides[1](after[taught])
    spread = np.maximum(np.sqrt((one**2).mean(axis=0) * (other**2).mean(axis=0)), np.finfo(np.float64).tiny)
    strength = np.diag(np.sqrt(np.clip((one * other).mean(axis=0) / spread, 0.0, 1.0)))
    return TwoMaps(*sides, strength, strength)


def _trained(start: TwoMaps, before: Rows, after: Rows, person: NDArray[np.intp], seed: int) -> tuple[float, TwoMaps]:
    """Of the maps from the `start` on, those that did best on people left out; and their loss there."""
    import torch

    generator = torch.Generator().manual_seed(seed)
    maps = [torch.tensor(part, dtype=torch.float32).requires_grad_() for part in (start.original, start.released)]
    one, other = (torch.tensor(side, dtype=torch.float32) for side in (start.before(before), start.after(after)))
    numbers = torch.tensor(person)
    held = numbers % HELD_OUT == 0
    taught = torch.nonzero(~held)[:, 0]
    optimizer = torch.optim.AdamW(maps, lr=RATE, weight_decay=DECAY)
    best, lowest = [part.detach().clone() for part in maps], np.inf
    for step in range(STEPS + 1):
        if step % CHECK == 0:
            with torch.no_grad():
                loss = float(_contrast(one[held] @ maps[0], other[held] @ maps[1], numbers[held]))
            if loss < lowest:
                best, lowest = [part.detach().clone() for part in maps], loss
        batch = taught[torch.randperm(len(taught), generator=generator)[:MOST]]
        optimizer.zero_grad()
        loss_now = _contrast(one[batch] @ maps[0], other[batch] @ maps[1], numbers[batch])
        loss_now.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    original, released = (part.numpy().astype(np.float64) for part in best)
    return lowest, replace(start, original=original, released=released)


def _contrast(originals: Tensor, released: Tensor, person: Tensor) -> Tensor:
    """Of each original, minus the log-probability of its output among all outputs and all originals of others."""
    import torch

    one, other = (torch.nn.functional.normalize(side, dim=1, eps=1e-6) for side in (originals, released))
    same = person[:, None] == person[None, :]
    itself = torch.eye(len(person), dtype=torch.bool)
    across = (one @ other.T / TEMPERATURE).masked_fill(same & ~itself, -1e9)
    within = (one @ one.T / TEMPERATURE).masked_fill(same, -1e9)
    return (torch.logsumexp(torch.cat([across, within], dim=1), dim=1) - across.diagonal()).mean()
