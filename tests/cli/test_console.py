"""Streams: results on stdout, remarks and bars on stderr, silence with --quiet.

Standard output closed, full or unread; Ctrl-C; a system without POSIX: real processes, real signals.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ganonym.batch.audit import audit_release
from ganonym.batch.lock import refuse_locked
from ganonym.classify.progress import report
from ganonym.phantom.cohort import cohort_of
from ganonym.phantom.write import write_cohort
from ganonym_cli.console import Output


def test_json_is_one_object_on_stdout_and_remarks_go_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    output = Output(as_json=True)
    output.note("working [1/2]")
    with output.progress() as advance:
        advance("looking", 1, 2)
        advance("looking", 2, 2)
    output.result({"name": "Zoë", "rate": 0.5}, "a table")
    captured = capsys.readouterr()
    assert json.loads(captured.out) == {"name": "Zoë", "rate": 0.5}
    assert "working [1/2]" in captured.err
    assert "looking" in captured.err
    assert "2/2" in captured.err


def test_a_phase_that_is_entered_again_starts_anew_and_reports_from_within_are_shown(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with Output().progress():
        report("fit", 5, 5)
        report("fit", 1, 5)  # of the next fold
    told = capsys.readouterr().err
    assert "1/5" in told
    assert "-:--:--" in told, "nobody knows yet how long it will take: it is not finished"
    report("fit", 2, 5)
    assert capsys.readouterr().err == ""


def test_without_json_the_tables_go_to_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    Output().result({"hidden": 1}, "first", "[second]")
    assert capsys.readouterr().out.split() == ["first", "[second]"]


def test_quiet_prints_nothing_but_json_that_was_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    output = Output(quiet=True)
    output.note("remark")
    with output.progress() as advance:
        advance("looking", 1, 1)
    output.result({}, "table")
    captured = capsys.readouterr()
    assert captured.out + captured.err == ""
    Output(as_json=True, quiet=True).result({"a": 1}, "table")
    assert json.loads(capsys.readouterr().out) == {"a": 1}


def test_numbers_that_json_lacks_are_refused() -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        Output(as_json=True).result({"rate": float("nan")})


Run = Callable[..., "Ended"]  # noqa: F821  # of conftest.py
GANONYM = [sys.executable, "-m", "ganonym_cli"]
COMMANDS = [["weights", "list"], ["weights", "list", "--json"], ["weights", "accept", "--json"]]


def shell(line: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`line` in a shell, where "$@" is ganonym with `arguments`."""
    return subprocess.run(
        ["bash", "-c", line, "bash", *GANONYM, *arguments], capture_output=True, text=True, timeout=60
    )


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('"$@" > /dev/full', "No space left on device"),
        ('PYTHONUNBUFFERED=1 "$@" > /dev/full', "No space left on device"),
        ('"$@" >&-', "standard output is closed"),
        ('"$@" > >(exec true)', "Broken pipe"),
    ],
    ids=["full", "unbuffered", "closed", "unread"],
)
def test_a_result_that_cannot_be_told_is_an_environment_fault(line: str, words: str, arguments: list[str]) -> None:
    done = shell(line + '; echo "code $?" >&2', *arguments)
    code = 2 if "accept" in arguments and ">&-" not in line else 4  # what was wrong before keeps its code
    assert f"code {code}\n" in done.stderr
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr


@pytest.mark.parametrize("line", ['"$@" 2>&-', '"$@" 2> /dev/full', '"$@" <&-'])
def test_without_standard_error_or_input_results_are_as_ever(line: str, tmp_path: Path) -> None:
    for arguments, code in ((["weights", "list", "--json"], 0), (["verify", str(tmp_path), "--json"], 2)):
        done = shell(line, *arguments)
        assert done.returncode == code
        assert isinstance(json.loads(done.stdout), dict)


def test_a_closed_descriptor_never_becomes_one_of_our_files(tmp_path: Path) -> None:
    """Else what is printed would end in a ledger."""
    code = "import os, sys; from ganonym_cli.app import main\ntry: main(['weights', 'list'])\nexcept SystemExit: pass\n"
    code += f"number = os.open({str(tmp_path / 'ledger')!r}, os.O_CREAT | os.O_WRONLY); os._exit(number)"
    done = subprocess.run(["bash", "-c", '"$@" <&- >&- 2>&-', "bash", sys.executable, "-c", code])
    assert done.returncode > 2


@pytest.mark.parametrize("module", ["fcntl", "resource"])
def test_a_system_without_posix_is_told_so(module: str) -> None:
    code = f"import sys; sys.modules[{module!r}] = None\nfrom ganonym_cli.app import main; main(['doctor', '--json'])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 4
    assert json.loads(done.stdout)["exit_code"] == 4
    assert "POSIX" in done.stderr
    assert "WSL" in done.stderr
    assert "Traceback" not in done.stderr


def test_interruption_says_what_resumes_only_where_it_does(ganonym: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    def remedy(*arguments: str) -> str:
        ended = ganonym(*arguments, "--json")
        assert ended.code == 130
        told = json.loads(ended.out)["remedy"]
        assert f"ganonym: interrupted. {told}\n" in ended.err
        return str(told)

    monkeypatch.setattr("ganonym.batch.inventory.check_folders", interrupted)
    assert remedy("anonymize", "a", "b") == "The same command resumes."
    assert remedy("baseline", "blur", "a", "b") == "The same command resumes."
    assert "an earlier one stays as it is" in remedy("anonymize", "a", "b", "--no-resume")
    assert "Nothing was written" in remedy("anonymize", "a", "b", "--dry-run")
    monkeypatch.setattr("ganonym.weights.read_manifest", interrupted)
    assert "does not resume" in remedy("weights", "list")


def test_ctrl_c_ends_workers_frees_the_lock_and_the_same_command_resumes(ganonym: Run, tmp_path: Path) -> None:
    """As a terminal sends it: to every process of the group."""
    write_cohort(tmp_path / "photos", cohort_of(32, 1, 3), 1, lambda *_: None)
    out = tmp_path / "out"
    command = ["anonymize", str(tmp_path / "photos"), str(out), "-k", "3", "--json"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    # Whoever runs these tests in the background may have SIGINT ignored, and children inherit that.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    process = subprocess.Popen(
        [*GANONYM, *command, "--jobs", "2"], stdout=-1, stderr=-1, text=True, env=environment, start_new_session=True
    )
    signal.signal(signal.SIGINT, before)
    deadline = time.monotonic() + 120
    analysis = out / "private/analysis.jsonl"
    while not analysis.exists() or not analysis.stat().st_size or len(members(process.pid)) < 4:
        assert time.monotonic() < deadline, "two workers and their tracker have started, and found a face"
        assert process.poll() is None
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)
    told, said = process.communicate(timeout=60)
    assert process.returncode == 130, (told, said)
    assert json.loads(told) == {"exit_code": 130, "error": "interrupted.", "remedy": "The same command resumes."}
    assert said.endswith("ganonym: interrupted. The same command resumes.\n")
    assert "Traceback" not in said
    while members(process.pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert members(process.pid) == []
    refuse_locked(out / "private/lock")
    assert audit_release(out).problems == ("ledger: not closed: the run was interrupted, or its end was cut off",)
    assert ganonym(*command, "--jobs", 1).code in (0, 1)
    assert audit_release(out).problems == ()


def members(session: int) -> list[int]:
    """Living processes of a session."""
    results = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == session and fields[0] not in "ZX":
            results.append(int(path.parent.name))
    return results
