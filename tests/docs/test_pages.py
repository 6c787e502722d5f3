"""What the documentation says can be done, can be done: links lead somewhere, commands and options exist, code runs."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from typer.main import get_command

from ganonym_cli.app import app

ROOT = Path(__file__).resolve().parents[2]
WRITTEN = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
GENERATED = {"index.md", "attacks.md", "adr/index.md"} | {
    f"reference/{name}.md" for name in ("api", "commands", "settings", "manifest", "assessment")
}


def blocks(path: Path, language: str) -> list[str]:
    """The fenced blocks of one language in a Markdown file."""
    return re.findall(rf"^```{language}\n(.*?)^```", path.read_text("utf-8"), re.MULTILINE | re.DOTALL)


def broken(path: Path, text: str) -> list[str]:
    """Relative links that lead nowhere; the pages that the site generates are there."""
    targets = re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", text)
    return [
        target
        for target in targets
        if not (path.parent / target).exists()
        and (path.parent / target).resolve() not in {ROOT / "docs" / name for name in GENERATED}
    ]


@pytest.mark.parametrize("path", WRITTEN, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(path: Path) -> None:
    assert broken(path, path.read_text("utf-8")) == []


def test_a_link_that_leads_nowhere_is_seen() -> None:
    assert broken(ROOT / "README.md", "[a](docs/absent.md) [b](docs/guarantees.md) [c](https://x.org)") == [
        "docs/absent.md"
    ]


def faults(line: str) -> list[str]:
    """What a command line names that the program does not have."""
    words = shlex.split(line, comments=True)[1:]
    command = get_command(app)
    while hasattr(command, "commands"):
        if not words or words[0] not in command.commands:
            return [f"no command {' '.join(words[:1])!r}"]
        command = command.commands[words.pop(0)]
    options = {name for option in command.params for name in (*option.opts, *option.secondary_opts)} | {"--help"}
    return [word for word in words if word.startswith("-") and word not in options]


def command_lines() -> list[tuple[str, str]]:
    return [
        (path.relative_to(ROOT).as_posix(), line.strip())
        for path in WRITTEN
        for block in blocks(path, "")
        for line in block.splitlines()
        if re.match(r"\s*(\.venv/bin/)?ganonym ", line)
    ]


@pytest.mark.parametrize(("page", "line"), command_lines())
def test_commands_exist_with_their_options(page: str, line: str) -> None:
    assert faults(line) == [], page


def test_commands_and_options_that_are_not_there_are_seen() -> None:
    assert faults("ganonym anonymize IN OUT --mechanism k-same --nonsense") == ["--nonsense"]
    assert faults("ganonym classify nonsense") == ["no command 'nonsense'"]
    assert len(command_lines()) > 20


def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path / "site")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    pages = {
        path.relative_to(tmp_path / "site").with_suffix(".md").as_posix()
        for path in (tmp_path / "site").rglob("*.html")
    }
    assert pages >= GENERATED
