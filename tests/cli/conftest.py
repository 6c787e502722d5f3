"""Run the command line in this process, as `main` would leave it: (exit code, stdout, stderr); and people for it."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from ganonym_cli.app import main


@dataclass(frozen=True)
class Ended:
    code: int
    out: str
    err: str


@pytest.fixture
def ganonym(capsys: pytest.CaptureFixture[str]) -> Callable[..., Ended]:
    def run(*arguments: object) -> Ended:
        capsys.readouterr()
        with pytest.raises(SystemExit) as stop:
            main([str(argument) for argument in arguments])
        code = stop.value.code
        captured = capsys.readouterr()
        return Ended(code if isinstance(code, int) else 0 if code is None else 1, captured.out, captured.err)

    return run


@pytest.fixture(scope="session")
def unequal_classes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """people.csv and photos of a tiny phantom cohort, one photograph each: 7 WBS, 5 unaffected, 3 KBG, 2 FAS, 1 NS."""
    from ganonym.phantom.cohort import cohort_of
    from ganonym.phantom.write import class_sizes, write_cohort

    folder = tmp_path_factory.mktemp("unequal")
    plan = cohort_of(class_sizes("WBS=7,control=5,KBG=3,FAS=2,NS=1", 1), 1, 3)
    write_cohort(folder / "photos", plan, 1, lambda *_: None)
    return folder


# As long as disorders are called.
NAMES = {
    "PHANTOM-WBS": "Williams-Beuren syndrome; deletion of chromosome 7q11.23",
    "PHANTOM-CONTROL": "Unaffected",
    "PHANTOM-KBG": "Intellectual developmental disorder with dysmorphic facies and macrodontia",
    "PHANTOM-FAS": "Fetal alcohol spectrum disorder",
    "PHANTOM-NS": "Noonan syndrome 1",
}
METADATA = (
    "image_id",
    "patient_id",
    "filename",
    "gene_names",
    "disorder_names",
    "present_features",
    "absent_features",
    "age_year",
    "age_month",
    "gender",
    "ethnicity_category",
    "internal_syndrome_id",
    "internal_syndrome_name",
)


@pytest.fixture(scope="session")
def release(unequal_classes: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same people as GestaltMatcher publishes patients: gmdb_images, gmdb_metadata, numbers for disorders.

    Frequent are Williams-Beuren and the unaffected, of whom the last two people are tested; of KBG and FAS, the rare
    ones, the first person is the gallery of split 0, the second of split 1.
    """
    with (unequal_classes / "people.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    folder = tmp_path_factory.mktemp("release")
    images, tables = folder / "gmdb_images", folder / "gmdb_metadata"
    images.mkdir()
    tables.mkdir()
    numbers = {name: str(7 * place) for place, name in enumerate(NAMES)}
    lists: dict[str, list[tuple[str, ...]]] = {f"{kind}_{part}": [] for kind in ("frequent", "rare") for part in PARTS}
    about = []
    for place, row in enumerate(rows):
        name, person, image = row["syndrome"], int(row["subject"][-4:]), str(1000 + place)
        shutil.copy(unequal_classes / "photos" / row["image"], images / f"{image}.png")
        given = {"image_id": image, "patient_id": str(place), "filename": f"upload {place}.png"}
        given |= {"gene_names": name[-3:], "present_features": row["hpo"], "age_year": row["age"], "age_month": "6"}
        given |= {"gender": row["sex"], "ethnicity_category": "European"}
        given |= {"internal_syndrome_id": numbers[name], "internal_syndrome_name": NAMES[name]}
        about.append([given.get(column, "") for column in METADATA])
        who = (image, str(place), numbers[name])
        if name in ("PHANTOM-WBS", "PHANTOM-CONTROL"):
            lists["frequent_test" if person > 3 and person % 2 == 0 else "frequent_gallery"].append(who)
        elif name != "PHANTOM-NS":
            for split in (0, 1):
                lists["rare_gallery" if person == split + 1 else "rare_test"].append((*who, str(split)))
    _write(tables / "image_metadata_v1.1.0.tsv", "\t", [METADATA, *about])
    syndromes = [("syndrome_id", "syndrome_name", "num_of_images"), *((numbers[key], NAMES[key], "9") for key in NAMES)]
    _write(tables / "gmdb_syndromes_v1.1.0.tsv", "\t", syndromes)
    for name, entry in lists.items():
        head = ("image_id", "subject", "label", *(["split"] if name.startswith("rare") else []))
        _write(tables / f"gmdb_{name}_images_v1.1.0.csv", ",", [head, *entry])
    return folder


PARTS = ("gallery", "test")


def _write(path: Path, between: str, rows: Sequence[Sequence[str]]) -> None:
    with path.open("w", newline="") as file:
        csv.writer(file, delimiter=between).writerows(rows)
