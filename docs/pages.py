"""Pages of the site that are written from the code itself: what is told twice is told wrong once.

An mkdocs hook: `on_files` adds them to what lies in docs/. `pages()` is all of them, for the tests.
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_type_hints

ROOT = Path(__file__).resolve().parent.parent


def on_files(files: Any, config: Any) -> Any:
    """Add the generated pages (called by mkdocs)."""
    from mkdocs.structure.files import File

    for name, text in pages().items():
        files.append(File.generated(config, name, content=text))
    return files


def pages() -> dict[str, str]:
    """Path below docs/ → Markdown, of every generated page."""
    return {
        "index.md": home(),
        "reference/api.md": api(),
        "reference/commands.md": commands(),
        "reference/settings.md": settings(),
        "reference/manifest.md": manifest(),
        "reference/assessment.md": assessment(),
        "attacks.md": attacks(),
        "adr/index.md": decisions(),
        **{f"notebooks/{path.stem}.md": notebook(path) for path in sorted((ROOT / "docs/notebooks").glob("*.ipynb"))},
    }


def home() -> str:
    """The README, its links made relative to docs/."""
    text = (ROOT / "README.md").read_text("utf-8")
    text = text.replace("(docs/adr/)", "(adr/index.md)").replace("](docs/", "](")
    return re.sub(r"\]\(((?:CHANGELOG|CONTRIBUTING)\.md)\)", r"](\1)", text)


def api() -> str:
    """Every public name, for mkdocstrings to tell."""
    import ganonym

    names = [name for name in ganonym.__all__ if not name.startswith("_")]
    parts = [f"::: ganonym.{name}\n" if name != "errors" else "::: ganonym.errors\n" for name in names]
    return "# Python\n\n" + (inspect.getdoc(ganonym) or "") + "\n\n" + "\n".join([*parts, "::: ganonym.transforms\n"])


def commands() -> str:
    """Every command with its arguments and options, as the program itself tells them."""
    from typer.main import get_command

    from ganonym_cli.app import app

    lines = ["# Commands", "", "What `--help` says, in one place. `--json` and `--quiet` work everywhere."]
    for path, command in _walk(get_command(app), ("ganonym",)):
        lines += ["", f"## {' '.join(path)}", "", inspect.cleandoc(command.help or ""), ""]
        rows = [_option(option) for option in command.params if option.name != "help"]
        if rows:
            lines += ["| option | what | default |", "|---|---|---|", *rows]
    return "\n".join(lines) + "\n"


def settings() -> str:
    """The settings of a run, from their model."""
    from ganonym import Settings

    head = (
        "What a steward decides. Defaults < `--profile` < TOML file < command line; `ganonym config show` tells which."
    )
    rows = [
        f"| `{name}` | {_cell(_kind(field.annotation))} | {_default(field)} | {_cell(field.description or '')} |"
        for name, field in Settings.model_fields.items()
    ]
    return "\n".join(
        ["# Settings", "", head, "", "| setting | values | default | what |", "|---|---|---|---|", *rows, ""]
    )


def manifest() -> str:
    """The columns of the manifest, from its model."""
    from ganonym.batch.report import SHARED
    from ganonym.manifest import REQUIRED, Row

    head = (
        "A CSV, one row a photograph, as Excel, LibreOffice, SPSS or Windows write it (comma, semicolon or tab; UTF-8 "
        "or UTF-16). Paths are relative to the folder of photographs. Other columns are named and ignored."
    )
    rows = []
    for name, hint in get_type_hints(Row, include_extras=True).items():
        needed = "yes" if name in REQUIRED else ""
        rows.append(f"| `{name}` | {needed} | {_cell(hint.__metadata__[0])} |")
    lines = ["# Manifest", "", head, "", "| column | needed | what |", "|---|---|---|", *rows]
    shared = [f"| `{name}` | {_cell(words)} |" for name, words in SHARED.items()]
    lines += ["", "## What leaves: OUT/manifest.csv", "", "A row an output, ordered by names that tell nothing."]
    lines += ["", "| column | what |", "|---|---|", *shared]
    return "\n".join(lines) + "\n"


def assessment() -> str:
    """The schema of assessment.json, from its models."""
    from ganonym import Assessment

    schema = Assessment.model_json_schema()
    version = schema["properties"]["schema_version"]["default"]
    lines = [
        "# assessment.json",
        "",
        f"Schema version {version}. Written by `ganonym assess` and `Assessment.save`; every rate is over subjects.",
        *_object("Assessment", schema),
    ]
    for name, part in sorted(schema["$defs"].items()):
        lines += _object(name, part)
    return "\n".join(lines) + "\n"


def attacks() -> str:
    """Every attacker of the suite, with what it carries."""
    from ganonym.evaluate.attackers import contrastive, informed
    from ganonym.evaluate.attackers.attacker import approach_of
    from ganonym.evaluate.protocol import SETTINGS
    from ganonym.evaluate.report.wording import TIERS
    from ganonym.evaluate.suite import suite

    head = "Every attacker that an assessment runs, cheapest first. Each is one file in `ganonym/evaluate/attackers`."
    rows = []
    for attacker in suite():
        approach = approach_of(attacker)
        where = "all" if approach.settings == SETTINGS else ", ".join(approach.settings)
        rows.append(f"| {attacker.name} | {_cell(approach.words)} | {TIERS[approach.tier]} | {where} |")
    table = ["| attacker | what it looks at | tier | settings |", "|---|---|---|---|", *rows]
    told = [part for module in (informed, contrastive) for part in ("", inspect.getdoc(module) or "")]
    return "\n".join(["# Attack gallery", "", head, "", *table, *told, ""])


def decisions() -> str:
    """All decisions, by number."""
    found = sorted((ROOT / "docs/adr").glob("[0-9]*.md"))
    rows = [f"- [{path.read_text('utf-8').splitlines()[0].lstrip('# ')}]({path.name})" for path in found]
    return "\n".join(["# Decisions", "", "Half a page each: what was decided, why, and its price.", "", *rows, ""])


def notebook(path: Path) -> str:
    """A notebook as a page: its text, its code, and what the code printed."""
    parts = []
    for cell in json.loads(path.read_text("utf-8"))["cells"]:
        source = "".join(cell["source"])
        parts.append(source if cell["cell_type"] == "markdown" else f"```python\n{source}\n```")
        for output in cell.get("outputs", []):
            text = "".join(output.get("text", output.get("data", {}).get("text/plain", [])))
            parts += [f"```text\n{text.rstrip()}\n```"] * bool(text)
    return "\n\n".join(parts) + "\n"


def _walk(command: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    if hasattr(command, "commands"):
        for name, part in command.commands.items():
            yield from _walk(part, (*path, name))
    else:
        yield path, command


def _option(option: Any) -> str:
    names = (
        ", ".join(f"`{name}`" for name in (*option.opts, *option.secondary_opts))
        if option.param_type_name == "option"
        else f"**{option.metavar or option.name}**"
    )
    default = option.show_default if isinstance(option.show_default, str) else option.default
    shown = "" if default in (None, False, ()) or isinstance(default, Callable) else f"`{default}`"
    return f"| {names} | {_cell(getattr(option, 'help', '') or '')} | {shown} |"


def _object(name: str, schema: dict[str, Any]) -> list[str]:
    rows = [f"| `{key}` | {_cell(_schema_kind(part))} |" for key, part in schema.get("properties", {}).items()]
    text = inspect.cleandoc(schema.get("description", ""))
    return ["", f"## {name}", "", text, "", *(["| key | kind |", "|---|---|", *rows] if rows else [])]


def _schema_kind(part: dict[str, Any]) -> str:
    if "$ref" in part:
        name = part["$ref"].rsplit("/", 1)[1]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in part:
        return " or ".join(_schema_kind(option) for option in part["anyOf"])
    if "enum" in part:
        return ", ".join(f"`{value}`" for value in part["enum"])
    if part.get("type") == "array":
        return f"list of {_schema_kind(part['items'])}" if "items" in part else "list"
    return str(part.get("type", "any"))


def _default(field: Any) -> str:
    if field.default_factory is not None:
        return str(field.json_schema_extra["shown"])
    plain = field.default.model_dump() if hasattr(field.default, "model_dump") else field.default
    return f"`{json.dumps(plain, default=list)}`"


def _kind(annotation: Any) -> str:
    text = re.sub(r"(typing|ganonym[\w.]*)\.", "", str(annotation))
    return re.sub(r"<class '(\w+)'>", r"\1", text)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
