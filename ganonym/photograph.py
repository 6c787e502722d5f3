"""Whole photographs: every face of a photo replaced or covered, and the result verified."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ganonym.errors import PhotoError
from ganonym.faces.everybody import find_everybody
from ganonym.faces.find import find_faces
from ganonym.faces.overlap import overlapping, stray_boxes, usual_box
from ganonym.faces.second_look import perhaps_faces, second_look, unconfirmed
from ganonym.models import ATTEMPTS, Models
from ganonym.photos.text import require_text_finder, text_finder, text_outlines
from ganonym.settings import Background, Settings
from ganonym.synthesis.paste import Patch, compose_photo, make_patch
from ganonym.synthesis.region import Region, box_region, face_region, text_region
from ganonym.types import RGB, Box, Doubt, Face, FaceRecord, Photograph, Points, PrivateFace, Refusal, Substitution
from ganonym.verify import is_covered, patch_problems, problems, region_box

ROUNDS = 10
"""Compositions at most: each replaces the faces that failed or covers what a look still found."""

FaceFinder = Callable[[RGB], list[Box]]
TextFinder = Callable[[RGB], list[Points]]
"""Outlines (4, 2) of the text in a photo."""

ONE_ONLY = "covered: the second look sees a face here, the first does not"
NO_SECOND = "treated as a face: the first look sees one here, no second detector does"
PERHAPS = "left as it is: BlazeFace sees a face here at a low score only"


@dataclass(slots=True)
class _Sitter:
    """A face that is to be synthesized, until `refusal` says that it is to be covered."""

    record: FaceRecord
    face: PrivateFace | None
    refusal: Refusal | None
    attempt: int = 0
    patch: Patch | None = None


@dataclass(slots=True)
class _Work:
    rgb: RGB
    sitters: list[_Sitter]
    models: Models
    covers: list[Region] = field(default_factory=list)
    text: list[Region] = field(default_factory=list)
    doubts: list[Doubt] = field(default_factory=list)

    @property
    def hidden(self) -> list[Region]:
        """All that is covered, faces and text."""
        return [*self.covers, *self.text]


def text_reader(settings: Settings) -> TextFinder | None:
    """What finds text in whole photos; None where text is kept, or where nothing here finds any and need not.

    Raises EnvironmentFault when the settings insist on covering text and nothing here finds it.
    """
    if not settings.covers_text:
        return None
    if settings.text == "cover":
        require_text_finder()
    return text_outlines if text_finder() else None


def treat_photo(
    rgb: RGB,
    substitutions: Sequence[Substitution],
    source: str,
    models: Models,
    background: Background,
    look: FaceFinder = second_look,
    read: TextFinder | None = None,
) -> Photograph:
    """`rgb` with every face synthesized or covered; the subject's face first in `substitutions`.

    Covered are faces whose substitution is a Refusal, those that fail their verification in every attempt, and all
    others that the finder or the second `look` sees; and text that `read` finds, if given. Where detectors disagree
    about a face, `doubts` say so. Raises PhotoError: "no-face" when none is found, "verification" when the result still
    shows a face that was not asked for, or text, or the source; unproven pixels are never returned.
    """
    faces = find_everybody(rgb, models.detector, models.landmarks).faces
    if not faces:
        raise PhotoError("no-face", f"{source!r} shows no face that can be found.", "Crop it closer, or leave it out.")
    sitters = [
        _Sitter(record, None, face) if isinstance(face, Refusal) else _Sitter(record, face, None)
        for record, face in substitutions
    ]
    work = _Work(rgb, sitters, models)
    work.covers += [region for face in _others(faces, substitutions) for region in _cover(face.box, face, work)]
    work.doubts += [Doubt(box, NO_SECOND) for box in unconfirmed(rgb, [face.box for face in faces], models.detector)]
    if background != "grey":
        # In the source every face is seen at its own size; among covers, detectors make large faces of what is left.
        unseen = [box for box in look(rgb) if not any(_is_middle_in(box, face.box) for face in faces)]
        _cover_strays(unseen, work)
        if read is not None:
            work.text += [text_region(outline, rgb.shape[:2]) for outline in read(rgb)]
    for sitter in sitters:
        _next_patch(sitter, work)
    done = _settle(work, source, background, look, read)
    because = sitters[0].refusal if sitters else Refusal("untreated", "the subject's face cannot be synthesized")
    covered, text = _boxes(work.covers), None if read is None else _boxes(work.text)
    return Photograph(done, tuple(patch.box for patch in _patches(work)), covered, because, text, tuple(work.doubts))


def _settle(work: _Work, source: str, background: Background, look: FaceFinder, read: TextFinder | None) -> RGB:
    """Compose, judge and correct until nothing is wrong. Raises PhotoError("verification")."""
    looked = background == "grey"  # nothing outside the new faces is left to look at
    wrong: list[str] = []
    for _ in range(ROUNDS):
        photo = compose_photo(work.rgb, _patches(work), work.hidden)
        wrong = _failing(photo, work)
        if not wrong and not looked:
            wrong = _left(photo, work, look, read)
            looked = not wrong
        if not wrong:
            final = photo if background == "keep" else compose_photo(work.rgb, _patches(work), work.hidden, background)
            wrong = _failing(final, work) if background != "keep" else []
            if not wrong:
                if background != "grey":
                    work.doubts += [Doubt(box, PERHAPS) for box in _strays(perhaps_faces(photo), work)]
                return final
    raise PhotoError("verification", f"{source!r}: no photo passed in {ROUNDS} rounds; the last: {'; '.join(wrong)}.")


def _left(photo: RGB, work: _Work, look: FaceFinder, read: TextFinder | None) -> list[str]:
    """What the second look and the reader still find in `photo`, which is covered from now on."""
    treated = _treated(work)
    places = [*_boxes(work.hidden), *(patch.box for patch in _patches(work))]
    strays = [
        box
        for box in _strays(look(photo), work)
        if not _is_middle_treated(box, treated) and not any(_is_middle_in(place, box) for place in places)
    ]
    _cover_strays(strays, work)
    wrong = [f"{len(strays)} faces are left"] if strays else []
    if read is not None:
        outlines = [outline for outline in read(photo) if not _is_treated(outline, treated)]
        work.text += [text_region(outline, (photo.shape[0], photo.shape[1])) for outline in outlines]
        wrong += [f"{len(outlines)} pieces of text are left"] if outlines else []
    return wrong


def _cover_strays(boxes: Sequence[Box], work: _Work) -> None:
    """Cover what is seen at `boxes`, of which those that overlap are one face seen several times."""
    faces = [usual_box(group) for group in overlapping(boxes)]
    work.covers += [region for box in faces for region in _cover(box, None, work)]
    work.doubts += [Doubt(box, ONE_ONLY) for box in faces]


def _treated(work: _Work) -> NDArray[np.bool_]:
    """Which pixels (h, w) are covered or synthesized."""
    treated = np.zeros(work.rgb.shape[:2], np.bool_)
    for region in [*work.hidden, *(patch.region for patch in _patches(work))]:
        region.paint(treated)
    return treated


def _is_treated(outline: Points, treated: NDArray[np.bool_]) -> bool:
    """Whether half of the bounds of `outline` lie in what is covered or synthesized: what is read there is no text."""
    left, top = np.maximum(np.floor(outline.min(axis=0)), 0).astype(int)
    right, bottom = np.ceil(outline.max(axis=0)).astype(int) + 1
    inside = treated[top:bottom, left:right]
    return not inside.size or float(inside.mean()) >= 0.5


def _is_middle_treated(box: Box, treated: NDArray[np.bool_]) -> bool:
    """Whether the middle of `box` is covered or synthesized: hair and shoulders around a cover are taken for faces."""
    x, y = round((box.left + box.right) / 2), round((box.top + box.bottom) / 2)
    height, width = treated.shape
    return 0 <= x < width and 0 <= y < height and bool(treated[y, x])


def _is_middle_in(box: Box, face: Box) -> bool:
    x, y = (box.left + box.right) / 2, (box.top + box.bottom) / 2
    return face.left <= x <= face.right and face.top <= y <= face.bottom


def _failing(photo: RGB, work: _Work) -> list[str]:
    """What is wrong with `photo`; faces that fail get their next attempt, or a cover, and strays a cover."""
    models = work.models
    wrong = []
    for sitter in work.sitters:
        if sitter.patch is not None and sitter.face is not None:
            faults = patch_problems(photo, work.rgb, sitter.patch, sitter.face, sitter.record, models.judge)
            if faults:
                wrong += faults
                sitter.attempt += 1
                _next_patch(sitter, work, "; ".join(faults))
        elif not is_covered(photo, work.rgb, sitter.record, models.judge.limits):
            wrong.append("a covered face is still there")
    strays = _strays([face.box for face in find_faces(photo, models.detector, models.landmarks)], work)
    work.covers += [region for box in strays for region in _cover(box, None, work)]
    return wrong + [f"{len(strays)} faces are there that were not asked for"] * bool(strays)


def _next_patch(sitter: _Sitter, work: _Work, wrong: str = "") -> None:
    """The next sound rendering of the sitter's face; when there is none, a cover."""
    models = work.models
    sitter.patch = None
    while sitter.face is not None and sitter.attempt < ATTEMPTS:
        layers = models.synthesizer.layers(sitter.face, sitter.attempt)
        faults = problems(layers.picture, sitter.face, sitter.record, models.judge)
        if not faults:
            model = models.synthesizer.model
            sitter.patch = make_patch(work.rgb, sitter.record.points, sitter.face, layers, model)
            return
        wrong = "; ".join(faults)
        sitter.attempt += 1
    sitter.refusal = sitter.refusal or Refusal("verification", f"no output passed in {ATTEMPTS} attempts: {wrong}")
    work.covers += _cover(sitter.record.box, Face(sitter.record.box, sitter.record.points), work)


def _cover(box: Box, face: Face | None, work: _Work) -> list[Region]:
    """All that is covered of a face: around its box, and around its landmarks where they are known."""
    size = work.rgb.shape[0], work.rgb.shape[1]
    regions = [box_region(box, size)]
    if face is not None:
        with suppress(ValueError):  # landmarks that coincide have no outline
            regions.append(face_region(face.points, work.models.synthesizer.model, size))
    return regions


def _others(faces: Sequence[Face], substitutions: Sequence[Substitution]) -> list[Face]:
    """Faces of the photo that nothing takes the place of."""
    treated = {(record.box.left, record.box.top, record.box.right, record.box.bottom) for record, _ in substitutions}
    return [face for face in faces if (face.box.left, face.box.top, face.box.right, face.box.bottom) not in treated]


def _strays(boxes: Sequence[Box], work: _Work) -> list[Box]:
    return stray_boxes(boxes, [patch.box for patch in _patches(work)], _boxes(work.hidden))


def _boxes(regions: Sequence[Region]) -> tuple[Box, ...]:
    return tuple(region_box(region) for region in regions if region.mask.any())


def _patches(work: _Work) -> list[Patch]:
    return [sitter.patch for sitter in work.sitters if sitter.patch is not None]
