"""Binary quantizers: values by hand or by NumPy, gradients against the surrogate they stand for, exports."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from bench.nn.binarizers import (
    HalfSign,
    ImageScaledSign,
    LearnedScaleSign,
    MultiBaseSign,
    NoisyActSign,
    NoisySign,
    RectifiedSign,
    ScaleAwareSign,
    ShiftScaledSign,
    StandardizedSign,
)
from bench.nn.estimators import Fourier, Tanh, clip
from bench.nn.quantizers import TwoBaseSign, WeightQuantizer
from bench.nn.scale_maps import MeanFilter, PositionScale

ROW = [0.5, -0.25, 0.25, -2.0]
"""One output channel: mean |W| = 0.75"""


def by_hand(quantizer: WeightQuantizer, row: list[float], upstream: list[float]) -> tuple[list[float], list[float]]:
    """Values and gradient of one output channel of four weights."""
    weight = torch.tensor(row).view(1, 1, 1, 4).requires_grad_()
    values = quantizer(weight)
    (values * torch.tensor(upstream)).sum().backward()
    return values.flatten().tolist(), weight.grad.flatten().tolist()


def random_weights(seed: int = 0, scale: float = 0.3) -> Tensor:
    return scale * torch.randn(3, 4, 3, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def numeric_gradient(surrogate: Callable[[np.ndarray], np.ndarray], x: np.ndarray, upstream: np.ndarray) -> np.ndarray:
    """d (sum upstream * surrogate(x)) / dx by central differences."""
    grad, h = np.zeros_like(x), 1e-6
    for i in np.ndindex(x.shape):
        step = np.zeros_like(x)
        step[i] = h
        grad[i] = ((surrogate(x + step) - surrogate(x - step)) * upstream).sum() / (2 * h)
    return grad


def standardized(w: np.ndarray, eps: float = 0.0) -> np.ndarray:
    flat = w.reshape(len(w), -1)
    centred = flat - flat.mean(1, keepdims=True)
    return (centred / np.sqrt(flat.var(1, ddof=1, keepdims=True) + eps)).reshape(w.shape)


def test_scale_aware_sign() -> None:
    assert by_hand(ScaleAwareSign(), ROW, [1, 2, 3, 4]) == ([0.75, -0.75, 0.75, -0.75], [0.75, 1.5, 2.25, 0.0])
    _, gradient = by_hand(ScaleAwareSign(own_term=True), ROW, [1, 2, 3, 4])
    assert gradient == [1.0, 2.0, 3.0, 1.0]  # (0.75 * 1[|W| <= 1] + 1/4) * upstream


def test_learned_scale_sign() -> None:
    quantizer = LearnedScaleSign(1)
    assert by_hand(quantizer, ROW, [1, 2, 3, 4])[0] == [1, -1, 1, -1]
    quantizer.zero_grad()
    quantizer.scale.data.fill_(-2.0)
    values, gradient = by_hand(quantizer, ROW, [1, 2, 3, 4])
    assert values == [-2, 2, -2, 2] and gradient == [-2, -4, -6, 0]
    assert quantizer.scale.grad.item() == 1 - 2 + 3 - 4
    levels = quantizer.export(torch.tensor(ROW).view(1, 1, 1, 4))
    assert levels.integers.flatten().tolist() == [-1, 1, -1, 1] and levels.scale.item() == 2


def test_two_base_sign_of_a_whole_layer() -> None:
    weight = torch.tensor([[[[0.9, -0.5]]], [[[0.1, -0.1]]]])  # alpha1 = 0.4, alpha2 = 0.3
    values = TwoBaseSign(per_layer=True)(weight)
    assert torch.allclose(values.flatten(), torch.tensor([0.7, -0.7, 0.1, -0.1]))
    levels = TwoBaseSign(per_layer=True).export(weight)
    rebuilt = (levels.scale[:, :, None, None, None] * levels.integers).sum(0)
    assert torch.allclose(rebuilt, values)


def rectified(w: np.ndarray) -> np.ndarray:
    """ReCU's weights before the sign."""
    flat = w.reshape(len(w), -1)
    deviation = np.sqrt(flat.var(1, ddof=1) + 1e-5) / (2 * np.sqrt(2))
    return (w - flat.mean(1).reshape(-1, 1, 1, 1)) / deviation.reshape(-1, 1, 1, 1)


@pytest.mark.parametrize("tau", [0.85, 0.99])
def test_rectified_sign(tau: float) -> None:
    quantizer = RectifiedSign(3, tau).double()
    weight = random_weights().requires_grad_()
    upstream = random_weights(1)
    values = quantizer(weight)
    gamma, w = quantizer.scale.detach().numpy(), weight.detach().numpy()
    standard = rectified(w)
    limit = -np.abs(standard).mean() * math.log(2 - 2 * tau)
    assert np.allclose(values.detach().numpy(), gamma * np.where(standard >= 0, 1, -1))
    (values * upstream).sum().backward()
    expected = numeric_gradient(lambda w: gamma * np.clip(rectified(w), -limit, limit), w, upstream.numpy())
    assert np.allclose(weight.grad.numpy(), expected, atol=1e-6)
    assert (np.abs(standard) > limit).any() == (tau == 0.85)  # the first limit clamps some of these weights
    assert ((gamma >= 0) & (gamma < 1)).all()


