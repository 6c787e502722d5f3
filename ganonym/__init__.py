"""Share face photographs of patients without sharing the patients: anonymize, then measure what leaks and what remains.

A tour, in the order of the work. Nothing heavy is imported until a name is used.

*Anonymize.* `Settings` say how (mechanism, k, seed …). `anonymize` takes pictures in memory, `anonymize_folder` a
folder and its manifest, resumable and with a ledger; `ganonym.transforms.Anonymize` sits in a data pipeline. What
cannot be anonymized comes back as a refusal with a reason, never as it was.

*Assess.* `assess` attacks a release, whoever made it: a folder, pictures, or a function from picture to picture. The
`Assessment` has a `verdict` by a `Policy`, the `worst` attacker, the `utility` that is left. `sweep` does it for many
methods, `compare` lays assessments side by side. Attackers and classifiers of your own plug in by argument, or by the
entry points `ganonym.attackers` and `ganonym.classifiers`.

*Classify and measure.* `load_recipe` reads a published system, `Classifier` trains, predicts, explains, saves and loads
one; `measure` gives lengths, angles and ratios of a face, with the terms they suggest.

*Errors* are `errors.GanonymError` and its kinds: each says what was wrong and what to do.

>>> import ganonym
>>> ganonym.Settings(policy="public").k
20
>>> sorted(set(ganonym.__all__) - {"__version__"})[:4]
['Assessment', 'Classifier', 'Policy', 'Settings']
>>> ganonym.__version__.split(".")[0]
'0'
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ganonym import errors as errors
    from ganonym.batch.run import anonymize_folder as anonymize_folder
    from ganonym.classify.classifier import Classifier as Classifier
    from ganonym.classify.measurement.measure import measure as measure
    from ganonym.classify.recipe import load_recipe as load_recipe
    from ganonym.evaluate.api import assess as assess
    from ganonym.evaluate.api import sweep as sweep
    from ganonym.evaluate.assessment import Assessment as Assessment
    from ganonym.evaluate.compare import compare as compare
    from ganonym.evaluate.verdict.policy import Policy as Policy
    from ganonym.pipeline import anonymize as anonymize
    from ganonym.settings import Settings as Settings

_HOMES = {
    "Settings": "ganonym.settings",
    "anonymize": "ganonym.pipeline",
    "anonymize_folder": "ganonym.batch.run",
    "assess": "ganonym.evaluate.api",
    "Assessment": "ganonym.evaluate.assessment",
    "Policy": "ganonym.evaluate.verdict.policy",
    "sweep": "ganonym.evaluate.api",
    "compare": "ganonym.evaluate.compare",
    "load_recipe": "ganonym.classify.recipe",
    "Classifier": "ganonym.classify.classifier",
    "measure": "ganonym.classify.measurement.measure",
}
__all__ = [*_HOMES, "__version__", "errors"]


def __getattr__(name: str) -> object:
    if name == "errors":
        return import_module("ganonym.errors")
    if name == "__version__":
        try:
            return version("ganonym")
        except PackageNotFoundError:
            return "0+unknown"
    if name not in _HOMES:
        raise AttributeError(f"module 'ganonym' has no attribute {name!r}; it has {', '.join(__all__)}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
