"""A whole run: every photo comes out treated or in quarantine, clean, keyed, the same each time."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from PIL import Image

from ganonym.baselines.made_faces import align_face
from ganonym.baselines.methods import BaselineSettings, Method
from ganonym.baselines.treat import Treatment, aligned, treat
from ganonym.batch.audit import audit_release
from ganonym.batch.job import BatchJob
from ganonym.batch.run import RunResult, run_batch
from ganonym.errors import PhotoError, UsageError
from ganonym.faces.appearance import AppearanceModel
from ganonym.faces.find import default_backends, find_faces
from ganonym.phantom.cohort import PhantomPhoto
from ganonym.photos.encode import png_size
from ganonym.types import RGB
from ganonym.weights import sha256_file

Go = Callable[..., RunResult]


@pytest.fixture(scope="module")
def folder(people: list[PhantomPhoto], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two people, one of whom lies on the side in the file and upright by EXIF; a wall, and no picture at all."""
    root = tmp_path_factory.mktemp("photos")
    (root / "Müller Anna").mkdir()
    Image.fromarray(people[0].rgb).save(root / "Müller Anna" / "1.png")
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by a quarter, clockwise
    exif[0x010E] = "patient 4711"
    wide = np.pad(people[1].rgb, ((0, 0), (0, 60), (0, 0)), mode="edge")
    Image.fromarray(np.ascontiguousarray(np.rot90(wide))).save(root / "lying.jpg", quality=95, exif=exif)
    wall = np.random.default_rng(0).integers(90, 110, (120, 160, 3), dtype=np.uint8)
    Image.fromarray(wall).save(root / "wall.png")
    (root / "junk.jpg").write_text("nothing")
    return root


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("key") / "key"
    path.write_bytes(bytes(range(32)))
    path.chmod(0o600)
    return path


@pytest.fixture
def go(folder: Path, key: Path) -> Go:
    def run(
        out: Path, method: Method, source: Path = folder, manifest: Path | None = None, **more: object
    ) -> RunResult:
        settings = BaselineSettings(method=method, engine="serial", **more)  # type: ignore[arg-type]
        return run_batch(BatchJob(source, out, settings, manifest=manifest, key_file=key))

    return run


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def outputs(out: Path) -> dict[str, Path]:
    return {row["source"]: out / row["output"] for row in rows(out / "private" / "keymap.csv")}


def pixels(path: Path) -> RGB:
    with Image.open(path) as picture:
        return np.asarray(picture)


@pytest.mark.parametrize("method", get_args(Method))
def test_treated_or_in_quarantine(go: Go, folder: Path, tmp_path: Path, method: Method) -> None:
    out = tmp_path / "out"
    more = {"k": 2} if method == "k-same-pixel" else {}
    result = go(out, method, **more)
    assert (result.anonymized, result.skipped, result.quarantined, result.exit_code) == (2, 0, 2, 1)
    assert result.reasons == {"no-face": 1, "unsupported": 1}
    withheld = {row["source"]: row["reason"] for row in rows(out / "private" / "quarantine.csv")}
    assert withheld == {"wall.png": "no-face", "junk.jpg": "unsupported"}
    outcome = outputs(out)
    assert set(outcome) == {"Müller Anna/1.png", "lying.jpg"}
    assert {path for path in (out / "images").rglob("*") if path.is_file()} == set(outcome.values())
    whole = method in {"blur", "pixelate", "blackout", "eyebar"}
    assert pixels(outcome["Müller Anna/1.png"]).shape == ((480, 480, 3) if whole else (256, 256, 3))
    assert pixels(outcome["lying.jpg"]).shape == ((480, 540, 3) if whole else (256, 256, 3))  # turned as EXIF says
    for path in outcome.values():
        png_size(path.read_bytes())  # refuses every chunk but IHDR, IDAT and IEND
        with Image.open(path) as picture:
            assert picture.info == {}
    assert audit_release(out).problems == ()
    shared = (out / "manifest.csv").read_text() + (out / "REPORT.md").read_text()
    assert "gives no guarantee" in shared
    assert not any(name in shared for name in ("Müller", "lying", "4711"))
    assert {row["image"] for row in rows(out / "manifest.csv")} == {
        f"images/{p.relative_to(out / 'images').as_posix()}" for p in outcome.values()
    }
    assert (out / "private").stat().st_mode & 0o077 == 0


