"""A small shape model of nobody, with the contract's geometry: oblique expression, decreasing spread."""

from __future__ import annotations

import numpy as np
import pytest

from ganonym.faces.shape import ShapeModel


@pytest.fixture(scope="session")
def model() -> ShapeModel:
    rng = np.random.default_rng(5)
    directions = np.linalg.qr(rng.normal(size=(136, 24)))[0].T
    mean = rng.normal(size=(68, 2))
    # Expression is read in one direction and drawn in another, which moves identity as well.
    patterns = directions[:4] + 0.4 * directions[4:8]
    length = np.linalg.norm(patterns, axis=1, keepdims=True)
    return ShapeModel(
        mean=mean / np.linalg.norm(mean),
        identity_basis=directions[4:],
        identity_sd=0.03 / np.sqrt(np.arange(1, 21)),
        expression_functionals=directions[:4] * length,
        expression_patterns=patterns / length,
        expression_sd=np.array([0.03, 0.02, 0.01, 0.01]),
    )
