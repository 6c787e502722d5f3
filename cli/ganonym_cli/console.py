"""Where words go: results on stdout, everything else on stderr; with --json one object on stdout and nothing more."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rich.console import Console, RenderableType

if TYPE_CHECKING:
    from rich.progress import Progress, Task, TaskID
    from rich.text import Text

Advance = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Output:
    """What one command may print. `as_json` and `quiet` are the flags of the command line."""

    as_json: bool = False
    quiet: bool = False

    def note(self, text: RenderableType) -> None:
        """A remark for the person at the terminal (stderr); silent with --quiet."""
        if not self.quiet:
            Console(stderr=True, highlight=False, markup=False).print(text)

    def warn(self, text: str) -> None:
        """What must be seen (stderr), with --quiet too."""
        Console(stderr=True, highlight=False, markup=False).print(text)

    def result(self, payload: dict[str, Any], *tables: RenderableType) -> None:
        """The outcome: `payload` as JSON with --json, else `tables` on stdout unless --quiet."""
        if self.as_json:
            print(json.dumps(payload, ensure_ascii=False, allow_nan=False))
        elif not self.quiet:
            console = Console(highlight=False, markup=False)
            for table in tables:
                console.print(table)

    @contextmanager
    def progress(self) -> Iterator[Advance]:
        """One bar a phase on stderr, with rate and time left; to be told (phase, done, total), or by `report`."""
        from ganonym.classify.progress import heard

        with _bars(hidden=self.quiet) as bars:
            tasks: dict[str, TaskID] = {}

            def advance(phase: str, done: int, total: int) -> None:
                if phase not in tasks:
                    tasks[phase] = bars.add_task(phase, total=total)
                elif done < bars.tasks[tasks[phase]].completed:  # the next fold's, at a speed of its own
                    bars.reset(tasks[phase], total=total)
                bars.update(tasks[phase], completed=done, total=total)

            with heard(advance):
                yield advance


def _bars(hidden: bool) -> Progress:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, TextColumn, TimeRemainingColumn
    from rich.text import Text

    class Rate(ProgressColumn):
        def render(self, task: Task) -> Text:
            speed = task.finished_speed or task.speed
            return Text("" if speed is None else f"{speed:.1f}/s")

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        Rate(),
        TimeRemainingColumn(elapsed_when_finished=True),
        console=Console(stderr=True, quiet=hidden),  # rich before 14 ends a hidden bar by an empty line
        disable=hidden,
    )
