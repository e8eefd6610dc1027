"""2DQuant's quantizers: two bounds a tensor, searched for on the first batch and then learnt."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from bench.layer.spec import UniformInput
from bench.nn.quantizers import ActQuantizer, Levels, QuantizedInput, WeightQuantizer
from bench.nn.uniform import bounded, first_batch, positive

TRIALS = 100
MOST = 2**16
"""Values that a search looks at, evenly spaced, where a tensor has more."""


class TwoBounds(nn.Module):
    """Bounds of 2^bits evenly spaced levels, the outermost at the bounds themselves; 0 is in general none of them."""

    def __init__(self, bits: int):
        super().__init__()
        self.levels = 2**bits - 1
        self.lower, self.upper = nn.Parameter(-torch.ones(1)), nn.Parameter(torch.ones(1))
        self.register_buffer("initialised", torch.tensor(False))

    def step(self) -> Tensor:
        return positive(self.upper - self.lower) / self.levels

    def integers(self, x: Tensor) -> Tensor:
        """0 to 2^bits - 1 for each value, as floats."""
        return torch.round(torch.clamp((x - self.lower) / self.step(), 0, self.levels))

    def forward(self, x: Tensor) -> Tensor:
        if first_batch(self):
            self.search(x.detach())
        with torch.no_grad():
            values = self.integers(x) * self.step() + self.lower
        return bounded(x, self.lower, self.upper, values)

    @torch.no_grad()
    def search(self, x: Tensor) -> None:
        """The least squared error among bounds that close in on each other in `TRIALS` equal steps (DOBI)."""
        x = x.flatten()[:: -(-x.numel() // MOST)]
        low, high = x.aminmax()
        best = torch.inf
        for trial in range(TRIALS):
            shrunk = trial * (high - low) / (2 * TRIALS)
            step = positive(high - low - 2 * shrunk) / self.levels
            values = torch.round(torch.clamp((x - low - shrunk) / step, 0, self.levels)) * step + low + shrunk
            if (error := float((values - x).square().sum())) < best:
                best = error
                self.lower.fill_(low + shrunk)
                self.upper.fill_(high - shrunk)


class BoundedWeight(WeightQuantizer):
    """Weights on levels between two bounds of the layer; packed as integers and a plane of ones for the lower bound."""

    bases = 2

    def __init__(self, bits: int):
        super().__init__()
        self.bits, self.bounds = bits, TwoBounds(bits)

    def forward(self, weight: Tensor) -> Tensor:
        return self.bounds(weight)

    @torch.no_grad()
    def export(self, weight: Tensor) -> Levels:
        integers = self.bounds.integers(weight)
        planes = torch.stack([integers, torch.ones_like(integers)]).to(torch.int8)
        return Levels(planes, torch.stack([self.bounds.step(), self.bounds.lower]).expand(2, len(weight)).contiguous())


class BoundedAct(ActQuantizer):
    """Inputs on levels between two bounds of the layer."""

    def __init__(self, bits: int):
        super().__init__()
        self.bits, self.bounds = bits, TwoBounds(bits)

    def forward(self, x: Tensor) -> Tensor:
        return self.bounds(x)

    @torch.no_grad()
    def export(self, channels: int) -> QuantizedInput:
        step, lower = float(self.bounds.step()), float(self.bounds.lower)
        shift = (-self.bounds.lower.detach()).expand(channels).contiguous()
        return QuantizedInput(UniformInput(self.bits, step, 0, self.bounds.levels, shift), step, lower)
