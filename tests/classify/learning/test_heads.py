"""Margins: our logits against pytorch-metric-learning's losses, closed forms, and gradients where theirs end."""

from __future__ import annotations

import math
import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from ganonym.classify.learning.fit import Schedule, fit, seeded
from ganonym.classify.learning.heads import ArcFace, CosFace, Head, Softmax, arcface_logits, cosface_logits, cosines
from ganonym.errors import EnvironmentFault

LOGITS = {"arcface": arcface_logits, "cosface": cosface_logits}


def drawn(seed: int, n: int = 24, d: int = 5, c: int = 4) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    embeddings = torch.randn(n, d, generator=generator, dtype=torch.float64) * 3
    return embeddings, torch.randint(c, (n,), generator=generator)


@pytest.mark.parametrize(
    ("head", "margin"), [(ArcFace, 28.65), (ArcFace, 60.0), (CosFace, 0.35), (CosFace, 0.4)], ids=str
)
@pytest.mark.parametrize("scale", [16.0, 64.0])
def test_loss_and_gradients_are_the_librarys(head: type[ArcFace | CosFace], margin: float, scale: float) -> None:
    made = head(margin, scale)
    theirs = seeded(lambda: made.loss(5, 4), 0).double()
    embeddings, classes = drawn(1)
    # One embedding points away from its class, though not wholly: there ArcFace takes its second branch.
    embeddings[0] = 0.1 * embeddings[0] - 2 * theirs.W.detach()[:, classes[0]]
    assert cosines(embeddings[:1], theirs.W)[0, classes[0]] < -math.cos(math.radians(28.65))
    ours, weights = embeddings.clone().requires_grad_(), theirs.W.detach().clone().requires_grad_()
    embeddings.requires_grad_()
    loss = functional.cross_entropy(LOGITS[made.name](cosines(ours, weights), classes, margin, scale), classes)
    expected = theirs(embeddings, classes)
    assert loss.item() == pytest.approx(expected.item(), rel=1e-6)
    loss.backward()
    expected.backward()
    torch.testing.assert_close(ours.grad, embeddings.grad, rtol=1e-6, atol=1e-9)
    torch.testing.assert_close(weights.grad, theirs.W.grad, rtol=1e-6, atol=1e-9)
    torch.testing.assert_close(made.logits(embeddings, theirs.W), theirs.get_logits(embeddings), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("degrees", [0.0, 10.0, 80.0, 150.0, 151.2, 152.0, 180.0])
def test_arcface_adds_an_angle_and_never_rises(degrees: float) -> None:
    """cos(θ + 0.5 rad) as far as θ + m stays below 180°, beyond that cos θ − m sin m, Deng et al.'s substitute."""
    cosine = math.cos(math.radians(degrees))
    found = arcface_logits(torch.tensor([[cosine, 0.25]], dtype=torch.float64), torch.tensor([0]), 28.65, 10.0)[0]
    m = math.radians(28.65)
    own = math.cos(math.radians(degrees) + m) if degrees <= 180 - 28.65 else cosine - m * math.sin(m)
    assert found.tolist() == pytest.approx([10 * own, 2.5])
    assert ArcFace().margin == pytest.approx(math.degrees(0.5), abs=0.01)


@settings(max_examples=30, deadline=None)
@given(st.floats(-1, 1), st.floats(-1, 1), st.floats(0, 90))
def test_arcface_falls_with_the_angle_and_never_helps(a: float, b: float, margin: float) -> None:
    """Over the seam of its two branches too, as cos m + m · sin m ≥ 1 for margins up to 90°."""
    found = torch.tensor(sorted((a, b)), dtype=torch.float64)[:, None]
    low, high = arcface_logits(found, torch.zeros(2, dtype=torch.int64), margin, 1.0).ravel().tolist()
    assert low <= high + 1e-9
    assert low <= found[0] + 1e-9
    assert high <= found[1] + 1e-9


def test_cosface_takes_the_margin_off_the_own_class_only() -> None:
    found = cosface_logits(torch.tensor([[0.9, 0.2], [0.1, -0.5]]), torch.tensor([0, 1]), 0.4, 30.0)
    np.testing.assert_allclose(found, [[15, 6], [3, -27]], atol=1e-5)


def test_gradients_are_finite_where_an_embedding_lies_on_its_class() -> None:
    for sign in (1.0, -1.0):
        found = torch.tensor([[sign, 0.3]], requires_grad=True)
        functional.cross_entropy(arcface_logits(found, torch.tensor([0])), torch.tensor([0])).backward()
        assert torch.isfinite(found.grad).all()


def test_margins_do_not_see_lengths_and_softmax_does() -> None:
    embeddings, _ = drawn(2)
    weights = drawn(3, 4, 5)[0].T
    for head in (ArcFace(), CosFace()):
        torch.testing.assert_close(head.logits(7 * embeddings, 0.1 * weights), head.logits(embeddings, weights))
        assert head.logits(embeddings, weights).abs().max() <= 30
    torch.testing.assert_close(Softmax().logits(7 * embeddings, weights), 7 * Softmax().logits(embeddings, weights))
    assert (cosines(torch.zeros(1, 5), torch.randn(5, 4)) == 0).all()


@pytest.mark.parametrize("head", [ArcFace(), CosFace(), Softmax()], ids=lambda head: head.name)
def test_the_weights_of_the_loss_train_and_then_classify(head: Head) -> None:
    """With W left out of the optimizer, classes of fixed embeddings could not be told."""
    rng = np.random.default_rng(4)
    classes = torch.from_numpy(rng.integers(0, 3, 60))
    centres = torch.eye(3, 6)
    embeddings = (centres[classes] + 0.1 * torch.from_numpy(rng.normal(size=(60, 6)))).float()
    loss = seeded(lambda: head.loss(6, 3), 5)
    before = loss.W.detach().clone()
    assert before.shape == (6, 3)
    fit(loss.parameters(), lambda rows, _: loss(embeddings[rows], classes[rows]), 60, Schedule(20, 20, rate=0.1), 6)
    assert (loss.W - before).abs().min() > 1e-3
    assert (head.logits(embeddings, loss.W).argmax(1) == classes).all()


def test_without_the_library_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pytorch_metric_learning", None)
    for head in (ArcFace(), CosFace()):
        with pytest.raises(EnvironmentFault, match=r"ganonym\[classify\]"):
            head.loss(4, 3)
    Softmax().loss(4, 3)
