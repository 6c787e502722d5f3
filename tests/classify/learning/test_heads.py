"""Margins: the losses of pytorch-metric-learning against the formulas of the papers, and what heads say."""

from __future__ import annotations

import math
import sys

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from ganonym.classify.learning.fit import Schedule, fit, seeded
from ganonym.classify.learning.heads import ArcFace, CosFace, Head, Softmax, cosface_logits, cosines
from ganonym.errors import EnvironmentFault


def arcface_logits(likeness: Tensor, classes: Tensor, margin: float, scale: float) -> Tensor:
    """s · cos(θ + m) at the own class, m in degrees, else s · cos θ; cos θ − m · sin m where θ + m passes 180°.

    As Deng et al. 2019 write it, and their code.
    """
    radians = math.radians(margin)
    own = likeness.gather(1, classes[:, None])
    turned = torch.cos(own.acos() + radians)
    far = own < math.cos(math.pi - radians)
    return scale * likeness.scatter(1, classes[:, None], torch.where(far, own - radians * math.sin(radians), turned))


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


def test_cosface_takes_the_margin_off_the_own_class_only() -> None:
    logits = cosface_logits(torch.tensor([[0.9, 0.2], [0.1, -0.5]]), torch.tensor([0, 1]), 0.4, 30.0)
    np.testing.assert_allclose(logits, [[15, 6], [3, -27]], atol=1e-5)


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
