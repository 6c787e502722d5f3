"""Train the bundled region networks: DeepGestalt's four, which tell people apart before they learn any syndrome.

Gurovich et al. (Nature Medicine 2019) pretrain on CASIA-WebFace; here identities are virtual people (`gestalt`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from ganonym.classify.crops import REGIONS
from ganonym.classify.learner import CPU, Arrays
from ganonym.classify.learning.fit import Schedule
from ganonym.classify.systems.deepgestalt import DeepGestalt, descriptors
from ganonym.errors import UsageError
from ganonym.weights import read_tensors
from ganonym_train.gestalt import Crops, rank1

SMALL = Schedule(40, 64, "sgd", 0.1, decay=5e-4, clip=0.1)
FULL = Schedule(60, 256, "sgd", 0.1, decay=5e-4, clip=0.1)


@dataclass(frozen=True, slots=True)
class RegionsRecipe:
    """Everything that decides the weights, beside the photographs. `method` holds size, schedule and augmentation."""

    method: DeepGestalt
    seed: int


def recipe_of(preset: str, seed: int = 1, device: str = CPU) -> RegionsRecipe:
    """ "small" as bundled, "full" of the published size; schedules are ours. Raises UsageError for any other."""
    if preset == "small":
        return RegionsRecipe(DeepGestalt(side=48, width=0.25, schedule=replace(SMALL, device=device)), seed)
    if preset == "full":
        return RegionsRecipe(DeepGestalt(schedule=replace(FULL, device=device)), seed)
    raise UsageError(f"there is no preset {preset!r}.", "There are small and full.")


def train_regions(crops: Crops, run: Path, output: Path, recipe: RegionsRecipe, log: Callable[[str], None]) -> None:
    """Train one region after the other, each kept in the folder `run`; write all in half precision to `output`.

    `crops` are `RegionCrops` (n, 4, side, side). Some people are kept out (`Crops.unseen`). A region whose file
    is in `run` is not trained again: use a folder for each recipe and set of photographs.
    """
    unseen, person = crops.unseen, crops.person
    seen = ~unseen
    run.mkdir(parents=True, exist_ok=True)
    arrays: dict[str, np.ndarray[tuple[int, ...], np.dtype[np.generic]]] = {}
    for region in REGIONS:
        file = run / f"{region}.safetensors"
        method = replace(recipe.method, regions=(region,))
        if not file.is_file():
            count = int(person[seen].max()) + 1
            _save(method.pretrain(crops.pixels[seen], person[seen], count, recipe.seed), file)
        own = read_tensors(file)[0]
        vectors = descriptors(replace(method, pretrained=own), crops.pixels[unseen], region)
        strangers = len(set(person[unseen].tolist()))
        log(f"{region}: rank-1 of {strangers} unseen people {rank1(vectors, person[unseen]):.3f}")
        arrays |= {name: array.astype(np.float16) if array.dtype.kind == "f" else array for name, array in own.items()}
    output.parent.mkdir(parents=True, exist_ok=True)
    _save(arrays, output)


def _save(arrays: Arrays, file: Path) -> None:
    partial = file.with_suffix(".partial")
    save_file(
        {name: np.asarray(array, order="C") for name, array in arrays.items()}, partial, metadata={"kind": "regions"}
    )
    partial.replace(file)
