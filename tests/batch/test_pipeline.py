"""Engines and models: what goes wrong with one item is a refusal of that item, in worker processes as in this one."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image
from tiny_pipeline import PIPELINE

from ganonym.batch import baseline, pipeline
from ganonym.batch.audit import audit_release
from ganonym.batch.job import BatchJob
from ganonym.batch.pipeline import Tools, default_pipeline, open_engine
from ganonym.batch.run import run_batch
from ganonym.errors import PhotoError, UsageError
from ganonym.faces.appearance import load_appearance
from ganonym.settings import Settings
from ganonym.types import Refusal
from ganonym.weights import read_manifest

POOL, SERIAL = Settings(jobs=2, timeout=30.0), Settings(engine="serial")


def threads(_tools: Tools, _number: int) -> str | None:
    return os.environ.get("OMP_NUM_THREADS")


def stop_all(_tools: Tools, _number: int) -> int:
    raise UsageError("the request is wrong.")


def fate(_tools: Tools, number: int) -> float:
    if number == 3:
        raise PhotoError("blur", "the photo is blurred.")
    if number == 4:
        raise MemoryError
    return 1 / number


@pytest.mark.parametrize("settings", [POOL, SERIAL])
def test_errors_are_refusals_of_one_item_each(settings: Settings) -> None:
    with open_engine(PIPELINE, settings) as engine:
        results = dict(engine.stream(fate, [1, 0, 2, 3, 4]))
        assert (engine.peak_memory() > 2**20) == (settings is POOL)
    assert results == {
        1: 1.0,
        0: Refusal("internal", "ZeroDivisionError: division by zero"),
        2: 0.5,
        3: Refusal("blur", "the photo is blurred."),
        4: Refusal("memory", "not enough memory for this photo"),
    }


@pytest.mark.parametrize("settings", [POOL, SERIAL])
def test_an_error_of_the_request_ends_the_stream(settings: Settings) -> None:
    with open_engine(PIPELINE, settings) as engine, pytest.raises(UsageError, match="the request is wrong"):
        list(engine.stream(stop_all, range(3)))


def test_workers_share_the_cores() -> None:
    with open_engine(PIPELINE, POOL) as engine:
        assert [value for _, value in engine.stream(threads, range(2))] == [str(POOL.threads)] * 2


Contents = Callable[[Path], dict[str, bytes]]


def test_real_photos_in_workers_and_in_this_process_give_the_same_clean_faces(
    london_folder: Path, key_file: Path, tmp_path: Path, contents: Contents
) -> None:
    (tmp_path / "in").mkdir()
    for path in sorted(london_folder.glob("*_neutral.jpg"))[:4]:
        shutil.copy(path, tmp_path / "in")
    (tmp_path / "in" / "cut.jpg").write_bytes(path.read_bytes()[:3000])
    Image.fromarray(np.full((300, 300, 3), 90, np.uint8)).save(tmp_path / "in" / "grey.png")
    results = [
        run_batch(BatchJob(tmp_path / "in", tmp_path / engine, Settings(engine=engine, jobs=2, k=2), key_file=key_file))
        for engine in ("processes", "serial")
    ]
    assert contents(tmp_path / "processes") == contents(tmp_path / "serial")
    assert [result.anonymized for result in results] == [4, 4]
    assert results[0].reasons == {"no-face": 1, "truncated": 1}
    assert audit_release(tmp_path / "processes").problems == ()


def test_main_process_needs_no_torch_and_gets_the_same_shape_model() -> None:
    model = default_pipeline().load_shape_model()
    whole = load_appearance().shape
    for name in (
        "mean",
        "identity_basis",
        "identity_sd",
        "expression_functionals",
        "expression_patterns",
        "expression_sd",
    ):
        np.testing.assert_array_equal(getattr(model, name), getattr(whole, name))
    code = (
        "import sys, ganonym.batch.run; from ganonym.batch.pipeline import default_pipeline as make\n"
        "from ganonym.settings import Settings\n"
        "make().load_shape_model(); make().weights_digest(Settings()); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("name", ["blazeface_short", "blazeface_full", "face_mesh", "mesh_offset"])
@pytest.mark.parametrize("module", [pipeline, baseline])
def test_digests_of_weights_name_what_finds_faces(
    module: ModuleType, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other weights under the same name make another digest, with which no run is resumed."""
    digest = default_pipeline().weights_digest if module is pipeline else baseline.baseline_pipeline().weights_digest
    before, entries = digest(Settings()), read_manifest()
    monkeypatch.setattr(module, "read_manifest", lambda: entries | {name: replace(entries[name], sha256="0" * 64)})
    assert digest(Settings()) != before
