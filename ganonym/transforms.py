"""`Anonymize`: a transform for data pipelines, in the style of torchvision and without a need of it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import numpy as np
from PIL import Image

from ganonym.errors import PhotoError, UsageError
from ganonym.settings import Settings
from ganonym.types import CANVAS, RGB, Refusal

if TYPE_CHECKING:
    import torch

Picture = TypeVar("Picture", RGB, Image.Image, "torch.Tensor")


class Anonymize:
    """Anonymize one photo a call: a PIL image, a uint8 array (H, W, 3) or a uint8 tensor (3, H, W); same kind out.

    The subject's face comes back synthesized, 256 x 256 px, with `settings.output` "photo" as the whole photo. A photo
    alone has no group to vanish in, so the mechanism is codebook (which auto means here) or metric.

    What cannot be anonymized raises PhotoError, which names the reason; with `on_refusal` "blank" it becomes a grey
    picture of the output's size. The photo itself is never returned.

    A draw follows from `key` (at least 32 secret bytes), `settings.seed` and the `name` of the call, never from pixels.
    So an equal photo always gives an equal output, in any order, epoch or worker process. By default all photos have
    one name, and with it one surrogate skin; the guarantee of codebook holds whatever is drawn. metric hides a shape in
    noise, which must differ between photos: it needs a key and a name for each photo (a file's name, a number), since
    the noise that two photos share would cancel in their difference.

    Models are loaded at the first call of each process, so an Anonymize can be pickled to the workers of a DataLoader.
    Raises UsageError for k-same, for mechanism none, and for anything that is no such picture.

    >>> from ganonym.transforms import Anonymize
    >>> Anonymize(on_refusal="blank")(np.full((64, 64, 3), 200, np.uint8)).shape
    (256, 256, 3)
    """

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        key: bytes | None = None,
        on_refusal: Literal["raise", "blank"] = "raise",
    ) -> None:
        self.settings = settings or Settings()
        self.key = key
        self.on_refusal = on_refusal
        if self.settings.mechanism in ("k-same", "none"):
            raise UsageError(
                f"mechanism {self.settings.mechanism} cannot protect a single photo, which has no group.",
                'Use Settings(mechanism="codebook") or "metric", or anonymize all photos together: ganonym.anonymize.',
            )
        if self.settings.mechanism == "metric" and key is None:
            raise UsageError(
                "mechanism metric draws noise, which whoever knows its seed can take away again.",
                "Give key=secrets.token_bytes(32), and keep it secret.",
            )
        if on_refusal not in ("raise", "blank"):
            raise UsageError(f"on_refusal is {on_refusal!r}.", "Choose raise or blank.")

    def __call__(self, picture: Picture, name: str | None = None) -> Picture:
        """The anonymized picture. Raises PhotoError, UsageError and EnvironmentFault (weights missing)."""
        from ganonym.pipeline import anonymize, as_rgb  # not above: a loader may never come to use them

        if name is None and self.settings.mechanism == "metric":
            raise UsageError("mechanism metric needs a name for each photo.", "Call transform(picture, name).")
        name = name or "photo"
        rgb = as_rgb(_channels_last(picture), name)
        outcome = anonymize({name: rgb}, self.settings, key=self.key)[name]
        if isinstance(outcome, Refusal):
            if self.on_refusal == "raise":
                raise PhotoError(outcome.reason, outcome.detail)
            height, width = rgb.shape[:2] if self.settings.output == "photo" else (CANVAS, CANVAS)
            outcome = np.full((height, width, 3), 128, np.uint8)
        if isinstance(picture, Image.Image):
            return Image.fromarray(outcome)
        if isinstance(picture, np.ndarray):
            return outcome
        import torch

        return torch.from_numpy(np.ascontiguousarray(outcome.transpose(2, 0, 1)))

    def __repr__(self) -> str:
        return f"Anonymize({self.settings.mechanism}, output={self.settings.output})"


def _channels_last(picture: Any) -> Any:
    """The picture as `anonymize` takes it: a tensor's channels go last."""
    torch = sys.modules.get("torch")  # whoever has a tensor has loaded it
    if torch is None or not isinstance(picture, torch.Tensor):
        return picture
    if picture.dtype != torch.uint8 or picture.ndim != 3 or picture.shape[0] != 3:
        raise UsageError(
            f"the tensor is {picture.dtype} {tuple(picture.shape)}.", "Give uint8 (3, H, W) in RGB, before scaling."
        )
    return picture.permute(1, 2, 0).contiguous().cpu().numpy()
