"""Rows of picture quality: how like its original each released picture is, in the face and outside it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ganonym.evaluate.assessment import Utility
from ganonym.evaluate.utility.inputs import UtilityInputs
from ganonym.evaluate.utility.noninferiority import not_evaluated, reported
from ganonym.evaluate.utility.paired import mean_of

FAMILY = "picture"
ROWS = {
    "psnr_outside": ("PSNR outside the face box in dB", "100 where nothing differs: what is no face should stay."),
    "ssim_outside": ("SSIM outside the face box", "1 where nothing differs: what is no face should stay."),
    "ssim_face": ("SSIM of the face box", "Low on purpose: a face like the original's is a leak."),
    "ms_ssim_face": ("MS-SSIM of the face box", "Low on purpose: a face like the original's is a leak."),
    "psnr_face": ("PSNR of the face box in dB", "Low on purpose: a face like the original's is a leak."),
    "ssim_aligned": ("SSIM of the aligned faces", "Low on purpose: a face like the original's is a leak."),
}


def pictures(inputs: UtilityInputs, rng: np.random.Generator) -> Iterator[Utility]:
    """The mean of each measure over the photos where it exists; see `agreement.Agreement`."""
    for field, (name, note) in ROWS.items():
        found = [None if each is None else getattr(each, field) for each in inputs.agreement]
        values = np.array([np.nan if value is None else value for value in found], dtype=np.float64)
        known = np.isfinite(values)
        if not known.any():
            yield not_evaluated(FAMILY, name, "No released picture has its original's size, or no face was found.")
            continue
        subjects = [subject for subject, keep in zip(inputs.subjects, known, strict=True) if keep]
        yield reported(FAMILY, name, mean_of(values[known]), subjects, rng, note=note)
