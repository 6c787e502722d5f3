"""Linear discriminant analysis, the classifier that needs the fewest people."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ganonym.classify.classifier import Inputs, Predictor
from ganonym.types import Floats


@dataclass(frozen=True, slots=True)
class Discriminant:
    """Linear discriminant analysis with a covariance shrunk by Ledoit and Wolf (2004).

    All classes are equally likely a priori, as macro rates want it, or else (`alike` False) as likely as in training.
    """

    alike: bool = True

    def learn(self, inputs: Inputs, classes: NDArray[np.intp], count: int, seed: int) -> Predictor:  # noqa: ARG002
        """Of inputs (n, d); nothing is drawn, so `seed` plays no part."""
        from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

        known = np.unique(classes)
        priors = np.full(len(known), 1 / len(known)) if self.alike else None
        model = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto", priors=priors)
        model.fit(inputs, classes)

        def predict(others: Inputs) -> Floats:
            chances = np.zeros((len(others), count))
            chances[:, known] = model.predict_proba(others)
            return chances

        return predict