def test_shift_scaled_sign() -> None:
    weight, upstream = random_weights().requires_grad_(), random_weights(1)
    values = ShiftScaledSign(Tanh(0.5))(weight)
    w = weight.detach().numpy()
    standard = standardized(w)
    scale = 2.0 ** np.round(np.log2(np.abs(standard).mean((1, 2, 3), keepdims=True)))
    assert np.allclose(values.detach().numpy(), scale * np.where(standard >= 0, 1, -1))
    (values * upstream).sum().backward()
    # k tanh(t x) has the estimator k t (1 - tanh(t x)^2) as derivative; here t = 0.5 and k = 2
    expected = numeric_gradient(lambda w: scale * 2 * np.tanh(0.5 * standardized(w)), w, upstream.numpy())
    assert np.allclose(weight.grad.numpy(), expected, atol=1e-6)


def test_shift_scaled_sign_scales_by_powers_of_two() -> None:
    weight = torch.tensor([[1.0, -1.0, 1.0, -1.0], [9.0, 0.0, 0.0, 0.0]]).view(2, 1, 1, 4)
    # mean of the standardised magnitudes: 0.87 and 0.75, whose nearest power of two is 2^0
    assert ShiftScaledSign(Tanh())(weight).flatten().tolist() == [1, -1, 1, -1, 1, -1, -1, -1]
    sparse = torch.zeros(1, 1, 1, 100)
    sparse[..., 0] = 1.0  # the same mean is 2 * 0.99 / 100 / 0.1 = 0.198, nearest 2^-2
    assert ShiftScaledSign(Tanh())(sparse).flatten().tolist() == [0.25] + 99 * [-0.25]


def test_standardized_sign() -> None:
    weight, upstream = random_weights().requires_grad_(), random_weights(1)
    values = StandardizedSign(clip)(weight)
    w = weight.detach().numpy()
    standard = standardized(w)
    alpha = np.abs(standard).mean((1, 2, 3), keepdims=True)
    assert np.allclose(values.detach().numpy(), alpha * np.where(standard >= 0, 1, -1))
    (values * upstream).sum().backward()
    expected = numeric_gradient(lambda w: np.clip(standardized(w), -1, 1), w, upstream.numpy())
    assert np.allclose(weight.grad.numpy(), expected, atol=1e-6)


@pytest.mark.parametrize("per_layer", [False, True])
@pytest.mark.parametrize("bases", [2, 3, 5])
def test_multi_base_sign_is_a_least_squares_fit(bases: int, per_layer: bool) -> None:
    weight, upstream = random_weights().requires_grad_(), random_weights(1)
    quantizer = MultiBaseSign(bases, per_layer)
    values = quantizer(weight)
    (values * upstream).sum().backward()
    w = weight.detach().numpy()
    rows = w.reshape(1 if per_layer else len(w), -1)
    shifts = np.array([-1 + 2 * m / (bases - 1) for m in range(bases)])
    expected, factors = np.empty_like(rows), []
    for row, out in zip(rows, expected, strict=True):
        planes = np.where(row - row.mean() + shifts[:, None] * row.std() >= 0, 1.0, -1.0)
        alpha = np.linalg.lstsq(planes.T, row, rcond=None)[0]
        out[:] = alpha @ planes
        factors.append(np.full_like(row, alpha.sum()))
    assert np.allclose(values.detach().numpy(), expected.reshape(w.shape), atol=1e-5)
    assert np.allclose(weight.grad.numpy(), upstream.numpy() * np.reshape(factors, w.shape), atol=1e-5)

    levels = quantizer.export(weight.detach())
    assert levels.integers.shape == (bases, *weight.shape) and levels.scale.shape == (bases, len(weight))
    assert (levels.integers.abs() == 1).all()
    rebuilt = (levels.scale[:, :, None, None, None] * levels.integers).sum(0)
    assert torch.allclose(rebuilt, values.detach().float(), atol=1e-6)


def test_multi_base_sign_survives_coinciding_planes() -> None:
    values = MultiBaseSign(3)(torch.tensor([[1.0, -1.0], [0.0, 0.0]]).view(2, 1, 1, 2))
    assert torch.allclose(values.flatten(), torch.tensor([1.0, -1.0, 0.0, 0.0]), atol=1e-5)


