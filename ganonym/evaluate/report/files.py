"""The files for other programs: assessment.json, and trials.parquet with one row a trial.

The same assessment gives the same bytes, and a reader of another version finds out. From the trials every rate of an
assessment can be computed again without pictures.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from ganonym.errors import EnvironmentFault
from ganonym.evaluate.findings import Assessed
from ganonym.evaluate.metrics.ranking import Trials
from ganonym.types import Floats


def to_json(assessment: Assessed) -> bytes:
    """UTF-8 JSON with sorted keys, two spaces of indent and a final newline. Raises ValueError on NaN or infinity."""
    text = json.dumps(assessment.model_dump(mode="json"), sort_keys=True, indent=2, ensure_ascii=False, allow_nan=False)
    return (text + "\n").encode()


def write_assessment(path: Path, assessment: Assessed) -> None:
    """Put `to_json` at `path`, whole or not at all. Raises EnvironmentFault, and ValueError as `to_json` does."""
    write_whole(path, to_json(assessment))


def write_whole(path: Path, data: bytes) -> None:
    """Put `data` at `path` by way of a temporary sibling. Raises EnvironmentFault."""
    partial = path.with_name(f".{path.name}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_bytes(data)
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise EnvironmentFault(f"cannot write {path}: {error.strerror}.", "Check space and permissions.") from error


FORMAT = "1"
MINIMUM_SALT = 16


@contextmanager
def trials_file(path: Path, photos: Sequence[str], salt: bytes) -> Iterator[Callable[[Trials], None]]:
    """Gives what writes the trials of an attacker in a setting, one row group each; the file is there at the end.

    None is there when the block ends by an exception.

    `photos[i]` names photo i of `Trials.photos`; names of photos and subjects are written as HMACs under `salt` (at
    least 16 bytes; whoever has it can undo them, so it must not be shared). The same input gives the same bytes.

    Columns: attacker, tier, setting, photo, subject; rank (mid-rank, 1 = best), ahead and tied (candidates nearer than
    and as near as the true one, itself included), candidates; mated and nearest_other (distances, null = no template);
    failed. Within the first m names with probability clip((m − ahead) / tied, 0, 1).

    Raises ValueError on a short salt, EnvironmentFault.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    if len(salt) < MINIMUM_SALT:
        raise ValueError(f"a salt of {len(salt)} bytes can be guessed; take at least {MINIMUM_SALT}")
    name = pa.dictionary(pa.int32(), pa.string())
    columns = {"attacker": name, "tier": name, "setting": name, "photo": pa.string(), "subject": pa.string()}
    columns |= {"rank": pa.float64(), "ahead": pa.int32(), "tied": pa.int32(), "candidates": pa.int32()}
    columns |= {"mated": pa.float64(), "nearest_other": pa.float64(), "failed": pa.bool_()}
    schema = pa.schema(list(columns.items()), metadata={"ganonym.trials": FORMAT})
    partial = path.with_name(f".{path.name}.partial")
    try:
        with _writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            writer = pq.ParquetWriter(partial, schema, compression="zstd")

        def write(trials: Trials) -> None:
            if len(trials.owners):
                with _writing(path):
                    writer.write_table(pa.table(_columns(trials, photos, salt), schema=schema), len(trials.owners))

        try:
            yield write
        finally:
            with _writing(path):
                writer.close()
        with _writing(path):
            partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise EnvironmentFault(f"cannot write {path}: {error.strerror}.", "Check space and permissions.") from error


def salted(kind: str, name: str, salt: bytes) -> str:
    """Pseudonym of 16 hex digits: HMAC-SHA256 of `kind` and `name` under `salt`."""
    return hmac.new(salt, f"{kind}\0{name}".encode(), hashlib.sha256).hexdigest()[:16]


def _columns(trials: Trials, photos: Sequence[str], salt: bytes) -> dict[str, object]:
    owners, ranks = trials.owners.tolist(), trials.ranks
    return {
        "attacker": [trials.attacker] * len(owners),
        "tier": [trials.tier] * len(owners),
        "setting": [trials.setting] * len(owners),
        "photo": [salted("photo", photos[index], salt) for index in trials.photos.tolist()],
        "subject": [salted("subject", owner, salt) for owner in owners],
        "rank": ranks.middle,
        "ahead": ranks.ahead.astype(np.int32),
        "tied": ranks.tied.astype(np.int32),
        "candidates": ranks.choices.astype(np.int32),
        "mated": _nullable(trials.mated),
        "nearest_other": _nullable(trials.nearest_other),
        "failed": ranks.failed,
    }


def _nullable(values: Floats) -> list[float | None]:
    return [value if np.isfinite(value) else None for value in values.tolist()]