def test_the_same_bytes_again_resumed_or_anew(go: Go, tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    go(first, "blur")
    go(second, "blur")
    kept = {path.relative_to(first): path.read_bytes() for path in first.rglob("*") if path.is_file()}
    assert kept == {path.relative_to(second): path.read_bytes() for path in second.rglob("*") if path.is_file()}
    lost = next(iter(outputs(second).values()))
    lost.unlink()
    again = go(second, "blur")
    assert (again.anonymized, again.skipped, again.quarantined) == (1, 1, 2)
    assert lost.read_bytes() == kept[lost.relative_to(second)]
    with pytest.raises(UsageError, match="other settings"):
        go(second, "blur", strength=2.0)
    assert go(second, "blackout", resume=False).anonymized == 2


def test_k_same_averages_people_within_a_label(
    go: Go, people: list[PhantomPhoto], model: AppearanceModel, tmp_path: Path
) -> None:
    """Ann has two photos, Bea one, and Cy alone has his label."""
    source, table = tmp_path / "in", tmp_path / "people.csv"
    source.mkdir()
    for name, photo in zip(("ann-1", "ann-2", "bea", "cy"), people, strict=True):
        Image.fromarray(photo.rgb).save(source / f"{name}.png")
    table.write_text("image,subject,syndrome\nann-1.png,Ann,X\nann-2.png,Ann,X\nbea.png,Bea,X\ncy.png,Cy,Y\n")
    out = tmp_path / "out"
    result = go(out, "k-same-pixel", source, table, k=2)
    assert result.reasons == {"small-class": 1}
    results = {name: pixels(path) for name, path in outputs(out).items()}
    assert set(results) == {"ann-1.png", "ann-2.png", "bea.png"}
    aligned = [
        align_face(person.rgb, find_faces(person.rgb, *default_backends())[0].points, model.shape.mean)
        for person in people[:3]
    ]
    ann = np.round(np.mean(aligned[:2], axis=0))
    mean = np.round((ann + aligned[2]) / 2)
    for picture in results.values():
        np.testing.assert_array_equal(picture, mean)
    assert {row["syndrome"] for row in rows(out / "manifest.csv")} == {"X"}
    assert go(out, "k-same-pixel", source, table, k=2).skipped == 3


def test_k_same_needs_k_people(go: Go, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="k = 11"):
        go(tmp_path / "out", "k-same-pixel")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "wrong",
    [
        {"strength": 1.0},
        {"k": 3},
        {"method": "blur", "strength": 0.0},
        {"method": "blur", "strength": float("nan")},
        {"method": "smear"},
    ],
)
def test_options_without_effect_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        BaselineSettings(**({"method": "eyebar"} | wrong))  # type: ignore[arg-type]


def test_groups_stay_as_they_were(go: Go, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Means of other groups of the same people could be subtracted from those that are there."""
    out = tmp_path / "out"
    go(out, "k-same-pixel", k=2)

    def fail(treatment: Treatment) -> RGB:
        raise PhotoError("timeout", "too slow this time")

    monkeypatch.setattr("ganonym.batch.baseline.aligned", fail)
    with pytest.raises(UsageError, match="no longer give the faces"):
        go(out, "k-same-pixel", k=2)


def test_a_photo_that_changes_meanwhile_is_withheld(folder: Path) -> None:
    treatment = Treatment(folder, "Müller Anna/1.png", "0" * 64, BaselineSettings(method="blur"), 40.0, 40.0)
    with pytest.raises(PhotoError) as refused:
        treat(treatment)
    assert refused.value.reason == "changed"


@pytest.mark.parametrize(("smallest", "largest_yaw", "reason"), [(400.0, 40.0, "tiny"), (40.0, 0.0, "profile")])
def test_bounds_of_methods_that_make_faces(folder: Path, smallest: float, largest_yaw: float, reason: str) -> None:
    for method, work in (("composite", treat), ("k-same-pixel", aligned)):
        settings = BaselineSettings(method=method)  # type: ignore[arg-type]
        with pytest.raises(PhotoError) as refused:
            work(Treatment(folder, "Müller Anna/1.png", digest(folder), settings, smallest, largest_yaw))  # type: ignore[operator]
        assert refused.value.reason == reason
    blur = BaselineSettings(method="blur")
    assert treat(Treatment(folder, "Müller Anna/1.png", digest(folder), blur, smallest, largest_yaw))[1] == 1


def digest(folder: Path) -> str:
    return sha256_file(folder / "Müller Anna" / "1.png")
