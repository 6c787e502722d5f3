"""Options that `match` and `retrieve` share: the encoders of an ensemble, and where their encodings are kept."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from ganonym_cli.console import Output
from ganonym_cli.device import device_of

if TYPE_CHECKING:
    from ganonym.classify.model_folder import Model
    from ganonym.classify.retrieval.gallery import Ensemble, Looked
    from ganonym.classify.system import Arrays

_PANEL = "Encoders (several: an ensemble, by the mean of their cosine distances)"
Models = Annotated[
    list[Path] | None,
    typer.Option(
        "--model", help="A trained gestaltmatcher or margin model.", show_default=False, rich_help_panel=_PANEL
    ),
]
Encoders = Annotated[
    list[Path] | None,
    typer.Option(
        "--encoder", help="An iResNet as it is (safetensors).", show_default="the bundled one", rich_help_panel=_PANEL
    ),
]
Digests = Annotated[
    list[str] | None,
    typer.Option("--sha256", help="Digest of each --encoder.", show_default=False, rich_help_panel=_PANEL),
]
Onnx = Annotated[
    list[Path] | None,
    typer.Option("--onnx", help="A recognizer of aligned faces (ONNX).", show_default=False, rich_help_panel=_PANEL),
]
OnnxDigests = Annotated[
    list[str] | None,
    typer.Option("--onnx-sha256", help="Digest of each --onnx.", show_default=False, rich_help_panel=_PANEL),
]
Bases = Annotated[
    list[Path] | None,
    typer.Option(
        "--base",
        help="An iResNet that a --model started from; takes no other part.",
        show_default="the bundled one, or an --encoder",
        rich_help_panel=_PANEL,
    ),
]
BaseDigests = Annotated[
    list[str] | None,
    typer.Option("--base-sha256", help="Digest of each --base.", show_default=False, rich_help_panel=_PANEL),
]
Views = Annotated[
    bool,
    typer.Option("--views/--one-view", help="Mirrored and grey too, four views; or as it is.", rich_help_panel=_PANEL),
]
Kept = Annotated[
    Path | None,
    typer.Option(
        "--encodings",
        help="Keep the encodings of the table's photographs (safetensors): written if absent, else read if it fits. "
        "PERSONAL DATA, as private as the photographs.",
        show_default=False,
    ),
]
T = TypeVar("T")


def ensemble_of(
    models: list[Path] | None,
    encoders: list[Path] | None,
    digests: list[str] | None,
    onnx: list[Path] | None,
    onnx_digests: list[str] | None,
    bases: list[Path] | None,
    base_digests: list[str] | None,
    views: bool,
    device: str,
    output: Output,
) -> tuple[Ensemble, list[Model]]:
    """Who looks, and the models among them; the bundled encoder when none is named. Raises UsageError for a file
    without digest."""
    from functools import partial

    from ganonym.classify.encoders import read_foundation
    from ganonym.classify.retrieval import encode as members
    from ganonym.classify.retrieval.encode import VARIANTS
    from ganonym.classify.retrieval.gallery import Ensemble
    from ganonym.errors import UsageError

    files = _paired("--encoder", encoders, "--sha256", digests)
    networks = _paired("--onnx", onnx, "--onnx-sha256", onnx_digests)
    starts = _paired("--base", bases, "--base-sha256", base_digests)
    if starts and not models:
        raise UsageError("--base is what a --model started from, and none is given.", "Leave it out.")
    readers: list[Callable[[], Arrays]] = [read_foundation]
    readers += [partial(read_foundation, path, told.lower()) for path, told in (*starts, *files)]
    place = device_of(device, output)
    trained = [members.of_model(folder, readers, place) for folder in models or []]
    found = [member for member, _ in trained]
    found += [members.of_file(path, told, place) for path, told in files]
    found += [members.of_onnx(path, told) for path, told in networks]
    if not found:
        found = [members.bundled(place)]
        output.note("The bundled encoder learned to tell virtual people apart; it has seen no patient, no syndrome.")
    if any(model.card.simulated for _, model in trained):
        output.note("A model learned from SIMULATED syndromes: it knows nothing of patients.")
    return Ensemble(tuple(found), VARIANTS if views else VARIANTS[:1]), [model for _, model in trained]


def told_of(ensemble: Ensemble) -> dict[str, Any]:
    """The ensemble, for JSON."""
    encoders = [{"name": each.encoder.name, "digest": each.digest} for each in ensemble.members]
    return {"encoders": encoders, "views": len(ensemble.variants)}


def refuse_nobody(looked: Looked) -> None:
    """Raises UsageError when no photograph of a table can be used."""
    from ganonym.errors import UsageError

    if not looked.cases:
        why = looked.left_out[0][1] if looked.left_out else "there are none"
        raise UsageError(
            f"none of {len(looked.left_out)} photographs can be used: {why}.",
            "Check the folder of photographs, and the column of disorders.",
        )


def tell_kept(output: Output, file: Path | None, read: bool) -> None:
    from ganonym.classify.retrieval.gallery import PERSONAL

    if file is not None:
        output.note(f"{file} is {'read' if read else 'written'}: {PERSONAL}.")


def _paired(name: str, files: list[T] | None, digest: str, digests: list[str] | None) -> list[tuple[T, str]]:
    from ganonym.errors import UsageError

    files, digests = files or [], digests or []
    if len(files) != len(digests):
        raise UsageError(
            f"{name} is given {len(files)} times, {digest} {len(digests)} times.", "Give one for each, in order."
        )
    return [*zip(files, digests, strict=True)]
