"""Sign and its gradient estimators: where two binarization papers differ most, in a few lines each.

`sign` maps x >= 0 to +1 and x < 0 to -1. ``torch.sign`` maps 0 to 0 and would train a ternary network.
An estimator is the function that stands in for the derivative of sign: ``grad_input = grad_output * estimator(x)``.
"""

from __future__ import annotations

import math
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


def half_clip(x: Tensor) -> Tensor:
    """1 where |x| <= 1/2, else 0: ABC-Net's window 0 <= x + v <= 1 about its threshold 1/2 (Lin et al., NIPS 2017)."""
    return (x.abs() <= 0.5).to(x.dtype)


def swish(x: Tensor, beta: float = 5.0) -> Tensor:
    """beta * (2 - bx tanh(bx/2)) / (1 + cosh(bx)): derivative of BNN+'s SignSwish (Darabi et al. 2018).

    The factor beta is the slope's scale: it is beta at 0, turns negative past |bx| = 2.4 and dies out.
    """
    z = (beta * x).clamp(-30, 30)  # beyond, the value is below 1e-10 and cosh soon overflows
    return beta * (2 - z * torch.tanh(z / 2)) / (1 + torch.cosh(z))


class Tanh:
    """k t (1 - tanh(t x)^2) with k = max(1/t, 1): IR-Net's error decay estimator (Qin et al., CVPR 2020).

    ``t`` grows over the training: at first nearly the identity, at the end nearly the sign's own derivative.
    """

    def __init__(self, t: float = 1e-3):
        self.t = t

    def __call__(self, x: Tensor) -> Tensor:
        return max(1 / self.t, 1.0) * self.t * (1 - torch.tanh(self.t * x) ** 2)


class Fourier:
    """(4 w / pi) sum over i = 0..n of cos((2i + 1) w x), 0 where |x| > 1 (FDA-BNN, Xu et al., NeurIPS 2021, eq. 10).

    The window is the official code's. ``terms`` is n and grows over the training. Computed in closed form:
    sum of cos((2i + 1) z) = sin(2 (n + 1) z) / (2 sin z).
    """

    def __init__(self, omega: float = 0.1, terms: int = 9):
        self.omega, self.terms = omega, terms

    def __call__(self, x: Tensor) -> Tensor:
        z, count = self.omega / math.pi * x, self.terms + 1
        total = count * torch.sinc(2 * count * z) / torch.sinc(z)
        return 4 * self.omega / math.pi * total * clip(x)

    def gradient(self, grad: Tensor, x: Tensor) -> Tensor:
        """``grad * self(x)`` in fewer passes: the quotient is even, and next to 0 it is that at 0."""
        z = x.abs().mul_(self.omega).clamp_min_(torch.finfo(x.dtype).tiny)
        total = torch.sin(z * (2 * (self.terms + 1))).div_(z.sin_()).mul_(2 * self.omega / math.pi)
        return _clip_gradient(total.mul_(grad), x)


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
"""grad * estimator(x) in fewer passes over memory, for finite gradients the same to the last bit. An estimator may
bring its own as a method ``gradient``; any other takes the plain form. Element-wise passes, not arithmetic, are what
makes binary training slower than full precision; comparisons and `torch.where` cost most: they are not vectorised."""


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
        fused = getattr(ctx.estimator, "gradient", None) or _FUSED.get(ctx.estimator)
        return (grad * ctx.estimator(x) if fused is None else fused(grad, x)), None


def sign(x: Tensor, estimator: Estimator = clip) -> Tensor:
    """-1 or +1 in x's shape and dtype, +1 at exactly 0; differentiates as ``estimator``."""
    return _Sign.apply(x, estimator)
