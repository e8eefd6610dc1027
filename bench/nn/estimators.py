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


def _clip_gradient(grad: Tensor, x: Tensor) -> Tensor:
    # hardtanh's window is open, clip's is closed: its limit is the next float above 1 (exact in x's own precision).
    limit = 1 + torch.finfo(x.dtype).eps
    return torch.ops.aten.hardtanh_backward(grad, x, -limit, limit)


def _poly_gradient(grad: Tensor, x: Tensor) -> Tensor:
    return x.abs().mul_(-2).add_(2).clamp_min_(0).mul_(grad)


_FUSED: dict[Estimator, Callable[[Tensor, Tensor], Tensor]] = {
    clip: _clip_gradient,
    poly: _poly_gradient,
    identity: lambda grad, x: grad,
}
"""grad * estimator(x) in fewer passes over memory, for finite gradients the same to the last bit. Any other estimator
takes the plain form. Element-wise passes, not arithmetic, are what makes binary training slower than full precision;
comparisons and `torch.where` cost most, as they are not vectorised on CPUs."""


class _Sign(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x: Tensor, estimator: Estimator) -> Tensor:
        ctx.save_for_backward(x)
        ctx.estimator = estimator
        nonnegative_zero = x + 0.0  # -0.0 becomes +0.0, whose sign bit says +1
        return torch.copysign(torch.ones((), dtype=x.dtype, device=x.device), nonnegative_zero, out=nonnegative_zero)

    @staticmethod
    def backward(ctx, grad: Tensor) -> tuple[Tensor, None]:
        (x,) = ctx.saved_tensors
        fused = _FUSED.get(ctx.estimator)
        return (grad * ctx.estimator(x) if fused is None else fused(grad, x)), None


def sign(x: Tensor, estimator: Estimator = clip) -> Tensor:
    """-1 or +1 in x's shape and dtype, +1 at exactly 0; differentiates as ``estimator``."""
    return _Sign.apply(x, estimator)
