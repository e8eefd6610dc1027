"""Uniform quantization to b-bit integers: the gradient pieces, weight quantizers, and what the packed format needs.

Every quantizer here computes ``q = round(clamp(x / step, low, high))`` and ``value = q * step``, rounding half to even,
with the very expression of `bench.layer.spec.UniformInput`: a training form that multiplied by ``high / alpha``
instead would now and then pick the neighbouring integer. Methods differ in where the step comes from (a maximum, a
learned range, a learned step) and in the gradient that stands in for that of rounding.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from bench.contract import Unsupported
from bench.nn.estimators import Estimator, identity
from bench.nn.quantizers import Levels, WeightQuantizer

SMALLEST_STEP = 1e-8


def phi_slope(v: Tensor) -> Tensor:
    """Slope of QuantSR's redistribution phi(v) = floor(v) + 1/2 + tanh(f - 1/2) / (2 tanh(1/2)), f = v - floor(v).

    Steepest halfway between two integers, where rounding is undecided. Official code; the slides print tanh(2f - 1) /
    tanh(1) without the half, which integrates to 2 over a step. Both round to the same integers.
    """
    offset = v - torch.floor(v) - 0.5
    return (1 - torch.tanh(offset) ** 2) / (2 * math.tanh(0.5))


class _Round(torch.autograd.Function):
    @staticmethod
    def forward(ctx, v: Tensor, slope: Estimator) -> Tensor:
        ctx.slope = slope
        if slope is not identity:
            ctx.save_for_backward(v)
        return torch.round(v)

    @staticmethod
    def backward(ctx, grad: Tensor) -> tuple[Tensor, None]:
        return grad if ctx.slope is identity else grad * ctx.slope(*ctx.saved_tensors), None


def round_half_even(v: Tensor, slope: Estimator = identity) -> Tensor:
    """The nearest integers; differentiates as ``grad * slope(v)``."""
    return _Round.apply(v, slope)


class _Clamp(torch.autograd.Function):
    @staticmethod
    def forward(ctx, v: Tensor, low: Tensor | float, high: Tensor | float) -> Tensor:
        ctx.save_for_backward((v >= low) & (v <= high))
        return torch.clamp(v, low, high)

    @staticmethod
    def backward(ctx, grad: Tensor) -> tuple[Tensor, None, None]:
        return grad * ctx.saved_tensors[0], None, None


def clamp(v: Tensor, low: Tensor | float, high: Tensor | float) -> Tensor:
    """torch.clamp whose gradient passes on the bounds too: what it does there varies between versions of torch.

    Exact zeros, as left by ReLU, lie on the bound of an unsigned range.
    """
    return _Clamp.apply(v, low, high)


class _StraightThrough(torch.autograd.Function):
    @staticmethod
    def forward(ctx, values: Tensor, surrogate: Tensor) -> Tensor:
        return values.clone()

    @staticmethod
    def backward(ctx, grad: Tensor) -> tuple[None, Tensor]:
        return None, grad


def straight_through(values: Tensor, surrogate: Tensor) -> Tensor:
    """``values`` to the last bit, with the gradient of ``surrogate`` (same shape)."""
    return _StraightThrough.apply(values.detach(), surrogate)


class _ScaleGradient(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x: Tensor, factor: Tensor | float) -> Tensor:
        ctx.factor = factor
        return x.clone()

    @staticmethod
    def backward(ctx, grad: Tensor) -> tuple[Tensor, None]:
        return grad * ctx.factor, None


def scale_gradient(x: Tensor, factor: Tensor | float) -> Tensor:
    """``x``, with its gradient multiplied by ``factor`` (LSQ: 1 / sqrt(elements * highest level))."""
    return _ScaleGradient.apply(x, factor)


def uniform(
    x: Tensor, step: Tensor | float, low: Tensor | float, high: Tensor | float, slope: Estimator = identity
) -> Tensor:
    """round(clamp(x / step, low, high)) * step, differentiable in ``x`` and ``step``.

    With v = x / step and q its integer: d/dx = slope(v) inside [low, high] and 0 outside; d/dstep = q - v * slope(v)
    inside and the nearer bound outside, which for slope 1 is LSQ's gradient (Esser et al., ICLR 2020, eq. 3).
    """
    return round_half_even(clamp(x / step, low, high), slope) * step


def bounded(x: Tensor, lower: Tensor, upper: Tensor, values: Tensor) -> Tensor:
    """``values``, the levels of ``x`` between learned bounds, with the gradient of the whole expression.

    With c the input cut off at the bounds and v its level, d/dx is 1 inside and 0 outside, and each bound gets the
    gradient of what lies beyond it plus that of the step, (v - c) / (upper - lower), positive above and negative below.
    """
    inside = torch.where(x > upper, upper, torch.where(x < lower, lower, x))
    width = upper - lower
    return straight_through(values, inside + ((values - inside) / width).detach() * width)


def positive(step: Tensor) -> Tensor:
    """A learned step or range as it is used: its size, never 0, so that an optimizer may cross zero unharmed."""
    return step.abs().clamp_min(SMALLEST_STEP)


def first_batch(module: nn.Module) -> bool:
    """True once in a module's life: on its first call in training mode, when ranges start from the data.

    The module keeps a buffer ``initialised``, which travels in its state dict.
    """
    if not module.training or bool(module.initialised):
        return False
    module.initialised.fill_(True)
    return True


class UniformWeight(WeightQuantizer):
    """Base of b-bit weight quantizers with one step for the layer. Subclasses give `grid`."""

    slope: Estimator = staticmethod(identity)

    def __init__(self, bits: int):
        super().__init__()
        self.bits = bits

    def grid(self, weight: Tensor) -> tuple[Tensor, Tensor | int, Tensor | int]:
        """(step, lowest integer, highest integer) for latent weights (Co, Ci, kh, kw)."""
        raise NotImplementedError

    def forward(self, weight: Tensor) -> Tensor:
        return uniform(weight, *self.grid(weight), self.slope)

    @torch.no_grad()
    def export(self, weight: Tensor) -> Levels:
        step, low, high = self.grid(weight)
        if low < -128 or high > 127:
            raise Unsupported(f"weights on integers {int(low)} to {int(high)} do not fit the format's 8 bits")
        integers = torch.round(torch.clamp(weight / step, low, high)).to(torch.int8)
        return Levels(integers[None], step.float().reshape(1, 1).expand(1, len(weight)).contiguous())


class MaxWeight(UniformWeight):
    """Symmetric: step = max |W| / (2^(b-1) - 1), a constant for the gradient, which passes unchanged.

    The lowest two's-complement integer stays unused (PAMS, CADyQ, and TF-Lite's narrow range).
    """

    def grid(self, weight: Tensor) -> tuple[Tensor, int, int]:
        high = 2 ** (self.bits - 1) - 1
        return (weight.detach().abs().max() + SMALLEST_STEP) / high, -high, high


class MinMaxWeight(UniformWeight):
    """Affine: [min W, max W], widened to hold 0 and nudged so that 0 is exact, in 2^b - 1 levels (Jacob et al. 2018).

    The integers are q - zero, so 8 bits fit the packed format only while the zero point lies near the middle.
    """

    def grid(self, weight: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        steps = 2**self.bits - 2
        low, high = weight.detach().amin().clamp_max(0), weight.detach().amax().clamp_min(0)
        step = positive((high - low) / steps)
        zero = torch.round(-low / step)
        return step, -zero, steps - zero


class LearnedStepWeight(UniformWeight):
    """Learned step, integers -2^(b-1) .. 2^(b-1) - 1 (LSQ, Esser et al., ICLR 2020; QuantSR with `phi_slope`).

    The step starts at 2 mean |W| / sqrt(high) of the weights that the first training batch meets, and stands for them
    until then. Its gradient is divided by sqrt(weights * high).
    """

    def __init__(self, bits: int, slope: Estimator = identity):
        super().__init__(bits)
        self.slope = slope
        self.step = nn.Parameter(torch.ones(1))
        self.register_buffer("initialised", torch.tensor(False))

    def grid(self, weight: Tensor) -> tuple[Tensor, int, int]:
        high = 2 ** (self.bits - 1) - 1
        start = 2 * weight.detach().abs().mean() / math.sqrt(high)
        if first_batch(self):
            self.step.data.fill_(start)
        step = torch.where(self.initialised, positive(self.step), start)
        return scale_gradient(step, 1 / math.sqrt(weight.numel() * high)), -high - 1, high


class TanhWeight(WeightQuantizer):
    """DoReFa: 2 round((2^b - 1) t) / (2^b - 1) - 1 with t = tanh(W) / (2 max |tanh W|) + 1/2, maximum over the layer.

    Values lie in [-1, 1] on the odd integers -(2^b - 1), ..., 2^b - 1; rounding passes the gradient unchanged. Odd
    integers of 8 bits do not fit int8, so the packed layer holds them as 2 (r - 128) + 1: a plane of r - 128 and a
    plane of ones.
    """

    def __init__(self, bits: int):
        super().__init__()
        self.bits = bits
        self.high = 2**bits - 1
        self.bases = 1 if self.high <= 127 else 2

    def odd_integers(self, weight: Tensor) -> Tensor:
        """The integers behind the values, as floats, differentiable."""
        t = torch.tanh(weight)
        t = t / (2 * t.abs().max().clamp_min(SMALLEST_STEP)) + 0.5
        return 2 * round_half_even(t * self.high) - self.high

    def forward(self, weight: Tensor) -> Tensor:
        return self.odd_integers(weight) / self.high

    @torch.no_grad()
    def export(self, weight: Tensor) -> Levels:
        integers = self.odd_integers(weight)
        planes, scale = [integers], [1 / self.high]
        if self.bases == 2:
            planes, scale = [(integers - 1) / 2, torch.ones_like(integers)], [2 / self.high, 1 / self.high]
        scales = torch.tensor(scale, device=weight.device).view(-1, 1).expand(-1, len(weight))
        return Levels(torch.stack(planes).to(torch.int8), scales.contiguous())
