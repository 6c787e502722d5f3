"""Numbers that keep their order: if what was later, larger or further down stays so, a few known people give the rest.

The attacker knows which outputs belong to some people, say to those who told, and reads the others off between them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ganonym.evaluate.attackers.attacker import Approach, Lesson, Matcher, Rows, Templates, View
from ganonym.types import Floats

FEWEST = 8
"""Photos of which both sides must be known before any order is believed in."""
DOUBT = 0.001
"""Probability of an order as clear as the one seen if there is none, above which it is not believed in."""


@dataclass(frozen=True, slots=True)
class Translated:
    """Compares column `after` of released rows with `before` of originals, by the known points `x` → `y` between them.

    Without known points (0,) the numbers are compared as they are. `extra` distances are added.
    """

    before: int
    after: int
    x: Floats
    y: Floats
    extra: Matcher | None = None

    def __call__(self, probes: Templates, gallery: Templates) -> Floats:
        """Differences (p, g); NaN in, NaN out."""
        translate = probes.released != gallery.released
        one, other = (self._numbers(each, translate) for each in (probes, gallery))
        # Rounded, so that neighbours on both sides tie.
        found = np.abs(one[:, None] - other[None, :]).round(9)
        return np.asarray(found if self.extra is None else found + self.extra(probes, gallery))

    def _numbers(self, templates: Templates, translate: bool) -> Floats:
        numbers = templates.rows[:, self.after if templates.released else self.before].astype(np.float64)
        if translate and templates.released and len(self.x):
            # Upon a straight line, which goes on beyond the known people.
            slope, offset = np.polyfit(self.x, self.y, 1)
            bend = self.y - slope * self.x - offset
            return np.asarray(slope * numbers + offset + np.interp(numbers, self.x, bend))
        return numbers


@dataclass(frozen=True, slots=True)
class Ordered:
    """Looks for the pair of `columns` of released and original rows that are in the same order, or the reverse."""

    name: str
    view: View
    columns: tuple[int, ...]
    approach: Approach
    extra: Matcher | None = None

    def learn(self, lesson: Lesson) -> Translated:
        """The clearest order by Spearman's rank correlation, as an isotonic regression through the known people.

        The first of `columns` is compared as it is where no order is clear (DOUBT, over all pairs), or too few
        people are known to tell.
        """
        from scipy.stats import spearmanr
        from sklearn.isotonic import IsotonicRegression

        clearest, found = DOUBT / len(self.columns) ** 2, None
        for after in self.columns:
            for before in self.columns:
                x, y = _known(lesson.released[:, after], lesson.originals[:, before])
                if len(x) < FEWEST or np.ptp(x) == 0 or np.ptp(y) == 0:
                    continue
                order: Any = spearmanr(x, y)
                # At equal doubt the first: with all in order every doubt is zero.
                if order.pvalue < clearest:
                    clearest, found = float(order.pvalue), (before, after, x, y, bool(order.statistic > 0))
        if found is None:
            return Translated(self.columns[0], self.columns[0], np.empty(0), np.empty(0), self.extra)
        before, after, x, y, increasing = found
        line = IsotonicRegression(increasing=increasing).fit(x, y)
        return Translated(before, after, line.X_thresholds_, line.y_thresholds_, self.extra)


def _known(released: Rows, originals: Rows) -> tuple[Floats, Floats]:
    both = np.isfinite(released) & np.isfinite(originals)
    return released[both].astype(np.float64), originals[both].astype(np.float64)
