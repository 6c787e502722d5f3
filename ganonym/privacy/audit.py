"""Attacks on every release, strong enough to falsify its guarantee: who is named by what is shown?

The attacker holds the original rows of everybody and, as he can rerun the mechanism, its groups. He compares what is
shown with every row in several views; and, its group's middle taken off, with the rows of that group alone. Where a
second run of the mechanism under another key is given, he compares with that, too: draws that a photo decides come out
again. No attack may succeed more often than the guarantee says, whatever the photographs are: what is drawn for one
photo is independent of what is drawn for another, so that hits are independent, and no less rare than binomial ones
with the same mean (Hoeffding 1956, Annals of Mathematical Statistics 27).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ganonym.errors import GuaranteeBroken
from ganonym.faces.kept import KeptSpace
from ganonym.types import Floats

# One-sided, of a whole run: where attacks really reach the declared bound, at most one in a thousand stops for nothing.
CONFIDENCE = 0.999
_PART = 1024  # outputs compared with everybody at once: bounds memory
_TIE = 1e-9  # of squared length: rounding of distances
_FLOOR = 1e-6  # of the largest variance: directions that vary less are not looked at
_RIDGE = 0.02  # of the mean variance of residuals, for directions in which few photos tell little


@dataclass(frozen=True, slots=True)
class Audit:
    """The attacker named `hits` of `subjects`; the true rate is at least `low`, and the guarantee says at most `bound`.

    `low` is the exact one-sided lower bound (Clopper & Pearson 1934) at 99.9 % over all attacks `tried` (Bonferroni),
    of which this one, in words the `attack`, came closest to refuting the guarantee. `unit`: what was named.
    """

    hits: float
    subjects: int
    low: float
    bound: float
    attack: str
    tried: int
    unit: str

    @property
    def sentence(self) -> str:
        """For the report."""
        best = f", the best of {self.tried} attacks," if self.tried > 1 else ""
        return (
            f"{self.attack}{best} names {self.hits:g} of {self.subjects} {self.unit}: "
            f"{self.hits / self.subjects:.3f}, at least {self.low:.3f} with 99.9 % confidence; declared at most "
            f"{self.bound:.3f}"
        )


@dataclass(frozen=True, slots=True, eq=False)
class Rerun:
    """What an attacker learns who runs the mechanism himself over the rows (N, D) of everybody, without the key.

    `groups` (N,): the group of each row, -1 for none; None where the mechanism forms none. `shown` (n, D): what the
    second run shows in the place of each output; None where it was not drawn.
    """

    groups: NDArray[np.intp] | None = None
    shown: Floats | None = None


def audit_rows(
    rows: Floats,
    shown: Floats,
    photos: NDArray[np.intp],
    owners: NDArray[np.str_] | NDArray[np.intp],
    space: KeptSpace,
    bound: float | Floats,
    rerun: Rerun = Rerun(),
) -> Audit:
    """Every attack on what a release shows, (n, D), with the `rows` (N, D) of all photos; the one that comes closest.

    `photos` (n,) are the rows behind the outputs; outputs of one row are averaged first, so that a release by person
    gives the rows of persons. `owners` (N,) say whose rows are; naming the owner is a hit, a tie counts its share.
    `bound` in (0, 1], of all or of each row (N,): then their mean is what the rate is held against. Raises ValueError
    when shapes do not fit; GuaranteeBroken when a group has fewer people than the bound says, or when even the lower
    bound of an attack's success is above it.

    >>> from ganonym.faces.kept import KeptSpace
    >>> space = KeptSpace(("tone",), np.eye(1, 3), np.ones(1), np.zeros(3), np.eye(3), {})
    >>> rng = np.random.default_rng(0)
    >>> rows = rng.standard_normal((40, 3))
    >>> audit_rows(rows, rng.standard_normal((40, 3)), np.arange(40), np.arange(40), space, 0.25).tried
    8
    """
    bounds = np.broadcast_to(np.asarray(bound, dtype=np.float64), len(rows))
    if shown.shape != (len(photos), rows.shape[1]) or len(owners) != len(rows):
        raise ValueError(f"{shown.shape} shown, {len(photos)} photos and {rows.shape} rows do not fit")
    if not (np.isfinite(rows).all() and np.isfinite(shown).all()):
        raise ValueError("a row to be audited holds a value that is not finite")
    if rerun.groups is not None:
        _count(rerun.groups, owners, bounds)
    photo, outputs = _averaged(shown, photos)
    declared = float(bounds[photo].mean())
    tried = [(name, _hits(after, before, photo, owners)) for name, after, before in _attacks(rows, outputs, space)]
    if rerun.groups is not None and (rerun.groups[photo] >= 0).any():
        tried += _inside(rows, outputs, photo, rerun.groups, space)
    if rerun.shown is not None:
        again = _averaged(rerun.shown, photos)[1]
        tried.append(
            ("the nearest output of a second run", _hits(outputs, again, np.arange(len(photo)), owners[photo]))
        )
    confidence = 1.0 - (1.0 - CONFIDENCE) / len(tried)
    name, hits = max(tried, key=lambda attack: attack[1])
    low = _lower_bound(hits, len(photo), confidence)
    unit = "photos" if len(np.unique(owners)) < len(owners) else "subjects"
    return _held(Audit(hits, len(photo), low, declared, name, len(tried), unit))


def _attacks(rows: Floats, outputs: Floats, space: KeptSpace) -> Iterator[tuple[str, Floats, Floats]]:
    """Views of both sides; in each also with every coordinate standardised on either side, which undoes a stretch."""
    values, vectors = np.linalg.eigh(space.covariance)
    seen = values > _FLOOR * values[-1]
    views = {
        "the nearest row, whitened": vectors[:, seen] / np.sqrt(values[seen]),
        "the nearest row": np.eye(rows.shape[1]),
        "the nearest row on kept axes, weighted": space.axes.T * space.weights,
        "the nearest row on kept axes": space.axes.T,
    }
    for name, view in views.items():
        before, after = (rows - space.mean) @ view, (outputs - space.mean) @ view
        yield name, after, before
        yield f"{name}, standardised", _standardised(after), _standardised(before)


def _inside(
    rows: Floats, outputs: Floats, photo: NDArray[np.intp], groups: NDArray[np.intp], space: KeptSpace
) -> list[tuple[str, float]]:
    """Hits among the rows of the right group: what is left of outputs when their group's mean is taken off.

    Honest outputs of a group differ by public noise alone. Compared by correlation, as the share of a row that leaks is
    not known; noise is made even by its own covariance.
    """
    group = groups[photo]
    left = _centred(outputs, group)
    others = _centred(rows, groups)
    noise = left[group >= 0].T @ left[group >= 0] / max(int((group >= 0).sum()), 1)
    ridge = max(_RIDGE * float(np.trace(noise)) / len(noise), np.finfo(np.float64).tiny)
    values, vectors = np.linalg.eigh(noise + ridge * np.eye(len(noise)))
    views = {
        "the nearest row of the group, noise made even": vectors / np.sqrt(values),
        "the nearest row of the group": np.eye(rows.shape[1]),
        "the nearest row of the group on kept axes": space.axes.T,
    }
    tried = []
    for name, view in views.items():
        after, before = _unit(left @ view), _unit(others @ view)
        hits = 0.0
        for number in np.unique(group[group >= 0]):
            probes, candidates = np.flatnonzero(group == number), np.flatnonzero(groups == number)
            hits += _hits(after[probes], before[candidates], np.searchsorted(candidates, photo[probes]), candidates)
        tried.append((name, hits))
    return tried


def _hits(outputs: Floats, rows: Floats, truth: NDArray[np.intp], owners: NDArray[np.generic]) -> float:
    """Of how many `outputs` (n, r) the nearest of `rows` (N, r) has the owner of row `truth` (n,); ties share."""
    squares = (rows**2).sum(axis=1)
    hits = 0.0
    for start in range(0, len(outputs), _PART):
        part = outputs[start : start + _PART]
        gaps = squares - 2.0 * part @ rows.T
        scale = squares.max() + (part**2).sum(axis=1, keepdims=True)
        best = gaps <= gaps.min(axis=1, keepdims=True) + _TIE * scale
        own = owners[None, :] == owners[truth[start : start + _PART], None]
        hits += float(((best & own).sum(axis=1) / best.sum(axis=1)).sum())
    return hits


def _count(groups: NDArray[np.intp], owners: NDArray[np.generic], bounds: Floats) -> None:
    """Raises GuaranteeBroken when a group has fewer different people than the bound of one of its rows asks for."""
    for number in np.unique(groups[groups >= 0]):
        members = groups == number
        people = len(np.unique(owners[members]))
        needed = math.ceil(1.0 / float(bounds[members].min()) - 1e-9)
        if people < needed:
            raise GuaranteeBroken(
                f"the guarantee does not hold: a group has {people} people, and at least {needed} are declared.",
                "Nothing was released. Report it: it is a bug.",
            )


def _held(audit: Audit) -> Audit:
    if audit.low > audit.bound:
        raise GuaranteeBroken(
            f"the guarantee does not hold: {audit.sentence}.",
            "Nothing was released. Use a key of this release alone; if it persists, report it: it is a bug.",
        )
    return audit


def _averaged(outputs: Floats, photos: NDArray[np.generic]) -> tuple[NDArray[np.intp], Floats]:
    """The rows that have outputs, ascending, and the mean output of each."""
    photo, place, counts = np.unique(photos, return_inverse=True, return_counts=True)
    sums = np.zeros((len(photo), outputs.shape[1]))
    np.add.at(sums, place, outputs)
    return photo.astype(np.intp), sums / counts[:, None]


def _centred(rows: Floats, groups: NDArray[np.intp]) -> Floats:
    """`rows` less the mean of their group."""
    number, place, counts = np.unique(groups, return_inverse=True, return_counts=True)
    sums = np.zeros((len(number), rows.shape[1]))
    np.add.at(sums, place, rows)
    return np.asarray(rows - (sums / counts[:, None])[place])


def _standardised(rows: Floats) -> Floats:
    spread = rows.std(axis=0)
    return np.asarray((rows - rows.mean(axis=0)) / np.where(spread > 1e-9, spread, 1.0))


def _unit(rows: Floats) -> Floats:
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), np.finfo(np.float64).tiny))


def _lower_bound(hits: float, n: int, confidence: float = CONFIDENCE) -> float:
    """Exact one-sided lower confidence bound of a rate; fractional hits are rounded down."""
    from scipy.special import betaincinv

    whole = math.floor(round(hits, 9))
    return float(betaincinv(whole, n - whole + 1, 1.0 - confidence)) if whole else 0.0
