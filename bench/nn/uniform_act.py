"""Uniform activation quantizers: fixed range, learned range, learned step, running range."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Literal

import torch
from torch import Tensor, nn

from bench.contract import Unsupported
from bench.layer.spec import UniformInput
from bench.nn.estimators import Estimator, identity
from bench.nn.quantizers import ActQuantizer, QuantizedInput
from bench.nn.uniform import clamp, first_batch, positive, scale_gradient, straight_through, uniform


class UniformAct(ActQuantizer):
    """Base of b-bit activation quantizers with one step for the layer. Subclasses give `grid`.

    Ranges and steps that come from data are 1 until the first training batch sets them.
    """

    def __init__(self, bits: int):
        super().__init__()
        self.bits = bits
        self.register_parameter("shift", None)  # added to the input first, (1, C, 1, 1)

    def grid(self) -> tuple[Tensor | float, Tensor | float, Tensor | float]:
        """(step, lowest integer, highest integer)."""
        raise NotImplementedError

    def observe(self, x: Tensor) -> None:
        """Look at a training batch before it is quantized."""

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            self.observe(x.detach())
        return uniform(x, *self.grid())

    @torch.no_grad()
    def export(self, channels: int) -> QuantizedInput:
        step, low, high = (float(value) for value in self.grid())
        shift = None if self.shift is None else self.shift.detach().float().flatten()
        return QuantizedInput(UniformInput(self.bits, step, int(low), int(high), shift), step)


class ClippedUnit(UniformAct):
    """DoReFa: the range [0, 1] in 2^b levels; the gradient passes where 0 <= x <= 1."""

    def grid(self) -> tuple[float, int, int]:
        high = 2**self.bits - 1
        return 1 / high, 0, high


class LearnedRange(UniformAct):
    """Base of methods with one learned range alpha. Subclasses give the integer range and `clipped`.

    ``gradient``: "range" treats rounding as the identity, so alpha's gradient comes from clipped inputs alone; "step"
    lets it flow through the division and multiplication by alpha too, which adds q / high - x / alpha inside.
    """

    low: int
    high: int

    def __init__(self, bits: int, gradient: Literal["range", "step"]):
        super().__init__(bits)
        self.gradient = gradient
        self.alpha = nn.Parameter(torch.ones(1))

    def clipped(self, x: Tensor, alpha: Tensor) -> Tensor:
        """``x`` limited to the range, differentiable in both."""
        raise NotImplementedError

    def grid(self) -> tuple[Tensor, int, int]:
        return positive(self.alpha) / self.high, self.low, self.high

    def forward(self, x: Tensor) -> Tensor:
        if self.gradient == "step":
            return super().forward(x)
        with torch.no_grad():
            y = super().forward(x)
        return straight_through(y, self.clipped(x, positive(self.alpha)))


class PactRange(LearnedRange):
    """PACT (Choi et al., 2018): [0, alpha] in 2^b levels; d/dalpha = 1[x >= alpha]."""

    def __init__(self, bits: int):
        super().__init__(bits, "range")
        self.low, self.high = 0, 2**bits - 1

    def clipped(self, x: Tensor, alpha: Tensor) -> Tensor:
        return torch.where(x >= alpha, alpha, clamp(x, 0, math.inf))


class PamsRange(LearnedRange):
    """PAMS (Li et al., ECCV 2020): [-alpha, alpha] on integers of at most 2^(b-1) - 1.

    While ``calibrating``, in training, alpha follows the running mean (``decay``) of the batch mean of each image's
    max |x|, and learns afterwards. ``gradient="range"`` is the paper's +-1 outside and 0 inside, "step" the code's.
    ``decay=0`` is the code's default start, the last batch's value alone, without clipping while it calibrates.
    """

    def __init__(self, bits: int, gradient: Literal["range", "step"] = "step", decay: float = 0.9997):
        super().__init__(bits, gradient)
        self.high = 2 ** (bits - 1) - 1
        self.low = -self.high
        self.decay, self.calibrating = decay, True
        self.register_buffer("average", torch.ones(1))
        self.register_buffer("initialised", torch.tensor(False))

    def grid(self) -> tuple[Tensor, float, float]:
        step, low, high = super().grid()
        boundless = self.decay == 0 and self.training and self.calibrating
        return (step, -math.inf, math.inf) if boundless else (step, low, high)

    def observe(self, x: Tensor) -> None:
        if self.calibrating:
            largest = x.abs().amax(dim=(1, 2, 3)).mean()
            start = first_batch(self)
            self.average.copy_(largest if start else self.decay * self.average + (1 - self.decay) * largest)
            self.alpha.data.copy_(self.average)

    def clipped(self, x: Tensor, alpha: Tensor) -> Tensor:
        return torch.where(x.abs() >= alpha, alpha * torch.sign(x), x)


def range_groups(network: nn.Module, ranges: Iterable[nn.Parameter], learning_rate: float) -> list[dict[str, object]]:
    """Optimizer groups of PAMS, CADyQ and DDTB: ranges learn 100 times as fast as the rest, 1e-2 beside 1e-4.

    That ratio belongs to features of images in 0..255. Where the network works on another range, its features and
    their ranges are smaller or larger by the same factor, and so is a step of the optimizer on them.
    """
    ranges, ratio = list(ranges), 100 * network.image_range / 255
    fast = {id(parameter) for parameter in ranges}
    others = [parameter for parameter in network.parameters() if id(parameter) not in fast]
    return [{"params": others, "lr": learning_rate}, {"params": ranges, "lr": ratio * learning_rate}]


class LearnedStep(UniformAct):
    """LSQ with a learned shift per input channel: round(clamp((x + shift) / step, low, high)) * step (QuantSR).

    The first training batch decides, once, between signed and unsigned integers (signed if any value lies below
    -1e-5) and starts the step at 2 mean |x| / sqrt(high). The step's gradient is divided by sqrt(elements * high).
    """

    def __init__(self, channels: int, bits: int, slope: Estimator = identity):
        super().__init__(bits)
        self.slope = slope
        self.step = nn.Parameter(torch.ones(1))
        self.shift = nn.Parameter(torch.zeros(1, channels, 1, 1))
        self.register_buffer("signed", torch.tensor(True))
        self.register_buffer("initialised", torch.tensor(False))

    def grid(self) -> tuple[Tensor, Tensor, Tensor]:
        half, signed = 2.0 ** (self.bits - 1), self.signed
        return positive(self.step), torch.where(signed, -half, 0.0), torch.where(signed, half - 1, 2 * half - 1)

    def observe(self, x: Tensor) -> None:
        if first_batch(self):
            self.signed.copy_(x.amin() < -1e-5)
            self.step.data.fill_(2 * x.abs().mean() / torch.sqrt(self.grid()[2]))

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.shift
        if self.training:
            self.observe(x.detach())
        step, low, high = self.grid()
        return uniform(x, scale_gradient(step, 1 / torch.sqrt(x.numel() * high)), low, high, self.slope)


class RunningRange(UniformAct):
    """TF-Lite (Jacob et al., CVPR 2018): affine, on a running range [minimum, maximum] nudged so that 0 is exact.

    value = step * (q - zero) with q in 0 .. 2^b - 1; the integers here are q - zero, so that zero padding is 0.
    Training moves the range by a running mean (``decay``); nothing is learned, and the gradient passes inside the
    range. While ``delayed``, training leaves the values as they are and only watches.
    """

    def __init__(self, bits: int, decay: float = 0.999):
        super().__init__(bits)
        self.decay, self.delayed = decay, False
        self.register_buffer("minimum", torch.tensor(-1.0))
        self.register_buffer("maximum", torch.tensor(1.0))
        self.register_buffer("initialised", torch.tensor(False))

    def grid(self) -> tuple[Tensor, Tensor, Tensor]:
        levels = 2**self.bits - 1
        low, high = self.minimum.clamp_max(0), self.maximum.clamp_min(0)
        step = positive((high - low) / levels)
        zero = torch.round(-low / step).clamp(0, levels)
        return step, -zero, levels - zero

    def observe(self, x: Tensor) -> None:
        decay = 0.0 if first_batch(self) else self.decay
        self.minimum.mul_(decay).add_((1 - decay) * x.amin())
        self.maximum.mul_(decay).add_((1 - decay) * x.amax())

    def forward(self, x: Tensor) -> Tensor:
        y = super().forward(x)
        return x if self.training and self.delayed else y


class OnGrid(ActQuantizer):
    """For an input that ``source`` has quantized already, e.g. because a shortcut needs the same values.

    Values pass as they are; packed, they are quantized once more, to the same integers.
    """

    def __init__(self, source: ActQuantizer):
        super().__init__()
        self.bits = source.bits
        self._source = (source,)  # in a tuple, so that its parameters are not listed twice

    def forward(self, x: Tensor) -> Tensor:
        return x

    def export(self, channels: int) -> QuantizedInput:
        return self._source[0].export(channels)


class Unquantized(ActQuantizer):
    """Leaves the input in full precision; ``reason`` says why, and why the layer cannot be packed."""

    bits = 32

    def __init__(self, reason: str):
        super().__init__()
        self.reason = reason

    def forward(self, x: Tensor) -> Tensor:
        return x

    def export(self, channels: int) -> QuantizedInput:
        raise Unsupported(self.reason)
