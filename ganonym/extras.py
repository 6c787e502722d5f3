"""Optional packages: what needs an extra that is not installed says so by name, before it begins to work."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Literal, TypeAlias

from ganonym.errors import EnvironmentFault

Extra: TypeAlias = Literal["assess", "classify", "fan", "text", "train"]
MODULES: dict[Extra, tuple[str, ...]] = {
    "assess": ("jinja2", "matplotlib", "pandas", "pyarrow"),
    "classify": ("captum", "matplotlib", "pytorch_metric_learning", "timm", "torchvision"),
    "fan": ("face_alignment",),
    "text": ("rapidocr",),
    "train": ("kornia", "lpips", "torchvision"),
}
"""What each extra of pyproject.toml brings, by the names under which it is imported."""


def absent(extra: Extra) -> list[str]:
    """The modules of `extra` that are not installed. Imports nothing."""
    return [name for name in MODULES[extra] if not _is_there(name)]


def require(extra: Extra, purpose: str) -> None:
    """Raises EnvironmentFault unless all packages of `extra` are there; `purpose` begins the sentence: "X needs …".

    Imports nothing.

    >>> require("assess", "an assessment")
    """
    if modules := absent(extra):
        raise EnvironmentFault(
            f"{purpose} needs {', '.join(modules)}, which {'is' if len(modules) == 1 else 'are'} not installed.",
            remedy(extra),
        )


def remedy(extra: Extra) -> str:
    """How to get `extra`."""
    return f"Install the extra: pip install 'ganonym[{extra}]'"


def bringing(module: str | None) -> Extra | None:
    """The extra that brings `module` (of any depth), None where no extra does.

    >>> bringing("pyarrow.parquet"), bringing("numpy")
    ('assess', None)
    """
    top = (module or "").split(".")[0]
    return next((extra for extra, modules in MODULES.items() if top in modules), None)


def _is_there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ImportError:
        return False
