"""Text in a photo (a name, a record number, a date), found by RapidOCR of the extra `text`: PaddleOCR's models in ONNX.

The models lie inside the package rapidocr; nothing is downloaded.
"""

from __future__ import annotations

from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np
from PIL import Image

from ganonym.errors import EnvironmentFault
from ganonym.types import RGB, Points

SMALL, SURE, READ = 0.08, 0.65, 0.8
"""What is at most SMALL of the photo's shorter side high counts as text if the detector scores it at least SURE; all
else must be read, two letters or digits with at least READ. Faces and shirts are what the detector takes for large
letters, at up to 0.88 and over half of a photo; the recognizer hardly ever reads anything in them."""

COARSE, WHOLE, FINE, TILE, LAP = 512, 1280, 3840, 1600, 160
ENLARGED = 736
"""To what the engine enlarges the shorter side of what it is given."""


def text_finder() -> str | None:
    """Name and version of what finds text on this machine, None without the extra `text`."""
    try:
        return f"rapidocr {version('rapidocr')}"
    except PackageNotFoundError:
        return None


def require_text_finder() -> str:
    """As `text_finder`. Raises EnvironmentFault without the extra `text`."""
    finder = text_finder()
    if finder is None:
        raise EnvironmentFault(
            "text in the photos is to be covered, and nothing on this machine finds it: the extra `text` is absent.",
            "pip install 'ganonym[text]', or leave text as it is: --text keep",
        )
    return finder


def text_outlines(rgb: RGB) -> list[Points]:
    """Corners (4, 2) in photo pixels of every piece of text that is found, the same piece more than once included.

    The photo is looked at whole, 512 and 1280 px long, as it is and at a quarter turn; a larger one also in tiles at
    3840 px.
    Letters below about 10 px there, faint ones and handwriting may be missed. Raises EnvironmentFault without the extra
    `text`.
    """
    engine = _engine()
    longer = max(rgb.shape[:2])
    outlines = _at_scale(rgb, min(COARSE / longer, 1.0), (0, 1), engine, ENLARGED)
    outlines += _at_scale(rgb, min(WHOLE / longer, 1.0), (0, 1), engine)
    if longer > WHOLE:
        outlines += _at_scale(rgb, min(FINE / longer, 1.0), (0,), engine)
    return outlines


def _at_scale(rgb: RGB, scale: float, turns: tuple[int, ...], engine: Any, least: int = 1) -> list[Points]:
    """Outlines in `rgb` at `scale` times its size, of tiles with sides of at least `least` px."""
    height, width = (max(round(side * scale), 1) for side in rgb.shape[:2])
    photo = np.asarray(Image.fromarray(rgb).resize((width, height), Image.Resampling.BILINEAR, reducing_gap=2.0))
    stretch = np.array([rgb.shape[1] / width, rgb.shape[0] / height])
    outlines = []
    for top in _starts(height):
        for left in _starts(width):
            tile = photo[top : top + TILE, left : left + TILE]
            for turn in turns:
                for corners in _found(np.rot90(tile, turn), engine, least):
                    upright = corners if turn == 0 else np.column_stack([tile.shape[1] - corners[:, 1], corners[:, 0]])
                    outlines.append((upright + np.array([left, top])) * stretch - 0.5)
    return outlines


def _starts(length: int) -> list[int]:
    """Where tiles of TILE begin that overlap by at least LAP and cover `length`.

    >>> _starts(900), _starts(3840)
    ([0], [0, 1120, 2240])
    """
    count = 1 if length <= TILE else -(-(length - LAP) // (TILE - LAP))
    return [int(start) for start in np.linspace(0, max(length - TILE, 0), count)]


def _found(rgb: RGB, engine: Any, least: int) -> list[Points]:
    """Corners (4, 2) of the text in `rgb`, edges of pixels being whole numbers."""
    # The engine enlarges the shorter side, whatever the longer one becomes.
    least = max(least, -(-max(rgb.shape[:2]) // 2))
    room = [(0, max(least - side, 0)) for side in rgb.shape[:2]]
    bgr = np.ascontiguousarray(np.pad(rgb[..., ::-1], (*room, (0, 0)), mode="edge"))
    detected = engine(bgr, use_det=True, use_cls=False, use_rec=False)
    if detected.boxes is None:
        return []
    boxes = [np.asarray(corners, dtype=np.float64) for corners in detected.boxes]
    return [
        corners
        for corners, score in zip(boxes, detected.scores, strict=True)
        if (score >= SURE and min(_sides(corners)) <= SMALL * min(rgb.shape[:2])) or _is_read(bgr, corners, engine)
    ]


def _sides(corners: Points) -> tuple[float, float]:
    """Length and height in pixels of a line of text, its corners clockwise from where it begins."""
    return float(np.linalg.norm(corners[1] - corners[0])), float(np.linalg.norm(corners[3] - corners[0]))


def _is_read(bgr: RGB, corners: Points, engine: Any) -> bool:
    width, height = (max(round(side), 1) for side in _sides(corners))
    quad = tuple(corners[[0, 3, 2, 1]].ravel().tolist())
    line = np.asarray(
        Image.fromarray(bgr).transform((width, height), Image.Transform.QUAD, quad, Image.Resampling.BICUBIC)
    )
    if height > 1.5 * width:
        line = np.rot90(line)
    read = engine(np.ascontiguousarray(line), use_det=False, use_cls=True, use_rec=True)
    pairs = zip(getattr(read, "txts", None) or (), getattr(read, "scores", None) or (), strict=True)
    return any(score >= READ and sum(map(str.isalnum, text)) >= 2 for text, score in pairs)


@cache
def _engine() -> Any:
    require_text_finder()
    from rapidocr import RapidOCR

    threads = {f"EngineConfig.onnxruntime.{kind}_op_num_threads": 1 for kind in ("intra", "inter")}
    return RapidOCR(params={"Global.log_level": "critical", **threads})
