"""The informed attacker: he holds the originals of everybody and reruns the mechanism, without its key.

So he knows which photos were grouped, and what each group has in common; no guarantee rests on keeping that from him.
From other people's releases he has learned how an output reads, given what its group has in common and, beyond that,
given the photo itself (`readings`). He weighs every group by the likelihood of what he reads, and every photo in it by
whatever else of it shows: an expression that was not grouped, a skin that shines through. Of several outputs known to
be of one person he multiplies likelihoods, which intersects their groups; of two outputs he asks how likely it is that
both show one person, but not one photo. Learning from pairs of this very release, of people whom he does not attack,
makes him a little stronger than life.

Against a mechanism whose groups are not told he has the photos alone; against any that can be rerun (`mock`) he also
has what it makes of each photo under another key, and finds the nearest in what he reads: the parrot attack.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from ganonym.errors import UsageError
from ganonym.evaluate.attackers.adapted import FEWEST_SUBJECTS
from ganonym.evaluate.attackers.attacker import Approach, Lesson, Matcher, Templates, View, euclidean, finite
from ganonym.evaluate.attackers.readings import Principal, Reader, ReadingView, leading_of, learn_reader, two_sides
from ganonym.evaluate.protocol import ALL_PHOTOS, ANONYMIZED, OTHER_PHOTO, PARROT, SAME_PHOTO
from ganonym.evaluate.scores import Photos, Scores, first_and_rest
from ganonym.types import Floats

INFORMED = Approach(
    "A", "all originals held, method rerun", 2, (OTHER_PHOTO, SAME_PHOTO, ALL_PHOTOS, ANONYMIZED, PARROT)
)
NEVER = -1e9  # log-likelihood of a photo that was not in the run
LEAST = 1e-300
READINGS = ReadingView()


@dataclass(frozen=True, slots=True)
class Informed:
    """Learns on one half of the people, attacks the other; see the module."""

    view: View = READINGS
    name: str = "informed"
    approach: Approach = INFORMED

    def learn(self, lesson: Lesson) -> Matcher:
        """Likelihood of outputs under originals, where nothing but a lesson is held. Raises UsageError."""
        whole = np.flatnonzero(finite(lesson.originals) & finite(lesson.released))
        people = np.unique(np.array(lesson.subjects, dtype=np.str_)[whole], return_inverse=True)[1]
        _refuse_few(self.name, people)
        before, after = two_sides(lesson.originals[whole], lesson.released[whole], leading_of(self.view))
        own = before(lesson.originals[whole])
        return Likeliest(before, after, learn_reader(after(lesson.released[whole]), [own], people))

    def scores(self, photos: Photos, settings: Collection[str]) -> Iterator[Scores]:
        """All settings that the photos allow. Raises UsageError when there are too few people to learn from.

        Who is a candidate: every subject, no distractor, as it is known who was in the run.
        """
        held = hold(photos, self)
        names = np.array(photos.subjects)
        first, rest = first_and_rest(photos.subjects, range(len(names)))
        free = np.flatnonzero(~photos.withheld).tolist()
        first_free, rest_free = first_and_rest(photos.subjects, free)
        beginning = set(first)
        own = [photo for photo in free if photo in beginning]
        others = [photo for photo in free if photo not in beginning]

        def scored(setting: str, likely: Floats, probes: list[int], gallery: list[int]) -> Scores:
            missing = ~(held.read[probes][:, None] & np.isfinite(likely))
            distances = np.where(missing, np.nan, -likely)
            at = np.array(probes, dtype=np.intp)
            return Scores(self.name, self.approach.tier, setting, distances, names[probes], names[gallery], at)

        likely = held.likely(held.told())
        if SAME_PHOTO in settings and own:
            # Of all photos, not of everybody's first: no output says that it is of a first one.
            yield scored(SAME_PHOTO, _best(likely[own], held.subject), own, first)
        if OTHER_PHOTO in settings and others and rest:
            elsewhere = held.likely(held.told(), other=True)
            elsewhere[np.arange(len(names)), np.arange(len(names))] = -np.inf
            yield scored(OTHER_PHOTO, _best(elsewhere[others], held.subject), others, first)
        if ALL_PHOTOS in settings and rest_free and photos.linked:
            yield scored(ALL_PHOTOS, _intersected(likely, held, free, first_free), first_free, first)
        if ANONYMIZED in settings and rest_free:
            yield scored(ANONYMIZED, _together(likely, held, rest_free, first_free), rest_free, first_free)
        if PARROT in settings and photos.mock is not None and free:
            rerun = held.likely(held.told(rerun=True))
            yield scored(PARROT, _best(rerun[free], held.subject), free, first)


@dataclass(frozen=True, slots=True)
class Likeliest:
    """Minus the log-likelihood of what is released given an original; Euclidean between two of one side."""

    before: Principal
    after: Principal
    reader: Reader

    def __call__(self, probes: Templates, gallery: Templates) -> Floats:
        """(p, g), NaN where a template is missing."""
        if probes.released is gallery.released:
            carry = self.after if probes.released else self.before
            return euclidean(*(Templates(carry(side.rows), side.released) for side in (probes, gallery)))
        outputs, originals = (probes, gallery) if probes.released else (gallery, probes)
        likely = self.reader.log_likelihood(self.after(outputs.rows), [self.before(originals.rows)])
        return -likely if probes.released else -likely.T


@dataclass(frozen=True, slots=True, eq=False)
class Held:
    """What the attacker has of n photos, NaN rows where there is nothing.

    `outputs` (n, r) their readings, `own` (n, a) those of originals, `common` (n, a) what the photo's group has in
    common, None where groups are not told; `mock` (n, r) or None. `subject` and `fold` (n,).
    """

    attacker: str
    outputs: Floats
    own: Floats
    common: Floats | None
    mock: Floats | None
    subject: NDArray[np.intp]
    fold: NDArray[np.intp]

    @property
    def read(self) -> NDArray[np.bool_]:
        """Of which photos there is an output that can be read, (n,)."""
        return finite(self.outputs)

    def told(self, *, rerun: bool = False) -> list[Floats]:
        """Blocks of numbers about each photo, in the order in which they are to explain an output."""
        blocks = [self.own] if self.common is None else [self.common, self.own - self.common]
        return [self.mock, *blocks] if rerun and self.mock is not None else blocks

    def likely(self, blocks: list[Floats], *, other: bool = False) -> Floats:
        """Log-likelihoods (n, n) of outputs under photos, by a reader of people in other folds.

        `other`: the reader has learned from what is told of another photo of the person. A photo that was not in the
        run is NEVER the one; NaN where its original cannot be read.
        """
        sound = np.all([finite(block) for block in blocks], axis=0)
        outputs, photos = _pairs(self.subject, self.read, sound) if other else (np.flatnonzero(self.read & sound),) * 2
        if other and len(np.unique(self.subject[outputs])) < FEWEST_SUBJECTS:
            outputs = photos = np.flatnonzero(self.read & sound)
        likely = np.full((len(self.subject), len(self.subject)), np.nan)
        for number in np.unique(self.fold):
            taught = self.fold[outputs] != number
            people = self.subject[outputs[taught]]
            _refuse_few(self.attacker, people)
            told = [block[photos[taught]] for block in blocks]
            reader = learn_reader(self.outputs[outputs[taught]], told, people)
            probes = np.flatnonzero((self.fold == number) & self.read)
            likely[np.ix_(probes, np.flatnonzero(sound))] = reader.log_likelihood(
                self.outputs[probes], [block[sound] for block in blocks]
            )
        absent = finite(self.own) & ~sound
        likely[np.ix_(self.read, absent)] = NEVER
        return likely


def hold(photos: Photos, attacker: Informed) -> Held:
    """What `attacker` has of `photos`. Raises UsageError when of too few people both sides can be read."""
    outputs = np.where(photos.withheld[:, None], np.nan, photos.released)
    before, after = finite(photos.originals), finite(outputs)
    order = {name: place for place, name in enumerate(dict.fromkeys(photos.subjects))}
    subject = np.array([order[name] for name in photos.subjects], dtype=np.intp)
    _refuse_few(attacker.name, subject[before & after])
    axes, shown = two_sides(photos.originals[before], outputs[after], leading_of(attacker.view))
    own = axes(photos.originals)
    common = None if photos.groups is None else _common(own, photos.groups, subject)
    mock = None if photos.mock is None else shown(photos.mock)
    fold = subject % attacker.approach.folds
    return Held(attacker.name, shown(outputs), own, common, mock, subject, fold)


def _common(own: Floats, groups: NDArray[np.intp], subject: NDArray[np.intp]) -> Floats:
    """The mean over a group's people, (n, a), NaN for photos in none; of a person's photos in it the mean counts."""
    common = np.full_like(own, np.nan)
    seen = finite(own)
    for number in np.unique(groups[(groups >= 0) & seen]):
        members = np.flatnonzero((groups == number) & seen)
        people = [own[members[subject[members] == person]].mean(axis=0) for person in np.unique(subject[members])]
        common[groups == number] = np.mean(people, axis=0)
    return common


def _pairs(
    subject: NDArray[np.intp], read: NDArray[np.bool_], sound: NDArray[np.bool_]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """(output, another photo of the same person), as two lists of photos."""
    pairs = [
        (output, photo)
        for output in np.flatnonzero(read).tolist()
        for photo in np.flatnonzero((subject == subject[output]) & sound).tolist()
        if photo != output
    ]
    found = np.array(pairs, dtype=np.intp).reshape(-1, 2)
    return found[:, 0], found[:, 1]


def _best(likely: Floats, subject: NDArray[np.intp]) -> Floats:
    """Of photos (p, n) the likeliest of each subject, (p, s); NaN where none of his can be read."""
    best = np.full((len(likely), subject.max() + 1), -np.inf)
    np.maximum.at(best.T, subject, np.where(np.isnan(likely), -np.inf, likely).T)
    return np.where(np.isneginf(best), np.nan, best)


def _posterior(likely: Floats) -> Floats:
    """Probability of each photo, rows (p, n) summing to one; zero where it cannot be told."""
    told = np.where(np.isnan(likely), -np.inf, likely)
    total = logsumexp(told, axis=1, keepdims=True)
    return np.where(np.isfinite(total), np.exp(told - np.where(np.isfinite(total), total, 0.0)), 0.0)


def _by_subject(posterior: Floats, subject: NDArray[np.intp]) -> Floats:
    """(p, n) → (p, s)."""
    sums = np.zeros((subject.max() + 1, len(posterior)))
    np.add.at(sums, subject, posterior.T)
    return np.asarray(sums.T)


def _intersected(likely: Floats, held: Held, free: list[int], first_free: list[int]) -> Floats:
    """Log-likelihood (q, s) of all outputs of a subject together, under every subject.

    Each output shows some photo of the subject, one as likely as another. The outputs need an attacker's link: an id.
    """
    photos = np.bincount(held.subject)
    chances = _by_subject(_posterior(likely[free]), held.subject) / photos
    logs = np.log(np.maximum(chances, LEAST))
    logs[~held.read[free]] = 0.0
    sums = np.zeros((len(photos), len(photos)))
    np.add.at(sums, held.subject[free], logs)
    return np.asarray(sums[held.subject[first_free]])


def _together(likely: Floats, held: Held, probes: list[int], gallery: list[int]) -> Floats:
    """Log-probability (p, g) that two outputs show two photos of one subject."""
    one, other = (_posterior(likely[side]) for side in (probes, gallery))
    subjects = _by_subject(one, held.subject) @ _by_subject(other, held.subject).T
    both = np.log(np.maximum(subjects - one @ other.T, LEAST))
    both[:, ~held.read[gallery]] = np.nan
    return np.asarray(both)


def _refuse_few(attacker: str, people: NDArray[np.intp]) -> None:
    if (count := len(np.unique(people))) < FEWEST_SUBJECTS:
        raise UsageError(
            f"the attacker {attacker} learns from released photos of {FEWEST_SUBJECTS} other people, it got {count}.",
            "Assess more subjects, or leave this attacker out.",
        )
