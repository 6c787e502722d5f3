"""The transform for data pipelines: same kind out, same bytes in any worker, and never the photo itself."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from torch.utils.data import DataLoader, Dataset

from ganonym.errors import PhotoError, UsageError
from ganonym.phantom.cohort import phantom_cohort
from ganonym.pipeline import anonymize
from ganonym.settings import Settings
from ganonym.transforms import Anonymize

Pixels = NDArray[np.uint8]
SETTINGS = Settings(mechanism="codebook", seed=3)
GREY = np.full((64, 80, 3), 200, np.uint8)


@pytest.fixture(scope="module")
def photos() -> list[Pixels]:
    return [photo.rgb for photo in phantom_cohort(3, 1, seed=21)]


class Photos(Dataset[torch.Tensor]):
    """Photos as tensors, anonymized in the worker that loads them."""

    def __init__(self, photos: Sequence[Pixels], transform: Anonymize) -> None:
        self.photos, self.transform = photos, transform

    def __len__(self) -> int:
        return len(self.photos)

    def __getitem__(self, place: int) -> torch.Tensor:
        return self.transform(torch.from_numpy(self.photos[place].transpose(2, 0, 1).copy()))


def test_each_kind_of_picture_comes_back_as_its_kind_with_the_same_pixels(photos: list[Pixels]) -> None:
    rgb, transform = photos[0], Anonymize(SETTINGS)
    array = transform(rgb)
    (direct,) = anonymize({"photo": rgb}, SETTINGS).values()
    assert np.array_equal(array, direct)
    image = transform(Image.fromarray(rgb))
    tensor = transform(torch.from_numpy(rgb.transpose(2, 0, 1).copy()))
    assert isinstance(image, Image.Image)
    assert isinstance(tensor, torch.Tensor)
    assert (tensor.dtype, tuple(tensor.shape)) == (torch.uint8, (3, 256, 256))
    assert np.array_equal(np.asarray(image), array)
    assert np.array_equal(tensor.permute(1, 2, 0).numpy(), array)


def test_a_loader_with_two_workers_gives_what_one_process_gives(photos: list[Pixels]) -> None:
    dataset = Photos([*photos, GREY], Anonymize(SETTINGS, on_refusal="blank"))
    loader = DataLoader(dataset, batch_size=1, num_workers=2, multiprocessing_context="spawn")
    loaded = [batch[0] for batch in loader]
    assert len(loaded) == 4
    for place, tensor in enumerate(loaded):
        assert torch.equal(tensor, dataset[place])
    assert torch.equal(loaded[3], torch.full((3, 256, 256), 128, dtype=torch.uint8))
    assert len({tensor.numpy().tobytes() for tensor in loaded}) == 4


def test_the_seed_the_key_and_the_name_decide_the_draw(photos: list[Pixels]) -> None:
    transform = Anonymize(SETTINGS)
    seen = [
        transform(photos[0]),
        transform(photos[0], "another name"),
        Anonymize(SETTINGS, key=bytes(range(32)))(photos[0]),
        Anonymize(Settings(mechanism="codebook", seed=4))(photos[0]),
    ]
    assert len({picture.tobytes() for picture in seen}) == 4
    assert np.array_equal(pickle.loads(pickle.dumps(transform))(photos[0]), seen[0])


def test_what_cannot_be_anonymized_is_refused_and_never_returned() -> None:
    with pytest.raises(PhotoError, match="no face") as caught:
        Anonymize(SETTINGS)(GREY)
    assert caught.value.reason == "no-face"
    whole = Settings(mechanism="codebook", output="photo", text="keep")
    blank = Anonymize(whole, on_refusal="blank")(Image.fromarray(GREY))
    assert np.array_equal(np.asarray(blank), np.full((64, 80, 3), 128))


def test_metric_gives_every_name_its_own_noise(photos: list[Pixels]) -> None:
    settings, key = Settings(mechanism="metric", epsilon=5.0), bytes(range(32))
    transform = Anonymize(settings, key=key, on_refusal="blank")
    assert not np.array_equal(transform(photos[0], "a"), transform(photos[0], "b"))
    with pytest.raises(UsageError, match="a name for each photo"):
        transform(photos[0])
    with pytest.raises(UsageError, match="take away again"):
        Anonymize(settings)


@pytest.mark.parametrize(
    "settings",
    [Settings(mechanism="k-same"), Settings(mechanism="none", i_understand=True)],
    ids=lambda settings: settings.mechanism,
)
def test_mechanisms_that_protect_no_single_photo_are_refused_with_a_remedy(settings: Settings) -> None:
    with pytest.raises(UsageError, match=r"single photo.*codebook"):
        Anonymize(settings)


@pytest.mark.parametrize(
    "picture", [torch.zeros(3, 8, 8), torch.zeros(8, 8, 3, dtype=torch.uint8), np.zeros((8, 8), np.uint8), "a.jpg"]
)
def test_anything_else_is_no_picture(picture: Any) -> None:
    with pytest.raises(UsageError):
        Anonymize(SETTINGS)(picture)
