"""Runs a batch over and over, killing it before its 1st, 2nd, 3rd … step on the disk, then lets it resume.

Usage: killer.py SOURCE BASE KEY [OLD]. Run n works in BASE/n; with OLD, a finished release, in a copy of it, which it
is told to replace. Prints one JSON object a run: how many steps it survived, the SHA-256 of every file that stood in
OUT at that moment, hidden partial files apart, and the ledger.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from tiny_pipeline import PIPELINE

from ganonym.batch.job import BatchJob
from ganonym.batch.run import run_batch
from ganonym.settings import Settings

SETTINGS = Settings(engine="serial", k=3)
STEPS = ("open", "write", "fsync", "replace", "unlink", "mkdir", "rmdir", "ftruncate")


def arm(limit: int) -> None:
    """From now on this process kills itself at its step number `limit`; a write is then left half done."""
    taken = 0

    def armed(name: str, real: Any) -> Any:
        def step(*arguments: Any, **options: Any) -> Any:
            nonlocal taken
            taken += 1
            if taken == limit:
                if name == "write":
                    real(arguments[0], bytes(arguments[1])[: len(arguments[1]) // 2])
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*arguments, **options)

        return step

    for name in STEPS:
        setattr(os, name, armed(name, getattr(os, name)))


def run(source: Path, out: Path, key: Path, limit: int | None, settings: Settings) -> bool:
    """Whether the run, in a process of its own, came to its end."""
    process = os.fork()
    if process == 0:
        if limit is not None:
            arm(limit)
        run_batch(BatchJob(source, out, settings, key_file=key), PIPELINE)
        os._exit(0)
    _, status = os.waitpid(process, 0)
    if os.WIFSIGNALED(status):
        return False
    assert os.waitstatus_to_exitcode(status) == 0
    return True


def killed(source: Path, base: Path, key: Path, *old: Path) -> list[dict[str, Any]]:
    """What this script tells of its runs."""
    command = [sys.executable, __file__, source, base, key, *old]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=240, env=environment)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def digests(files: dict[str, bytes]) -> dict[str, str]:
    """SHA-256 of what is below images/."""
    prefix = "images/"
    return {
        name.removeprefix(prefix): hashlib.sha256(data).hexdigest()
        for name, data in files.items()
        if name.startswith(prefix)
    }


def main(source: Path, base: Path, key: Path, old: Path | None = None) -> None:
    settings = SETTINGS if old is None else SETTINGS.changed(k=2, seed=1, link="subject", resume=False)
    run_batch(BatchJob(source, base / "warm", settings, key_file=key), PIPELINE)  # so that no fork imports anything
    limit, ended = 0, False
    while not ended:
        limit += 1
        out = base / str(limit)
        if old is not None:
            shutil.copytree(old, out)
        ended = run(source, out, key, limit, settings)
        files = [path for path in sorted(out.rglob("[!.]*")) if path.is_file()]
        held = {path.relative_to(out).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
        ledger = out / "private/ledger.jsonl"
        before = ledger.read_bytes().decode(errors="replace") if ledger.exists() else ""
        if old is not None:
            shutil.copytree(out, base / f"{limit}-killed")
        assert run(source, out, key, None, settings)
        print(json.dumps({"limit": limit, "ended": ended, "held": held, "ledger": before}))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
