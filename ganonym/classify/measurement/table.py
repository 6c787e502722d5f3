"""The table of facial measurements: names, landmarks, and what spoils each of them in a photograph.

Landmarks are iBUG's 68. They stand for those of anthropometry (Farkas 1994) as nearly as they can: exocanthion 36, 45;
endocanthion 39, 42; nasion 27; subnasale 33; alare 31, 35 (the edge of the nostril, so widths of the nose come out too
small); cheilion 48, 54; labiale superius 51; stomion 62, 66; labiale inferius 57; gnathion 8; zygion 1, 15 and gonion
4, 12 of the outline. Right is the subject's right, the image's left.

Angles of the chin and of the upper lip count from straight: 180° less the angle at the landmark. Arches of brows are
heights over their lengths, the upturn of the tip is over the length of the nose, the mouth's corners over its width,
cheeks over the width of the face; the roundness of a lip is its perimeter² over its area, and grows as it gets thinner.
The width of the nasal bridge, whose sides are no landmarks, is the mean of en-en and al-al.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

Kind: TypeAlias = Literal["length", "angle", "ratio"]
Spoiler: TypeAlias = Literal["yaw", "pitch", "open mouth", "smile", "blink"]
Unit: TypeAlias = Literal["face size", "interocular", "face width", "mm"]
"""Of lengths. Face size: root of the summed squared distances of the 68 landmarks from their centre; interocular:
between the outer canthi; face width: between landmarks 1 and 15."""
UNITS: tuple[Unit, ...] = get_args(Unit)
End: TypeAlias = tuple[int, ...]
"""Landmarks whose centre is one end of a line."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """One row of the table.

    `lines` from end to end show what is measured. `of` is set where it is `factor` times one length over another, so
    that norms of both give its norm. `spoiled` by what it must not be read under.
    """

    name: str
    kind: Kind
    lines: tuple[tuple[End, End], ...]
    spoiled: frozenset[Spoiler]
    of: tuple[str, str] | None = None
    factor: float = 1.0


def unit_of(key: str, unit: Unit) -> str:
    """The unit of the measurement `key` when lengths are in `unit`: that, "deg" or "ratio".

    >>> unit_of("PFINC", "mm"), unit_of("FACEINDEX", "mm"), unit_of("ENEN", "mm")
    ('deg', 'ratio', 'mm')
    """
    kind = MEASUREMENTS[key].kind
    return unit if kind == "length" else "deg" if kind == "angle" else "ratio"


_LIDS = (((37,), (41,)), ((38,), (40,))), (((43,), (47,)), ((44,), (46,)))
_EYES = ((37, 38, 40, 41), (43, 44, 46, 47))


def _row(name: str, kind: Kind, lines: str | tuple[tuple[End, End], ...], *spoiled: Spoiler) -> Measurement:
    if isinstance(lines, str):
        pairs = [each.split("-") for each in lines.split()]
        lines = tuple(((int(one),), (int(other),)) for one, other in pairs)
    return Measurement(name, kind, lines, frozenset(spoiled))


def _ratio(name: str, above: str, below: str, factor: float = 1.0) -> Measurement:
    one, other = _ROWS[above], _ROWS[below]
    return Measurement(name, "ratio", one.lines + other.lines, one.spoiled | other.spoiled, (above, below), factor)


_ROWS: dict[str, Measurement] = {
    "FACEW": _row("width of the face (zy-zy)", "length", "1-15", "yaw"),
    "JAWW": _row("width of the jaw (go-go)", "length", "4-12", "yaw", "open mouth"),
    "FACEH": _row("height of the face (n-gn)", "length", "27-8", "pitch", "open mouth"),
    "LOWERH": _row("height of the lower face (sn-gn)", "length", "33-8", "pitch", "open mouth"),
    "CHINL": _row("height of the chin (li-gn)", "length", "57-8", "pitch", "open mouth"),
    "EXEX": _row("outer canthal distance (ex-ex)", "length", "36-45", "yaw"),
    "ENEN": _row("inner canthal distance (en-en)", "length", "39-42", "yaw"),
    "IPD": _row("interpupillary distance", "length", (_EYES,), "yaw"),
    "PFLEN": _row("palpebral fissure length (ex-en)", "length", "36-39 42-45", "yaw"),
    "PFLEN right": _row("palpebral fissure length, right", "length", "36-39", "yaw"),
    "PFLEN left": _row("palpebral fissure length, left", "length", "42-45", "yaw"),
    "PFHGT": _row("palpebral fissure height", "length", sum(_LIDS, ()), "pitch", "blink", "smile"),
    "PFHGT right": _row("palpebral fissure height, right", "length", _LIDS[0], "pitch", "blink", "smile"),
    "PFHGT left": _row("palpebral fissure height, left", "length", _LIDS[1], "pitch", "blink", "smile"),
    "NBRIDGEW": _row("width of the nasal bridge", "length", "39-42 31-35", "yaw", "smile"),
    "NOSEL": _row("length of the nose (n-sn)", "length", "27-33", "pitch"),
    "ALARW": _row("width of the nose (al-al)", "length", "31-35", "yaw", "smile"),
    "PHIL": _row("length of the philtrum (sn-ls)", "length", "33-51", "pitch", "open mouth", "smile"),
    "CPHW": _row("width of the philtrum (cph-cph)", "length", "50-52", "yaw", "smile"),
    "LIPL": _row("length of the upper lip (sn-sto)", "length", "33-62", "pitch", "open mouth", "smile"),
    "UVERM": _row("upper vermilion (ls-sto)", "length", "51-62", "pitch", "open mouth", "smile"),
    "LVERM": _row("lower vermilion (sto-li)", "length", "66-57", "pitch", "open mouth", "smile"),
    "MOUTHW": _row("width of the mouth (ch-ch)", "length", "48-54", "yaw", "open mouth", "smile"),
    "PFINC": _row("palpebral fissure slant, up +", "angle", "36-39 42-45", "pitch"),
    "PFINC right": _row("palpebral fissure slant, right", "angle", "36-39", "pitch"),
    "PFINC left": _row("palpebral fissure slant, left", "angle", "42-45", "pitch"),
    "CHINPT": _row("pointedness of the chin", "angle", "6-8 10-8", "pitch", "yaw"),
    "TENT": _row("tenting of the upper lip", "angle", "49-51 53-51", "open mouth", "smile"),
    "BROWARCH": _row("arch of the brows", "ratio", "17-19 19-21 22-24 24-26", "pitch"),
    "BROWARCH right": _row("arch of the right brow", "ratio", "17-19 19-21", "pitch"),
    "BROWARCH left": _row("arch of the left brow", "ratio", "22-24 24-26", "pitch"),
    "TIPUP": _row("upturn of the nasal tip", "ratio", "30-33", "pitch"),
    "CORNERY": _row("height of the mouth's corners", "ratio", "48-62 54-62", "open mouth", "smile"),
    "CHEEK": _row("fullness of the cheeks", "ratio", "2-14 3-13 4-12", "yaw", "smile"),
    "CHINH": _row("chin / height of the face", "ratio", "57-8", "pitch", "open mouth"),
    "LIPROUND": _row("roundness of the upper lip", "ratio", "48-51 51-54", "open mouth", "smile"),
}
MEASUREMENTS: Mapping[str, Measurement] = _ROWS | {
    "PFLEN/ENEN": _ratio("palpebral fissure / inner canthi", "PFLEN", "ENEN"),
    "ENEN/EXEX": _ratio("intercanthal index, 100 en-en / ex-ex", "ENEN", "EXEX", 100.0),
    "FACEINDEX": _ratio("facial index, 100 n-gn / zy-zy", "FACEH", "FACEW", 100.0),
    "JAWINDEX": _ratio("jaw index, 100 go-go / zy-zy", "JAWW", "FACEW", 100.0),
    "NOSEINDEX": _ratio("nasal index, 100 al-al / n-sn", "ALARW", "NOSEL", 100.0),
    "MOUTHINDEX": _ratio("mouth index, 100 ch-ch / ex-ex", "MOUTHW", "EXEX", 100.0),
    "PHIL/UVERM": _ratio("philtrum / upper vermilion", "PHIL", "UVERM"),
}
"""All measurements by key. Keys of `faces.measures` mean the same here; " right" and " left" are one side alone."""
