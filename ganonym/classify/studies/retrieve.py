"""GestaltMatcher's test of a gallery: is the disorder of a photograph among the nearest?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ganonym.classify.case import Case, roster
from ganonym.classify.model_folder import Model
from ganonym.classify.retrieval.gallery import Ensemble, encoded, look
from ganonym.classify.retrieval.protocol import (
    FREQUENT,
    SPLITS,
    Accuracy,
    Plan,
    check_tested,
    draw,
    frequent_disorders,
    published,
    tested,
)
from ganonym.classify.retrieval.protocol import evaluate as rated
from ganonym.classify.retrieval.ranking import POOLS
from ganonym.classify.studies.gallery import GalleryStudy, ensemble_of, ensemble_payload, kept, refuse_nobody
from ganonym.classify.studies.model import key_of, unchecked
from ganonym.classify.studies.study import (
    UNHEARD,
    Remark,
    cases_of,
    left_out_remarks,
    reasons_of,
    remembered,
)
from ganonym.errors import UsageError
from ganonym.types import Payload, Progress

ALONE = "no second patient has its disorder"


@dataclass(frozen=True, slots=True)
class Protocol:
    """GestaltMatcher's test where a table has no splits: a disorder of more patients than `frequent` is frequent, and
    the rare ones are split `splits` times. `pool`: whose photographs count together (`POOLS`)."""

    frequent: int = FREQUENT
    splits: int = SPLITS
    pool: str = "image"
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Retrieval:
    """Accuracies of a retrieval by setting, on whom, and whether it is known that no model has learned from them."""

    accuracies: tuple[Accuracy, ...]
    protocol: Protocol
    given: bool
    known_unseen: bool
    photos: int
    subjects: int
    learnable: tuple[str, ...]
    left_out: tuple[tuple[str, str], ...]
    simulated: bool
    ensemble: Ensemble
    remarks: tuple[Remark, ...]

    def payload(self) -> Payload:
        """For JSON."""
        return {
            "simulated": self.simulated,
            "splits": "published" if self.given else "drawn",
            "known_to_be_unseen": self.known_unseen,
            "pool": self.protocol.pool,
            "photos": self.photos,
            "subjects": self.subjects,
            "settings": {accuracy.setting: accuracy.model_dump(exclude={"setting"}) for accuracy in self.accuracies},
            "left_out": reasons_of(self.left_out),
            "learnable": list(self.learnable),
        } | ensemble_payload(self.ensemble)


def retrieve(study: GalleryStudy, protocol: Protocol, tell: Progress = UNHEARD) -> Retrieval:
    """GestaltMatcher's test: is the disorder among the nearest? Macro top-k with 95 % intervals over patients.

    Splits are the tables' where every photograph has one, else drawn by patient. Raises UsageError when there is
    nothing to test, when a model has learned from whom is under test, and for a `protocol` that the tables' own splits
    leave without effect.
    """
    ensemble, models, remarks = ensemble_of(study.encoders)
    trained = [*zip(models, study.encoders.models, strict=True)]
    everything, told = cases_of(study.data, study.images, splits=True)
    remarks += told
    with remembered(told):
        given = all(case.split for case in everything)
        if given and (protocol.frequent, protocol.splits) != (FREQUENT, SPLITS):
            raise UsageError(
                "frequent (--frequent) and splits (--splits) do nothing: the table has its own splits.",
                "Leave them out.",
            )
        labelled = roster(everything).cases  # what the table alone shows is said before any photograph is looked at
        plan = planned(labelled, given, protocol)
        heard = refuse_learned(trained, labelled, plan) if given else []
        looked = look(everything, ensemble, study.encodings, study.jobs, tell, study.cache)
        refuse_nobody(looked)
        cases = looked.cases
        plan = planned(cases, given, protocol)
        if not given:  # drawn among those in whom a face was accuracies
            heard = refuse_learned(trained, cases, plan)
        there = encoded(looked, ensemble, study.encodings, tell)
        rng = np.random.default_rng((protocol.seed, 1))
        accuracies = rated(plan, cases, there, rng, POOLS[protocol.pool])
    remarks += heard
    if not given and any(case.split for case in everything):
        text = "Some photographs have no split in the table: the splits are drawn, none of the table's is used."
        remarks.append(Remark(text, warning=True))
    left_out = (*looked.left_out, *((image, ALONE) for image in plan.left_out))
    remarks += [*kept(study.encodings, looked), *left_out_remarks(left_out)]
    alone = set(plan.left_out)
    return Retrieval(
        accuracies=tuple(accuracies),
        protocol=protocol,
        given=given,
        known_unseen=all(key_of(folder) is not None for folder in study.encoders.models),
        photos=len(there.images) - len(plan.left_out),
        subjects=len({case.subject for case in cases if case.image not in alone}),
        learnable=() if plan.frequent is None else tuple(cases[row].image for row in plan.frequent.gallery.tolist()),
        left_out=left_out,
        simulated=looked.simulated,
        ensemble=ensemble,
        remarks=tuple(remarks),
    )


def planned(cases: Sequence[Case], given: bool, protocol: Protocol) -> Plan:
    """The table's own splits where they are `given`, else drawn ones. Raises UsageError where there is none to make."""
    frequent = () if given else frequent_disorders(cases, protocol.frequent)
    plan = published(cases) if given else draw(cases, frequent, protocol.seed, protocol.splits)
    check_tested(plan)
    return plan


def refuse_learned(models: Sequence[tuple[Model, Path]], cases: Sequence[Case], plan: Plan) -> list[Remark]:
    """Raises UsageError for a model, of the folder beside it, that has learned from whom is under test.

    Warns of one whose key is not there, so that nobody knows, and of one that knows R.
    """
    under_test = tested(cases, plan)
    rare = {cases[row].disorder for split in plan.rare for row in split.test.tolist()}
    remarks = []
    for model, folder in models:
        key = key_of(folder)
        learned = (
            ""
            if key is None
            else model.learned_from(under_test, key).words(f"{len(under_test)} photographs under test")
        )
        if learned:
            raise UsageError(
                f"the model has learned from {learned}.",
                "Train it on the gallery of the frequent disorders only; give other people with the same ids others.",
            )
        if key is None:
            remarks.append(unchecked(folder))
        met = sorted(rare.intersection(model.card.names))
        if met:
            text = f"A model has learned {', '.join(map(str, met[:5]))}: to it R is not unseen."
            remarks.append(Remark(text, warning=True))
    return remarks
