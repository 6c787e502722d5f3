"""How long `ganonym --help` computes, beside Python that imports typer and rich only: `python benchmarks/start_up.py`.

Processor time of fresh processes with compiled bytecode, the least of --rounds, one after the other in turns.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile

COMMANDS = {
    "ganonym --help": [sys.executable, "-m", "ganonym_cli", "--help"],
    "typer and rich": [sys.executable, "-c", "import typer, rich.console, rich.table"],
}


def processor_seconds(command: list[str], compiled: str) -> float:
    environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": compiled}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, env=environment)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=8)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as compiled:
        turns = [
            {name: processor_seconds(command, compiled) for name, command in COMMANDS.items()} for _ in range(rounds)
        ]
    ours, theirs = (min(turn[name] for turn in turns) for name in COMMANDS)
    print(f"ganonym --help {1000 * ours:.0f} ms, typer and rich {1000 * theirs:.0f} ms: {ours / theirs:.2f} times")


if __name__ == "__main__":
    main()
