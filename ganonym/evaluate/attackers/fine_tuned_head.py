"""A recognizer's last layers trained anew on released photos, as whoever owns the recognizer would do.

Two small heads, one for released and one for original templates, bring all photos of a person together in one space:
supervised contrastive loss (Khosla et al. 2020) over both sides at once. They start from the retrained metric, with or
without a map before it, whichever is better on subjects left out, and the best weights on these subjects are kept: so
what is trained is never worse there than what is known in closed form.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ganonym.evaluate.attackers.adapted import RetrainedMetric, Whitened, pairs_of
from ganonym.evaluate.attackers.attacker import Approach, Lesson, Templates, View, adapted_to, cosine_rows, finite
from ganonym.types import Floats

if TYPE_CHECKING:
    from torch import Generator, Tensor

SPACE, HIDDEN = 128, 64
STEPS, CHECK, MOST = 60, 10, 1200
RATE, DECAY = 2e-3, 1e-2
TEMPERATURE, DROPOUT = 0.1, 0.3
HELD_OUT = 4
"""One subject in so many is left out of training, to choose the start and when to stop."""
FEWEST = 16  # so that enough remain for the start


@dataclass(frozen=True, slots=True)
class Head:
    """x ↦ x W + relu(x U + b) V; `linear` (k, s), `inner` (k, h), `bias` (h,), `outer` (h, s)."""

    linear: Floats
    inner: Floats
    bias: Floats
    outer: Floats

    def __call__(self, rows: Floats) -> Floats:
        """(n, s); NaN rows stay NaN."""
        return np.asarray(rows @ self.linear + np.maximum(rows @ self.inner + self.bias, 0.0) @ self.outer)


@dataclass(frozen=True, slots=True)
class TwoHeads:
    """Distance = 1 − cosine of what each side's head makes of its rows after `start`, in units of `scale`."""

    start: Whitened
    scale: float
    original: Head
    released: Head

    def __call__(self, probes: Templates, gallery: Templates) -> Floats:
        """(p, g) in [0, 2]."""
        return cosine_rows(self._embedded(probes), self._embedded(gallery))

    def _embedded(self, side: Templates) -> Floats:
        head = self.released if side.released else self.original
        return head(self.start.white(side) / self.scale)


@dataclass(frozen=True, slots=True)
class FineTunedHead:
    """Learns both heads from other people; the same lesson and `seed` give the same heads."""

    view: View
    seed: int = 0

    @property
    def name(self) -> str:
        return f"fine-tuned head on {self.view.name}"

    @property
    def approach(self) -> Approach:
        return adapted_to(self.view, "fine-tuned recognizer")

    def learn(self, lesson: Lesson) -> TwoHeads:
        """The heads. Raises UsageError when released photos of too few other people are there to learn from."""
        paired = pairs_of(lesson, self.name, FEWEST).names
        held = np.isin(np.array(lesson.subjects, dtype=np.str_), paired[::HELD_OUT])
        teach, check = _part(lesson, ~held), _part(lesson, held)
        starts = [RetrainedMetric(self.view, mapped).learn(teach) for mapped in (False, True)]
        checks = [_photos(start, check) for start in starts]
        losses = [float(_contrast(photos.pooled, photos.person)) for photos in checks]
        chosen = int(np.argmin(losses))
        taught, checked = _photos(starts[chosen], teach), checks[chosen]
        scale = float(taught.pooled.square().mean().sqrt()) or 1.0
        best = _train(taught.divided(scale), checked.divided(scale), self.seed)
        original, released = (Head(*(tensor.numpy().astype(np.float64) for tensor in part)) for part in best)
        return TwoHeads(starts[chosen], scale, original, released)


