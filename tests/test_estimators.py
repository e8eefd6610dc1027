"""Each gradient estimator against its formula, written again in NumPy, through autograd."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from bench.nn.estimators import Fourier, Tanh, clip, half_clip, identity, poly, sign, swish

GRID = np.concatenate([np.linspace(-3, 3, 241), [0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 1 + 1e-9, -1 - 1e-9, 40.0, -300.0]])


def fourier(x: np.ndarray, omega: float, n: int) -> np.ndarray:
    total = sum(np.cos((2 * i + 1) * omega * x) for i in range(n + 1))
    return np.where(np.abs(x) <= 1, 4 * omega / np.pi * total, 0)


def sign_swish(x: np.ndarray, beta: float) -> np.ndarray:
    """Derivative of 2 sigmoid(bx) (1 + bx (1 - sigmoid(bx))) - 1, by central differences."""
    h = 1e-6

    def value(x: np.ndarray) -> np.ndarray:
        s = 1 / (1 + np.exp(-np.clip(beta * x, -500, 500)))
        return 2 * s * (1 + beta * x * (1 - s)) - 1

    return (value(x + h) - value(x - h)) / (2 * h)


CASES = {
    "clip": (clip, lambda x: (np.abs(x) <= 1) * 1.0),
    "half_clip": (half_clip, lambda x: (np.abs(x) <= 0.5) * 1.0),
    "poly": (poly, lambda x: np.maximum(0, 2 - 2 * np.abs(x))),
    "identity": (identity, lambda x: np.ones_like(x)),
    "swish": (swish, lambda x: sign_swish(x, 5.0)),
    "tanh, first": (Tanh(), lambda x: 1 / np.cosh(1e-3 * x) ** 2),
    "tanh, middle": (Tanh(0.5), lambda x: 1 / np.cosh(0.5 * x) ** 2),
    "tanh, last": (Tanh(10.0), lambda x: 10 / np.cosh(np.clip(10 * x, -300, 300)) ** 2),
    "fourier, first": (Fourier(), lambda x: fourier(x, 0.1, 9)),
    "fourier, last": (Fourier(terms=18), lambda x: fourier(x, 0.1, 18)),
    "fourier, wide": (Fourier(omega=1.0, terms=3), lambda x: fourier(x, 1.0, 3)),
}


@pytest.mark.parametrize("name", CASES)
def test_gradient_is_the_formula(name: str) -> None:
    estimator, formula = CASES[name]
    x = torch.tensor(GRID, requires_grad=True)
    upstream = torch.linspace(-2, 3, len(GRID), dtype=x.dtype)
    (sign(x, estimator) * upstream).sum().backward()
    expected = upstream.numpy() * formula(GRID)
    assert np.allclose(x.grad.numpy(), expected, rtol=1e-6, atol=1e-7)
    assert np.abs(expected).max() > 0.1


@pytest.mark.parametrize("name", CASES)
def test_single_precision_is_as_good_as_rounding(name: str) -> None:
    estimator, formula = CASES[name]
    x = torch.tensor(np.linspace(-2, 2, 401), dtype=torch.float32, requires_grad=True)
    sign(x, estimator).sum().backward()
    expected = formula(x.detach().double().numpy())
    assert np.allclose(x.grad.numpy(), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_sign_of_zero_is_one(dtype: torch.dtype) -> None:
    x = torch.tensor([0.0, -0.0, 1e-45, -1e-45, 3.0, -3.0], dtype=dtype)
    assert sign(x).tolist() == [1, 1, 1, -1, 1, -1] and sign(x).dtype == dtype


def test_window_of_clip_is_closed() -> None:
    limits = torch.tensor([1.0, -1.0, 1.0000001, -1.0000001], requires_grad=True)
    sign(limits, clip).sum().backward()
    assert limits.grad.tolist() == [1, 1, 0, 0]
