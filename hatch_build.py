"""Build hook: wheel and sdist carry exactly the weights that checkpoints/manifest.toml names, digests checked."""

from __future__ import annotations

import hashlib
import tomllib
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class WeightsHook(BuildHookInterface):  # type: ignore[type-arg]
    """Add manifest, weights and cards one file at a time: a directory would bring along whatever lies in it."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        folder = Path(self.root) / "checkpoints"
        manifest = folder / "manifest.toml"
        if version == "editable" or not manifest.is_file():
            return
        files = [manifest, *sorted(folder.rglob("*.md"))]
        for name, row in tomllib.loads(manifest.read_text("utf-8")).items():
            weights = folder / row["file"]
            if hashlib.sha256(weights.read_bytes()).hexdigest() != row["sha256"]:
                raise ValueError(f"{weights} does not match its digest in {manifest}: ganonym weights accept {name}")
            files.append(weights)
        target = "ganonym/checkpoints" if self.target_name == "wheel" else "checkpoints"
        for path in files:
            build_data["force_include"][str(path)] = f"{target}/{path.relative_to(folder).as_posix()}"