@dataclass(frozen=True, slots=True)
class _Photos:
    """Whitened rows of both sides, (n, k) and (m, k) float32, and the number of each one's person, (n + m,)."""

    originals: Tensor
    released: Tensor
    person: Tensor

    @property
    def pooled(self) -> Tensor:
        import torch

        return torch.cat([self.originals, self.released])

    def divided(self, scale: float) -> _Photos:
        return _Photos(self.originals / scale, self.released / scale, self.person)

    def some(self, generator: Generator) -> _Photos:
        """The photos of so many people drawn at random as make about MOST photos; all, where there are no more."""
        import torch

        if len(self.person) <= MOST:
            return self
        people = torch.tensor(np.unique(self.person.numpy()))
        drawn = people[torch.randperm(len(people), generator=generator)[: len(people) * MOST // len(self.person)]]
        chosen = torch.isin(self.person, drawn)
        before, after = chosen[: len(self.originals)], chosen[len(self.originals) :]
        return _Photos(self.originals[before], self.released[after], self.person[chosen])


def _part(lesson: Lesson, rows: NDArray[np.bool_]) -> Lesson:
    subjects = tuple(np.array(lesson.subjects, dtype=np.str_)[rows].tolist())
    return Lesson(lesson.originals[rows], lesson.released[rows], subjects)


def _photos(start: Whitened, lesson: Lesson) -> _Photos:
    import torch

    _, person = np.unique(np.array(lesson.subjects, dtype=np.str_), return_inverse=True)
    before, after = finite(lesson.originals), finite(lesson.released)
    sides = (Templates(lesson.originals[before], released=False), Templates(lesson.released[after], released=True))
    one, other = (torch.tensor(start.white(side), dtype=torch.float32) for side in sides)
    return _Photos(one, other, torch.tensor(np.concatenate([person[before], person[after]])))


Weights: TypeAlias = "list[Tensor]"  # linear, inner, bias and outer, as in Head


def _train(taught: _Photos, checked: _Photos, seed: int) -> tuple[Weights, Weights]:
    """Weights of the original's and the released head that did best on `checked`, those of the start included."""
    import torch

    generator = torch.Generator().manual_seed(seed)
    linear = torch.linalg.svd(taught.pooled, full_matrices=False).Vh[:SPACE].T.contiguous()
    heads = [_start(linear, generator) for _ in range(2)]
    optimizer = torch.optim.AdamW([tensor for part in heads for tensor in part], lr=RATE, weight_decay=DECAY)
    best, lowest = None, np.inf
    for step in range(STEPS + 1):
        if step % CHECK == 0:
            with torch.no_grad():
                loss = float(_contrast(_embed(checked, heads), checked.person))
            if loss < lowest:
                best, lowest = [[tensor.detach().clone() for tensor in part] for part in heads], loss
        part = taught.some(generator)
        dropped = _Photos(_dropped(part.originals, generator), _dropped(part.released, generator), part.person)
        optimizer.zero_grad()
        _contrast(_embed(dropped, heads), part.person).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    assert best is not None
    return best[0], best[1]


def _start(linear: Tensor, generator: Generator) -> Weights:
    """Trainable weights: `linear` as given, a random inner layer, and an outer one of zeros."""
    import torch

    width, space = linear.shape
    inner = torch.randn((width, HIDDEN), generator=generator) / width**0.5
    parts = (linear.clone(), inner, torch.zeros(HIDDEN), torch.zeros((HIDDEN, space)))
    return [tensor.requires_grad_() for tensor in parts]


def _embed(photos: _Photos, heads: list[Weights]) -> Tensor:
    import torch

    sides = zip((photos.originals, photos.released), heads, strict=True)
    return torch.cat([x @ linear + (x @ inner + bias).relu() @ outer for x, (linear, inner, bias, outer) in sides])


def _dropped(rows: Tensor, generator: Generator) -> Tensor:
    """Rows with a share DROPOUT of their values at zero, the others scaled up."""
    import torch

    return rows * (torch.rand(rows.shape, generator=generator) >= DROPOUT) / (1 - DROPOUT)


def _contrast(embedded: Tensor, person: Tensor) -> Tensor:
    """Mean over rows that have a partner of −mean log-probability of their partners among all other rows."""
    import torch

    unit = torch.nn.functional.normalize(embedded, dim=1)
    itself = torch.eye(len(unit), dtype=torch.bool)
    logits = (unit @ unit.T / TEMPERATURE).masked_fill(itself, -1e9)
    partner = (person[:, None] == person[None, :]) & ~itself
    likelihood = logits - torch.logsumexp(logits, dim=1, keepdim=True)
    count = partner.sum(dim=1)
    paired = count > 0
    return -((likelihood * partner).sum(dim=1)[paired] / count[paired]).mean()
