"""A folder of training photographs of nobody: virtual people, neutral and smiling, with a manifest."""

from __future__ import annotations

import csv
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ganonym.faces.appearance import load_appearance
from ganonym.phantom.people import sample_person
from ganonym.phantom.photos import sample_moment, take_photo

PEOPLE = 12


@pytest.fixture(scope="session")
def training_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("training")
    model = load_appearance()
    rows = [["path", "set", "subject", "expression", "sex", "age"]]
    for number in range(PEOPLE):
        rng = np.random.default_rng([31, number])
        person = sample_person(model, rng)
        for expression, amount in (("neutral", 0.0), ("smiling", 0.9)):
            strength = amount * model.expressions["happy"] + rng.normal(0.0, 0.2, len(model.shape.expression_sd))
            moment = replace(sample_moment(model, rng), expression=strength, yaw=0.0, pitch=0.0)
            name = f"{number:02d}-{expression}.png"
            Image.fromarray(take_photo(person, moment, model, rng)).save(folder / name)
            age = "" if number == 0 else str(person.age)
            rows.append([name, "synthetic", f"person-{number}", expression, person.sex, age])
    Image.fromarray(np.full((200, 200, 3), 90, np.uint8)).save(folder / "blank.png")
    rows.append(["blank.png", "synthetic", "nobody", "neutral", "female", "30"])
    # Absent on purpose: whoever trained on an evaluation set would have to open it.
    rows.append(["never.png", "portraits", "official", "neutral", "male", "50"])
    with (folder / "manifest.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)
    return folder


@pytest.fixture(scope="session")
def two_people(training_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first two of them, for tests that load the photographs several times."""
    folder = tmp_path_factory.mktemp("two")
    lines = (training_folder / "manifest.csv").read_text(encoding="utf-8").splitlines(keepends=True)[:5]
    (folder / "manifest.csv").write_text("".join(lines), encoding="utf-8")
    for line in lines[1:]:
        shutil.copy(training_folder / line.split(",")[0], folder)
    return folder
