"""CADyQ: how bits are chosen for each image, and what that costs and learns."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from algorithms.cadyq.adapter import CADyQ
from algorithms.cadyq.selector import BITS, GRAY, BitSelector, ImageGradients, recorded_bits
from bench.conformance import perturb
from bench.nn.algorithm import parts_of
from bench.nn.build import build_network
from bench.nn.uniform_act import PamsRange


def batch() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(5)
    return torch.rand(2, 3, 9, 11, generator=generator), torch.rand(2, 3, 18, 22, generator=generator)


def test_image_gradients_are_sobels() -> None:
    image = torch.rand(2, 3, 7, 9, generator=torch.Generator().manual_seed(1)) * 255
    watch = ImageGradients()
    watch.image_range = 255.0
    means = watch(image).numpy()
    gray = np.pad(np.tensordot(GRAY, image.double().numpy() / 255, (0, 1)), ((0, 0), (1, 1), (1, 1)), "edge")
    sobel = np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]) / 8
    expected = np.zeros((2, 2))
    for n, kernel in ((n, kernel) for n in (0, 1) for kernel in (0, 1)):
        taps = sobel if kernel == 0 else sobel.T
        response = sum(taps[i, j] * gray[n, i : i + 7, j : j + 9] for i in range(3) for j in range(3))
        expected[n, kernel] = 1000 * np.abs(response).mean()
    np.testing.assert_allclose(means, expected, rtol=1e-5)


def selector(logits: list[list[float]]) -> BitSelector:
    """A selector whose logits are given for each of the images, through the image gradients."""
    gradients = ImageGradients()
    gradients.means = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    made = BitSelector(5, gradients).eval()
    with torch.no_grad():
        made.logits.weight.zero_()
        made.logits.weight[:, :2] = torch.tensor(logits).T
        made.logits.bias.zero_()
        for index, act in enumerate(made.quantizers):
            act.alpha.fill_(1.0 + index)
    return made


def test_cadyq_chooses_by_image_and_learns_through_the_mixture() -> None:
    made = selector([[2.0, 0.0, 1.0], [0.0, 1.0, 0.5]])
    x = torch.randn(2, 5, 6, 6)
    with recorded_bits(nn.Sequential(made)) as bits:
        y = made(x)
    four, six, eight = made.quantizers
    assert torch.equal(y, torch.cat([four(x[:1]), six(x[1:])]))
    shares = torch.softmax(torch.tensor([[2.0, 0.0, 1.0], [0.0, 1.0, 0.5]]), 1)
    expected = shares @ torch.tensor(BITS, dtype=torch.float32)
    torch.testing.assert_close(bits[0].detach(), torch.tensor([4.0, 6.0]) / expected)
    y.sum().backward()
    (clipped,) = torch.autograd.grad(eight(x[:1]).sum() * shares[0, 2] + eight(x[1:]).sum() * shares[1, 2], eight.alpha)
    torch.testing.assert_close(eight.alpha.grad, clipped)
    assert made.record is None and made.logits.weight.grad.abs().sum() > 0


def test_cadyq_starts_at_eight_bits_and_pays_for_bits() -> None:
    algorithm = CADyQ()
    network = algorithm.build("srresnet", 2)
    lr, hr = batch()
    with recorded_bits(network) as bits:
        network.train()(lr)
    softmax = np.exp([0, 0, 1]) / np.exp([0, 0, 1]).sum()
    assert len(bits) == 2 * 16
    assert all(x.tolist() == pytest.approx([8 / (softmax @ BITS)] * 2, rel=1e-4) for x in bits)
    algorithm.on_progress(network, 0.5)
    assert algorithm.bit_weight == pytest.approx(1e-4 + 151e-6)
    assert not any(act.calibrating for act in parts_of(network, PamsRange))
    network.eval()
    expected = 255 * F.l1_loss(network(lr), hr).item() + algorithm.bit_weight * sum(x.sum().item() for x in bits)
    assert algorithm.loss(network, lr, hr).item() == pytest.approx(expected, rel=1e-5)


def test_two_cadyq_networks_look_at_their_own_images() -> None:
    algorithm = CADyQ()
    first, second = (perturb(build_network(algorithm, "srresnet", 2, seed)).eval() for seed in (1, 2))
    lr, _ = batch()
    before, twin = first(lr), copy.deepcopy(first)
    second(lr / 2)
    twin(lr / 2)
    assert torch.equal(first(lr), before) and torch.equal(twin(lr), before)
    assert twin.image_gradients is not first.image_gradients
    second(lr / 2)
    assert not torch.equal(second.image_gradients.means, first.image_gradients.means)
