"""Whole photographs: every face of a photo replaced or covered, and the result verified."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from ganonym.anonymize import ATTEMPTS, Studio
from ganonym.config import Background
from ganonym.errors import PhotoError
from ganonym.faces.everybody import find_everybody
from ganonym.faces.find import find_faces
from ganonym.faces.overlap import stray_boxes
from ganonym.faces.second_look import second_look
from ganonym.synthesis.paste import Patch, compose_photo, make_patch
from ganonym.synthesis.region import Region, box_region, face_region
from ganonym.types import RGB, Box, Face, FaceRecord, Photograph, PrivateFace, Refusal, Request
from ganonym.verify import problems
from ganonym.verify_photo import Judge, is_covered, patch_problems, region_box

ROUNDS = 10
"""Compositions at most: each replaces the faces that failed or covers what a look still found."""

Look = Callable[[RGB], list[Box]]


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
    studio: Studio
    covers: list[Region] = field(default_factory=list)


def treat_photo(
    rgb: RGB, requests: Sequence[Request], source: str, studio: Studio, background: Background, look: Look = second_look
) -> Photograph:
    """`rgb` with every face synthesized or covered; largest face of `requests` first, as `analyse` gives them.

    Covered are faces whose request is a Refusal, those that fail their verification in every attempt, and all others
    that the finder or the second `look` sees. Raises PhotoError: "no-face" when none is found, "verification" when the
    result still shows a face that was not asked for, or the source; unproven pixels are never returned.
    """
    faces = find_everybody(rgb, studio.detector, studio.landmarks).faces
    if not faces:
        raise PhotoError("no-face", f"{source!r} shows no face that can be found.", "Crop it closer, or leave it out.")
    sitters = [
        _Sitter(record, None, face) if isinstance(face, Refusal) else _Sitter(record, face, None)
        for record, face in requests
    ]
    work = _Work(rgb, sitters, studio)
    work.covers += [region for face in _others(faces, requests) for region in _cover(face.box, face, work)]
    for sitter in sitters:
        _next_patch(sitter, work)
    done = _settle(work, source, background, look)
    largest = sitters[0].refusal if sitters else Refusal("untreated", "the largest face cannot be synthesized")
    covered = tuple(region_box(region) for region in work.covers if region.mask.any())
    return Photograph(done, tuple(patch.box for patch in _patches(work)), covered, largest)


def _settle(work: _Work, source: str, background: Background, look: Look) -> RGB:
    """Compose, judge and correct until nothing is wrong. Raises PhotoError("verification")."""
    looked = background == "grey"  # nothing outside the new faces is left to look at
    wrong: list[str] = []
    for _ in range(ROUNDS):
        photo = compose_photo(work.rgb, _patches(work), work.covers)
        wrong = _failing(photo, work)
        if not wrong and not looked:
            strays = _strays(look(photo), work)
            looked = not strays
            work.covers += [region for box in strays for region in _cover(box, None, work)]
            wrong = [f"{len(strays)} faces are left"] if strays else []
        if not wrong:
            final = photo if background == "keep" else compose_photo(work.rgb, _patches(work), work.covers, background)
            wrong = _failing(final, work) if background != "keep" else []
            if not wrong:
                return final
    raise PhotoError("verification", f"{source!r}: no photo passed in {ROUNDS} rounds; the last: {'; '.join(wrong)}.")


def _failing(photo: RGB, work: _Work) -> list[str]:
    """What is wrong with `photo`; faces that fail get their next attempt, or a cover, and strays a cover."""
    studio = work.studio
    judge = Judge(studio.judge_detector, studio.judge_landmarks, studio.limits)
    wrong = []
    for sitter in work.sitters:
        if sitter.patch is not None and sitter.face is not None:
            found = patch_problems(photo, work.rgb, sitter.patch, sitter.face, sitter.record, judge)
            if found:
                wrong += found
                sitter.attempt += 1
                _next_patch(sitter, work, "; ".join(found))
        elif not is_covered(photo, work.rgb, sitter.record, studio.limits):
            wrong.append("a covered face is still there")
    strays = _strays([face.box for face in find_faces(photo, studio.detector, studio.landmarks)], work)
    work.covers += [region for box in strays for region in _cover(box, None, work)]
    return wrong + [f"{len(strays)} faces are there that were not asked for"] * bool(strays)


def _next_patch(sitter: _Sitter, work: _Work, wrong: str = "") -> None:
    """The next sound rendering of the sitter's face; when there is none, a cover."""
    studio = work.studio
    sitter.patch = None
    while sitter.face is not None and sitter.attempt < ATTEMPTS:
        layers = studio.synthesizer.layers(sitter.face, sitter.attempt)
        judges = studio.judge_detector, studio.judge_landmarks, studio.limits
        found = problems(layers.picture, sitter.face, sitter.record, *judges)
        if not found:
            model = studio.synthesizer.model
            sitter.patch = make_patch(work.rgb, sitter.record.points, sitter.face, layers, model)
            return
        wrong = "; ".join(found)
        sitter.attempt += 1
    sitter.refusal = sitter.refusal or Refusal("verification", f"no output passed in {ATTEMPTS} attempts: {wrong}")
    work.covers += _cover(sitter.record.box, Face(sitter.record.box, sitter.record.points), work)


def _cover(box: Box, face: Face | None, work: _Work) -> list[Region]:
    """All that is covered of a face: around its box, and around its landmarks where they are known."""
    size = work.rgb.shape[0], work.rgb.shape[1]
    regions = [box_region(box, size)]
    if face is not None:
        with suppress(ValueError):  # landmarks that coincide have no outline
            regions.append(face_region(face.points, work.studio.synthesizer.model, size))
    return regions


def _others(faces: Sequence[Face], requests: Sequence[Request]) -> list[Face]:
    """Faces of the photo for which nothing is requested."""
    known = {(record.box.left, record.box.top, record.box.right, record.box.bottom) for record, _ in requests}
    return [face for face in faces if (face.box.left, face.box.top, face.box.right, face.box.bottom) not in known]


def _strays(boxes: Sequence[Box], work: _Work) -> list[Box]:
    return stray_boxes(boxes, [patch.box for patch in _patches(work)], [region_box(each) for each in work.covers])


def _patches(work: _Work) -> list[Patch]:
    return [sitter.patch for sitter in work.sitters if sitter.patch is not None]
