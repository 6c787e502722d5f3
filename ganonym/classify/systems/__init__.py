"""The published systems, a file each, with their recipes (TOML) beside them; and those that other packages bring.

Another package offers a classifier by an entry point: in its pyproject.toml

    [project.entry-points."ganonym.classifiers"]
    mine = "my_package:MyClassifier"

where `MyClassifier()` has `learn(inputs, classes, count, seed)` (`system.Learner`; inputs are aligned RGB crops, uint8
(n, 112, 112, 3)), or is a subclass of `system.Configuration` that describes a whole system. It is then found by its
name wherever a recipe is (`recipe.load_recipe`). Nothing is imported before it is asked for by name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.metadata import EntryPoint, entry_points

from ganonym.classify.system import Configuration
from ganonym.errors import UsageError

GROUP = "ganonym.classifiers"
_BUILT_IN: Mapping[str, str] = {
    "deepgestalt": "deepgestalt:DeepGestaltConfiguration",
    "gestaltmatcher": "gestaltmatcher:GestaltMatcherConfiguration",
    "margin": "margin:MarginConfiguration",
    "meta-baseline": "meta_baseline:MetaBaselineConfiguration",
    "prototypes": "prototypes:PrototypesConfiguration",
    "cnn": "cnn:CnnConfiguration",
    "screening": "screening:ScreeningConfiguration",
    "measurement": "measurement:MeasurementConfiguration",
    "ordinal": "ordinal:OrdinalConfiguration",
    "photo-set": "photo_set:PhotoSetConfiguration",
}
SYSTEMS: tuple[str, ...] = tuple(_BUILT_IN)
"""The names of those that come along."""


def configuration_of(kind: str) -> type[Configuration]:
    """What the settings of the system called `kind` may be; its file is imported now.

    Raises UsageError for a name that nobody has or several have, and for what is no classifier, naming who brings it.

    >>> configuration_of("screening")(strength=0.1)
    ScreeningConfiguration(strength=0.1)
    """
    if kind in _BUILT_IN:
        configuration: type[Configuration] = EntryPoint(kind, f"{__name__}.{_BUILT_IN[kind]}", GROUP).load()
        return configuration
    points = entry_points(group=GROUP, name=kind)
    if not points:
        raise UsageError(f"there is no system {kind!r}.", f"There are {', '.join((*SYSTEMS, *foreign_names()))}.")
    from ganonym.classify.systems.foreign import configuration_at

    return configuration_at(tuple(points))


def foreign_names() -> tuple[str, ...]:
    """The classifiers that other packages bring, sorted; none of them is imported."""
    return tuple(sorted(entry_points(group=GROUP).names))


def maker_of(name: str) -> str:
    """The packages that bring classifiers of one name, with their versions."""
    points = entry_points(group=GROUP, name=name)
    makers = {f"{point.dist.name} {point.dist.version}" if point.dist else point.value for point in points}
    return " and ".join(sorted(makers))


def configured(kind: str, settings: Mapping[str, object], changed: Sequence[str] = ()) -> Configuration:
    """The configuration of the system called `kind`, from all of its settings.

    Raises UsageError that lists everything that is wrong: the system is unknown, a setting lacks, means nothing there,
    is of another kind or out of range, or was `changed` on purpose and does nothing beside the others.

    >>> configured("measurement", {"learner": "logistic", "strength": 0.0, "trees": 5})
    Traceback (most recent call last):
    ganonym.errors.UsageError: the settings of measurement: strength must be greater than 0, not 0.0. ...
    """
    return configuration_of(kind)(**settings).refuse_idle(changed)
