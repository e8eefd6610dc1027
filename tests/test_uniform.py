"""Uniform quantizers: values by hand, gradients against their formulas in numpy, and one integer in both forms."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from bench.contract import Unsupported
from bench.nn.estimators import identity
from bench.nn.uniform import (
    LearnedStepWeight,
    MaxWeight,
    MinMaxWeight,
    TanhWeight,
    phi_slope,
    round_half_even,
    straight_through,
    uniform,
)
from bench.nn.uniform_act import (
    ClippedUnit,
    LearnedStep,
    PactRange,
    PamsRange,
    RunningRange,
)

GRID = np.linspace(-3.3, 3.3, 133)
UPSTREAM = np.cos(np.arange(len(GRID)))
"""A gradient from above that differs at every point."""


def leaf(values: np.ndarray | list[float], *shape: int) -> Tensor:
    """float64, so that a formula in numpy can be met to 1e-12."""
    return torch.tensor(np.asarray(values, dtype=np.float64)).reshape(shape or (-1,)).requires_grad_()


def backward(y: Tensor) -> None:
    y.backward(torch.from_numpy(UPSTREAM).reshape(y.shape))


def test_rounding_takes_the_even_neighbour_of_a_tie() -> None:
    v = torch.tensor([-2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 0.49999997])
    assert round_half_even(v).tolist() == [-2, -2, 0, 0, 2, 2, 0]


def test_phi_rises_by_one_a_step_and_its_slope_is_its_derivative() -> None:
    def phi(v: np.ndarray) -> np.ndarray:
        return np.floor(v) + 0.5 + np.tanh(v - np.floor(v) - 0.5) / (2 * np.tanh(0.5))

    v = np.arange(-2, 2, 0.01) + 0.005
    slope = phi_slope(torch.from_numpy(v)).numpy()
    np.testing.assert_allclose(slope, (phi(v + 1e-6) - phi(v - 1e-6)) / 2e-6, rtol=1e-6)
    np.testing.assert_allclose(slope.reshape(-1, 100).mean(1), 1, rtol=1e-4)
    assert float(phi_slope(torch.tensor(0.5))) == pytest.approx(0.5 / np.tanh(0.5))
    np.testing.assert_array_equal(np.rint(phi(v)), np.rint(v))


@pytest.mark.parametrize("slope", [identity, phi_slope])
@pytest.mark.parametrize(("low", "high"), [(-4, 3), (0, 7), (-3, 3)])
def test_uniform_values_and_gradients(slope, low: int, high: int) -> None:
    x, step = leaf(GRID), leaf([0.37])
    y = uniform(x, step, low, high, slope)
    backward(y)
    v = GRID / 0.37
    q = np.rint(np.clip(v, low, high))
    inside = (v >= low) & (v <= high)
    f = v - np.floor(v)
    s = np.ones_like(v) if slope is identity else 0.5 * (1 - np.tanh(f - 0.5) ** 2) / np.tanh(0.5)
    np.testing.assert_allclose(y.detach().numpy(), q * 0.37, rtol=1e-12)
    np.testing.assert_allclose(x.grad.numpy(), UPSTREAM * s * inside, atol=1e-12)
    np.testing.assert_allclose(step.grad.item(), np.sum(UPSTREAM * (q - v * s * inside)), rtol=1e-9)


def test_straight_through_keeps_values_exactly() -> None:
    values, surrogate = torch.tensor([0.1, 1e8]), torch.tensor([1e8, 0.3], requires_grad=True)
    y = straight_through(values, 2 * surrogate)
    y.sum().backward()
    assert torch.equal(y, values) and surrogate.grad.tolist() == [2, 2]


# Weights


def test_dorefa_weights_by_hand() -> None:
    weight = torch.atanh(torch.tensor([-0.8, -0.4, 0.0, 0.2, 0.8])).view(1, 5, 1, 1)
    # t = 0, 1/4, 1/2, 5/8, 1; three times that rounds to 0, 1, 2 (a tie), 2, 3
    assert TanhWeight(2).export(weight).integers.flatten().tolist() == [-3, -1, 1, 1, 3]
    torch.testing.assert_close(TanhWeight(2)(weight).flatten(), torch.tensor([-3, -1, 1, 1, 3]) / 3)


def test_dorefa_weight_gradient_flows_through_tanh_and_maximum() -> None:
    weight = leaf(GRID, 1, -1, 1, 1)
    backward(TanhWeight(4)(weight))
    t = np.tanh(GRID)
    top = int(np.argmax(np.abs(t)))
    expected = UPSTREAM * (1 - t**2) / abs(t[top])
    expected[top] -= np.sign(t[top]) * (1 - t[top] ** 2) * np.sum(UPSTREAM * t) / t[top] ** 2
    # the grid is symmetric: both ends reach the maximum and share its gradient
    got, ends = weight.grad.numpy().ravel(), [0, len(GRID) - 1]
    np.testing.assert_allclose(np.delete(got, ends), np.delete(expected, ends), rtol=1e-9)
    shared = (1 - t[top] ** 2) * np.sum(UPSTREAM * t) / t[top] ** 2 / 2
    for end in ends:
        own = UPSTREAM[end] * (1 - t[end] ** 2) / abs(t[end])
        np.testing.assert_allclose(got[end], own - np.sign(t[end]) * shared, rtol=1e-9)


def test_maximum_weights_by_hand_and_their_gradient() -> None:
    weight = leaf([-1.0, 0.45, 0.1, 0.9], 1, 4, 1, 1)
    y = MaxWeight(3)(weight)
    y.backward(torch.tensor([1.0, 2, 3, 4], dtype=torch.float64).view(1, 4, 1, 1))
    torch.testing.assert_close(y.flatten(), torch.tensor([-3.0, 1, 0, 3], dtype=torch.float64) / 3, rtol=1e-7, atol=0)
    assert weight.grad.flatten().tolist() == [1, 2, 3, 4]


def test_affine_weights_hold_zero_exactly_and_refuse_what_int8_cannot_hold() -> None:
    weight = torch.tensor([-0.2, 0.0, 0.5, 1.2]).view(1, 4, 1, 1)
    levels = MinMaxWeight(4).export(weight)  # step 0.1, zero point 2, so integers -2 .. 12
    assert levels.integers.flatten().tolist() == [-2, 0, 5, 12]
    assert float(levels.scale) == pytest.approx(0.1)
    with pytest.raises(Unsupported, match="-36 to 218 do not fit"):
        MinMaxWeight(8).export(weight)


def test_learned_weight_step_starts_from_the_first_batch_and_scales_its_gradient() -> None:
    quantizer, weight = LearnedStepWeight(3).double(), leaf(GRID, 1, -1, 1, 1)
    start = 2 * np.abs(GRID).mean() / np.sqrt(3)
    before = quantizer.eval()(weight)
    backward(quantizer.train()(weight))
    assert quantizer.step.item() == pytest.approx(start) and bool(quantizer.initialised)
    torch.testing.assert_close(before, quantizer.eval()(weight))
    v = GRID / start
    inside, q = (v >= -4) & (v <= 3), np.rint(np.clip(v, -4, 3))
    expected = np.sum(UPSTREAM * (q - v * inside)) / np.sqrt(len(GRID) * 3)
    np.testing.assert_allclose(quantizer.step.grad.item(), expected, rtol=1e-6)
    quantizer.train()(weight * 5)
    assert quantizer.step.item() == pytest.approx(start)


# Activations


def test_dorefa_activations_by_hand() -> None:
    x = leaf([-0.2, 0.0, 0.4, 0.6, 1.0, 1.7], 1, 1, 1, 6)
    y = ClippedUnit(2)(x)
    y.sum().backward()
    torch.testing.assert_close(y.flatten() * 3, torch.tensor([0.0, 0, 1, 2, 3, 3], dtype=torch.float64))
    assert x.grad.flatten().tolist() == [0, 1, 1, 1, 1, 0]


def test_pact_gradient_of_alpha_counts_what_is_cut() -> None:
    act, x = PactRange(3).double(), leaf(GRID, 1, 1, 1, -1)
    act.alpha.data.fill_(GRID[100])  # one point of the grid lies on it
    y = act(x)
    backward(y)
    alpha = GRID[100]
    np.testing.assert_allclose(y.detach().numpy().ravel(), np.rint(np.clip(GRID, 0, alpha) / (alpha / 7)) * alpha / 7)
    np.testing.assert_allclose(act.alpha.grad.item(), np.sum(UPSTREAM * (alpha <= GRID)))
    np.testing.assert_allclose(x.grad.numpy().ravel(), UPSTREAM * ((GRID >= 0) & (alpha > GRID)))


@pytest.mark.parametrize("gradient", ["range", "step"])
def test_pams_gradient_of_alpha_in_paper_and_code(gradient: str) -> None:
    act, x = PamsRange(4, gradient).double().eval(), leaf(GRID, 1, 1, 1, -1)
    act.alpha.data.fill_(1.93)
    y = act(x)
    backward(y)
    outside = np.abs(GRID) > 1.93
    u = np.clip(GRID, -1.93, 1.93) * 7 / 1.93
    np.testing.assert_allclose(y.detach().numpy().ravel(), np.rint(u) * 1.93 / 7, rtol=1e-12)
    within = np.rint(u) / 7 - GRID / 1.93 if gradient == "step" else np.zeros_like(GRID)
    expected = np.sum(UPSTREAM * np.where(outside, np.sign(GRID), within))
    np.testing.assert_allclose(act.alpha.grad.item(), expected, rtol=1e-9)
    np.testing.assert_allclose(x.grad.numpy().ravel(), UPSTREAM * ~outside, atol=1e-12)


def test_pams_range_follows_the_mean_of_image_maxima_while_calibrating() -> None:
    act = PamsRange(8, decay=0.9)
    x = torch.zeros(2, 3, 4, 5)
    x[0, 1, 2, 3], x[1, 2, 0, 0] = -4.0, 2.0
    act.eval()(x)
    assert act.alpha.item() == 1
    act.train()(x)
    assert act.alpha.item() == 3
    act(x * 2)
    assert act.alpha.item() == pytest.approx(0.9 * 3 + 0.1 * 6)
    act.alpha.data.fill_(50)  # what an optimizer did meanwhile does not enter the mean
    act(x)
    assert act.alpha.item() == pytest.approx(0.9 * 3.3 + 0.1 * 3)
    act.calibrating = False
    act.alpha.data.fill_(7)
    act(x)
    assert act.alpha.item() == 7


@pytest.mark.parametrize(("offset", "low", "high"), [(0.0, -4, 3), (5.0, 0, 7)])
def test_learned_step_decides_its_sign_once_and_matches_lsq(offset: float, low: int, high: int) -> None:
    values = GRID + offset
    act, x = LearnedStep(1, 3, phi_slope).double().train(), leaf(values, 1, 1, 1, -1)
    y = act(x)
    backward(y)
    start = 2 * np.abs(values).mean() / np.sqrt(high)
    assert bool(act.signed) == (low < 0) and act.step.item() == pytest.approx(start)
    start = act.step.item()  # to the last bit
    v = values / start
    inside, q, f = (v >= low) & (v <= high), np.rint(np.clip(v, low, high)), v - np.floor(v)
    slope = 0.5 * (1 - np.tanh(f - 0.5) ** 2) / np.tanh(0.5)
    np.testing.assert_allclose(y.detach().numpy().ravel(), q * start, rtol=1e-9)
    np.testing.assert_allclose(act.shift.grad.item(), np.sum(UPSTREAM * slope * inside), rtol=1e-6)
    expected = np.sum(UPSTREAM * (q - v * slope * inside)) / np.sqrt(len(values) * high)
    np.testing.assert_allclose(act.step.grad.item(), expected, rtol=1e-6)
    act(-x)
    assert bool(act.signed) == (low < 0) and act.step.item() == pytest.approx(start)


def test_running_range_is_nudged_so_that_zero_is_exact() -> None:
    act = RunningRange(2, decay=0.5).train()
    x = torch.tensor([-0.4, 0.0, 0.3, 2.6]).view(1, 1, 1, 4)
    y = act(x)  # step 1, zero point rint(0.4) = 0
    assert y.flatten().tolist() == [0, 0, 0, 3]
    act(torch.tensor([-2.4, 5.6]).view(1, 1, 1, 2))  # range -1.4 .. 4.1: step 11/6, zero point 1
    rule = act.export(1).input
    assert (rule.low, rule.high) == (-1, 2) and rule.step == pytest.approx(5.5 / 3)
    y = act.eval()(torch.tensor([-9.0, 0.0, 9.0]).view(1, 1, 1, 3))
    torch.testing.assert_close(y.flatten(), torch.tensor([-1.0, 0, 2]) * 5.5 / 3)
    act.train().delayed = True
    assert torch.equal(act(x), x) and act.eval()(x).unique().numel() < 4