def test_half_sign() -> None:
    x = torch.tensor([-0.1, 0.0, 0.49, 0.5, 1.0, 1.1]).view(1, 6, 1, 1).requires_grad_()
    values = HalfSign()(x)
    values.sum().backward()
    assert values.flatten().tolist() == [-1, -1, -1, 1, 1, 1]
    assert x.grad.flatten().tolist() == [0, 1, 1, 1, 1, 0]
    threshold = HalfSign().export(6).input.threshold.view(-1, 1, 1)
    assert torch.equal(x >= threshold, values > 0)


def test_image_scaled_sign_changes_gradients_only() -> None:
    quantizer = ImageScaledSign().double()
    x = (3 * torch.randn(2, 2, 3, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)).requires_grad_()
    upstream = torch.randn(2, 2, 3, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    values = quantizer(x)
    (values * upstream).sum().backward()
    assert torch.equal(values, quantizer.eval()(x)) and torch.equal(values.detach(), torch.sign(x.detach()))

    def surrogate(x: np.ndarray) -> np.ndarray:  # Bi-Real Net's piecewise quadratic, whose derivative is poly
        z = x / np.sqrt(x.reshape(2, -1).var(1, ddof=1).reshape(2, 1, 1, 1) + 1e-5)
        inside = np.where(z < 0, 2 * z + z * z, 2 * z - z * z)
        return np.where(np.abs(z) < 1, inside, np.sign(z))

    assert np.allclose(x.grad.numpy(), numeric_gradient(surrogate, x.detach().numpy(), upstream.numpy()), atol=1e-6)


def noise(t: np.ndarray, down: np.ndarray, up: np.ndarray) -> np.ndarray:
    return np.maximum(t @ down.T, 0) @ up.T + 0.1 * np.sin(t)


def test_noise_is_part_of_training_only() -> None:
    torch.manual_seed(0)
    weight = random_weights().float()
    quantizer = NoisySign(36, Fourier(), strength=0.07)
    branch = [p.detach().numpy() for p in (quantizer.noise.down, quantizer.noise.up)]
    alpha = weight.abs().mean((1, 2, 3), keepdim=True)
    noisy = torch.sign(weight) + 0.07 * torch.tensor(noise(weight.flatten(1).numpy(), *branch)).view_as(weight)
    assert torch.allclose(quantizer(weight), alpha * noisy, atol=1e-6)
    assert torch.equal(quantizer.eval()(weight), alpha * torch.sign(weight))
    quantizer.train().strength = 0.0
    assert torch.equal(quantizer(weight), alpha * torch.sign(weight))


def test_activation_noise_sees_the_channels_of_a_pixel() -> None:
    torch.manual_seed(0)
    x = torch.randn(2, 8, 3, 5)
    quantizer = NoisyActSign(8, Fourier(), strength=0.1)
    down, up = (p.detach().numpy() for p in (quantizer.noise.down, quantizer.noise.up))
    assert down.shape == (2, 8)  # a quarter, below 64 values
    assert [NoisyActSign(n, Fourier()).noise.down.shape for n in (63, 64, 576)] == [(15, 63), (1, 64), (9, 576)]
    expected = np.sign(x[1, :, 2, 4].numpy()) + 0.1 * noise(x[1, :, 2, 4].numpy(), down, up)
    assert np.allclose(quantizer(x)[1, :, 2, 4].detach().numpy(), expected, atol=1e-6)
    assert torch.equal(quantizer.eval()(x), torch.sign(x))


def test_mean_filter() -> None:
    x = torch.tensor([[1.0, -3.0], [5.0, 0.0]]).view(1, 1, 2, 2).expand(1, 2, 2, 2) * torch.tensor([1.0, -2.0]).view(
        1, 2, 1, 1
    )
    means = torch.tensor([[1.5, 4.5], [7.5, 0.0]])  # mean |x| over the two channels
    assert torch.equal(MeanFilter(1)(x)[0, 0], means)
    assert torch.allclose(MeanFilter(3)(x), torch.full((1, 1, 2, 2), 13.5 / 9))  # every window holds all four pixels
    assert torch.allclose(MeanFilter(3, per_image=True)(x), torch.full((1, 1, 2, 2), 13.5 / 4))
    assert torch.allclose(MeanFilter(3)(torch.ones(1, 3, 4, 4))[0, 0, 0], torch.tensor([4, 6, 6, 4]) / 9)


def test_position_scale_beyond_the_trained_positions_is_one() -> None:
    scale = PositionScale(3)
    scale.row.data = torch.tensor([2.0, 3.0, 4.0])
    scale.column.data = torch.tensor([5.0, 6.0, 7.0])
    assert scale(torch.empty(2, 8, 2, 2)).tolist() == 2 * [[[[10, 12], [15, 18]]]]
    large = scale(torch.empty(1, 8, 4, 5))[0, 0]
    assert large[0].tolist() == [10, 12, 14, 2, 2] and large[3].tolist() == [5, 6, 7, 1, 1]
