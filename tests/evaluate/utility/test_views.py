"""What workers measure of a picture: landmark noise, encoder features and LPIPS, on a virtual person's photograph."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ganonym.errors import EnvironmentFault
from ganonym.evaluate.attackers.attacker import Sample
from ganonym.evaluate.utility.features import PerceptualDistance, face_features, lpips_weights
from ganonym.evaluate.utility.inputs import CROP_SIDE, face_crop
from ganonym.evaluate.utility.landmarks import landmark_noise
from ganonym.faces.find import find_faces, judge_backends
from ganonym.phantom.cohort import phantom_cohort
from ganonym.types import RGB, Box, Points
from ganonym.weights import sha256_file


@pytest.fixture(scope="module")
def samples() -> list[Sample]:
    photos = list(phantom_cohort(2, 2, seed=4))
    return [Sample(photo.rgb, find_faces(photo.rgb, *judge_backends())[0].points) for photo in photos]


class Shifted:
    """A landmark model that always finds the same place of the face, too far right by `offset` px."""

    name = "shifted"

    def __init__(self, points: Points, width: int, offset: float) -> None:
        from ganonym.faces.landmark_network import MIRROR

        mirrored = points[MIRROR] * [-1.0, 1.0] + [width - 1.0, 0.0]
        self.points, self.offset, self.width = mirrored, offset, width

    def locate(self, rgb: RGB, box: Box) -> Points:  # noqa: ARG002
        # The part it is given was cut from the mirrored photo: its box says where.
        low, high = self.points.min(axis=0), self.points.max(axis=0)
        return (
            self.points - (low + high) / 2 + [(box.left + box.right) / 2, (box.top + box.bottom) / 2] + [self.offset, 0]
        )


def test_noise_of_a_model_that_errs_by_a_known_amount(samples: list[Sample]) -> None:
    points = samples[0].points
    assert points is not None
    eyes = float(np.linalg.norm(points[36:42].mean(axis=0) - points[42:48].mean(axis=0)))
    width = samples[0].rgb.shape[1]
    assert landmark_noise(samples[0], Shifted(points, width, 0.0)) == pytest.approx(0.0, abs=1e-9)
    assert landmark_noise(samples[0], Shifted(points, width, 7.0)) == pytest.approx(7.0 / eyes)
    assert np.isnan(landmark_noise(Sample(samples[0].rgb, None), Shifted(points, width, 0.0)))
    assert np.isnan(landmark_noise(Sample(samples[0].rgb, points + 9000), Shifted(points, width, 0.0)))


def test_noise_of_the_real_model_is_small_and_not_zero(samples: list[Sample]) -> None:
    model = judge_backends()[1]
    results = [landmark_noise(sample, model) for sample in samples]
    assert min(results) > 0.001
    assert max(results) < 0.08


def test_crop_and_features_see_the_face_wherever_it_is(samples: list[Sample]) -> None:
    first = samples[0]
    assert first.points is not None
    moved = Sample(np.pad(first.rgb, ((40, 0), (25, 0), (0, 0))), first.points + np.array([25, 40]))
    crops = [face_crop(sample) for sample in (first, moved)]
    assert crops[0] is not None
    assert crops[1] is not None
    assert crops[0].shape == (CROP_SIDE, CROP_SIDE, 3)
    inner = np.s_[16:-16, 16:-16]
    moved_by = np.abs(crops[0][inner].astype(int) - crops[1][inner])
    assert moved_by.mean() < 1  # and at the sharpest edges of lids a little more
    assert moved_by.max() <= 8
    features = [face_features(sample) for sample in (*samples, moved)]
    rows = np.array(features)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1.0, atol=1e-5)
    likeness = rows @ rows.T
    assert likeness[0, 4] > 0.99
    assert likeness[0, 1] > likeness[0, 2]  # another photo of the same person, then another person
    assert face_crop(Sample(first.rgb, None)) is None
    assert face_features(Sample(first.rgb, None)) is None


def test_perceptual_distance_needs_weights_that_are_named_and_unaltered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GANONYM_WEIGHTS", raising=False)
    with pytest.raises(EnvironmentFault, match=r"safetensors\.torch\.save_model"):
        lpips_weights()
    monkeypatch.setenv("GANONYM_WEIGHTS", str(tmp_path))
    with pytest.raises(EnvironmentFault, match="names none"):
        lpips_weights()
    (tmp_path / "lpips.safetensors").write_bytes(b"weights")
    row = '[lpips-alex]\nfile = "lpips.safetensors"\nlicence = "BSD"\ntrained_on = ["x"]\nsha256 = '
    (tmp_path / "manifest.toml").write_text(f'{row}"{sha256_file(tmp_path / "lpips.safetensors")}"\n')
    assert lpips_weights() == tmp_path / "lpips.safetensors"
    (tmp_path / "lpips.safetensors").write_bytes(b"others")
    with pytest.raises(EnvironmentFault, match="SHA-256"):
        lpips_weights()


@pytest.mark.filterwarnings("ignore:.*:UserWarning:torchvision")
def test_perceptual_distance_of_a_copy_is_zero(samples: list[Sample], tmp_path: Path) -> None:
    import lpips
    from safetensors.torch import save_model
    from torch import nn

    network = lpips.LPIPS(net="alex", pretrained=False, pnet_rand=True, verbose=False).eval()
    for head in network.lins:
        nn.init.uniform_(head.model[-1].weight)
    save_model(network, str(tmp_path / "lpips.safetensors"))
    distance = PerceptualDistance(tmp_path / "lpips.safetensors")
    assert distance(samples[0], samples[0]) == pytest.approx(0.0, abs=1e-6)
    assert distance(samples[0], samples[2]) > 1e-4
    assert np.isnan(distance(samples[0], Sample(samples[2].rgb, None)))
