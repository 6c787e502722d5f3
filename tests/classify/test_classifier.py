"""The classifier for Python: it learns what the harness learns, and is the same in another process."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ganonym.classify.case import Case
from ganonym.classify.classifier import Classifier
from ganonym.classify.cohort import gather
from ganonym.classify.model_folder import CARD, WEIGHTS, load_model
from ganonym.classify.model_key import Key
from ganonym.classify.recipe import altered, load_recipe
from ganonym.errors import EnvironmentFault, PhotoError, UsageError
from ganonym.phantom.cohort import phantom_cohort
from ganonym.pseudonym import read_key
from ganonym.types import RGB
from ganonym.weights import read_tensors

OTHER_PROCESS = """
import json, sys
from ganonym.classify.classifier import Classifier
model = Classifier.load(sys.argv[1])
print(json.dumps([model.classes, model.predict(sys.argv[2:])]))
"""


@dataclass(frozen=True)
class People:
    """Drawn people: files, the same as arrays, labels and who they are."""

    files: list[Path]
    arrays: list[RGB]
    labels: list[str]
    names: list[str]


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> People:
    folder = tmp_path_factory.mktemp("people")
    arrays = [photo.rgb for photo in phantom_cohort(6, photos=1, seed=4)]
    files = [folder / f"{row}.png" for row in range(len(arrays))]
    for file, rgb in zip(files, arrays, strict=True):
        Image.fromarray(rgb).save(file)
    return People(files, arrays, ["a", "b"] * 3, [f"Person {row}" for row in range(6)])


def test_it_learns_what_the_harness_learns(people: People) -> None:
    model = Classifier("fas-measurement", learner="forest", trees=7).fit(people.files, people.labels, seed=3)
    configuration = altered(load_recipe("fas-measurement").small, ["learner=forest", "trees=7"])
    assert model.configuration == configuration
    cases = [Case(file.name, file, file.name, label) for file, label in zip(people.files, people.labels, strict=True)]
    cohort, system = gather(cases), configuration.system({})
    trained = system.method.learn(system.look(cohort).inputs, cohort.classes, 2, 3)
    learned = model.model.trained.arrays
    assert {name: array.tobytes() for name, array in learned.items()} == {
        name: array.tobytes() for name, array in trained.arrays.items()
    }
    wanted = trained(system.look(cohort).inputs)
    for answer, row in zip(model.predict(people.files), wanted, strict=True):
        assert answer is not None
        assert [chance for _, chance in answer] == sorted(row, reverse=True)
        assert dict(answer) == dict(zip(("a", "b"), row, strict=True))


def test_arrays_pictures_and_files_are_the_same_photos(people: People) -> None:
    model = Classifier("nearest-mean").fit(people.arrays, people.labels, people.names)
    pictures = [Image.fromarray(rgb) for rgb in people.arrays[:2]]
    assert model.predict(people.files[:2]) == model.predict(people.arrays[:2]) == model.predict(pictures)
    twice, (once,) = model.predict([people.arrays[0]] * 2), model.predict(people.arrays[:1])
    assert once is not None
    assert twice[0] == twice[1]
    assert dict(twice[0] or ()) == pytest.approx(dict(once), abs=1e-6)  # a batch rounds otherwise than one photo
    sideways = pictures[0].transpose(Image.Transpose.ROTATE_90)
    exif = Image.Exif()
    exif[0x0112] = 6  # to be shown turned clockwise
    sideways.info["exif"] = exif.tobytes()
    assert model.predict([sideways]) == model.predict(people.arrays[:1])
    assert model.predict([]) == []


def test_a_photo_of_nobody_has_no_classes(people: People, tmp_path: Path) -> None:
    nobody = np.full((120, 120, 3), 128, np.uint8)
    model = Classifier("fas-measurement").fit([*people.arrays, nobody], [*people.labels, "a"])
    assert model.left_out == (("photo 6", "no face was found"),)
    answers = model.predict([nobody, people.arrays[0], nobody])
    assert [answer is None for answer in answers] == [True, False, True]
    (tmp_path / "cut.png").write_bytes(people.files[0].read_bytes()[:300])
    with pytest.raises(PhotoError):
        model.predict([tmp_path / "cut.png"])


def test_it_is_the_same_in_another_process_and_knows_whom_it_learned_from(people: People, tmp_path: Path) -> None:
    model = Classifier("nearest-mean").fit(people.files, people.labels, people.names)
    folder = model.save(tmp_path / "model")
    said = subprocess.run(
        [sys.executable, "-c", OTHER_PROCESS, folder, *people.files[:3]], capture_output=True, text=True, check=True
    )
    classes, answers = json.loads(said.stdout)
    assert classes == ["a", "b"]
    assert [[tuple(one) for one in answer] for answer in answers] == model.predict(people.files[:3])
    place = tmp_path / "private" / "model.key"
    assert place.stat().st_mode & 0o777 == 0o600
    key, kept = Key(read_key(place)), load_model(folder, lambda _: model.model.foundation)
    old, new = (Case(name, people.files[0], name) for name in ("someone", "else"))
    assert kept.learned_from([old], key).photos == ("someone",)
    Image.fromarray(people.arrays[1][:, ::-1].copy()).save(tmp_path / "other.png")
    other = [Case("known", tmp_path / "other.png", "person 1"), Case("new", tmp_path / "other.png", new.subject)]
    assert kept.learned_from(other, key).people == ("known",)
    assert not any(name in (folder / CARD).read_text() for name in people.names)
    assert {*read_tensors(folder / WEIGHTS)[0]} == {"means", "known", "centre"}
    again = Classifier.load(folder)
    assert again.predict(people.arrays[:1]) == model.predict(people.arrays[:1])
    with pytest.raises(UsageError, match="Copy that folder"):
        again.save(tmp_path / "copy")


def test_what_is_not_written_leaves_no_key(people: People, tmp_path: Path) -> None:
    model = Classifier("fas-measurement").fit(people.arrays, people.labels)
    with pytest.raises(UsageError, match="would be shared"):
        model.save(tmp_path / "model", tmp_path / "model" / "key")
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="cannot be a folder"):
        model.save(tmp_path / "file")
    assert not (tmp_path / "private").exists()
    model.save(tmp_path / "model", tmp_path / "elsewhere" / "my.key")
    with pytest.raises(UsageError, match="already holds a model"):
        model.save(tmp_path / "model")
    assert not (tmp_path / "private").exists()


def test_a_map_lies_on_the_photo(people: People) -> None:
    model = Classifier("nearest-mean").fit(people.arrays, people.labels)
    results = [model.explain(photo, "a") for photo in (people.files[0], people.arrays[0])]
    assert results[0].name == "a"
    assert results[0].picture.tobytes() == results[1].picture.tobytes()
    assert results[0].picture.shape == people.arrays[0].shape
    assert sum(results[0].shares.values()) == pytest.approx(1)
    with pytest.raises(UsageError, match="knows no class 'c'"):
        model.explain(people.arrays[0], "c")
    with pytest.raises(UsageError, match="no face"):
        model.explain(np.zeros((80, 80, 3), np.uint8))
    with pytest.raises(UsageError, match="looks at landmarks"):
        Classifier("fas-measurement").fit(people.arrays, people.labels).explain(people.arrays[0])


def test_what_cannot_be_is_refused_before_any_photo_is_read(people: People, tmp_path: Path) -> None:
    for make, said in (
        (lambda: Classifier("no such"), "there is no recipe"),
        (lambda: Classifier("deepgestalt", "medium"), "no preset 'medium'"),  # type: ignore[arg-type]
        (lambda: Classifier("deepgestalt", epochs=0), "epochs must be greater than or equal to 1, not 0"),
        (lambda: Classifier("deepgestalt", depth=3), "unknown depth"),
        (lambda: Classifier("fas-measurement", trees=5), "trees does nothing"),
        (lambda: Classifier("fas-measurement", encoder="x"), "starts from no pretrained network"),
        (lambda: Classifier("gestaltmatcher", "full"), "starts from a network of yours"),
        (lambda: Classifier("nearest-mean", encoder=people.files[0]), "given without its digest"),
        (lambda: Classifier("nearest-mean").predict(people.files), "learned nothing yet"),
        (lambda: Classifier("nearest-mean").classes, "learned nothing yet"),
    ):
        with pytest.raises(UsageError, match=said):
            make()
    absent = [tmp_path / f"{row}.png" for row in range(3)]
    for labels, subjects, said in (
        (["a", "b"], None, "3 photos, but 2 labels"),
        (["a", "b", "a"], ["x"], "3 photos, but 1 people"),
        (["a", "a", "a"], None, "nothing to tell apart"),
        (["a", "b", "c"], None, "two classes"),
    ):
        with pytest.raises(UsageError, match=said):
            Classifier("vcfs-screening").fit(absent, labels, subjects)
    with pytest.raises(UsageError, match="given twice"):
        Classifier("fas-measurement").fit([absent[0], absent[0]], ["a", "b"])
    with pytest.raises(UsageError, match="no photo"):
        Classifier("fas-measurement").fit([np.zeros((4, 4)), np.zeros((4, 4))], ["a", "b"])  # type: ignore[list-item]
    with pytest.raises(EnvironmentFault, match="holds no model"):
        Classifier.load(tmp_path)
