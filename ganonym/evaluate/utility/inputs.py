"""What utility is measured from: arrays of one entry a photo, acquired once, without any picture at full size."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ganonym.evaluate.attackers.attacker import Sample
from ganonym.evaluate.utility.agreement import Agreement
from ganonym.faces.aligned import aligned
from ganonym.manifest import Row
from ganonym.types import RGB, Floats, Points

CROP_SIDE = 64
_FEATURES = ("features", "gestalt", "coordinates")


@dataclass(frozen=True, slots=True)
class UtilityInputs:
    """Entry i of everything is photo i; n photos.

    rows                who and what is on it, as the steward's manifest says; subjects are what is resampled
    released            (n,) whether anything was released of it
    original_points     landmarks (68, 2) of the original in its own pixels, None where no face was found
    released_points     of the released picture in its own pixels, None where no face was found or nothing released
    in_place            (n,) whether the released picture keeps the original's pixel grid, so that landmarks compare in
                        place; elsewhere they are brought together by a similarity first
    original_crops      (n, 64, 64, 3) uint8 by `face_crop` of the original; whatever where it has no landmarks
    released_crops      the same of the released picture
    agreement           by `agreement.agree`, None where nothing was released
    landmark_noise      (n,) by `landmarks.landmark_noise` of the original, in eye distances; NaN where unknown;
                        None when it was not measured
    original_features   (n, d) of a face network by `features.face_features` (the bundled encoder), NaN rows without a
                        face; None when they were not computed
    released_features   the same of the released pictures
    original_gestalt    (n, d) by `features.GestaltView`, NaN rows without a face; None when they were not computed
    released_gestalt    the same of the released pictures
    original_coordinates  (n, D) of `ganonym.faces.coordinates`, NaN rows without a face; None when they were not read
    released_coordinates  the same of the released pictures
    perceptual          (n,) LPIPS by `features.PerceptualDistance`, NaN where it cannot be measured; None without
                        its weights
    margin              how much lower a rate may be than on originals and still count as kept
    minimum_cell        groups of fewer subjects are listed, but no rate of theirs is given
    rare                a syndrome of at most so many subjects is rare
    """

    rows: tuple[Row, ...]
    released: NDArray[np.bool_]
    original_points: tuple[Points | None, ...]
    released_points: tuple[Points | None, ...]
    in_place: NDArray[np.bool_]
    original_crops: NDArray[np.uint8]
    released_crops: NDArray[np.uint8]
    agreement: tuple[Agreement | None, ...]
    landmark_noise: Floats | None = None
    original_features: Floats | None = None
    released_features: Floats | None = None
    original_gestalt: Floats | None = None
    released_gestalt: Floats | None = None
    original_coordinates: Floats | None = None
    released_coordinates: Floats | None = None
    perceptual: Floats | None = None
    margin: float = 0.05
    minimum_cell: int = 30
    rare: int = 6

    def __post_init__(self) -> None:
        """Raises ValueError when the entries do not fit together, or a face is named of what was not released."""
        count = len(self.rows)
        for name in ("released", "original_points", "released_points", "in_place", "agreement"):
            if len(getattr(self, name)) != count:
                raise ValueError(f"{len(getattr(self, name))} entries of {name} for {count} photos")
        features = tuple(f"{side}_{what}" for side in ("original", "released") for what in _FEATURES)
        for name in ("landmark_noise", *features, "perceptual"):
            entry = getattr(self, name)
            if entry is not None and len(entry) != count:
                raise ValueError(f"{len(entry)} entries of {name} for {count} photos")
        for name in ("original_crops", "released_crops"):
            found = getattr(self, name)
            if found.shape != (count, CROP_SIDE, CROP_SIDE, 3) or found.dtype != np.uint8:
                raise ValueError(
                    f"{name} are {found.dtype} {found.shape}, not uint8 {(count, CROP_SIDE, CROP_SIDE, 3)}"
                )
        if any(points is not None and not out for points, out in zip(self.released_points, self.released, strict=True)):
            raise ValueError("a face was found in a picture that was not released")

    @property
    def subjects(self) -> tuple[str, ...]:
        """The subject of every photo."""
        return tuple(row.subject for row in self.rows)

    @property
    def found(self) -> NDArray[np.bool_]:
        """Whether a face was found in the original, (n,)."""
        return np.array([points is not None for points in self.original_points], dtype=bool)

    @property
    def shown(self) -> NDArray[np.bool_]:
        """Whether a picture was released and a face found in it, (n,)."""
        return np.array([points is not None for points in self.released_points], dtype=bool)


def face_crop(sample: Sample) -> RGB | None:
    """The face at 64 px, (64, 64, 3), brought upright by a similarity of its landmarks; None without landmarks.

    A similarity only: a crop in which all landmarks lie in the same places would have lost the shape.
    """
    if sample.points is None:
        return None
    return aligned(sample.rgb, sample.points, CROP_SIDE)
