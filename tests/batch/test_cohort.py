"""The plan of a folder: the same people, coordinates and refusals as its release, and nothing on the disk."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tiny_pipeline import PIPELINE, analyse, save_photo

from ganonym.batch.cohort import BANDS, by_person, cohort_of, plan_cohort
from ganonym.batch.pipeline import Pipeline, Tools
from ganonym.errors import UsageError
from ganonym.faces.kept import YOUTH, kept_space, with_given
from ganonym.manifest import Row
from ganonym.privacy.joint import joint_by_subject
from ganonym.release_plan import Claim
from ganonym.settings import Settings, Weights
from ganonym.types import RGB, Box, FaceRecord, Floats, Pose

SPACE = kept_space()


def measured(rgb: RGB, source: str) -> list[FaceRecord]:
    """As the tiny pipeline's analysis, with coordinates that follow from the second pixel; none where it is white."""
    seed = [int(value) for value in rgb[0, 1]]
    row = None if seed == [255, 255, 255] else drawn(seed)
    return [replace(record, row=row) for record in analyse(rgb, source)]


def drawn(seed: list[int] | int) -> Floats:
    return np.random.default_rng(seed).multivariate_normal(SPACE.mean, SPACE.covariance, method="eigh")


def load_measuring(_settings: Settings) -> Tools:
    return Tools(measured, PIPELINE.load_tools(Settings()).produce)


MEASURING = Pipeline(load_measuring, PIPELINE.load_shape_model, PIPELINE.weights_digest)


def claim(number: int, row: Floats | None, told: Row | None, tone: int = 0) -> Claim:
    shape = np.zeros((68, 2))
    record = FaceRecord(
        f"{number}", 0, Box(0, 0, 1, 1), shape, shape, Pose(0, 0, 0), tone, np.zeros((4, 4), np.uint8), row=row
    )
    return Claim(f"{number}", "", 0, record, told.subject if told else f"{number}", told)


def test_rows_are_those_that_are_released_given_ages_and_sexes_included() -> None:
    told = Row("0", "Ann", "WBS", sex="female", age=3.0)
    cohort = cohort_of([claim(0, drawn(1), told, 4), claim(1, None, None), claim(2, drawn(2), None, 1)], SPACE)
    assert cohort.owners == ["Ann", "2"]
    assert cohort.labels == ["WBS", None]
    assert np.array_equal(cohort.rows, [with_given(drawn(1), SPACE, 3.0, "female"), drawn(2)])
    assert cohort.bands["tone"] == ["brown", "light"]
    assert cohort_of([claim(0, drawn(1), None)], SPACE).labels is None, "without any label there are no classes"
    assert cohort_of([claim(0, np.full(len(drawn(1)), np.nan), None)], SPACE).people == 0


@pytest.mark.parametrize(("age", "band"), [(0.5, "0-9"), (9.9, "0-9"), (10.0, "10-19"), (39.0, "20-39"), (88.0, "60+")])
def test_an_age_band_is_the_manifests_else_the_faces(age: float, band: str) -> None:
    assert cohort_of([claim(0, drawn(1), Row("0", "Ann", age=age))], SPACE).bands["age"] == [band]
    looks = with_given(drawn(1), SPACE, age, None)
    assert cohort_of([claim(0, looks, None)], SPACE).bands["age"] == [band]
    middle, spread = SPACE.scales["age"]
    shown = SPACE.coordinates(looks)[SPACE.names.index("age")]
    assert np.exp(middle + spread * shown) - YOUTH == pytest.approx(age), "the oracle of the test itself"
    assert band in BANDS


def test_a_folder_is_planned_as_it_would_be_released(tmp_path: Path) -> None:
    lines = ["image,subject"]
    for number in range(24):
        save_photo(tmp_path / "in" / f"{number}.png", number)
        lines.append(f"{number}.png,{number % 12}")
    save_photo(tmp_path / "in" / "none.png", 99, faces=0)
    lines.append("none.png,empty")
    (tmp_path / "people.csv").write_text("\n".join(lines))
    before = sorted(tmp_path.rglob("*"))
    settings = Settings(engine="serial", k=4, keep=("signs", "tone"), weights=Weights(tone=1.0))
    plan = plan_cohort(tmp_path / "in", settings, (4, 6), manifest=tmp_path / "people.csv", pipeline=MEASURING)
    assert sorted(tmp_path.rglob("*")) == before, "nothing is written"
    assert plan.refused == {"no-face": 1}
    assert (plan.forecast.k, plan.forecast.people, plan.forecast.photos) == (4, 12, 24)
    assert {axis.name.split()[0] for axis in plan.forecast.axes} == {"sign", "tone"}
    assert [(line.people, line.k) for line in plan.curve] == [(6, 4), (6, 6), (12, 4), (12, 6)]
    assert plan.curve[2].axes == plan.forecast.axes
    other = plan_cohort(
        tmp_path / "in", settings.changed(keep=("tone",)), (4,), manifest=tmp_path / "people.csv", pipeline=MEASURING
    )
    assert [axis.name for axis in other.forecast.axes] == ["tone"]
    assert other.forecast.axes[0].r > plan.forecast.axes[-1].r, "alone it is kept better than among signs"
    assert plan.to_json()["cohort"]["kinds"].keys() == {"signs", "tone"}


def test_linked_people_are_planned_by_the_means_of_their_photos() -> None:
    told = [
        Row(f"{number}", person, "x", age=age) for number, (person, age) in enumerate([("A", 5), ("B", 50), ("A", 7)])
    ]
    cohort = cohort_of([claim(number, drawn(number), row, number) for number, row in enumerate(told)], SPACE)
    people = by_person(cohort)
    assert (people.owners, people.labels) == (["A", "B"], ["x", "x"])
    assert np.allclose(people.rows, [(cohort.rows[0] + cohort.rows[2]) / 2, cohort.rows[1]], atol=1e-12)
    assert people.bands == {"tone": ["very light", "light"], "age": ["0-9", "40-59"]}


def test_a_linked_release_groups_as_by_subject_and_leaves_expression_out(tmp_path: Path) -> None:
    lines = ["image,subject"]
    for number in range(24):
        save_photo(tmp_path / "in" / f"{number}.png", number)
        lines.append(f"{number}.png,{number % 12}")
    (tmp_path / "people.csv").write_text("\n".join(lines))
    settings = Settings(engine="serial", k=4, link="subject")
    plan = plan_cohort(tmp_path / "in", settings, (4,), manifest=tmp_path / "people.csv", pipeline=MEASURING)
    rows = np.array([drawn([number, 0, 7]) for number in range(24)])
    joint = joint_by_subject(rows, [f"{number % 12}" for number in range(24)], None, SPACE, 4)
    assert (plan.forecast.photos, plan.forecast.groups) == (12, len(joint.sizes))
    assert not any(axis.name.startswith("expression") for axis in plan.forecast.axes)
    assert plan.forecast.named == pytest.approx(float(np.mean(1 / joint.sizes[joint.group])))


def test_where_no_face_has_coordinates_the_plan_says_so(tmp_path: Path) -> None:
    save_photo(tmp_path / "in" / "0.png", 1, faces=0)
    with pytest.raises(UsageError, match=r"no photo .* shows a face that counts \(no-face 1\)"):
        plan_cohort(tmp_path / "in", Settings(engine="serial"), (5,), pipeline=MEASURING)
