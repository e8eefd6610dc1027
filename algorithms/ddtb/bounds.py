"""DDTB's quantizers: two learned bounds a tensor, percentiles for weights; and the gate that moves bounds by image."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bench.contract import Unsupported
from bench.layer.spec import UniformInput
from bench.nn.algorithm import Tag, tag
from bench.nn.quantizers import QuantizedInput
from bench.nn.uniform import MaxWeight, UniformWeight, bounded, clamp, first_batch, positive, straight_through, uniform
from bench.nn.uniform_act import UniformAct

PERCENT = 0.01
"""Share of a tensor's values that is cut off at either end, where bounds are read off it."""
MOST = 2**24
"""Elements that torch.quantile takes."""


def tails(x: Tensor) -> Tensor:
    """The 1st and the 99th percentile of a tensor, interpolated: float32 (2,)."""
    values = x.detach().flatten().float()
    values = values[:: math.ceil(len(values) / MOST)]
    return torch.quantile(values, torch.tensor([PERCENT, 1 - PERCENT], device=x.device))


def grid_between(lower: Tensor, upper: Tensor, bits: int) -> tuple[Tensor, Tensor, Tensor]:
    """(step, lowest integer, highest integer) of 2^bits multiples of a step that reach from ``lower`` to ``upper``.

    The step is (upper - lower) / (2^bits - 1), the lowest integer the nearest to lower / step: the official code's
    zero point, by which 0 is exactly a level wherever it lies between the bounds.
    """
    levels = 2**bits - 1
    step = positive((upper - lower) / levels)
    low = torch.round(lower / step)
    return step, low, low + levels


class PercentileWeight(UniformWeight):
    """Weights between the 1st and the 99th percentile of the layer, anew each time; the gradient passes between."""

    def grid(self, weight: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return grid_between(*tails(weight), self.bits)

    def forward(self, weight: Tensor) -> Tensor:
        with torch.no_grad():
            values = uniform(weight, *self.grid(weight))
        return straight_through(values, clamp(weight, *tails(weight)))


class Bounds(UniformAct):
    """Learned bounds (see `bounded`), which start at the first training batch's percentiles."""

    def __init__(self, bits: int):
        super().__init__(bits)
        self.lower, self.upper = nn.Parameter(-torch.ones(1)), nn.Parameter(torch.ones(1))
        self.register_buffer("initialised", torch.tensor(False))

    def grid(self) -> tuple[Tensor, Tensor, Tensor]:
        return grid_between(self.lower, self.upper, self.bits)

    def observe(self, x: Tensor) -> None:
        if first_batch(self):
            low, high = tails(x)
            self.lower.data.fill_(low)
            self.upper.data.fill_(high)

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            self.observe(x.detach())
        return self.between(x, self.lower, self.upper)

    def between(self, x: Tensor, lower: Tensor, upper: Tensor) -> Tensor:
        """``x`` on the levels between bounds, one for all or one an image, (N, 1, 1, 1)."""
        with torch.no_grad():
            values = uniform(x, *grid_between(lower, upper, self.bits))
        return bounded(x, lower, upper, values)

    @torch.no_grad()
    def export(self, channels: int) -> QuantizedInput:
        """Integers k for values k * step. Bounds far to one side of 0 need more bits than there are levels."""
        step, low, high = (float(value) for value in self.grid())
        bits = max(self.bits, int(max(-low, high)).bit_length())
        if bits > 8:
            raise Unsupported(
                f"bounds so far from 0 ask for integers {low:.0f} to {high:.0f}, beyond the format's 8 bits"
            )
        return QuantizedInput(UniformInput(bits, step, int(low), int(high)), step)


class GatedBounds(Bounds):
    """Bounds that, in the layers chosen for it, an image's own features multiply by two factors in (0, 2).

    ``dynamic`` says that the layer is chosen, ``acting`` that the gate moves the bounds already; before, its output is
    pulled towards 0, the factor 1, by a loss that asks for ``pulls`` (see `DDTB.loss`).
    """

    def __init__(self, bits: int, channels: int):
        super().__init__(bits)
        self.gate = Gate(channels)
        self.watching, self.pulls = True, None
        self.register_buffer("dynamic", torch.tensor(False))
        self.register_buffer("acting", torch.tensor(False))
        self.register_buffer("seen", torch.zeros(5))

    def observe(self, x: Tensor) -> None:
        super().observe(x)
        if self.watching:
            high, low = x.amax().float(), x.amin().float()
            self.seen += torch.stack([torch.ones_like(high), high, high**2, low, low**2])

    def variation(self) -> float:
        """How much batches' largest and smallest values vary, the two variances added, over the watched batches."""
        count, high, high2, low, low2 = self.seen.double().tolist()
        return (high2 - high**2 / count + low2 - low**2 / count) / count if count else 0.0

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            self.observe(x.detach())
        if self.pulls is not None and not self.acting and (self.dynamic or self.watching):
            self.pulls.append(self.gate(x).square().mean())
        if self.acting.is_meta or not self.acting:  # counting: there are no values, and the gate is next to nothing
            return self.between(x, self.lower, self.upper)
        factors = 2 * torch.sigmoid(self.gate(x))
        return self.between(x, factors[:, 1:] * self.lower, factors[:, :1] * self.upper)

    def export(self, channels: int) -> QuantizedInput:
        raise Unsupported(
            "a trained gate makes the input's bounds and their step depend on the image; a packed layer has one step"
        )


class Gate(nn.Module):
    """From an image's channel means to two numbers: (N, C, H, W) -> (N, 2, 1, 1), on 2-bit weights and inputs."""

    def __init__(self, channels: int, hidden: int = 32):
        super().__init__()
        self.down = tag(LowBitConv(channels, hidden), Tag("attention"))
        self.norm = nn.BatchNorm2d(hidden)
        self.up = tag(LowBitConv(hidden, 2), Tag("attention"))

    def forward(self, x: Tensor) -> Tensor:
        return self.up(F.relu(self.norm(self.down(x.detach().mean((2, 3), keepdim=True)))))


class LowBitConv(nn.Conv2d):
    """A 1x1 convolution of 2-bit weights, on their maximum, with 2-bit inputs, between an image's own extremes."""

    def __init__(self, cin: int, cout: int):
        super().__init__(cin, cout, 1, bias=False)
        self.quantize_weight = MaxWeight(2)

    def forward(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            values = uniform(x, *grid_between(x.amin((1, 2, 3), keepdim=True), x.amax((1, 2, 3), keepdim=True), 2))
        return F.conv2d(straight_through(values, x), self.quantize_weight(self.weight))
