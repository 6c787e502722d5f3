"""A trained model that a command is given, the key beside it, and the photographs that it is asked about."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ganonym_cli.classify.options import refuse_encoder
from ganonym_cli.console import Output
from ganonym_cli.device import device_of

if TYPE_CHECKING:
    from ganonym.classify.model_folder import Key, Model


def model_in(folder: Path, encoder: Path | None, sha256: str | None, device: str, output: Output) -> Model:
    """A trained model. Raises UsageError for a network that it does not start from, and as `load_model` does."""
    from functools import partial

    from ganonym.classify.encoders import read_foundation
    from ganonym.classify.model_folder import load_model

    model = load_model(folder, partial(read_foundation, encoder, sha256), device_of(device, output))
    if not model.foundation:
        refuse_encoder(encoder, sha256, model.recipe.name)
    return model


def check_photos(photos: Sequence[Path]) -> None:
    """Raises UsageError for a photograph that is not there."""
    from ganonym.errors import UsageError

    absent = [path for path in photos if path.is_dir() or not path.exists()]
    if absent:
        more = f" (nor {len(absent) - 1} more)" if len(absent) > 1 else ""
        raise UsageError(f"there is no photo {absent[0]}{more}.", "Check the path; of a folder, give its files.")


def check_key(place: Path) -> None:
    """Raises UsageError for a key that is there and cannot be one, or a place where none can be made.

    Before long work, which must not be lost for want of a key.
    """
    from ganonym.errors import UsageError
    from ganonym.pseudonym import read_key

    if place.exists():
        read_key(place)
        return
    there = next(folder for folder in place.absolute().parents if folder.exists())
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        raise UsageError(f"no key can be written to {place}: {there} is no folder to write in.", "Give --key-file.")


def key_of(folder: Path, key_file: Path | None = None) -> Key | None:
    """The key by which the model in `folder` knows whom it learned from; None where it is not there.

    Raises UsageError when `key_file` is not there, or cannot be a key.
    """
    from ganonym.classify.model_folder import Key, key_place
    from ganonym.pseudonym import read_key

    place = key_file or key_place(folder)
    if key_file is None and not place.exists():
        return None
    return Key(read_key(place))


def unchecked(folder: Path) -> str:
    """The warning that a test may be on what a model has learned from."""
    from ganonym.classify.model_folder import key_place

    return (
        f"Nobody checked whether {folder} has learned from these photographs or people: there is no key "
        f"{key_place(folder)}. "
        "Whoever trained it has one; give it with --key-file. If it has, the rates say nothing."
    )
