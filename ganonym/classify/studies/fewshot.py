"""Few-shot learners side by side: base classes teach, novel ones are told apart from a few people of each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ganonym.classify.case import Classed, people_of
from ganonym.classify.cohort import Cohort
from ganonym.classify.encoders import read_foundation
from ganonym.classify.fewshot.episodes import Shape
from ganonym.classify.fewshot.learners import Compared, check_episodes, compare
from ganonym.classify.look import embedded
from ganonym.classify.progress import heard
from ganonym.classify.retrieval.protocol import FREQUENT
from ganonym.classify.studies.study import UNHEARD, Remark, Study, device_of, gathered, reasons_of
from ganonym.errors import UsageError
from ganonym.statistics.intervals import FEW
from ganonym.types import Payload, Progress

_SPANS = "Intervals are of 95 %; those over people are over the people asked for, not over those learned from."


@dataclass(frozen=True, slots=True)
class Episodes:
    """How few-shot learners are tested: in `number` episodes of `shape`.

    Base classes are those of more people than `frequent`, or `base` by name.
    """

    shape: Shape
    number: int = 600
    frequent: int | None = None
    base: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FewShot:
    """What was `compared`, with classes by name and number of people: `base` taught, `novel` were told apart.

    `classes_left_out` had too few people for an episode, `idle_base` too few to teach in one.
    """

    compared: Compared
    base: Mapping[str, int]
    novel: Mapping[str, int]
    classes_left_out: Mapping[str, int]
    idle_base: Mapping[str, int]
    simulated: bool
    left_out: tuple[tuple[str, str], ...]
    told: tuple[Remark, ...] = field(repr=False)

    @property
    def few_people(self) -> bool:
        return sum(self.novel.values()) < FEW

    @property
    def remarks(self) -> list[Remark]:
        """What happened to photographs, and which classes and learners took no part."""
        compared, shape, texts = self.compared, self.compared.shape, []
        if self.classes_left_out:
            people = _listed(self.classes_left_out)
            texts.append(f"Left out, with fewer than {shape.shots} + {shape.queries} people: {people}")
        if self.base and self.idle_base:
            texts.append(f"Base classes in no training episode, with too few people: {_listed(self.idle_base)}")
        if compared.not_run:
            texts.append(f"Not run, as {compared.not_run[0][1]}: {', '.join(name for name, _ in compared.not_run)}")
        return [*self.told, *(Remark(text, warning=True) for text in texts), Remark(_SPANS)]

    def payload(self) -> Payload:
        """For JSON."""
        compared = self.compared
        learners = {
            name: {
                "episodes": accuracy.episodes,
                "over_episodes": accuracy.over_episodes.model_dump(),
                "over_subjects": accuracy.over_subjects.model_dump(),
            }
            for name, accuracy in compared.learners
        }
        return {
            "simulated": self.simulated,
            **_shape(compared.shape),
            "chance": compared.chance,
            "base": dict(self.base),
            "novel": dict(self.novel),
            "few_people": self.few_people,
            "classes_left_out": dict(self.classes_left_out),
            "base_not_in_episodes": dict(self.idle_base),
            "training": None if compared.training is None else _shape(compared.training),
            "learners": learners,
            "not_run": dict(compared.not_run),
            "left_out": reasons_of(self.left_out),
        }


def fewshot(study: Study, episodes: Episodes, tell: Progress = UNHEARD) -> FewShot:
    """Compare the learners on embeddings of the study's encoder, or the bundled one.

    Raises UsageError for base classes that there are not, and where no episode can be drawn.
    """
    if episodes.base and episodes.frequent is not None:
        raise UsageError("base (--base) and frequent (--frequent) both say what base classes are.", "Give one of them.")

    def check(cohort: Classed) -> None:
        check_episodes(cohort.classes, cohort.subjects, _base(cohort, episodes), episodes.shape)

    foundation = read_foundation(study.encoder.path, study.encoder.sha256)
    device, remarks = device_of(study.device)
    look = embedded(foundation, device)
    gathering = gathered(study, check, look.crops, tell=tell)
    cohort = gathering.cohort
    embeddings, base = look(cohort.portraits), _base(cohort, episodes)
    with heard(tell):
        compared = compare(
            embeddings, cohort.classes, cohort.subjects, base, episodes.shape, study.seed, episodes.number
        )
    return _result(cohort, compared, (*remarks, *gathering.remarks))


def _result(cohort: Cohort, compared: Compared, told: tuple[Remark, ...]) -> FewShot:
    people = Counter(number for _, number in set(zip(cohort.subjects, cohort.classes.tolist(), strict=True)))

    def named(numbers: Sequence[int]) -> dict[str, int]:
        return {cohort.names[number]: people[number] for number in numbers}

    nobody = [number for number in range(len(cohort.names)) if not people[number]]  # no photo of theirs is usable
    return FewShot(
        compared=compared,
        base=named(compared.base),
        novel=named(compared.novel),
        classes_left_out=named([*compared.left_out, *nobody]),
        idle_base=named(compared.base_left_out),
        simulated=cohort.simulated,
        left_out=cohort.left_out,
        told=told,
    )


def _base(cohort: Classed, episodes: Episodes) -> list[int]:
    unknown = sorted(set(episodes.base) - set(cohort.names))
    if unknown:
        raise UsageError(f"nobody has the disorder {unknown[0]!r}.", f"There are {', '.join(cohort.names)}.")
    more_than = FREQUENT if episodes.frequent is None else episodes.frequent
    names = episodes.base or [name for name, number in people_of(cohort).items() if number > more_than]
    return [cohort.names.index(name) for name in names]


def _shape(shape: Shape) -> dict[str, int]:
    return {"ways": shape.ways, "shots": shape.shots, "queries": shape.queries}


def _listed(people: Mapping[str, int]) -> str:
    return ", ".join(f"{name} ({number})" for name, number in people.items())
