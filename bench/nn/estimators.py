"""Sign and its gradient estimators: where two binarization papers differ most, in a few lines each.

`sign` maps x >= 0 to +1 and x < 0 to -1. ``torch.sign`` maps 0 to 0 and would train a ternary network.
An estimator is the function that stands in for the derivative of sign: ``grad_input = grad_output * estimator(x)``.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

Estimator = Callable[[Tensor], Tensor]


def clip(x: Tensor) -> Tensor:
    """1 where |x| <= 1, else 0: the straight-through estimator with a closed window (BNN, Hubara et al. 2016)."""
    return (x.abs() <= 1).to(x.dtype)


def poly(x: Tensor) -> Tensor:
    """max(0, 2 - 2|x|): derivative of Bi-Real Net's piecewise quadratic (Liu et al., ECCV 2018, eq. 7)."""
    return (2 - 2 * x.abs()).clamp_min(0)


def identity(x: Tensor) -> Tensor:
    """1 everywhere: the gradient passes unchanged (E2FIF's weights, Lang et al. 2022)."""
    return torch.ones_like(x)


class _Sign(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x: Tensor, estimator: Estimator) -> Tensor:
        ctx.save_for_backward(x)
        ctx.estimator = estimator
        return torch.where(x >= 0, 1.0, -1.0).to(x.dtype)

    @staticmethod
    def backward(ctx, grad: Tensor) -> tuple[Tensor, None]:
        (x,) = ctx.saved_tensors
        return grad * ctx.estimator(x), None


def sign(x: Tensor, estimator: Estimator = clip) -> Tensor:
    """-1 or +1 in x's shape and dtype, +1 at exactly 0; differentiates as ``estimator``."""
    return _Sign.apply(x, estimator)
