"""`ganonym classify match` and `retrieve` on phantoms: the gallery's protocol from tables to rates."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from ganonym.classify.gestaltmatcher_csv import read_cases
from ganonym.weights import sha256_file, verified_path

Run = Callable[..., Any]
SETTINGS = ["F/F", "R/R", "F/F+R", "R/F+R"]
FREQUENT = ("PHANTOM-CONTROL", "PHANTOM-WBS")


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from ganonym.phantom.cohort import cohort_of
    from ganonym.phantom.write import class_sizes, write_cohort

    folder = tmp_path_factory.mktemp("cohort")
    sizes = class_sizes("WBS=3,KBG=2,NS=1,control=3", 3)
    write_cohort(folder / "photos", cohort_of(sizes, 1, 3), 1, lambda *_: None)
    Image.new("RGB", (200, 200)).save(folder / "photos" / "blank.png")
    rows = (folder / "people.csv").read_text().splitlines()
    blank = ["blank.png", "nobody", "PHANTOM-WBS", *[""] * (rows[0].count(",") - 3), "true"]
    (folder / "people.csv").write_text("\n".join([*rows, ",".join(blank)]) + "\n")
    return folder


def table(path: Path, cohort: Path, split: Callable[[str, str], str | None]) -> Path:
    """The cohort with the `split` of each (disorder, subject); those without one are left out."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["image", "subject", "syndrome", "split", "simulated"])
        for case in read_cases(cohort / "people.csv", cohort / "photos"):
            part = split(str(case.disorder), case.subject)
            if part is not None:
                writer.writerow([case.image, case.subject, case.disorder, part, "true"])
    return path


def test_the_nearest_to_a_photograph_of_the_gallery_is_itself(ganonym: Run, cohort: Path, tmp_path: Path) -> None:
    photos = sorted((cohort / "photos").glob("*/*.png"))[::3]
    blank = cohort / "photos" / "blank.png"
    kept = tmp_path / "kept.safetensors"
    common = (*photos, blank, photos[0], tmp_path / "none.png", "--gallery", cohort / "people.csv", "--jobs", 1)
    asked = ganonym("classify", "match", *common, "--top", 2, "--encodings", kept, "--json")
    assert asked.code == 1, "one photograph shows nobody, one is not there"
    told = json.loads(asked.out)
    assert [*told["photos"]] == [str(photo) for photo in photos]
    for photo, (first, second) in told["photos"].items():
        assert first["distance"] == pytest.approx(0, abs=1e-5)
        assert photo.endswith(first["image"])
        assert first["image"].startswith(first["subject"])
        assert first["subject"].startswith(first["disorder"])
        assert second["disorder"] != first["disorder"]
        assert second["distance"] > 0.01
    assert [entry["photo"] for entry in told["left_out"]] == [str(blank), str(tmp_path / "none.png")]
    assert told["left_out"][0]["reason"] == "no face was found"
    gallery = told["gallery"]
    assert (gallery["photos"], gallery["subjects"], gallery["disorders"]) == (9, 9, 4)
    assert gallery["left_out"] == [{"image": "blank.png", "reason": "no face was found"}]
    assert (told["simulated"], told["views"]) == (True, 4)
    for said in ("SIMULATED", "personal data", "written", "virtual people"):
        assert said in " ".join(asked.err.split())

    read = ganonym("classify", "match", *common, "--top", 2, "--encodings", kept, "--json")
    assert json.loads(read.out) == told
    assert "is read" in " ".join(read.err.split())
    file = verified_path("gestalt")
    named = ("--encoder", file, "--sha256", sha256_file(file))
    twice = json.loads(ganonym("classify", "match", *common, "--top", 2, *named, *named, "--json").out)
    assert len(twice["encoders"]) == 2
    for photo, row in twice["photos"].items():
        for one, other in zip(row, told["photos"][photo], strict=True):
            assert one | {"distance": 0} == other | {"distance": 0}
            assert one["distance"] == pytest.approx(other["distance"], abs=1e-6)
    one_view = ganonym("classify", "match", *common, "--encodings", kept, "--one-view")
    assert one_view.code == 2
    assert "other views" in one_view.err
    assert "Delete it" in one_view.err


def test_nobody_at_all_is_reported_too(ganonym: Run, cohort: Path, tmp_path: Path) -> None:
    blank = cohort / "photos" / "blank.png"
    few = table(tmp_path / "few.csv", cohort, lambda _, subject: "x" if subject.endswith("1") else None)
    images = ("--images", cohort / "photos", "--jobs", 1)
    asked = ganonym("classify", "match", blank, "--gallery", few, *images, "--json")
    assert asked.code == 1
    assert json.loads(asked.out)["photos"] == {}
    empty = table(tmp_path / "empty.csv", cohort, lambda _, subject: "x" if subject == "nobody" else None)
    asked = ganonym("classify", "match", blank, "--gallery", empty, *images)
    assert asked.code == 2
    assert "no face was found" in asked.err


