"""What a syndrome does to one person: which signs, how severe; and the sham that controls get instead."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from ganonym.errors import UsageError
from ganonym.faces.measures import AXES
from ganonym.phantom.axes import Axes
from ganonym.phantom.syndromes import Sign, Syndrome, TextureSign
from ganonym.types import Floats

Severity: TypeAlias = Literal["normal", "easy"]
# Mean and SD of a sign's severity. From 2 SD an expert calls a measurement abnormal (Elements of Morphology).
SEVERITIES: dict[Severity, tuple[float, float]] = {"normal": (2.0, 0.5), "easy": (2.5, 0.6)}
LEAST_SEVERITY = 0.5
JITTER = 0.1
MOST_SHAM = 3.5


@dataclass(frozen=True, slots=True)
class DrawnSign:
    """A sign that one person has, with its severity in SD."""

    sign: Sign
    severity: float


@dataclass(frozen=True, slots=True)
class Phenotype:
    """What stays the same in all photos of one person: `signs` with severities, and `amounts` (a,) by axis in SD.

    A control has no signs, and amounts all the same: the sham.
    """

    signs: tuple[DrawnSign, ...]
    amounts: Floats

    @property
    def textures(self) -> dict[TextureSign, float]:
        """Severity of each sign on the skin."""
        return {each.sign.texture: each.severity for each in self.signs if each.sign.texture is not None}


def draw_phenotype(syndrome: Syndrome, severity: Severity, rng: np.random.Generator) -> Phenotype:
    """Each sign by a lot of its probability, with a normal severity of at least 0.5 SD."""
    mean, spread = SEVERITIES[severity]
    drawn = []
    for sign in syndrome.signs:
        present, strength = rng.random() < sign.p, max(rng.normal(mean, spread), LEAST_SEVERITY)
        if present:
            drawn.append(DrawnSign(sign, float(strength)))
    return Phenotype(tuple(drawn), combined(drawn))


def combined(signs: Sequence[DrawnSign]) -> Floats:
    """Amounts (a,) of all axes, in SD.

    Terms overlap: ptosis, blepharophimosis and a narrow fissure are names for one low eye opening. So of several signs
    that pull an axis the same way the strongest counts, and only opposite pulls add up.
    """
    amounts = np.zeros((2, len(AXES)))
    for each in signs:
        for name, weight in each.sign.axes:
            column, pull = AXES.index(name), weight * each.severity
            amounts[0, column] = min(amounts[0, column], pull)
            amounts[1, column] = max(amounts[1, column], pull)
    return np.asarray(amounts.sum(axis=0))


def draw_sham(syndromes: Sequence[Syndrome], severity: Severity, axes: Axes, rng: np.random.Generator) -> Phenotype:
    """A control's phenotype: no sign, and a random mixture of all axes as strong as one of `syndromes` would be.

    Strength is the root mean square displacement of the marks. Without it a classifier would learn who was warped. The
    mixture is the first of 20 that leaves no axis beyond 3.5 SD, as signs seldom do; failing that, the mildest.
    """
    model = syndromes[int(rng.integers(len(syndromes)))]
    wanted = energy(draw_phenotype(model, severity, rng).amounts, axes)
    mixtures = rng.standard_normal((20, len(AXES)))
    mixtures *= np.array([wanted / energy(mixture, axes) for mixture in mixtures])[:, None]
    extremes = np.maximum(np.abs(mixtures).max(axis=1), MOST_SHAM)
    return Phenotype((), mixtures[int(extremes.argmin())])


def energy(amounts: Floats, axes: Axes) -> float:
    """Root mean square displacement of the marks, in canvas pixels."""
    return float(np.sqrt((axes.displacement(amounts) ** 2).sum(axis=1).mean()))


def check_severity(name: str) -> Severity:
    """`name` if it is a severity. Raises UsageError."""
    for known in SEVERITIES:
        if name == known:
            return known
    raise UsageError(f"severity {name!r} is unknown.", f"Known are: {', '.join(SEVERITIES)}.")
