"""Claims about networks: the reference cohort in, rows of the table out."""

from __future__ import annotations

from typing import Any

import numpy as np
from reference import Reference, only
from rows import SEED, Row, above, called_in_folds, macro

from ganonym.classify.crops import ArcFaceCrop
from ganonym.classify.cross_validation import subject_folds
from ganonym.classify.encoders import read_foundation
from ganonym.classify.learning.fit import Schedule
from ganonym.classify.learning.heads import ArcFace, CosFace
from ganonym.classify.networks.iresnet import form_of, iresnet_of
from ganonym.classify.recipe import load_recipe
from ganonym.classify.retrieval.encode import VARIANTS, seen
from ganonym.classify.retrieval.ranking import ensemble_distances, nearest_case, unit
from ganonym.classify.systems import deepgestalt
from ganonym.classify.systems.cnn import narrow
from ganonym.classify.systems.gestaltmatcher import GestaltMatcher
from ganonym.classify.systems.margin import MarginNetwork

MARGINS = Schedule(epochs=12, batch=32, optimizer="sgd", rate=0.01, decay=5e-4)


def regions(ref: Reference) -> list[Row]:
    """DeepGestalt by its small recipe, which starts from region networks of virtual people; and from nothing."""
    system = load_recipe("deepgestalt").small.system(read_foundation(bundled="regions"))
    inputs, classes, count = system.look(ref.cohort).inputs, ref.cohort.classes, len(ref.cohort.names)
    full, averaged, scratch = (np.full(len(classes), -1, np.intp) for _ in range(3))
    for number, fold in enumerate(subject_folds(classes, ref.subjects, SEED)):
        crops, labels, asked = inputs[fold.train], classes[fold.train], inputs[fold.test]
        trained: Any = system.method.learn(crops, labels, count, number)
        averaged[fold.test] = trained(asked).argmax(axis=1)
        full[fold.test] = trained.by_region(asked, "full").argmax(axis=1)
        scratch[fold.test] = deepgestalt.small().learn(crops, labels, count, number)(asked).argmax(axis=1)
    return [
        above(
            "DeepGestalt pretrained on identities > from scratch",
            "Gurovich 2019",
            "pretraining on faces is the method",
            macro(averaged, classes),
            macro(scratch, classes),
            ref.subjects,
        ),
        above(
            "regions averaged > full face alone",
            "Gurovich 2019",
            "averaging over regions is the method",
            macro(averaged, classes),
            macro(full, classes),
            ref.subjects,
        ),
    ]


def pretrained(ref: Reference) -> list[Row]:
    """Shen's four groups: Williams-Beuren, Noonan, Alagille, and everybody else's controls."""
    few = only(ref.cohort, ref.of("WBS", "NS", "ALGS", "CONTROL"))
    crops = np.stack([face.crop(ArcFaceCrop(form_of(ref.foundation).side)) for face in few.portraits])
    arms = {
        "cosface": MarginNetwork(CosFace(), ref.foundation, MARGINS),
        "arcface": MarginNetwork(ArcFace(), ref.foundation, MARGINS),
        "scratch": MarginNetwork(CosFace(), form_of(ref.foundation), MARGINS),
    }
    called = {
        name: called_in_folds(arm, crops, few.classes, few.subjects, len(few.names)) for name, arm in arms.items()
    }
    rate = {name: macro(predicted, few.classes) for name, predicted in called.items()}
    return [
        above(
            "pretrained on identities > from scratch (CosFace, 4 groups)",
            "Shen 2024",
            "best of four arms: pretrained + CosFace, accuracy 0.848",
            rate["cosface"],
            rate["scratch"],
            few.subjects,
        ),
        above(
            "CosFace > ArcFace, both pretrained",
            "Shen 2024",
            "pretrained + CosFace is best",
            rate["cosface"],
            rate["arcface"],
            few.subjects,
        ),
    ]


def ensemble(ref: Reference) -> list[Row]:
    classes, count = ref.cohort.classes, len(ref.cohort.names)
    crops = np.stack([face.crop(ArcFaceCrop(form_of(ref.foundation).side)) for face in ref.cohort.portraits])
    base = iresnet_of(ref.foundation)
    from ganonym.classify.encoders import IResNetEncoder

    plain = IResNetEncoder("base", base)
    of_base = [unit(plain(seen(crops, view))) for view in VARIANTS]
    single, many, untuned = (np.full(len(classes), -1, np.intp) for _ in range(3))
    for number, fold in enumerate(subject_folds(classes, ref.subjects, SEED)):
        tuned = GestaltMatcher(ref.foundation, epochs=30, draws=4).learn(
            crops[fold.train], classes[fold.train], count, number
        )
        views = [unit(tuned.embed(seen(crops, view))) for view in VARIANTS]
        for calls, vectors in ((single, views[:1]), (many, [*views, *of_base]), (untuned, of_base[:1])):
            distances = ensemble_distances(
                [vector[fold.test] for vector in vectors], [vector[fold.train] for vector in vectors]
            )
            calls[fold.test] = nearest_case(distances, classes[fold.train]).disorders[:, 0]
    return [
        above(
            "ensemble of models and views > one model, one view",
            "Hustinx 2023",
            "the ensemble with 12 views is best",
            macro(many, classes),
            macro(single, classes),
            ref.subjects,
        ),
        above(
            "tuned on syndromes > healthy faces only",
            "Hsieh 2022",
            "0.219 > 0.169 of frequent disorders",
            macro(single, classes),
            macro(untuned, classes),
            ref.subjects,
        ),
    ]


def class_weights(ref: Reference) -> list[Row]:
    """Classes are thinned out to 24, 20, 16, 12, 9, 7, 5, 4, 4 and 4 people first: equal ones need no weights."""
    kept = []
    for number, people in enumerate((24, 20, 16, 12, 9, 7, 5, 4, 4, 4)):
        names = sorted({ref.subjects[row] for row in np.flatnonzero(ref.cohort.classes == number)})[:people]
        kept += [row for row, name in enumerate(ref.subjects) if name in names]
    rare = only(ref.cohort, np.array(sorted(kept), dtype=np.intp))
    crops = np.stack([face.crop(ArcFaceCrop()) for face in rare.portraits])
    called = {
        weighted: called_in_folds(
            narrow("resnet50", epochs=15, weighted=weighted), crops, rare.classes, rare.subjects, len(rare.names)
        )
        for weighted in (True, False)
    }
    return [
        above(
            "class weights raise macro recall (ResNet-50, unequal classes)",
            "Wu 2019",
            "mean recall 0.770 with weights",
            macro(called[True], rare.classes),
            macro(called[False], rare.classes),
            rare.subjects,
        )
    ]