def test_retrieve_tells_the_four_settings(ganonym: Run, cohort: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept.safetensors"
    common = ("--data", cohort / "people.csv", "--frequent", 2, "--splits", 3, "--jobs", 1, "--encodings", kept)
    result = ganonym("classify", "retrieve", *common, "--json")
    assert result.code == 0, result.err
    told = json.loads(result.out)
    assert (told["simulated"], told["splits"], told["pool"]) == (True, "drawn", "image")
    assert (told["photos"], told["subjects"]) == (8, 8)
    assert [*told["settings"]] == SETTINGS
    # Two frequent disorders of three people, one tested; of the rare one's two people one; a photograph each.
    wanted = {"F/F": (4, 2, 2, 1), "R/R": (1, 1, 1, 3), "F/F+R": (5, 2, 3, 3), "R/F+R": (5, 1, 3, 3)}
    for name, setting in told["settings"].items():
        assert (setting["gallery"], setting["test"], setting["candidates"], setting["splits"]) == wanted[name]
        assert all(0 <= rate["low"] <= rate["value"] <= rate["high"] <= 1 for rate in setting["top"].values())
    assert told["settings"]["R/R"]["top"] == {}, "there is one disorder to choose from: nothing can be missed"
    assert [*told["settings"]["F/F"]["top"]] == ["1"]
    assert [setting["people"] for setting in told["settings"].values()] == [2, 2, 2, 2]
    assert all(setting["few_people"] for setting in told["settings"].values())
    cases = read_cases(cohort / "people.csv", cohort / "photos")
    people = {case.image: (case.disorder, case.subject) for case in cases}
    learnable = [people[image] for image in told["learnable"]]
    assert len(set(learnable)) == 4, "what a model may learn from, to be tested on the others"
    assert {disorder for disorder, _ in learnable} == {*FREQUENT}
    left = {entry["image"]: entry["reason"] for entry in told["left_out"]}
    assert left == {
        "blank.png": "no face was found",
        "PHANTOM-NS-0001/1.png": "no second patient has its disorder",
    }
    again = ganonym("classify", "retrieve", *common, "--json")
    assert again.out == result.out
    shown = ganonym("classify", "retrieve", *common, "--pool", "fused")
    assert shown.code == 0, shown.err
    assert all(word in shown.out for word in ("SIMULATED", "drawn", "top-1", *SETTINGS))
    assert "2 photographs left out" in " ".join(shown.out.split())


def test_a_model_is_not_tested_on_what_it_learned_from(ganonym: Run, cohort: Path, tmp_path: Path) -> None:
    def frequent(disorder: str, subject: str) -> str | None:
        return ("test" if subject.endswith("3") else "train") if disorder in FREQUENT and subject != "nobody" else None

    def all_of(disorder: str, subject: str) -> str | None:
        return (
            f"{'gallery' if subject.endswith('1') else 'test'} 0" if "KBG" in disorder else frequent(disorder, subject)
        )

    def swapped(disorder: str, subject: str) -> str | None:
        return {"train": "test", "test": "train", None: None}[frequent(disorder, subject)]

    images = ("--images", cohort / "photos", "--jobs", 1)
    learned = table(tmp_path / "l.csv", cohort, lambda *who: "train" if frequent(*who) == "train" else None)
    model = tmp_path / "model"
    quick = ("--set", "epochs=1", "--set", "draws=none")
    ended = ganonym("classify", "train", "gestaltmatcher", "--data", learned, "--out", model, *quick, *images)
    assert ended.code == 0, ended.err
    with_model = (*images, "--model", model, "--encodings", tmp_path / "kept.safetensors", "--json")
    good = ganonym("classify", "retrieve", "--data", table(tmp_path / "a.csv", cohort, all_of), *with_model)
    assert good.code == 0, good.err
    told = json.loads(good.out)
    assert told["splits"] == "published"
    assert [encoder["name"] for encoder in told["encoders"]] == ["model"]
    assert {name: setting["test"] for name, setting in told["settings"].items()} == dict(
        zip(SETTINGS, (2, 1, 2, 1), strict=True)
    )
    assert "not unseen" not in good.err
    assert "SIMULATED" in good.err
    bad = table(tmp_path / "b.csv", cohort, swapped)
    refused = ganonym("classify", "retrieve", "--data", bad, *with_model)
    assert refused.code == 2
    assert "learned from 4 of 4 photographs under test" in " ".join(refused.err.split())
    met = table(
        tmp_path / "c.csv", cohort, lambda *who: {"train": "gallery 0", "test": "test 0"}.get(str(frequent(*who)))
    )
    warned = ganonym("classify", "retrieve", "--data", met, *with_model)
    assert [*json.loads(warned.out)["settings"]] == ["R/R"]
    assert "has learned PHANTOM-CONTROL, PHANTOM-WBS: to it R is not unseen" in " ".join(warned.err.split())
    other = tmp_path / "means"
    ended = ganonym("classify", "train", "nearest-mean", "--data", learned, "--out", other, *images)
    assert ended.code == 0, ended.err
    refused = ganonym("classify", "retrieve", "--data", bad, *images, "--model", other)
    assert refused.code == 2
    assert "no vectors" in refused.err


def test_an_answer_written_into_the_picture_is_found(ganonym: Run, cohort: Path, tmp_path: Path) -> None:
    """A network that sees the mean colour and nothing else, and faces that have their disorder's colour."""
    import onnx

    kinds = onnx.TensorProto
    graph = onnx.helper.make_graph(
        [
            onnx.helper.make_node("GlobalAveragePool", ["picture"], ["pooled"]),
            onnx.helper.make_node("Flatten", ["pooled"], ["colour"]),
        ],
        "colour",
        [onnx.helper.make_tensor_value_info("picture", kinds.FLOAT, (1, 3, 112, 112))],
        [onnx.helper.make_tensor_value_info("colour", kinds.FLOAT, None)],
    )
    made = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=9)
    file = tmp_path / "colour.onnx"
    file.write_bytes(made.SerializeToString())
    shares = {"WBS": (0.3, 1.0, 1.0), "KBG": (1.0, 1.0, 0.3), "NS": (0.3, 0.3, 1.0), "CONTROL": (1.0, 0.3, 1.0)}
    for case in read_cases(cohort / "people.csv", cohort / "photos"):
        with Image.open(case.path) as opened:
            bands = opened.convert("RGB").split()
        colour = shares[str(case.disorder).removeprefix("PHANTOM-")]
        tinted = [
            band.point(lambda value, share=share: int(value * share)) for band, share in zip(bands, colour, strict=True)
        ]
        (tmp_path / "photos" / case.image).parent.mkdir(parents=True, exist_ok=True)
        Image.merge("RGB", tinted).save(tmp_path / "photos" / case.image)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    common = ("--data", cohort / "people.csv", "--frequent", 2, "--splits", 2, "--jobs", 1, "--one-view", "--json")
    network = ("--onnx", file, "--onnx-sha256", digest)
    tinted = json.loads(ganonym("classify", "retrieve", *common, *network, "--images", tmp_path / "photos").out)
    assert {setting["top"]["1"]["value"] for setting in tinted["settings"].values() if setting["candidates"] > 1} == {
        1.0
    }
    plain = json.loads(ganonym("classify", "retrieve", *common, *network).out)
    assert plain["settings"]["F/F+R"]["top"]["1"]["value"] < 1
    wrong = ganonym("classify", "retrieve", *common, "--onnx", file, "--onnx-sha256", "0" * 64)
    assert wrong.code == 4
    assert digest in wrong.err


def test_what_cannot_be_is_refused(ganonym: Run, cohort: Path, tmp_path: Path) -> None:
    split = table(tmp_path / "split.csv", cohort, lambda _, who: "test" if who.endswith("1") else "train")
    data = ("--data", split, "--images", cohort / "photos", "--jobs", 1)
    file = verified_path("gestalt")
    for arguments, code, said in (
        (("--encoder", file), 2, "--encoder is given 1 times, --sha256 0 times"),
        (("--onnx-sha256", "0" * 64), 2, "--onnx is given 0 times"),
        (("--encoder", file, "--sha256", "0" * 64), 4, "you gave 0000"),
        (("--model", tmp_path), 4, "no model"),
        (("--pool", "family"), 2, "family"),
        (("--encodings", tmp_path / "none" / "kept"), 2, "Make it first"),
        (("--splits", 3), 2, "the table has its own splits"),
        (("--base", file, "--base-sha256", "0" * 64), 2, "what a model (--model) started from, and no model is given"),
    ):
        ended = ganonym("classify", "retrieve", *data, *arguments)
        assert ended.code == code
        assert said in " ".join(ended.err.split())
