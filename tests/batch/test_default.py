"""The batch with ganonym's own models on real photographs."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from ganonym.batch.audit import audit_release
from ganonym.batch.job import BatchJob
from ganonym.batch.pipeline import default_pipeline
from ganonym.batch.run import run_batch
from ganonym.faces.appearance import load_appearance
from ganonym.settings import Settings

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
    for name in ("mean", "identity_basis", "identity_sd", "expression_basis", "expression_sd"):
        np.testing.assert_array_equal(getattr(model, name), getattr(whole, name))
    code = (
        "import sys, ganonym.batch.run; from ganonym.batch.pipeline import default_pipeline as make\n"
        "from ganonym.settings import Settings\n"
        "make().load_shape_model(); make().weights_digest(Settings()); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
